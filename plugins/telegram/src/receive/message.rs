//! Messages, edits of them, and what groups tell of themselves through messages.

use patchbay_plugin::Field;
use patchbay_plugin::messages::{Conversation, ConversationKind, Event, Happening, Identity, Inbound, Party};
use serde_json::{Value, json};

use super::{Bot, content, custom, entities, event, ignored, moved, raw, time_ms};
use crate::address;
use crate::json::Json as _;

/// Fields of a message that tell of the group and not of somebody's words.
const SERVICE: &[&str] = &[
    "new_chat_members",
    "left_chat_member",
    "chat_owner_left",
    "chat_owner_changed",
    "new_chat_title",
    "new_chat_photo",
    "delete_chat_photo",
    "group_chat_created",
    "supergroup_chat_created",
    "channel_chat_created",
    "message_auto_delete_timer_changed",
    "pinned_message",
    "successful_payment",
    "refunded_payment",
    "users_shared",
    "chat_shared",
    "gift",
    "unique_gift",
    "connected_website",
    "write_access_allowed",
    "passport_data",
    "proximity_alert_triggered",
    "boost_added",
    "chat_background_set",
    "checklist_tasks_done",
    "checklist_tasks_added",
    "direct_message_price_changed",
    "forum_topic_created",
    "forum_topic_edited",
    "forum_topic_closed",
    "forum_topic_reopened",
    "general_forum_topic_hidden",
    "general_forum_topic_unhidden",
    "giveaway_created",
    "giveaway_completed",
    "paid_message_price_changed",
    "video_chat_scheduled",
    "video_chat_started",
    "video_chat_ended",
    "video_chat_participants_invited",
    "web_app_data",
];

pub(super) fn received(bot: &Bot, message: &Value, kind: &str) -> Vec<Event> {
    let chat = message.get("chat").and_then(|chat| chat.id("id")).unwrap_or_default();
    if chat.is_empty() {
        return vec![ignored("message_without_id", message)];
    }
    if let Some(new) = message.id("migrate_to_chat_id") {
        return vec![moved(&bot.id, &chat, &new)];
    }
    if let Some(old) = message.id("migrate_from_chat_id") {
        return vec![moved(&bot.id, &old, &chat)];
    }
    if let Some(service) = SERVICE.iter().find(|name| message.get(**name).is_some_and(|value| !value.is_null())) {
        return vec![service_message(message, service)];
    }
    let Some(inbound) = inbound(bot, message, kind) else { return vec![ignored("message_without_id", message)] };
    let started = !inbound.echo && inbound.conversation.kind == ConversationKind::Direct && started(message).is_some();
    let mut events = vec![about(message, Happening::Message(inbound))];
    // Who presses Start lets the bot write to them.
    events.extend(started.then(|| about(message, Happening::OptedIn)));
    events
}

pub(super) fn edited(bot: &Bot, message: &Value, kind: &str) -> Vec<Event> {
    let Some(inbound) = inbound(bot, message, kind) else { return vec![ignored("message_without_id", message)] };
    let mut event = about(message, Happening::Edited(inbound));
    event.at_ms = time_ms(message.whole("edit_date")).or(event.at_ms);
    vec![event]
}

fn service_message(message: &Value, kind: &str) -> Event {
    let id = external_id(message).unwrap_or_default();
    about(message, custom("service", &json!({"kind": kind, "message": id, "data": raw(message.get(kind).unwrap_or(&Value::Null))})))
}

/// An event of a message's conversation, by its sender, at its time.
fn about(message: &Value, what: Happening) -> Event {
    let mut event = event(what);
    event.conversation = conversation(message);
    event.actor = sender(message);
    event.at_ms = time_ms(message.whole("date"));
    event
}

/// None where the chat or the ids are missing: such a message could neither be kept apart from others nor answered.
fn inbound(bot: &Bot, message: &Value, kind: &str) -> Option<Inbound> {
    let sender = sender(message);
    let own = message.get("from").and_then(|from| from.id("id")).is_some_and(|id| id == bot.id);
    Some(Inbound {
        external_id: external_id(message)?,
        conversation: conversation(message)?,
        sender: sender.unwrap_or_else(|| Party { identities: Vec::new(), name: None }),
        echo: own,
        content: content::of(message),
        reply_to: reply_to(message),
        related: Vec::new(),
        automatic: false,
        origin: origin(message, kind).to_owned(),
        sent_at_ms: time_ms(message.whole("date")),
        reply_context: None,
        extras: extras(message),
    })
}

pub(super) fn external_id(message: &Value) -> Option<String> {
    Some(address::message(&message.get("chat")?.id("id")?, &message.id("message_id")?))
}

pub(super) fn conversation(message: &Value) -> Option<Conversation> {
    let topic = message.id("message_thread_id").filter(|_| message.flag("is_topic_message")).and_then(address::topic);
    chat_conversation(message.get("chat")?, topic.as_deref())
}

