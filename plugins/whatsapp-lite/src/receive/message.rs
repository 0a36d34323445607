//! What people write, and what the business writes on the phone.

use patchbay_appgain::{Envelope, Json as _, phone};
use patchbay_plugin::Field;
use patchbay_plugin::messages::{Event, Happening, Identity, Inbound, Party};
use serde_json::Value;

use super::{Place, chat_of, content, conversation, is_ours};

/// What WhatsApp writes into a chat by itself, and nobody has said.
const NOTICES: [&str; 9] = [
    "e2e_notification",
    "notification",
    "notification_template",
    "gp2",
    "protocol",
    "call_log",
    "ciphertext",
    "broadcast_notification",
    "debug",
];

pub(super) fn received(place: &Place, envelope: &Envelope) -> Option<Event> {
    let payload = &envelope.payload;
    let echo = payload.flag("fromMe");
    let id = payload.id("id").or_else(|| envelope.id.clone())?;
    let other = payload.id(if echo { "to" } else { "from" }).or_else(|| chat_of(&id).map(str::to_owned))?;
    // In a group the person is the participant.
    if payload.id("participant").is_some() || payload.text("type").is_some_and(|kind| NOTICES.contains(&kind)) {
        return None;
    }
    let conversation = conversation(&other)?;
    let sender = if echo { ourselves(place) } else { person(&conversation.external_id, payload.text("pushName")) };
    let inbound = Inbound {
        external_id: id,
        conversation: conversation.clone(),
        sender: sender.clone(),
        echo,
        content: content::of(payload),
        reply_to: answered(payload),
        related: Vec::new(),
        automatic: false,
        origin: if payload.flag("isForwarded") { "forwarded" } else { "direct" }.to_owned(),
        sent_at_ms: payload.time_ms("timestamp").or(envelope.at_ms),
        reply_context: None,
        extras: ours(payload).into_iter().collect(),
    };
    let mut event = Event::new(envelope.key(""), Happening::Message(inbound));
    event.conversation = Some(conversation);
    event.actor = Some(sender);
    event.at_ms = envelope.at_ms;
    Some(event)
}

/// A person by the number, or by the address that hides it.
fn person(id: &str, name: Option<&str>) -> Party {
    let identity = if id.contains('@') { Identity::new("whatsapp_lid", id) } else { Identity::new("wa_id", id) };
    Party { identities: vec![identity], name: name.map(str::to_owned) }
}

fn ourselves(place: &Place) -> Party {
    let number = place.settings.as_ref().and_then(|settings| phone::international(&settings.phone_number));
    Party { identities: number.map(|number| Identity::new("wa_id", number)).into_iter().collect(), name: None }
}

/// The message that this answers: its id, or an object with it.
fn answered(payload: &Value) -> Option<String> {
    payload.id("replyTo").or_else(|| payload.object("replyTo")?.id("id"))
}

/// Which message of the gateway's an echo shows.
fn ours(payload: &Value) -> Option<Field> {
    let client_ref = payload.id("client_ref").filter(|client_ref| is_ours(client_ref) && !client_ref.contains('.'))?;
    Some(Field::new("message_id", client_ref))
}
