//! Updates → events. An update has an id and one payload; what isn't known becomes an event all the same, because newer
//! API levels add kinds and none may be lost.

mod content;
mod entities;
mod members;
mod message;
mod presses;
mod reactions;

pub(crate) use entities::escape;
pub(crate) use presses::poll_state;

use patchbay_plugin::Failure;
use patchbay_plugin::crypto::{self, HashAlgorithm};
use patchbay_plugin::hooks::{Account, Parsed, Webhook, parse_settings};
use patchbay_plugin::messages::{Conversation, ConversationKind, Custom, Event, Happening, Identity, Party};
use serde_json::{Value, json};

use crate::json::Json as _;
use crate::settings::{AnswerCallbacks, Settings};

/// Most bytes of a payload that an event of an unknown kind carries.
const RAW_MAX: usize = 8 * 1024;

/// Of which bot an update is, and what its operator wants.
#[derive(Debug, Clone)]
pub struct Bot {
    /// The bot's user id.
    pub(crate) id: String,
    pub(crate) answers: AnswerCallbacks,
}

impl Bot {
    /// The bot of an account. Before the first connection it has no id yet: the account's stands for it.
    #[must_use]
    pub fn of(account: Option<&Account>) -> Self {
        let settings = account.and_then(|account| parse_settings::<Settings>(&account.settings).ok()).unwrap_or_default();
        let id = account.map(|account| account.external_id.clone().unwrap_or_else(|| account.id.clone())).unwrap_or_default();
        Self { id, answers: settings.answer_callbacks }
    }
}

pub(crate) fn webhook(webhook: &Webhook) -> Result<Parsed, Failure> {
    let update: Value = serde_json::from_slice(&webhook.body).map_err(|error| Failure::invalid("", format!("not JSON: {error}")))?;
    if !update.is_object() {
        return Err(Failure::invalid("", "an update is a JSON object"));
    }
    Ok(Parsed::events(events(&Bot::of(webhook.account.as_ref()), &update)))
}

/// Every event of an update: one, but for reactions, which tell of several at once.
#[must_use]
pub fn events(bot: &Bot, update: &Value) -> Vec<Event> {
    let Some((kind, payload)) = payload(update) else {
        return vec![keyed(bot, update, 0, ignored("empty", update))];
    };
    let happenings = match kind {
        "message" | "channel_post" => message::received(bot, payload, kind),
        "edited_message" | "edited_channel_post" => message::edited(bot, payload, kind),
        "callback_query" => presses::pressed(bot, payload),
        "poll" => vec![presses::poll_state(payload)],
        "poll_answer" => vec![presses::voted(payload)],
        "my_chat_member" => vec![members::own(payload)],
        "chat_member" => vec![members::other(payload)],
        "message_reaction" => reactions::changed(payload),
        other => vec![ignored(other, payload)],
    };
    happenings.into_iter().enumerate().map(|(index, event)| keyed(bot, update, index, event)).collect()
}

/// The updates that give events of their own.
const KINDS: [&str; 10] = [
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "callback_query",
    "poll",
    "poll_answer",
    "my_chat_member",
    "chat_member",
    "message_reaction",
];

/// The payload: a kind that is known, whatever newer field stands beside it; else the first object besides the id.
fn payload(update: &Value) -> Option<(&str, &Value)> {
    KINDS.iter().find_map(|kind| Some((*kind, update.object(kind)?))).or_else(|| {
        let mut fields = update.as_object()?.iter();
        fields.find(|(name, value)| *name != "update_id" && value.is_object()).map(|(name, value)| (name.as_str(), value))
    })
}

/// Update ids are unique for a bot. An event that has a key already names a fact that several updates tell.
fn keyed(bot: &Bot, update: &Value, index: usize, mut event: Event) -> Event {
    if event.dedupe_key.is_empty() {
        let id = update.id("update_id").unwrap_or_else(|| fingerprint(update));
        event.dedupe_key = match index {
            0 => format!("tg:{}:{id}", bot.id),
            index => format!("tg:{}:{id}:{index}", bot.id),
        };
    }
    event
}

fn fingerprint(update: &Value) -> String {
    crypto::digest(HashAlgorithm::Sha256, update.to_string().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An event without a key, which [`keyed`] gives it.
fn event(what: Happening) -> Event {
    Event::new("", what)
}

fn custom(kind: &str, json: &Value) -> Happening {
    Happening::Custom(Custom::new(kind, json))
}

fn ignored(reason: &str, payload: &Value) -> Event {
    event(custom("ignored", &json!({"reason": reason, "raw": raw(payload)})))
}

/// The payload where it is small enough to carry.
fn raw(payload: &Value) -> &Value {
    if payload.to_string().len() > RAW_MAX { &Value::Null } else { payload }
}

/// The group `old` goes on as `new`. Both sides of the migration tell it, and so may a refusal: it is one fact.
pub(crate) fn moved(bot: &str, old: &str, new: &str) -> Event {
    let mut event = Event::new(format!("tg:{bot}:moved:{old}:{new}"), Happening::Moved(new.to_owned()));
    event.conversation = Some(message::group(old));
    event
}

/// The private chat of a user has the user's id.
pub(crate) fn direct(chat: &str) -> Conversation {
    Conversation { external_id: chat.to_owned(), kind: ConversationKind::Direct, title: None }
}

pub(crate) fn user(id: &str) -> Party {
    Party { identities: vec![Identity::new("telegram", id)], name: None }
}

/// Telegram counts in seconds; doubles of it sometimes in milliseconds.
pub(crate) fn time_ms(seconds: Option<i64>) -> Option<f64> {
    /// Seconds of the year 5138, milliseconds of 1973.
    const SECONDS_MAX: i64 = 100_000_000_000;
    let seconds = seconds.filter(|seconds| *seconds > 0)?;
    #[expect(clippy::cast_precision_loss, reason = "exact for 285,000 years")]
    Some(if seconds > SECONDS_MAX { seconds as f64 } else { seconds as f64 * 1000.0 })
}

#[cfg(test)]
mod tests;
