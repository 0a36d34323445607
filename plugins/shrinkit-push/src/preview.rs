//! What can be told of a push before it is queued: whom it reaches, and as what.

use patchbay_plugin::Failure;
use patchbay_plugin::hooks::Account;
use patchbay_plugin::messages::{Command, Outbound};
use serde_json::json;

use crate::send::{audience::Audience, push};
use crate::settings::Settings;

pub(crate) fn facts(account: &Account, message: &Outbound) -> Result<String, Failure> {
    let settings: Settings = account.settings()?;
    let Command::Message(contents) = &message.command else { return Ok("{}".to_owned()) };
    let (audience, content) = push::of(&settings, message, contents)?;
    let kind = if content.contains_key("content-available") {
        "silent"
    } else {
        content.get("type").and_then(|kind| kind.as_str()).unwrap_or("text")
    };
    let facts = match audience {
        Audience::User(user) => json!({"user": user, "push": kind}),
        Audience::Segment(list) => json!({"segment": list, "push": kind}),
    };
    Ok(facts.to_string())
}
