//! What Pages and Instagram accounts send.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::meta::answer::{GraphError, Outcome};
use crate::meta::ask::Ask;
use crate::meta::calls::{attachments, generic};
use crate::meta::errors;
use crate::meta::params::text_of;
use crate::meta::pusher;
use crate::meta::scene;
use crate::meta::server::{Echoes, Server};
use crate::meta::tokens::{Token, TokenKind};
use crate::meta::world::{Kind, Sent};

const TEXT_MAX: usize = 2000;
/// Bytes, not characters.
const INSTAGRAM_TEXT_MAX: usize = 1000;
const PAYLOAD_MAX: usize = 1000;
const QUICK_REPLIES_MAX: usize = 13;

/// `(#100)` with a sentence.
pub(crate) fn bad(text: impl AsRef<str>) -> GraphError {
    GraphError::of(100).saying(format!("(#100) {}", text.as_ref()))
}

/// Which of the two: a Page's token serves its linked Instagram account as well, told apart by the recipient or node.
fn sender(server: &Server, ask: &Ask, caller: &Token, person: &str) -> (String, bool) {
    let world = server.world.lock();
    if ask.kind == Kind::Instagram || caller.kind == TokenKind::Instagram {
        return (ask.account.clone(), true);
    }
    let linked = world.page(&ask.account).and_then(|page| page.instagram.clone());
    match linked {
        Some(instagram) if scene::writes_to(&world, person, &instagram) && !scene::writes_to(&world, person, &ask.account) => {
            (instagram, true)
        }
        _ => (ask.account.clone(), false),
    }
}

pub(crate) async fn send(server: &Arc<Server>, ask: &Ask) -> Outcome {
    let scopes: &[&str] = match ask.kind {
        Kind::Page => &["pages_messaging", "instagram_manage_messages"],
        _ => &["instagram_business_manage_messages", "instagram_manage_messages"],
    };
    let caller = ask.caller_with(server, scopes)?;
    if ask.kind == Kind::Page && caller.kind != TokenKind::Page {
        return Err(GraphError::of(210).saying("(#210) A page access token is required to request this resource.").status(400));
    }
    let recipient = ask.params.get("recipient");
    let names = ["id", "user_ref", "comment_id", "post_id", "notification_messages_token"];
    let person = names.iter().map(|name| text_of(&recipient[*name])).find(|id| !id.is_empty());
    let person = person.ok_or_else(|| bad("The parameter recipient is required"))?;
    let (account, instagram) = sender(server, ask, &caller, &person);
    if let Some(error) = errors::person(&person) {
        return Err(error);
    }
    if person == account {
        return Err(GraphError::sub(100, 2_018_001));
    }
    access(server, &account, instagram)?;
    if ask.params.has("sender_action") {
        return action(ask, &person);
    }
    let message = ask.params.get("message");
    if !message.is_object() {
        return Err(bad("The parameter message is required"));
    }
    if ask.params.has("reply_to") && text_of(&ask.params.get("reply_to")["mid"]).is_empty() {
        return Err(bad("Param reply_to must have a mid"));
    }
    content(message, ask, instagram)?;
    window(server, ask, &account, &person, instagram)?;
    let fetched = attachments::resolve(server, ask, message, instagram).await?;

    let number = server.next_number();
    let id = if instagram { format!("aWdfZAG1StandIn{number:012}") } else { format!("m_StandIn{number:012}-_") };
    let body = Value::Object(ask.params.values().clone());
    let sent = Sent { account: account.clone(), to: person.clone(), id: id.clone(), body, at_ms: server.now_ms(), fetched };
    server.world.lock().sent.push(sent);
    echo(server, &caller, &account, &person, &id, message).await;
    Ok(json!({"recipient_id": person, "message_id": id}).into())
}

fn access(server: &Server, account: &str, instagram: bool) -> Result<(), GraphError> {
    let world = server.world.lock();
    if instagram && world.instagram(account).is_some_and(|account| !account.message_access) {
        return Err(GraphError::sub(200, 2_534_041).saying("(#200) The Instagram account has turned off \"Allow access to messages\"."));
    }
    Ok(())
}

fn action(ask: &Ask, person: &str) -> Outcome {
    if ask.params.has("message") {
        return Err(bad("Cannot set both sender_action and message"));
    }
    let payload = ask.params.get("payload");
    match ask.params.text("sender_action").as_str() {
        "typing_on" | "typing_off" | "mark_seen" => {}
        "react" | "unreact" if text_of(&payload["message_id"]).is_empty() => return Err(bad("Param payload must have a message_id")),
        "react" if text_of(&payload["reaction"]).is_empty() => return Err(bad("Param payload must have a reaction")),
        "react" | "unreact" => {}
        other => {
            return Err(bad(format!(
                "Param sender_action must be one of {{mark_seen, react, typing_off, typing_on, unreact}} - got {other:?}"
            )));
        }
    }
    Ok(json!({ "recipient_id": person }).into())
}

