//! What is done to messages and conversations, not said.

use patchbay_plugin::Failure;
use patchbay_plugin::messages::{Accepted, Reaction, Sent};
use serde_json::{Value, json};

use super::Context;
use super::plan::Step;

/// An empty emoji takes the reaction back: there is one for each side of a message.
pub(super) fn reaction(reaction: &Reaction) -> Step {
    let emoji = reaction.emoji.as_deref().filter(|_| !reaction.removed).unwrap_or_default();
    Step::new("reaction", json!({"message_id": reaction.target, "emoji": emoji}))
}

/// Marks the ones before it as well.
pub(super) fn mark_read(context: &Context<'_>, target: &str) -> Result<Sent, Failure> {
    let target = if target.is_empty() {
        last_inbound(context).ok_or_else(|| Failure::invalid("/mark_read", "names no message, and none has come in"))?
    } else {
        target
    };
    status(context, &json!({"messaging_product": "whatsapp", "status": "read", "message_id": target}))?;
    Ok(done(Some(target)))
}

/// It shows for 25 seconds or until the answer comes, and marks the last message as read.
pub(super) fn typing(context: &Context<'_>, on: bool) -> Result<Sent, Failure> {
    if on {
        let target = last_inbound(context).ok_or_else(|| {
            Failure::rejected("no_inbound", "WhatsApp shows typing in answer to a message, and none has come in from this conversation")
        })?;
        let body = json!({"messaging_product": "whatsapp", "status": "read", "message_id": target, "typing_indicator": {"type": "text"}});
        status(context, &body)?;
    }
    Ok(done(None))
}

/// The plugin hands over the id of the last message with it.
fn last_inbound<'a>(context: &Context<'a>) -> Option<&'a str> {
    std::str::from_utf8(context.message.reply_context.as_deref()?).ok().filter(|id| !id.is_empty())
}

fn status(context: &Context<'_>, body: &Value) -> Result<(), Failure> {
    let ask = context.settings.graph().post(&format!("{}/messages", context.number)).json(body)?;
    ask.repeatable().send().map_err(|trouble| trouble.on(context.occasion()))?;
    Ok(())
}

/// Done, about that message.
fn done(target: Option<&str>) -> Sent {
    Sent {
        accepted: vec![Accepted { part: 0, external_id: target.map(str::to_owned), extras: Vec::new() }],
        failed: None,
        events: Vec::new(),
    }
}
