//! Webhooks: a batch of events each. The gateway has checked the signature already.

use patchbay_plugin::Failure;
use patchbay_plugin::hooks::{Parsed, Webhook};
use patchbay_plugin::messages::{
    Choice, Content, Conversation, ConversationKind, Event, Happening, Identity, Inbound, Media, MediaKind, Party, Receipt, ReceiptState,
    ReceiptTarget, Source, Text,
};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
struct Batch {
    events: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Told {
    Message { at: f64, message: Written },
    Echo { at: f64, message: Written },
    Receipt { at: f64, message_id: String, state: State, error: Option<Reason> },
    Pressed { id: String, at: f64, from: Person, message_id: String, button: Button },
}

#[derive(Debug, Deserialize)]
struct Person {
    id: String,
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Written {
    id: String,
    /// Who wrote; of an echo, to whom.
    #[serde(alias = "to")]
    from: Person,
    text: Option<String>,
    media: Option<File>,
    reply_to: Option<String>,
}

#[derive(Debug, Deserialize)]
struct File {
    kind: String,
    url: String,
    mime_type: Option<String>,
    file_name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Button {
    id: String,
    title: String,
}

#[derive(Debug, Deserialize)]
struct Reason {
    code: String,
    message: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Delivered,
    Read,
    Failed,
}

pub(crate) fn webhook(webhook: &Webhook) -> Result<Parsed, Failure> {
    let batch: Batch = serde_json::from_slice(&webhook.body).map_err(|error| Failure::invalid("", error.to_string()))?;
    // What is new at Acme Chat, or isn't as its documents say, takes nothing of the others with it.
    let told = batch.events.into_iter().filter_map(|event| serde_json::from_value(event).ok());
    Ok(Parsed::events(told.map(event).collect()))
}

fn event(told: Told) -> Event {
    match told {
        Told::Message { at, message } => written(message, at, false),
        Told::Echo { at, message } => written(message, at, true),
        Told::Receipt { at, message_id, state, error } => receipt(message_id, at, state, error),
        Told::Pressed { id, at, from, message_id, button } => {
            let choice = Choice { target: Some(message_id), id: button.id, title: button.title, answer_ref: None };
            let key = format!("event:{id}");
            Event {
                conversation: Some(conversation(&from)),
                actor: Some(party(from)),
                at_ms: Some(at),
                ..Event::new(key, Happening::Chose(choice))
            }
        }
    }
}

fn written(message: Written, at: f64, echo: bool) -> Event {
    let Written { id, from, text, media, reply_to } = message;
    let conversation = conversation(&from);
    let content = match media {
        Some(file) => vec![Content::Media(picture(file, text))],
        None => text.into_iter().map(|text| Content::Text(Text::plain(text))).collect(),
    };
    let inbound = Inbound {
        external_id: id.clone(),
        conversation: conversation.clone(),
        sender: party(from),
        echo,
        content,
        reply_to,
        related: Vec::new(),
        automatic: false,
        origin: "direct".to_owned(),
        sent_at_ms: Some(at),
        reply_context: None,
        extras: Vec::new(),
    };
    Event {
        conversation: Some(conversation),
        at_ms: Some(at),
        // A message is the same message, however often and in whichever event it is told.
        ..Event::new(format!("message:{id}"), Happening::Message(inbound))
    }
}

fn picture(file: File, caption: Option<String>) -> Media {
    let kind = match file.kind.as_str() {
        "image" => MediaKind::Image,
        "video" => MediaKind::Video,
        "audio" => MediaKind::Audio,
        _ => MediaKind::Document,
    };
    Media {
        kind,
        source: Source::Url(file.url),
        mime_type: file.mime_type,
        file_name: file.file_name,
        size: None,
        caption,
        width: None,
        height: None,
        duration_ms: None,
        extras: Vec::new(),
    }
}

fn receipt(message_id: String, at: f64, state: State, error: Option<Reason>) -> Event {
    let (word, state) = match state {
        State::Delivered => ("delivered", ReceiptState::Delivered),
        State::Read => ("read", ReceiptState::Read),
        State::Failed => ("failed", ReceiptState::Failed),
    };
    let key = format!("receipt:{message_id}:{word}");
    let failure = error.map(|reason| Failure::recipient(reason.code, reason.message));
    let receipt = Receipt { conversation: None, target: ReceiptTarget::Messages(vec![message_id]), state, at_ms: Some(at), failure };
    Event { at_ms: Some(at), ..Event::new(key, Happening::Receipt(receipt)) }
}

fn conversation(with: &Person) -> Conversation {
    Conversation { external_id: with.id.clone(), kind: ConversationKind::Direct, title: with.name.clone() }
}

fn party(person: Person) -> Party {
    Party { identities: vec![Identity::new("acme", person.id)], name: person.name }
}
