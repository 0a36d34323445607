//! `business/message/send`: the checks of the real one, the window, and the echo.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::sleep;

use crate::tiktok::answer::{Outcome, Refusal, Reply};
use crate::tiktok::ask::{Ask, only};
use crate::tiktok::events;
use crate::tiktok::server::{Echoes, Knobs, Server};
use crate::tiktok::world::{Message, Sent, World};

const TEXT_MAX: usize = 6000;
/// Each type with the member that holds what it says.
const KINDS: &[(&str, &str)] =
    &[("TEXT", "text"), ("IMAGE", "image"), ("SHARE_POST", "share_post"), ("TEMPLATE", "template"), ("SENDER_ACTION", "sender_action")];
const QUOTABLE: &[&str] = &["TEXT", "IMAGE", "SHARE_POST"];
/// An echo after the answer comes so much later.
const ECHO_AFTER: Duration = Duration::from_millis(50);

/// What was accepted.
struct Taken {
    business_id: String,
    conversation_id: String,
    message: Option<Message>,
}

pub(crate) async fn send(server: &Arc<Server>, ask: &Ask) -> Outcome {
    let knobs = server.knobs();
    let taken = take(server, ask, &knobs)?;
    let Some(message) = taken.message else { return Ok(Reply::Data(json!({"message": {"message_id": ""}}))) };
    let answer = json!({"message": {"message_id": message.id}});
    match knobs.echoes {
        Echoes::Off => {}
        Echoes::Before => {
            events::sent(server, &taken.business_id, &taken.conversation_id, &message).await;
        }
        Echoes::After => {
            let server = Arc::clone(server);
            tokio::spawn(async move {
                sleep(ECHO_AFTER).await;
                events::sent(&server, &taken.business_id, &taken.conversation_id, &message).await;
            });
        }
    }
    Ok(Reply::Data(answer))
}

fn take(server: &Server, ask: &Ask, knobs: &Knobs) -> Result<Taken, Refusal> {
    let mut known = vec!["business_id", "recipient_type", "recipient", "message_type", "referenced_message_info", "direct_reply"];
    known.extend(KINDS.iter().map(|(_, member)| *member));
    ask.only(&known)?;
    let business_id = server.acting(ask, "message.list.send")?;
    let kind = ask.needed("message_type")?;
    let Some((_, member)) = KINDS.iter().find(|(name, _)| *name == kind) else {
        return Err(Refusal::parameter(format!("message_type: {kind} isn't a type of message.")));
    };
    if let Some((_, other)) = KINDS.iter().find(|(_, other)| other != member && ask.params.contains_key(*other)) {
        return Err(Refusal::parameter(format!("{other}: Doesn't go with message_type {kind}.")));
    }
    let now = server.now_ms();
    let mut world = server.world.lock();
    let conversation_id = recipient(&mut world, ask, &business_id, knobs, now)?;
    let person_id = world.conversation(&business_id, &conversation_id).map(|conversation| conversation.person_id.clone());
    if let Some(refusal) = fate(&conversation_id).or_else(|| fate(&person_id?)) {
        return Err(refusal);
    }
    let value = content(&world, ask, member, &business_id, knobs, now)?;
    quote(&world, ask, &business_id, &conversation_id)?;
    let is_message = kind != "SENDER_ACTION";
    let id = if is_message { format!("m_out_{}", server.next_number()) } else { String::new() };
    let conversation = world.conversation_mut(&business_id, &conversation_id).ok_or_else(|| Refusal::of(40_007))?;
    if !knobs.open_windows && !conversation.is_open(now) {
        return Err(Refusal::of(40_064));
    }
    let message =
        is_message.then(|| Message { id: id.clone(), kind: kind.to_owned(), value, from_person: false, source: "API", at_ms: now });
    if let Some(message) = &message {
        conversation.used += 1;
        conversation.updated_ms = now;
        conversation.messages.push(message.clone());
    }
    let sent = Sent {
        business_id: business_id.clone(),
        conversation_id: conversation_id.clone(),
        message_id: id,
        message_type: kind.to_owned(),
        body: Value::Object(ask.params.clone()),
        at_ms: now,
    };
    world.sent.push(sent);
    Ok(Taken { business_id, conversation_id, message })
}

/// The conversation that is named, or the one with whoever wrote the comment that is answered.
fn recipient(world: &mut World, ask: &Ask, business_id: &str, knobs: &Knobs, now: u64) -> Result<String, Refusal> {
    if let Some(reply) = ask.params.get("direct_reply") {
        if ask.params.contains_key("recipient") {
            return Err(Refusal::parameter("direct_reply: Doesn't go with recipient."));
        }
        let reply = object(Some(reply), "direct_reply", &["reply_type", "comment_reply"])?;
        if reply.get("reply_type").and_then(Value::as_str) != Some("COMMENT_REPLY") {
            return Err(Refusal::parameter("direct_reply.reply_type: Must be COMMENT_REPLY."));
        }
        let comment = object(reply.get("comment_reply"), "direct_reply.comment_reply", &["comment_id"])?;
        let comment_id = needed(comment, "comment_id", "direct_reply.comment_reply.", 100)?;
        if !knobs.comment_replies {
            return Err(Refusal::new(40_001, "Comment-to-Message isn't available for this account."));
        }
        let person = format!("commenter_{comment_id}");
        world.person(&person);
        let id = world.conversation_with(business_id, &person, now);
        if let Some(conversation) = world.conversation_mut(business_id, &id) {
            conversation.opened_ms.get_or_insert(now);
        }
        return Ok(id);
    }
    if ask.needed("recipient_type")? != "CONVERSATION" {
        return Err(Refusal::parameter("recipient_type: Must be CONVERSATION."));
    }
    let id = ask.needed("recipient")?;
    if world.conversation(business_id, id).is_some() || fate(id).is_some() { Ok(id.to_owned()) } else { Err(Refusal::of(40_007)) }
}