pub(super) fn chat_conversation(chat: &Value, topic: Option<&str>) -> Option<Conversation> {
    let kind = match chat.text("type") {
        Some("private") => ConversationKind::Direct,
        Some("channel") => ConversationKind::Broadcast,
        Some(_) => ConversationKind::Group,
        // An inaccessible message's chat, or a double's: groups have negative ids.
        None if chat.whole("id").is_some_and(|id| id < 0) => ConversationKind::Group,
        None => ConversationKind::Direct,
    };
    Some(Conversation { external_id: address::conversation(&chat.id("id")?, topic), kind, title: name(chat) })
}

pub(super) fn group(id: &str) -> Conversation {
    Conversation { external_id: id.to_owned(), kind: ConversationKind::Group, title: None }
}

/// `sender_chat` speaks for anonymous administrators and channels; `from` is then a stand-in.
fn sender(message: &Value) -> Option<Party> {
    let chat = || message.get("chat").filter(|chat| chat.text("type") == Some("channel"));
    party(message.object("sender_chat").or_else(|| message.object("from")).or_else(chat)?)
}

/// A user or a chat as a person with ids.
pub(super) fn party(user: &Value) -> Option<Party> {
    let mut identities = vec![Identity::new("telegram", user.id("id")?)];
    identities.extend(user.text("username").map(|name| Identity::new("telegram_username", name)));
    Some(Party { identities, name: name(user) })
}

fn name(user: &Value) -> Option<String> {
    let full: Vec<&str> = ["first_name", "last_name"].iter().filter_map(|part| user.text(part)).filter(|part| !part.is_empty()).collect();
    match (user.text("title"), full.as_slice()) {
        (Some(title), _) => Some(title.to_owned()),
        (None, []) => user.text("username").map(str::to_owned),
        (None, full) => Some(full.join(" ")),
    }
}

fn reply_to(message: &Value) -> Option<String> {
    if let Some(answered) = message.object("reply_to_message") {
        // In a topic, what answers nothing "answers" the message that opened the topic.
        let opening = answered.get("forum_topic_created").is_some() && answered.id("message_id") == message.id("message_thread_id");
        let chat = answered.get("chat").and_then(|chat| chat.id("id")).or_else(|| message.get("chat")?.id("id"))?;
        return answered.id("message_id").filter(|_| !opening).map(|id| address::message(&chat, &id));
    }
    let elsewhere = message.object("external_reply")?;
    Some(address::message(&elsewhere.get("chat")?.id("id")?, &elsewhere.id("message_id")?))
}

fn origin(message: &Value, kind: &str) -> &'static str {
    if message.object("forward_origin").is_some() || message.get("forward_date").is_some() {
        "forwarded"
    } else if kind.ends_with("channel_post") {
        "channel"
    } else if start_payload(message).is_some() {
        "referral"
    } else {
        "direct"
    }
}

/// `/start payload`: the user came through a link of the bot, `https://t.me/bot?start=payload`.
fn start_payload(message: &Value) -> Option<&str> {
    started(message).filter(|payload| !payload.is_empty())
}

/// What follows `/start`, which may be nothing.
fn started(message: &Value) -> Option<&str> {
    let text = message.text("text")?;
    let (command, payload) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let start = command == "/start" || command.starts_with("/start@");
    start.then_some(payload.trim())
}

fn extras(message: &Value) -> Vec<Field> {
    let mut extras = Vec::new();
    let mut add = |name: &str, value: Option<String>| extras.extend(value.map(|value| Field::new(name, value)));
    let (text, marks) = match message.text("text") {
        Some(text) => (text, message.list("entities")),
        None => (message.text("caption").unwrap_or_default(), message.list("caption_entities")),
    };
    if !marks.is_empty() {
        add("html", Some(entities::html(text, marks)));
        add("entities", serde_json::to_string(marks).ok());
    }
    add("media_group_id", message.id("media_group_id"));
    add("message_thread_id", message.id("message_thread_id"));
    add("author_signature", message.text("author_signature").map(str::to_owned));
    add("edit_date", message.id("edit_date"));
    add("start_payload", start_payload(message).map(str::to_owned));
    add("quote", message.get("quote").and_then(|quote| quote.text("text")).map(str::to_owned));
    add("language_code", message.get("from").and_then(|from| from.text("language_code")).map(str::to_owned));
    add("via_bot", message.get("via_bot").and_then(|bot| bot.text("username")).map(str::to_owned));
    if let Some(location) = message.object("location") {
        for detail in ["live_period", "heading", "horizontal_accuracy", "proximity_alert_radius"] {
            add(detail, location.id(detail));
        }
    }
    if let Some(origin) = message.object("forward_origin") {
        let from = origin.get("sender_user").or_else(|| origin.get("sender_chat")).or_else(|| origin.get("chat"));
        add("forward_type", origin.text("type").map(str::to_owned));
        add("forward_from", from.and_then(|from| from.id("id")));
        add("forward_name", from.and_then(name).or_else(|| origin.text("sender_user_name").map(str::to_owned)));
        add("forward_date", origin.id("date"));
        add("forward_message_id", origin.id("message_id"));
    } else {
        // Before Bot API 7.0.
        let from = message.object("forward_from").or_else(|| message.object("forward_from_chat"));
        add("forward_from", from.and_then(|from| from.id("id")));
        add("forward_name", from.and_then(name).or_else(|| message.text("forward_sender_name").map(str::to_owned)));
        add("forward_date", message.id("forward_date"));
    }
    extras
}
