//! What is done in a conversation, not said. It doesn't count towards the window, and may be repeated.

use patchbay_plugin::Failure;
use patchbay_plugin::messages::{Accepted, Sent};
use serde_json::json;

use super::{Recipient, Sending};
use crate::api;

/// `TYPING` lasts five seconds; `MARK_READ` marks the whole conversation.
pub(super) fn act(sending: &Sending<'_>, action: &str, about: Option<&str>) -> Result<Sent, Failure> {
    if matches!(sending.to, Recipient::Comment(_)) {
        return Err(Failure::unsupported("comment", "that is done in conversations, and not below comments"));
    }
    api::ask(sending.post(json!({"message_type": "SENDER_ACTION", "sender_action": action}))?.repeatable())?;
    Ok(done(about))
}

/// TikTok tells no id.
pub(super) fn done(about: Option<&str>) -> Sent {
    Sent {
        accepted: vec![Accepted { part: 0, external_id: about.map(str::to_owned), extras: Vec::new() }],
        failed: None,
        events: Vec::new(),
    }
}
