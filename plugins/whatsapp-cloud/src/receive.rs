//! Webhooks → events. One body holds entries of several business accounts, each with changes of several numbers, each with
//! several messages: everyone is an event of its own, and one that can't be understood costs none of the others.

mod body;
mod content;
mod message;
mod people;
mod standing;
mod status;
mod templates;
mod wire;

pub(crate) use people::GROUP;

use patchbay_plugin::Failure;
use patchbay_plugin::crypto::{self, HashAlgorithm};
use patchbay_plugin::hooks::{Parsed, Webhook};
use patchbay_plugin::messages::{Custom, Event, Happening};
use serde_json::{Value, json};

use body::{Body, Broken};
use message::Among;
use wire::{Change, Entry, Update};

/// Most bytes of JSON that an event of an unknown kind carries.
const RAW_MAX: usize = 8 * 1024;
/// The business account of the dashboard's test button.
const TEST: &str = "0";

pub(crate) fn webhook(webhook: &Webhook) -> Result<Parsed, Failure> {
    let mut body = Body::read(&webhook.body)?;
    let mut events = Vec::new();
    let entries = std::mem::take(&mut body.envelope.entry);
    let mut places = Vec::with_capacity(entries.len());
    for (number, mut entry) in entries.into_iter().enumerate() {
        let changes = std::mem::take(&mut entry.changes);
        let mut of_entry = Vec::with_capacity(changes.len());
        for (index, change) in changes.into_iter().enumerate() {
            let place = Place::of(&entry, &change.value.metadata);
            changed(&mut events, &place, &entry, change, &body, (number, index));
            of_entry.push(place);
        }
        places.push((Place::of(&entry, &wire::Metadata::default()), of_entry));
    }
    for broken in &body.broken {
        let of_entry = places.get(broken.entry);
        let place = of_entry.map(|(entry, changes)| changes.get(broken.change).unwrap_or(entry));
        events.push(broken_piece(place.unwrap_or(&Place::default()), broken));
    }
    Ok(Parsed::events(events))
}

/// Whose a change is.
#[derive(Debug, Default)]
struct Place {
    waba: String,
    /// The number's id; else one of the account's routes.
    account: String,
}

impl Place {
    fn of(entry: &Entry, metadata: &wire::Metadata) -> Self {
        let waba = entry.id.get().unwrap_or_default();
        let account = match (metadata.phone_number_id.get(), metadata.display_phone_number.get()) {
            (Some(id), _) => id.to_owned(),
            (None, Some(number)) => phone_route(number),
            (None, None) => waba_route(waba),
        };
        Self { waba: waba.to_owned(), account }
    }

    /// Every number of another business account; or one number.
    fn instead(&self, told: &Value, field: &str) -> Self {
        let text = |value: Option<&Value>| value.and_then(patchbay_meta::json::id);
        // Of partners' events the entry is the partner's own business.
        let waba = text(told.get("waba_info").and_then(|info| info.get("waba_id"))).unwrap_or_else(|| self.waba.clone());
        let of_a_number = field.starts_with("phone_number_") || field == "security";
        let number = text(told.get("display_phone_number")).filter(|_| of_a_number);
        let account = number.map_or_else(|| waba_route(&waba), |number| phone_route(&number));
        Self { waba, account }
    }

    fn event(&self, dedupe_key: impl Into<String>, what: Happening) -> Event {
        let mut event = Event::new(dedupe_key, what);
        event.account = Some(self.account.clone());
        event
    }

    /// What this version doesn't know, or what lacks something it can't be without.
    fn ignored(&self, reason: &str, told: &Value) -> Event {
        let key = format!("wa:{}:ignored:{}", self.waba, fingerprint(told));
        self.event(key, custom("ignored", &json!({"reason": reason, "raw": bounded(told.clone())})))
    }
}

pub(crate) fn waba_route(id: &str) -> String {
    format!("waba:{id}")
}

/// Numbers are written with and without `+`, spaces and hyphens.
pub(crate) fn phone_route(number: &str) -> String {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    format!("phone:{digits}")
}

fn changed(events: &mut Vec<Event>, place: &Place, entry: &Entry, change: Change, body: &Body<'_>, at: (usize, usize)) {
    let Change { field, value } = change;
    if entry.id.get() == Some(TEST) {
        let raw = body.value(at.0, at.1);
        let key = format!("wa:test:{field}:{}", clock(entry.time.0, raw));
        return events.push(place.event(key, custom("webhook_test", &json!({"field": field}))));
    }
    let before = events.len();
    let Update { contacts, messages, message_echoes, statuses, user_preferences, errors, .. } = value;
    let raw = |list: &str, index: usize, id: &wire::Id| body.item(at.0, at.1, list, index, id.get()).clone();
    for (list, messages, echo) in [("messages", messages, false), ("message_echoes", message_echoes, true)] {
        let of = messages.len();
        for (index, message) in messages.into_iter().enumerate() {
            let id = message.id.clone();
            let among = Among { contacts: &contacts, index, of, echo };
            events.extend(message::events(place, message, &among, || raw(list, index, &id)));
        }
    }
    for (index, status) in statuses.into_iter().enumerate() {
        let id = status.id.clone();
        events.extend(status::events(place, status, &contacts, || raw("statuses", index, &id)));
    }
    for preference in &user_preferences {
        events.push(status::preference(place, preference, &contacts, || body.value(at.0, at.1).clone()));
    }
    for error in &errors {
        let told = json!({"code": error.get("code"), "message": content::words(error)});
        let key = format!("wa:{}:error:{}:{}", place.waba, fingerprint(&told), clock(entry.time.0, body.value(at.0, at.1)));
        events.push(place.event(key, custom("channel_error", &told)));
    }
    if events.len() == before && !body.broken.iter().any(|broken| (broken.entry, broken.change) == at) {
        events.push(of_field(place, &field, body.value(at.0, at.1), entry.time.0));
    }
}

/// What is about the business account or a number, and about no message.
fn of_field(place: &Place, field: &str, told: &Value, time: Option<f64>) -> Event {
    if templates::is_of_templates(field) {
        return templates::event(&place.instead(told, field), field, told, time);
    }
    if standing::is_of_standing(field) {
        return standing::event(&place.instead(told, field), field, told, time);
    }
    let reason = if field.is_empty() { "empty" } else { field };
    place.ignored(reason, told)
}

fn broken_piece(place: &Place, broken: &Broken) -> Event {
    match broken.list {
        "messages" => message::broken(place, &broken.json, false),
        "message_echoes" => message::broken(place, &broken.json, true),
        "" => place.ignored("unreadable", &broken.json),
        list => place.ignored(&format!("{list}_unreadable"), &broken.json),
    }
}

/// The time of an entry; else what tells one from another.
fn clock(time: Option<f64>, told: &Value) -> String {
    time.map_or_else(|| fingerprint(told), |time| (time / 1000.0).floor().to_string())
}

fn fingerprint(told: &Value) -> String {
    let hash = crypto::digest(HashAlgorithm::Sha256, told.to_string().as_bytes());
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn custom(kind: &str, json: &Value) -> Happening {
    Happening::Custom(Custom::new(kind, json))
}

/// JSON that is small enough to carry.
fn bounded(told: Value) -> Value {
    if told.to_string().len() > RAW_MAX { Value::Null } else { told }
}

#[cfg(test)]
mod tests;
