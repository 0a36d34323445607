//! The last twenty messages of a conversation, as TikTok has them.

use patchbay_plugin::http::Request;
use serde_json::Value;

use super::Sending;
use crate::api::{self, Trouble};
use crate::json::Json as _;

pub(super) fn read(sending: &Sending<'_>, conversation: &str) -> Result<Vec<Value>, Trouble> {
    let ask = Request::get("api", "/business/message/content/list/")
        .query("business_id", sending.business_id)
        .query("conversation_id", conversation);
    Ok(api::ask(ask)?.list("messages").to_vec())
}

/// When the person wrote last: a tap on a card's button hands nothing over, and a webhook may still be on its way. None where TikTok
/// doesn't tell.
pub(super) fn last_word(sending: &Sending<'_>, conversation: &str) -> Option<i64> {
    let messages = read(sending, conversation).ok()?;
    let theirs = messages.iter().filter(|message| {
        let from = message.get("from_user").unwrap_or(&Value::Null);
        from.id("id").is_some_and(|id| id != sending.business_id)
            && !from.text("role").is_some_and(|role| role.eq_ignore_ascii_case("business_account"))
    });
    theirs.filter_map(|message| message.whole("timestamp")).max()
}
