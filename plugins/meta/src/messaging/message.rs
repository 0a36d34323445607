//! What people say: messages, echoes, taps, edits, and messages taken back.

use patchbay_plugin::Field;
use patchbay_plugin::messages::{Choice, Content, Custom, Event, Happening, Inbound, Media, MediaKind, Source, Text};
use serde_json::{Value, json};

use super::item::{Item, custom, fingerprint};
use super::{attachment, besides, ignored, raw, referral};
use crate::json::Json as _;

/// The payload of the button that begins a conversation, as everybody names it.
const GET_STARTED: &str = "GET_STARTED";

pub(super) fn received(item: &Item<'_>, message: &Value) -> Vec<Event> {
    let Some(mid) = message.id("mid") else { return vec![ignored(item, "message_without_id")] };
    if message.flag("is_deleted") {
        // The same mid as the message's: only the key keeps them apart.
        return vec![item.event(&format!("deleted:{mid}"), Happening::Deleted(mid))];
    }
    if let Some(choice) = message.object("quick_reply").filter(|_| !item.own && !item.standby) {
        let mut events = vec![chose(item, &format!("message:{mid}"), message, choice)];
        events.extend(message.object("referral").map(|told| referral::event(item, told, &mid)));
        return events;
    }
    match inbound(item, message, &mid) {
        Some(inbound) => {
            let kind = if item.own { "echo" } else { "message" };
            vec![item.event(&format!("{kind}:{mid}"), Happening::Message(inbound))]
        }
        None => vec![ignored(item, "message_without_person")],
    }
}

fn chose(item: &Item<'_>, key: &str, message: &Value, choice: &Value) -> Event {
    let title = message.text("text").unwrap_or_default().to_owned();
    let id = choice.id("payload").unwrap_or_else(|| title.clone());
    let target = message.get("reply_to").and_then(|answered| answered.id("mid"));
    item.event(key, Happening::Chose(Choice { target, id, title, answer_ref: None }))
}

/// Buttons of templates, menus, ice breakers, and the one that begins a conversation.
pub(super) fn pressed(item: &Item<'_>, postback: &Value) -> Vec<Event> {
    let key = postback.id("mid").unwrap_or_else(|| fingerprint(&json!([item.person_id(), item.time_words(), postback.get("payload")])));
    let title = postback.text("title").unwrap_or_default().to_owned();
    if item.standby {
        // Without its payload, and another app answers it.
        return vec![
            item.event(&format!("standby:{key}"), custom("standby_postback", &json!({"title": title, "mid": postback.id("mid")}))),
        ];
    }
    let id = postback.id("payload").unwrap_or_else(|| title.clone());
    let started = id == GET_STARTED;
    let choice = Choice { target: None, id, title, answer_ref: None };
    let mut events = vec![item.event(&format!("postback:{key}"), Happening::Chose(choice))];
    events.extend(postback.object("referral").map(|told| referral::event(item, told, &key)));
    // Who begins a conversation lets the account write to them.
    events.extend(started.then(|| besides(item, &format!("started:{key}"), Happening::OptedIn)));
    events
}

pub(super) fn edited(item: &Item<'_>, edit: &Value) -> Vec<Event> {
    let Some(mid) = edit.id("mid") else { return vec![ignored(item, "edit_without_id")] };
    let number = edit.id("num_edit");
    let key = format!("edit:{mid}:{}", number.clone().unwrap_or_else(|| item.time_words()));
    let Some(mut inbound) = inbound(item, edit, &mid) else { return vec![ignored(item, "edit_without_person")] };
    inbound.extras.extend(number.map(|number| Field::new("num_edit", number)));
    vec![item.event(&key, Happening::Edited(inbound))]
}

/// None without a person: such a message could not be answered.
fn inbound(item: &Item<'_>, message: &Value, mid: &str) -> Option<Inbound> {
    let answered = message.get("reply_to").unwrap_or(&Value::Null);
    Some(Inbound {
        external_id: mid.to_owned(),
        conversation: item.conversation()?,
        sender: item.speaker(),
        echo: item.own,
        content: content(message),
        reply_to: answered.id("mid"),
        related: Vec::new(),
        automatic: false,
        origin: origin(message).to_owned(),
        sent_at_ms: item.at_ms,
        reply_context: None,
        extras: extras(item, message),
    })
}

fn content(message: &Value) -> Vec<Content> {
    let mut content = Vec::new();
    content.extend(message.text("text").filter(|text| !text.is_empty()).map(|text| Content::Text(Text::plain(text))));
    if message.flag("is_unsupported") {
        content.push(unsupported("unsupported", &Value::Null));
    }
    let has_text = !content.is_empty();
    content.extend(attachment::contents(message.list("attachments"), has_text));
    content.extend(message.get("reply_to").and_then(|answered| story(answered.object("story")?)));
    if content.is_empty() {
        content.push(unsupported("empty", message));
    }
    content
}

pub(super) fn unsupported(kind: &str, value: &Value) -> Content {
    Content::Custom(Custom::new("unsupported", &json!({"type": kind, "raw": raw(value)})))
}

/// The story that is answered: it is gone after a day, so it is fetched with the message.
fn story(story: &Value) -> Option<Content> {
    let mut media = attachment::media(MediaKind::Image, Source::ProviderRef(story.text("url").filter(|url| !url.is_empty())?.to_owned()));
    media.extras = vec![Field::new("role", "story")];
    media.extras.extend(story.id("id").map(|id| Field::new("story_id", id)));
    Some(Content::Media(Media { ..media }))
}

fn origin(message: &Value) -> &'static str {
    let has = |kind: &str| message.list("attachments").iter().any(|attachment| attachment.text("type") == Some(kind));
    if has("story_mention") {
        "story_mention"
    } else if message.get("reply_to").is_some_and(|answered| answered.object("story").is_some()) {
        "story_reply"
    } else if message.object("referral").is_some() {
        "referral"
    } else {
        "direct"
    }
}

fn extras(item: &Item<'_>, message: &Value) -> Vec<Field> {
    let mut extras = Vec::new();
    let mut add = |name: &str, value: Option<String>| extras.extend(value.map(|value| Field::new(name, value)));
    add("standby", item.standby.then(|| "true".to_owned()));
    let metadata = message.id("metadata");
    // What we send carries our message's id, and its echo gives it back.
    add("message_id", metadata.clone().filter(|metadata| item.own && is_message_id(metadata)));
    add("metadata", metadata);
    add("app_id", message.id("app_id"));
    add("quick_reply", message.get("quick_reply").and_then(|choice| choice.id("payload")));
    if let Some(answered) = message.object("reply_to") {
        add("story_id", answered.get("story").and_then(|story| story.id("id")));
        add("is_self_reply", answered.flag("is_self_reply").then(|| "true".to_owned()));
    }
    let commands = message.list("commands").iter().filter_map(|command| command.text("name")).collect::<Vec<_>>();
    add("commands", (!commands.is_empty()).then(|| commands.join(",")));
    if let Some(told) = message.object("referral") {
        extras.extend(referral::fields(told));
    }
    extras
}

/// The gateway's ids are UUIDs; other apps write what they like.
fn is_message_id(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}
