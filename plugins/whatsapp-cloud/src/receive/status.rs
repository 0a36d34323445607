//! What became of messages: receipts, what they cost, and who wants no more.

use patchbay_meta::Json as _;
use patchbay_meta::refusal::{Class, Refusal};
use patchbay_plugin::Failure;
use patchbay_plugin::failure::Detail;
use patchbay_plugin::messages::{Event, Happening, Receipt, ReceiptState, ReceiptTarget};
use serde_json::{Value, json};

use super::people::{self, Person};
use super::wire::{Contact, Preference, Status};
use super::{Place, custom};

/// Bytes of one of the gateway's ids.
const OUR_ID: usize = 36;

pub(super) fn events(place: &Place, status: Status, contacts: &[Contact], raw: impl Fn() -> Value) -> Vec<Event> {
    let (Some(id), Some(word)) = (status.id.0.clone(), status.status.clone()) else {
        return vec![place.ignored("status_without_id", &raw())];
    };
    let key = match status.recipient_participant_id.get() {
        Some(participant) => format!("wa:{id}:{word}:{participant}"),
        None => format!("wa:{id}:{word}"),
    };
    let conversation = match (status.recipient_type.as_deref(), status.recipient_id.get()) {
        (Some("group"), Some(group)) => Some(people::group(group)),
        _ => Person::recipient(&status, contacts).conversation(),
    };
    let at_ms = status.timestamp.0;
    let about = |mut event: Event| {
        event.conversation.clone_from(&conversation);
        event.at_ms = at_ms;
        event
    };
    let state = match word.as_str() {
        "sent" => ReceiptState::Sent,
        "delivered" => ReceiptState::Delivered,
        "read" => ReceiptState::Read,
        "played" => ReceiptState::Played,
        "failed" => ReceiptState::Failed,
        _ => return vec![about(place.event(key, custom("message_status", &raw())))],
    };
    let refusal = status.errors.first().filter(|_| state == ReceiptState::Failed).map(Refusal::of_error);
    let failure = (state == ReceiptState::Failed).then(|| match &refusal {
        Some(refusal) => refusal.failure(),
        None => Failure::rejected("failed", "WhatsApp tells that it failed, and not why"),
    });
    let receipt = Receipt {
        conversation: conversation.as_ref().map(|conversation| conversation.external_id.clone()),
        target: ReceiptTarget::Messages(vec![subject(&status, &id)]),
        state,
        at_ms,
        failure,
    };
    let mut events = vec![about(place.event(key, Happening::Receipt(receipt)))];
    if refusal.is_some_and(|refusal| refusal.class() == Class::OptedOut) {
        let line = Detail::new("131050", "the person has stopped marketing messages");
        let mut event = about(place.event(format!("wa:{id}:opted-out"), Happening::OptedOut(line)));
        event.actor = Some(Person::recipient(&status, contacts).party());
        events.push(event);
    }
    // Once for a message, with its first status: what is free isn't told.
    if let Some(pricing) = status.pricing.filter(|pricing| state == ReceiptState::Sent && pricing.flag("billable")) {
        let told =
            json!({"message_id": id, "tracker": status.biz_opaque_callback_data, "pricing": pricing, "conversation": status.conversation});
        events.push(about(place.event(format!("wa:{id}:pricing"), custom("pricing", &told))));
    }
    events
}

/// By our own id where it was sent along: it is known even where the answer to the send was lost. A message of several parts has
/// more behind it, and is meant by the provider's.
fn subject(status: &Status, id: &str) -> String {
    let ours = status.biz_opaque_callback_data.as_deref().filter(|tracker| is_ours(tracker));
    ours.unwrap_or(id).to_owned()
}

/// `019a0000-0000-7000-8000-000000000001`
fn is_ours(tracker: &str) -> bool {
    let fits = |(place, byte): (usize, u8)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    tracker.len() == OUR_ID && tracker.bytes().enumerate().all(fits)
}

/// The person has stopped marketing messages, or takes them again.
pub(super) fn preference(place: &Place, preference: &Preference, contacts: &[Contact], raw: impl Fn() -> Value) -> Event {
    let mut person = Person { bsuid: preference.user_id.0.clone(), wa_id: preference.wa_id.0.clone(), ..Person::default() };
    if let Some(contact) = contacts.iter().find(|contact| contact.wa_id.is_some() && contact.wa_id == preference.wa_id) {
        person.name.clone_from(&contact.profile.name);
        person.bsuid = person.bsuid.or_else(|| contact.user_id.0.clone());
    }
    let category = preference.category.as_deref().unwrap_or("marketing_messages");
    let what = match preference.value.as_deref() {
        Some("stop") => {
            let words = preference.detail.as_deref().unwrap_or("the person has stopped these messages");
            Happening::OptedOut(Detail::new(category, words))
        }
        Some("resume") => Happening::OptedIn,
        _ => return place.ignored("user_preference", &raw()),
    };
    let Some(conversation) = person.conversation() else { return place.ignored("user_preference", &raw()) };
    let value = preference.value.as_deref().unwrap_or_default();
    let at = preference.timestamp.0.unwrap_or_default();
    let mut event = place.event(format!("wa:preference:{}:{category}:{value}:{at}", conversation.external_id), what);
    event.conversation = Some(conversation);
    event.actor = Some(person.party());
    event.at_ms = preference.timestamp.0;
    event
}