/// Shapes and limits of the message.
fn content(message: &Value, ask: &Ask, instagram: bool) -> Result<(), GraphError> {
    let text = text_of(&message["text"]);
    let parts = ["attachment", "attachments", "sticker_id"];
    let has_file = ask.params.file("filedata").is_some();
    if text.is_empty() && !has_file && parts.iter().all(|part| message[*part].is_null()) {
        return Err(bad("Message cannot be empty, must provide valid attachment or text"));
    }
    if !text.is_empty() && parts.iter().any(|part| !message[*part].is_null()) {
        return Err(bad("Cannot have both text and an attachment in a message"));
    }
    if instagram && text.len() > INSTAGRAM_TEXT_MAX {
        return Err(bad(format!("Length of param message[text] must be less than or equal to {INSTAGRAM_TEXT_MAX} bytes")));
    }
    if text.chars().count() > TEXT_MAX {
        return Err(bad(format!("Length of param message[text] must be less than or equal to {TEXT_MAX}")));
    }
    if text_of(&message["metadata"]).chars().count() > PAYLOAD_MAX {
        return Err(bad("Length of param message[metadata] must be less than or equal to 1000"));
    }
    quick_replies(message, instagram)?;
    if message["attachment"]["type"] == "template" {
        generic::check(&message["attachment"]["payload"], instagram)?;
    }
    Ok(())
}

fn quick_replies(message: &Value, instagram: bool) -> Result<(), GraphError> {
    let replies = &message["quick_replies"];
    if replies.is_null() {
        return Ok(());
    }
    let replies = replies.as_array().ok_or_else(|| bad("Param message[quick_replies] must be an array"))?;
    if replies.is_empty() || replies.len() > QUICK_REPLIES_MAX {
        return Err(bad("Param message[quick_replies] must have 1 to 13 elements"));
    }
    if instagram && text_of(&message["text"]).is_empty() {
        return Err(bad("Quick replies go with text only"));
    }
    for reply in replies {
        match text_of(&reply["content_type"]).as_str() {
            "text" => {
                let (title, payload) = (text_of(&reply["title"]), text_of(&reply["payload"]));
                if title.is_empty() || payload.is_empty() {
                    return Err(bad("Quick replies of content_type text need a title and a payload"));
                }
                if payload.chars().count() > PAYLOAD_MAX {
                    return Err(bad("Length of a quick reply's payload must be less than or equal to 1000"));
                }
            }
            "user_phone_number" | "user_email" if !instagram => {}
            other => return Err(bad(format!("Param quick_replies[].content_type {other:?} is not allowed"))),
        }
    }
    Ok(())
}

/// A day since the person last acted; seven for people who answer themselves.
fn window(server: &Server, ask: &Ask, account: &str, person: &str, instagram: bool) -> Result<(), GraphError> {
    let world = server.world.lock();
    let (messaging_type, tag) = (ask.params.text("messaging_type"), ask.params.text("tag"));
    let human_agent = if instagram {
        world.instagram(account).is_some_and(|account| account.human_agent)
    } else {
        world.page(account).is_some_and(|page| page.human_agent)
    };
    let hours = match messaging_type.as_str() {
        "MESSAGE_TAG" => {
            if tag != "HUMAN_AGENT" {
                // The other tags are gone since April 2026.
                return Err(GraphError::of(100).saying("(#100) Invalid parameter"));
            }
            if !human_agent {
                return Err(GraphError::of(10).saying("(#10) The app doesn't have the Human Agent permission"));
            }
            7 * 24
        }
        "RESPONSE" | "UPDATE" => 24,
        "UTILITY" if !instagram => return Ok(()),
        "" if instagram => 24,
        "" => return Err(bad("The parameter messaging_type is required")),
        other => {
            return Err(bad(format!("Param messaging_type must be one of {{MESSAGE_TAG, RESPONSE, UPDATE, UTILITY}} - got {other:?}")));
        }
    };
    if world.window(account, person, server.now_ms(), hours, server.knobs().strict_windows) {
        return Ok(());
    }
    Err(GraphError::sub(10, if instagram { 2_534_022 } else { 2_018_278 }))
}

async fn echo(server: &Arc<Server>, caller: &Token, account: &str, person: &str, id: &str, message: &Value) {
    let payload = scene::echo(server, account, person, id, &caller.app, message);
    match server.knobs().echoes {
        Echoes::Off => {}
        Echoes::Before => {
            pusher::push(server, &payload).await;
        }
        Echoes::After => {
            let server = Arc::clone(server);
            tokio::spawn(async move {
                // Time for the answer to get out.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                pusher::push(&server, &payload).await
            });
        }
    }
}
