//! The webhooks of Messenger and Instagram → events. Both send the same items: `entry[].messaging[]`, `entry[].standby[]` while
//! another app talks to the person, and sometimes `entry[].changes[]` with an item as its value. What isn't known becomes an
//! event all the same, because new kinds come without notice.

mod attachment;
mod item;
mod message;
mod referral;
mod signal;

pub use attachment::is_media_host;

use patchbay_plugin::Failure;
use patchbay_plugin::hooks::{Parsed, Webhook};
use patchbay_plugin::messages::{Event, Happening};
use serde_json::{Value, json};

use crate::json::Json as _;
use item::Item;

/// Most bytes of a payload that an event of an unknown kind carries.
const RAW_MAX: usize = 8 * 1024;

/// How a channel names things.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// In front of its dedupe keys.
    pub prefix: &'static str,
    /// The scheme of its people's ids.
    pub scheme: &'static str,
}

/// Facebook Messenger: people have an id for each Page.
pub const MESSENGER: Dialect = Dialect { prefix: "ms", scheme: "messenger" };
/// Instagram: people have an id for each account and app.
pub const INSTAGRAM: Dialect = Dialect { prefix: "ig", scheme: "instagram" };

/// The events of a webhook, in their order.
///
/// # Errors
/// Where the body is no JSON object.
pub fn webhook(dialect: Dialect, webhook: &Webhook) -> Result<Parsed, Failure> {
    let body: Value = serde_json::from_slice(&webhook.body).map_err(|error| Failure::invalid("", format!("not JSON: {error}")))?;
    if !body.is_object() {
        return Err(Failure::invalid("", "a webhook of Meta's is a JSON object"));
    }
    Ok(Parsed::events(events(dialect, &body)))
}

/// The events of a webhook's JSON, in their order.
#[must_use]
pub fn events(dialect: Dialect, body: &Value) -> Vec<Event> {
    body.list("entry").iter().flat_map(|entry| entry_events(dialect, entry)).collect()
}

fn entry_events(dialect: Dialect, entry: &Value) -> Vec<Event> {
    let account = entry.id("id");
    // The dashboard's "Test" button names account 0, or two numbers with a slash, which are nobody's.
    if account.as_deref().is_some_and(|account| account == "0" || account.contains('/')) {
        return Vec::new();
    }
    let account = account.as_deref();
    let mut events = Vec::new();
    for (list, standby) in [("messaging", false), ("standby", true)] {
        events.extend(entry.list(list).iter().flat_map(|value| item_events(&Item::new(dialect, account, entry, value, standby))));
    }
    for change in entry.list("changes") {
        let value = change.get("value").unwrap_or(&Value::Null);
        let item = Item::new(dialect, account, entry, value, false);
        match kind(value) {
            Some(_) if value.object("sender").is_some() => events.extend(item_events(&item)),
            _ => events.push(ignored(&Item::new(dialect, account, entry, change, false), change.text("field").unwrap_or("change"))),
        }
    }
    events
}

/// The keys that an item is told by.
const KINDS: [&str; 15] = [
    "message",
    "postback",
    "reaction",
    "message_edit",
    "delivery",
    "read",
    "referral",
    "optin",
    "pass_thread_control",
    "take_thread_control",
    "request_thread_control",
    "app_roles",
    "account_linking",
    "policy_enforcement",
    "policy-enforcement",
];

fn kind(value: &Value) -> Option<&'static str> {
    KINDS.into_iter().find(|kind| value.object(kind).is_some())
}

fn item_events(item: &Item<'_>) -> Vec<Event> {
    let Some(kind) = kind(item.value) else { return vec![ignored(item, item.unknown_key())] };
    let payload = item.value.get(kind).unwrap_or(&Value::Null);
    match kind {
        "message" => message::received(item, payload),
        "postback" => message::pressed(item, payload),
        "message_edit" => message::edited(item, payload),
        "reaction" => signal::reacted(item, payload),
        "delivery" => signal::delivered(item, payload),
        "read" => signal::read(item, payload),
        "referral" => vec![referral::event(item, payload, "")],
        "optin" => signal::opted_in(item, payload),
        "policy_enforcement" | "policy-enforcement" => vec![signal::policy(item, payload)],
        "account_linking" => vec![signal::linked(item, payload)],
        control => vec![signal::control(item, control, payload)],
    }
}

/// An item of which nothing is known but that it came.
fn ignored(item: &Item<'_>, reason: &str) -> Event {
    let what = item::custom("ignored", &json!({"reason": reason, "raw": raw(item.value)}));
    item.event(&format!("ignored:{}", item::fingerprint(item.value)), what)
}

/// The payload where it is small enough to carry.
fn raw(payload: &Value) -> &Value {
    if payload.to_string().len() > RAW_MAX { &Value::Null } else { payload }
}

/// A fact without words of its own that follows from another.
fn besides(item: &Item<'_>, key: &str, what: Happening) -> Event {
    item.event(key, what)
}

#[cfg(test)]
mod tests;
