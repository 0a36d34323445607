//! The last twenty messages of a conversation, as TikTok has them.

use patchbay_plugin::http::Request;
use serde_json::Value;

use super::Sending;
use crate::api::{self, Trouble};
use crate::json::Json as _;

/// Messages, and who takes part.
#[derive(Debug)]
pub(super) struct History {
    pub(super) messages: Vec<Value>,
    participants: Vec<Value>,
}

pub(super) fn read(sending: &Sending<'_>, conversation: &str) -> Result<History, Trouble> {
    let ask = Request::get("api", "/business/message/content/list/")
        .query("business_id", sending.business_id)
        .query("conversation_id", conversation);
    let told = api::ask(ask)?;
    Ok(History { messages: told.list("messages").to_vec(), participants: told.list("participants").to_vec() })
}

/// When the person wrote last: a tap on a card's button hands nothing over, and a webhook may still be on its way. None where TikTok
/// doesn't tell.
pub(super) fn last_word(sending: &Sending<'_>, conversation: &str) -> Option<i64> {
    let history = read(sending, conversation).ok()?;
    let theirs = history.messages.iter().filter(|message| history.is_theirs(message, sending.business_id));
    theirs.filter_map(|message| message.whole("timestamp")).max()
}

impl History {
    /// Only where it is certain that the person wrote it. Both sides are told as objects, or as ids whose roles stand beside.
    fn is_theirs(&self, message: &Value, business: &str) -> bool {
        let is_business = |id: &str, role: Option<&str>| {
            let listed = self.participants.iter().find(|participant| participant.id("id").as_deref() == Some(id));
            let role = role.or_else(|| listed.and_then(|listed| listed.text("role")));
            match role {
                _ if id == business => Some(true),
                Some(role) => Some(role.eq_ignore_ascii_case("business_account")),
                None => None,
            }
        };
        let side = |names: [&str; 2]| {
            names.into_iter().find_map(|name| {
                let user = message.get(name)?;
                let id = user.id("id").or_else(|| message.id(name))?;
                Some((is_business(&id, user.text("role")), user.is_object()))
            })
        };
        match (side(["from_user", "sender"]), side(["to_user", "recipient"])) {
            (Some((Some(business), _)), _) => !business,
            (_, Some((Some(business), _))) => business,
            // An object has the id of an account, and it isn't ours.
            (Some((None, whole)), _) => whole,
            (None, _) => false,
        }
    }
}
