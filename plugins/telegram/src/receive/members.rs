//! Who came and went. In a private chat the bot's own membership is the user's consent.

use patchbay_plugin::failure::Detail;
use patchbay_plugin::messages::{Event, Happening};
use serde_json::{Value, json};

use super::{custom, event, message, time_ms};
use crate::json::Json as _;

pub(super) fn own(update: &Value) -> Event {
    let private = update.get("chat").and_then(|chat| chat.text("type")) == Some("private");
    let what = match status(update, "new_chat_member") {
        Some("kicked") if private => Happening::OptedOut(Detail::new("blocked", "the user has blocked the bot")),
        Some("member") if private => Happening::OptedIn,
        _ => membership(update, true),
    };
    about(update, what)
}

pub(super) fn other(update: &Value) -> Event {
    about(update, membership(update, false))
}

fn membership(update: &Value, own: bool) -> Happening {
    let user = update.get("new_chat_member").and_then(|member| member.get("user"));
    custom(
        "membership",
        &json!({
            "own": own,
            "user": user.and_then(|user| user.id("id")),
            "old": status(update, "old_chat_member"),
            "new": status(update, "new_chat_member"),
        }),
    )
}

fn about(update: &Value, what: Happening) -> Event {
    let mut event = event(what);
    event.conversation = update.get("chat").and_then(|chat| message::chat_conversation(chat, None));
    event.actor = update.get("from").and_then(message::party);
    event.at_ms = time_ms(update.whole("date"));
    event
}

fn status<'a>(update: &'a Value, member: &str) -> Option<&'a str> {
    update.get(member)?.text("status")
}
