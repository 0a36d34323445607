//! The merchant's app that owns the chat, in the form that Patchbay proposes. It isn't Shopify's: there is no public API of Shopify Inbox.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use crate::shopify::admin::entered;
use crate::shopify::answer::Answer;
use crate::shopify::pusher;
use crate::shopify::server::{Ask, Server};

const TEXT_MAX: usize = 4000;

/// A message that was accepted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sent {
    /// The shop's domain.
    pub shop: String,
    /// The conversation.
    pub conversation: String,
    /// The id that it got.
    pub id: String,
    /// As it was sent.
    pub message: Value,
    /// By what a second sending of it is known.
    pub key: String,
    /// RFC 3339.
    pub created_at: String,
}

/// `POST /conversations/{id}/messages`.
pub(crate) fn send(server: &Arc<Server>, ask: &Ask) -> Answer {
    let conversation = ask.conversation().unwrap_or_default();
    let shop = match entered(server, ask) {
        Ok(shop) => shop,
        Err(refused) => return refused,
    };
    if let Some(refused) = magic(&conversation) {
        return refused;
    }
    let body = ask.json();
    let wrong = |field: &str, words: &str| Answer::of(422, json!({"errors": {field: [words]}}));
    if !ask.is_json() || !body.is_object() {
        return wrong("base", "the body has to be a JSON object, of type application/json");
    }
    if body["shop"].as_str() != Some(&shop.domain) {
        return Answer::error(403, "[API] the token isn't of that shop");
    }
    let message = &body["message"];
    let text = message["body"].as_str().unwrap_or_default();
    let files = message["attachments"].as_array().cloned().unwrap_or_default();
    if message["id"].as_str().is_none_or(str::is_empty) {
        return wrong("message.id", "can't be blank");
    }
    if text.is_empty() && files.is_empty() {
        return wrong("message.body", "can't be blank without attachments");
    }
    if text.chars().count() > TEXT_MAX {
        return wrong("message.body", "is too long (maximum is 4000 characters)");
    }
    if files.iter().any(|file| !file["url"].as_str().is_some_and(|url| url.starts_with("https://") || url.starts_with("http://"))) {
        return wrong("message.attachments", "each has a url");
    }
    let key = ask.header("idempotency-key").to_owned();
    if key.is_empty() {
        return wrong("idempotency_key", "the header Idempotency-Key is missing");
    }
    let place = (shop.domain.clone(), conversation.clone());
    let mut world = server.world.lock();
    if let Some(first) = world.sent.iter().find(|sent| sent.shop == shop.domain && sent.key == key) {
        // Sent again: the first answer, once more.
        if first.conversation == conversation && first.message == *message {
            return created(first);
        }
        return wrong("idempotency_key", "was used for another message");
    }
    if world.closed.contains(&place) {
        return closed();
    }
    if server.knobs().strict_conversations && !world.known.contains(&place) {
        return Answer::error(404, "Conversation not found");
    }
    let sent = Sent {
        shop: shop.domain,
        conversation,
        id: format!("msg_out_{}", server.next_number()),
        message: message.clone(),
        key,
        created_at: server.now_text(),
    };
    let answer = created(&sent);
    world.sent.push(sent.clone());
    drop(world);
    if server.knobs().statuses {
        let server = Arc::clone(server);
        tokio::spawn(async move {
            for status in ["delivered", "read"] {
                let payload = self::status(&server, &sent.conversation, &sent.id, status);
                pusher::push(&server, &sent.shop, "inbox/message_status", &payload).await;
            }
        });
    }
    answer
}

fn created(sent: &Sent) -> Answer {
    Answer::of(201, json!({"message": {"id": sent.id, "created_at": sent.created_at}}))
}

fn closed() -> Answer {
    Answer::of(409, json!({"error": "conversation_closed", "errors": "The conversation is closed"}))
}

/// A conversation whose id ends in a status, `conv_404`, meets it.
fn magic(conversation: &str) -> Option<Answer> {
    let status = conversation.rsplit('_').next()?.parse().ok()?;
    match status {
        404 => Some(Answer::error(404, "Conversation not found")),
        409 => Some(closed()),
        400 | 401 | 402 | 403 | 422 | 423 | 429 | 500 | 502 | 503 | 504 => Some(Answer::of_status(status)),
        _ => None,
    }
}

/// A customer has written; the conversation is open and known from then on.
pub(crate) fn said(server: &Server, conversation: &str, customer: u64, name: &str, text: &str) -> Value {
    json!({"conversation": {"id": conversation, "status": "open"},
        "customer": {"id": customer, "email": format!("customer{customer}@example.test"), "first_name": name, "locale": "en"},
        "message": {"id": format!("msg_in_{}", server.next_number()), "body": text, "created_at": server.now_text(), "author": "customer", "attachments": []}})
}

pub(crate) fn status(server: &Server, conversation: &str, message: &str, status: &str) -> Value {
    json!({"conversation": {"id": conversation}, "message": {"id": message, "status": status, "updated_at": server.now_text()}})
}
