//! Reads a webhook, or does what its `trick` says.

use std::sync::Mutex;

use patchbay_plugin::hooks::{Parsed, Webhook};
use patchbay_plugin::messages::{
    Content, Conversation, ConversationKind, Event, Happening, Identity, Inbound, Media, MediaKind, Party, Source, Text,
};
use patchbay_plugin::{Failure, kv, log};
use serde::Deserialize;
use serde_json::json;

use crate::tricks;

/// What the tests push.
#[derive(Deserialize)]
struct Body {
    id: String,
    #[serde(default)]
    text: String,
    trick: Option<String>,
    /// Whose event it is said to be.
    account: Option<String>,
    /// The dedupe key in place of the message's own.
    key: Option<String>,
    /// A file of the gateway's.
    file: Option<String>,
    /// Events, and bytes of each.
    #[serde(default)]
    count: usize,
    #[serde(default)]
    bytes: usize,
}

pub(crate) fn receive(webhook: &Webhook) -> Result<Parsed, Failure> {
    let body: Body = serde_json::from_slice(&webhook.body).map_err(|error| Failure::invalid("", error.to_string()))?;
    let secret = || webhook.headers.iter().find(|field| field.name.eq_ignore_ascii_case("x-zoo-secret")).map_or("", |field| &*field.value);
    let events = match body.trick.as_deref() {
        None => vec![message(&body, &body.id, &body.text)],
        Some("events") => {
            let text = "x".repeat(body.bytes);
            (0..body.count).map(|n| message(&body, &format!("{}-{n}", body.id), &text)).collect()
        }
        Some("header") => vec![message(&body, &body.id, &format!("the header is {}", secret()))],
        Some("log-text") => {
            log::warn(&body.text, &[("text", &body.text)]);
            vec![message(&body, &body.id, "logged")]
        }
        Some("residue") => vec![message(&body, &body.id, &residue(&body.text))],
        Some(trick) => {
            tricks::play(trick)?;
            vec![message(&body, &body.id, &body.text)]
        }
    };
    Ok(Parsed::events(events))
}

fn message(body: &Body, id: &str, text: &str) -> Event {
    let sender = Party { identities: vec![Identity::new("visitor", "mona")], name: Some("Mona".to_owned()) };
    let conversation = Conversation { external_id: "mona".to_owned(), kind: ConversationKind::Direct, title: None };
    let content = body.file.as_ref().map_or_else(|| Content::Text(Text::plain(text)), |file| Content::Media(media(file)));
    let inbound = Inbound {
        external_id: id.to_owned(),
        conversation: conversation.clone(),
        sender,
        echo: false,
        content: vec![content],
        reply_to: None,
        related: Vec::new(),
        automatic: false,
        origin: "direct".to_owned(),
        sent_at_ms: None,
        reply_context: None,
        extras: Vec::new(),
    };
    let mut event = Event::new(body.key.as_deref().unwrap_or(id), Happening::Message(inbound));
    event.conversation = Some(conversation);
    event.account.clone_from(&body.account);
    event
}

fn media(file: &str) -> Media {
    Media {
        kind: MediaKind::Document,
        source: Source::BlobRef(file.to_owned()),
        mime_type: None,
        file_name: None,
        size: None,
        caption: None,
        width: None,
        height: None,
        duration_ms: None,
        extras: Vec::new(),
    }
}

/// What earlier calls of this instance were told.
static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// Written all over the memory that a call leaves behind.
const MARK: u8 = 0xA5;
const SPILLED: usize = 24 * 1024 * 1024;

/// Tells all that can be found of earlier calls, in JSON, and leaves as much as it can of this one.
fn residue(text: &str) -> String {
    let mut heard = HEARD.lock().unwrap();
    // The allocator takes fresh pages for zeroed ones: whatever the gateway left in them is seen.
    let mut memory = vec![0_u8; SPILLED];
    let marks = memory.iter().filter(|byte| **byte == MARK).count();
    let kept = kv::get("heard").map(|entry| String::from_utf8_lossy(&entry.value).into_owned());
    let found = json!({"heard": *heard, "kept": kept, "marks": marks});
    heard.push(text.to_owned());
    memory.fill(MARK);
    // Seen by nobody who optimises, for it outlives the call.
    std::mem::forget(std::hint::black_box(memory));
    kv::set("heard", text.as_bytes(), None).unwrap();
    found.to_string()
}
