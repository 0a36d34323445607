//! Appgain's webhooks → events. What isn't known gives no event: newer gateways add kinds.

mod content;
mod message;

use patchbay_appgain::{Envelope, Json as _, phone};
use patchbay_plugin::failure::Detail;
use patchbay_plugin::hooks::{Account, Parsed, Webhook, parse_settings};
use patchbay_plugin::messages::{AccountStatus, Conversation, ConversationKind, Event, Happening, Receipt, ReceiptState, ReceiptTarget};
use patchbay_plugin::{Failure, Field};
use serde_json::Value;

use crate::session::{self, Status};
use crate::settings::{Pairing, Settings};

/// Whose webhook it is.
struct Place {
    settings: Option<Settings>,
    /// Whether it has ever been connected.
    is_known: bool,
}

pub(crate) fn webhook(webhook: &Webhook) -> Result<Parsed, Failure> {
    let envelope = Envelope::read(webhook)?;
    let place = Place::of(webhook.account.as_ref());
    let suit_id = place.settings.as_ref().and_then(|settings| settings.suit_id.as_deref());
    if suit_id.is_some_and(|suit_id| !envelope.is_of(suit_id)) {
        return Ok(Parsed::events(Vec::new()));
    }
    let event = match envelope.event.as_str() {
        "message" => message::received(&place, &envelope),
        "message.ack" => acknowledged(&envelope),
        "session.status" => stood(&place, &envelope),
        _ => None,
    };
    Ok(Parsed::events(event.into_iter().collect()))
}

impl Place {
    fn of(account: Option<&Account>) -> Self {
        let settings = account.and_then(|account| parse_settings::<Settings>(&account.settings).ok());
        Self { settings, is_known: account.is_some_and(|account| account.external_id.is_some()) }
    }
}

/// The conversation with one person: by the number's digits, which messages are sent to; by the raw address where WhatsApp hides
/// the number (`@lid`). None for groups, broadcasts and channels, which aren't carried.
fn conversation(address: &str) -> Option<Conversation> {
    let external_id = match address.split_once('@') {
        Some((user, "lid")) if !user.is_empty() => address.to_owned(),
        _ => phone::digits(address)?,
    };
    Some(Conversation { external_id, kind: ConversationKind::Direct, title: None })
}

/// Notify names messages of ours by the reference that we gave, and WhatsApp by an id of its own.
fn acknowledged(envelope: &Envelope) -> Option<Event> {
    let payload = &envelope.payload;
    let level = payload.whole("ack").or_else(|| match payload.text("ackName")?.to_uppercase().as_str() {
        "ERROR" => Some(-1),
        "SERVER" => Some(1),
        "DEVICE" => Some(2),
        "READ" => Some(3),
        "PLAYED" => Some(4),
        _ => None,
    })?;
    let state = match level {
        -1 => ReceiptState::Failed,
        1 => ReceiptState::Sent,
        2 => ReceiptState::Delivered,
        3 => ReceiptState::Read,
        4 => ReceiptState::Played,
        // Pending says nothing, and of what is newer nothing is known.
        _ => return None,
    };
    let id = payload.id("id").filter(|id| !is_of_others(id));
    let targets = match payload.id("client_ref") {
        // A reference of the gateway's own names the message for certain: an id that it may never have been told would wait in vain.
        Some(client_ref) if is_ours(&client_ref) => vec![client_ref],
        client_ref => id.into_iter().chain(client_ref).collect(),
    };
    if targets.is_empty() {
        return None;
    }
    let failure = (state == ReceiptState::Failed).then(|| {
        let words = payload.text("error").or_else(|| payload.text("reason")).unwrap_or("WhatsApp could not deliver the message");
        if words.contains("NOT_ON_WHATSAPP") {
            Failure::recipient("not_on_whatsapp", "that number has no WhatsApp: check the number, or write by another channel")
        } else {
            Failure::rejected("ack_error", words)
        }
    });
    let conversation = payload.id("id").and_then(|id| conversation(chat_of(&id)?));
    let receipt = Receipt {
        conversation: conversation.as_ref().map(|conversation| conversation.external_id.clone()),
        target: ReceiptTarget::Messages(targets),
        state,
        at_ms: envelope.at_ms,
        failure,
    };
    let mut event = Event::new(envelope.key(&level.to_string()), Happening::Receipt(receipt));
    event.conversation = conversation;
    event.at_ms = envelope.at_ms;
    Some(event)
}

/// The chat that an id of WhatsApp's names: `true_201001383533@c.us_3EB0FF`.
fn chat_of(id: &str) -> Option<&str> {
    id.split('_').nth(1).filter(|chat| chat.contains('@'))
}

/// WhatsApp's ids begin with whether the message is of this number: `true_…`, `false_…`. Groups aren't carried.
fn is_of_others(id: &str) -> bool {
    id.starts_with("false_") || id.contains("@g.us")
}

/// Whether it is an id of the gateway's, or a part's: a UUID, and perhaps a number behind it.
fn is_ours(client_ref: &str) -> bool {
    let uuid = client_ref.split_once('.').map_or(client_ref, |(uuid, _)| uuid);
    let lengths = uuid.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && uuid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn stood(place: &Place, envelope: &Envelope) -> Option<Event> {
    let payload = &envelope.payload;
    let word = payload.text("status")?;
    let reason = session::reason(payload);
    let is_out = reason == "LOGGED_OUT";
    let link = match place.settings.as_ref().map(|settings| settings.pairing) {
        Some(Pairing::Credentials) => "link the phone at Appgain's dashboard, then connect the account again",
        _ => "connect the account again and scan the code",
    };
    let (state, code, message) = match Status::read(word) {
        // Of an account that was never connected it is the dialogue that looks whose phone it is.
        Status::Working if !place.is_known => ("", "working", "a phone is linked".to_owned()),
        _ if is_out && !place.is_known => ("", "logged_out", "the session was ended".to_owned()),
        Status::Working => match wrong_number(place, payload) {
            Some(message) => ("logged_out", "wrong_number", message),
            None => ("connected", "working", "the phone is linked".to_owned()),
        },
        _ if is_out => ("logged_out", "logged_out", format!("the phone was unlinked: {link}")),
        Status::Failed if reason == "BANNED" => {
            ("logged_out", "banned", "WhatsApp has banned the number: take another, or appeal in WhatsApp on the phone".to_owned())
        }
        Status::Failed => {
            let told = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
            ("logged_out", "failed", format!("the session has failed{told}: {link}"))
        }
        Status::ScanQrCode => ("pairing", "scan_qr_code", format!("a new code is to be scanned{}", attempt(payload))),
        // A restart goes through both.
        Status::Stopped | Status::Other(_) => ("connecting", "connecting", format!("the session is {word}")),
    };
    let facts = vec![Field::new("session_status", word)];
    let status = AccountStatus { state: state.to_owned(), detail: Detail::new(code, message), facts };
    let mut event = Event::new(envelope.key(word), Happening::Account(status));
    event.at_ms = envelope.at_ms;
    Some(event)
}

/// Where the event tells whose phone it is, and it is another's.
fn wrong_number(place: &Place, payload: &Value) -> Option<String> {
    let wanted = place.settings.as_ref()?.number().ok()?;
    let linked = payload.object("me")?.id("id").and_then(|id| phone::digits(&id)).filter(|linked| *linked != wanted)?;
    Some(format!(
        "the phone that is linked has the number +{linked}, and the account is for +{wanted}: connect it again with the right phone"
    ))
}

fn attempt(payload: &Value) -> String {
    payload.whole("attempt").map_or_else(String::new, |attempt| format!(" (number {attempt})"))
}