/// What a conversation `fail_40064`, or one with a person whose id ends so (`u_fail_40064`), always meets: that code, or that HTTP status.
fn fate(id: &str) -> Option<Refusal> {
    let (_, number) = id.rsplit_once("fail_")?;
    let code: u32 = number.parse().ok()?;
    Some(match u16::try_from(code) {
        Ok(status) if (400..600).contains(&status) => Refusal { status, ..Refusal::of(50_000) },
        _ => Refusal::of(code),
    })
}

fn content(world: &World, ask: &Ask, member: &str, business_id: &str, knobs: &Knobs, now: u64) -> Result<Value, Refusal> {
    let given = ask.params.get(member);
    let at = format!("{member}.");
    match member {
        "text" => {
            needed(object(given, member, &["body"])?, "body", &at, TEXT_MAX)?;
        }
        "image" => {
            let media_id = needed(object(given, member, &["media_id"])?, "media_id", &at, 200)?;
            let upload = world.uploads.get(media_id).filter(|upload| upload.business_id == business_id && upload.expires_ms > now);
            if upload.is_none() {
                return Err(Refusal::parameter("image.media_id: It is invalid or has expired."));
            }
            if !knobs.image_send {
                return Err(Refusal::new(40_064, "Images can't be sent in this conversation."));
            }
        }
        "share_post" => {
            let item_id = needed(object(given, member, &["item_id"])?, "item_id", &at, 100)?;
            if !world.business(business_id).is_some_and(|business| business.posts.iter().any(|post| post.item_id == item_id)) {
                return Err(Refusal::new(40_007, "share_post.item_id: The account has no such post."));
            }
        }
        "template" => template(object(given, member, &["type", "title", "buttons"])?)?,
        _ => {
            if !matches!(given.and_then(Value::as_str), Some("TYPING" | "MARK_READ")) {
                return Err(Refusal::parameter("sender_action: Must be TYPING or MARK_READ."));
            }
        }
    }
    Ok(given.cloned().unwrap_or_default())
}

fn template(template: &Map<String, Value>) -> Result<(), Refusal> {
    let title_max = match template.get("type").and_then(Value::as_str) {
        Some("QA_BUTTON_CARD") => 20,
        Some("QA_LINK_CARD") => 40,
        _ => return Err(Refusal::parameter("template.type: Must be QA_BUTTON_CARD or QA_LINK_CARD.")),
    };
    needed(template, "title", "template.", 40)?;
    let buttons = template.get("buttons").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if !(1..=3).contains(&buttons.len()) {
        return Err(Refusal::parameter("template.buttons: Between 1 and 3."));
    }
    for button in buttons {
        let button = object(Some(button), "template.buttons", &["type", "title", "id"])?;
        if button.get("type").and_then(Value::as_str) != Some("REPLY") {
            return Err(Refusal::parameter("template.buttons.type: Must be REPLY."));
        }
        needed(button, "title", "template.buttons.", title_max)?;
        needed(button, "id", "template.buttons.", 40)?;
    }
    Ok(())
}

fn quote(world: &World, ask: &Ask, business_id: &str, conversation_id: &str) -> Result<(), Refusal> {
    let Some(info) = ask.params.get("referenced_message_info") else { return Ok(()) };
    if ask.text("message_type") != "TEXT" {
        return Err(Refusal::parameter("referenced_message_info: Goes with TEXT only."));
    }
    let info = object(Some(info), "referenced_message_info", &["referenced_message_id"])?;
    let id = needed(info, "referenced_message_id", "referenced_message_info.", 200)?;
    let messages = world.conversation(business_id, conversation_id).map_or(&[][..], |conversation| conversation.messages.as_slice());
    match messages.iter().find(|message| message.id == id) {
        None => Err(Refusal::new(40_007, "referenced_message_info.referenced_message_id: There is no such message in the conversation.")),
        Some(message) if QUOTABLE.contains(&message.kind.as_str()) => Ok(()),
        Some(_) => Err(Refusal::parameter("referenced_message_info.referenced_message_id: Messages of that type can't be quoted.")),
    }
}

fn object<'a>(value: Option<&'a Value>, name: &str, known: &[&str]) -> Result<&'a Map<String, Value>, Refusal> {
    let object = value.and_then(Value::as_object).ok_or_else(|| Refusal::parameter(format!("{name}: Missing data for required field.")))?;
    only(object, known, &format!("{name}."))?;
    Ok(object)
}

fn needed<'a>(object: &'a Map<String, Value>, name: &str, at: &str, max: usize) -> Result<&'a str, Refusal> {
    let text = object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| Refusal::parameter(format!("{at}{name}: Missing data for required field.")))?;
    if text.chars().count() > max {
        return Err(Refusal::parameter(format!("{at}{name}: Longer than {max} characters.")));
    }
    Ok(text)
}
