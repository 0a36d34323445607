//! What happens to messages and conversations: delivered, read, reacted to, handed over.

use patchbay_plugin::Field;
use patchbay_plugin::failure::Detail;
use patchbay_plugin::messages::{AccountStatus, Event, Happening, Reaction, Receipt, ReceiptState, ReceiptTarget};
use serde_json::{Value, json};

use super::item::{Item, custom, fingerprint};
use super::{besides, ignored, raw};
use crate::json::Json as _;

/// Milliseconds for which a message may have been on its way while the person read the one before.
const ON_ITS_WAY_MS: f64 = 1000.0;

fn receipt(item: &Item<'_>, key: &str, state: ReceiptState, target: ReceiptTarget) -> Event {
    let conversation = item.conversation().map(|conversation| conversation.external_id);
    item.event(key, Happening::Receipt(Receipt { conversation, target, state, at_ms: item.at_ms, failure: None }))
}

/// Named messages, and everything sent up to the watermark.
pub(super) fn delivered(item: &Item<'_>, delivery: &Value) -> Vec<Event> {
    let mids = delivery.ids("mids");
    let mut events = Vec::new();
    if !mids.is_empty() {
        let key = format!("delivered:{}:{}", item.person_id(), fingerprint(&json!(mids)));
        events.push(receipt(item, &key, ReceiptState::Delivered, ReceiptTarget::Messages(mids)));
    }
    events.extend(watermark(item, delivery, ReceiptState::Delivered, "delivered"));
    if events.is_empty() { vec![ignored(item, "delivery_of_nothing")] } else { events }
}

fn watermark(item: &Item<'_>, value: &Value, state: ReceiptState, word: &str) -> Option<Event> {
    let until = value.time_ms("watermark")?;
    Some(receipt(item, &format!("{word}-until:{}:{until:.0}", item.person_id()), state, ReceiptTarget::UpToMs(until)))
}

/// Messenger tells a watermark, Instagram the last message: those before it are read as well.
pub(super) fn read(item: &Item<'_>, read: &Value) -> Vec<Event> {
    let mut events = Vec::new();
    if let Some(mid) = read.id("mid") {
        events.push(receipt(item, &format!("read:{mid}"), ReceiptState::Read, ReceiptTarget::Messages(vec![mid.clone()])));
        if let Some(at) = item.at_ms.filter(|_| read.get("watermark").is_none()) {
            let until = ReceiptTarget::UpToMs(at - ON_ITS_WAY_MS);
            events.push(receipt(item, &format!("read-before:{mid}"), ReceiptState::Read, until));
        }
    }
    events.extend(watermark(item, read, ReceiptState::Read, "read"));
    if events.is_empty() { vec![ignored(item, "read_of_nothing")] } else { events }
}

pub(super) fn reacted(item: &Item<'_>, reaction: &Value) -> Vec<Event> {
    let Some(target) = reaction.id("mid") else { return vec![ignored(item, "reaction_without_id")] };
    let removed = reaction.text("action") == Some("unreact");
    let emoji = reaction.text("emoji").filter(|emoji| !emoji.is_empty()).or_else(|| emoji(reaction.text("reaction")?));
    // One person has one reaction on a message: what is taken away is whatever it was.
    let emoji = emoji.filter(|_| !removed).map(str::to_owned);
    if emoji.is_none() && !removed {
        return vec![ignored(item, "reaction_without_emoji")];
    }
    let (person, time) = (item.person_id(), item.time_words());
    let key = format!("reaction:{target}:{person}:{time}:{}", if removed { "unreact" } else { "react" });
    vec![item.event(&key, Happening::Reacted(Reaction { target, emoji, removed }))]
}

/// The picture of a reaction's word.
fn emoji(word: &str) -> Option<&str> {
    match word {
        "smile" | "haha" => Some("😆"),
        "angry" => Some("😠"),
        "sad" => Some("😢"),
        "wow" => Some("😮"),
        "love" => Some("❤"),
        "like" => Some("👍"),
        "dislike" => Some("👎"),
        _ => None,
    }
}

/// With the whole payload besides: what it was for, and tokens for messages later on.
pub(super) fn opted_in(item: &Item<'_>, optin: &Value) -> Vec<Event> {
    let key = format!("optin:{}:{}:{}", item.person_id(), item.time_words(), fingerprint(optin));
    let told = item.event(&key, custom("optin", raw(optin)));
    let stopped = optin.text("notification_messages_status").is_some_and(|status| status.starts_with("STOP"));
    // A checkbox on a website tells a reference, and the person only later; a stop is of one topic.
    if stopped || item.person_id().is_empty() {
        return vec![told];
    }
    vec![besides(item, &format!("{key}:in"), Happening::OptedIn), told]
}

/// Which app talks to the person from now on.
pub(super) fn control(item: &Item<'_>, kind: &str, control: &Value) -> Event {
    let owner = |name: &str| control.id(name);
    let told = json!({
        "action": kind.strip_suffix("_thread_control").unwrap_or(kind),
        "previous_owner_app_id": owner("previous_owner_app_id"),
        "new_owner_app_id": owner("new_owner_app_id"),
        "requested_owner_app_id": owner("requested_owner_app_id"),
        "metadata": control.id("metadata"),
        "roles": if kind == "app_roles" { raw(control) } else { &Value::Null },
    });
    let key = format!("{kind}:{}:{}:{}", item.person_id(), item.time_words(), fingerprint(control));
    item.event(&key, custom("thread_control", &without_nulls(told)))
}

pub(super) fn linked(item: &Item<'_>, linking: &Value) -> Event {
    let key = format!("account_linking:{}:{}", item.person_id(), item.time_words());
    item.event(&key, custom("account_linking", raw(linking)))
}

/// Meta keeps the Page from sending, or lets it again.
pub(super) fn policy(item: &Item<'_>, policy: &Value) -> Event {
    let action = policy.text("action").unwrap_or("warning");
    let reason = policy.text("reason").filter(|reason| !reason.is_empty()).unwrap_or("Meta tells no reason");
    let state = if action == "block" { "degraded" } else { "" };
    let status = AccountStatus {
        state: state.into(),
        detail: Detail::new(format!("policy_{action}"), format!("Meta's policy enforcement: {action}. {reason}")),
        facts: vec![Field::new("policy_enforcement", action)],
    };
    let mut event = item.event(&format!("policy:{action}:{}", item.time_words()), Happening::Account(status));
    (event.conversation, event.actor) = (None, None);
    event
}

fn without_nulls(mut json: Value) -> Value {
    if let Some(fields) = json.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    json
}
