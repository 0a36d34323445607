//! Webhooks → events. The content of an event is JSON once more, as text; some proxies put several events into one body.

mod content;
mod item;
mod message;
mod signal;

use patchbay_plugin::Failure;
use patchbay_plugin::hooks::{Parsed, Webhook};
use patchbay_plugin::messages::Event;
use serde_json::Value;

use item::{Item, Unreadable};

pub(crate) fn webhook(webhook: &Webhook) -> Result<Parsed, Failure> {
    let body: Value = serde_json::from_slice(&webhook.body).map_err(|error| Failure::invalid("", format!("isn't JSON: {error}")))?;
    let Value::Object(fields) = &body else { return Err(Failure::invalid("", "a webhook of TikTok's is a JSON object")) };
    match fields.get("events") {
        Some(Value::Array(envelopes)) => Ok(Parsed::events(envelopes.iter().flat_map(batched).collect())),
        Some(_) => Err(Failure::invalid("/events", "is a list of events")),
        None => match Item::read(&body) {
            Ok(item) => Ok(Parsed::events(item.map(|item| events(&item)).unwrap_or_default())),
            Err(Unreadable { pointer, words }) => Err(Failure::invalid(pointer, words)),
        },
    }
}

/// One that can't be read costs none of the others.
fn batched(envelope: &Value) -> Vec<Event> {
    match Item::read(envelope) {
        Ok(item) => item.map(|item| events(&item)).unwrap_or_default(),
        Err(unreadable) => vec![item::unreadable(envelope, &unreadable)],
    }
}

fn events(item: &Item<'_>) -> Vec<Event> {
    match item.event {
        "im_mark_read_msg" => signal::read(item),
        "im_referral_msg" => vec![signal::referral(item)],
        _ => message::received(item),
    }
}
