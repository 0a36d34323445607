//! Which message is quoted: a text answers a text, a picture or a post, and nothing else.

use patchbay_plugin::Failure;
use serde_json::Value;

use super::plan::Step;
use super::{Recipient, Sending, history};
use crate::json::Json as _;

const QUOTABLE: [&str; 3] = ["TEXT", "IMAGE", "SHARE_POST"];

/// The step that quotes, which is the first text. What TikTok would refuse is refused before anything is sent.
pub(super) fn place(sending: &Sending<'_>, steps: &[Step], done: usize) -> Result<Option<usize>, Failure> {
    let Some(target) = sending.message.reply_to.as_deref().filter(|target| !target.is_empty()) else { return Ok(None) };
    let Some(place) = steps.iter().position(|step| matches!(step, Step::Text(_))) else {
        return Err(Failure::invalid("/reply_to", "TikTok quotes a message with a text only: add one, or leave the quote out"));
    };
    if place < done {
        return Ok(None);
    }
    match kind(sending, target) {
        Some(kind) if !QUOTABLE.contains(&kind.as_str()) => Err(Failure::invalid(
            "/reply_to",
            format!("TikTok quotes texts, pictures and posts; that message is a {}", kind.to_ascii_lowercase()),
        )),
        _ => Ok(Some(place)),
    }
}

/// None where it is older than what TikTok lists: it judges itself then.
fn kind(sending: &Sending<'_>, target: &str) -> Option<String> {
    if let Some(context) = sending.context.as_ref().filter(|context| context.message == target) {
        return Some(context.kind.to_ascii_uppercase());
    }
    let Recipient::Conversation(conversation) = sending.to else { return None };
    let history = history::read(sending, conversation).ok()?;
    let quoted: Option<&Value> = history.messages.iter().find(|message| message.id("message_id").as_deref() == Some(target));
    quoted?.text("message_type").map(str::to_ascii_uppercase)
}
