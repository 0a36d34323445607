//! What is done in a conversation, not said. All of it sets what it would set again, so it may be repeated.

use patchbay_plugin::Failure;
use patchbay_plugin::messages::{Accepted, Reaction, Sent};
use serde_json::{Value, json};

use super::Sending;

/// `typing_on` lasts 20 seconds at most; `mark_seen` marks all of the conversation.
pub(super) fn act(sending: &Sending<'_>, to: &Value, action: &str) -> Result<Sent, Failure> {
    post(sending, &json!({"recipient": to, "sender_action": action}), None)
}

pub(super) fn react(sending: &Sending<'_>, to: &Value, reaction: &Reaction) -> Result<Sent, Failure> {
    let target = reaction.target.as_str();
    let body = match reaction.emoji.as_deref().filter(|emoji| !reaction.removed && !emoji.is_empty()) {
        Some(emoji) => json!({"recipient": to, "sender_action": "react", "payload": {"message_id": target, "reaction": emoji}}),
        None => json!({"recipient": to, "sender_action": "unreact", "payload": {"message_id": target}}),
    };
    post(sending, &body, Some(target))
}

fn post(sending: &Sending<'_>, body: &Value, about: Option<&str>) -> Result<Sent, Failure> {
    let path = format!("{}/messages", sending.node);
    let ask = sending.graph.post(&path).json(body)?.repeatable();
    ask.send().map_err(|trouble| trouble.on(sending.occasion()))?;
    let accepted = vec![Accepted { part: 0, external_id: about.map(str::to_owned), extras: Vec::new() }];
    Ok(Sent { accepted, failed: None, events: Vec::new() })
}
