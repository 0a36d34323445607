//! Somebody writes to the session's number.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::OnceLock;

use crate::appgain::server::Server;
use crate::appgain::world::File;
use crate::desk::{random, uuid};

/// The events of the contract, by name.
pub(crate) fn samples() -> &'static Map<String, Value> {
    static SAMPLES: OnceLock<Map<String, Value>> = OnceLock::new();
    SAMPLES.get_or_init(|| serde_json::from_str(include_str!("samples.json")).unwrap_or_default())
}

/// A message that comes in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Say {
    /// Digits, or a whole address with an `@` (`123456@lid`).
    pub from: String,
    /// What the sender calls himself.
    pub name: String,
    /// What is said; beside a file its caption.
    pub text: String,
    /// A file that comes with it.
    pub file: Option<SaidFile>,
    /// In a group of that id.
    pub group: Option<String>,
    /// Written on the linked phone, to `from`.
    pub echo: bool,
    /// The id of the message that is answered.
    pub reply_to: Option<String>,
    /// The message's own id; made where it is left out.
    pub id: Option<String>,
}

/// A file that somebody sends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SaidFile {
    /// `inv.pdf`.
    pub filename: String,
    /// `application/pdf`.
    pub mimetype: String,
    /// Its bytes, in base64.
    pub base64: String,
    /// Instead of a file: why there is none.
    pub error: Option<String>,
}

impl SaidFile {
    /// A file with these bytes.
    #[must_use]
    pub fn of(filename: &str, mimetype: &str, bytes: &[u8]) -> Self {
        Self { filename: filename.into(), mimetype: mimetype.into(), base64: STANDARD.encode(bytes), error: None }
    }
}

/// The payload of a `message` event. Errors with what is wrong with the file's base64.
pub(crate) fn message(server: &Server, suit_id: &str, say: &Say) -> Result<Value, String> {
    let own = server.world.lock().session(suit_id).and_then(|session| session.me.clone()).map(|me| address(&me));
    let person = address(&say.from);
    let unique = format!("3EB0{}", hex::encode_upper(random::<8>()));
    let chat = say.group.as_ref().map(|group| if group.contains('@') { group.clone() } else { format!("{group}@g.us") });
    let mut payload = json!({
        "id": say.id.clone().unwrap_or_else(|| format!("{}_{}_{unique}", say.echo, chat.as_ref().unwrap_or(&person))),
        "fromMe": say.echo,
        "type": "chat",
        "body": say.text,
        "hasMedia": say.file.is_some(),
        "replyTo": say.reply_to,
    });
    if say.echo {
        payload["to"] = person.into();
        payload["from"] = own.into();
    } else {
        payload["to"] = own.into();
        payload["pushName"] = say.name.clone().into();
        match chat {
            Some(chat) => {
                payload["from"] = chat.into();
                payload["participant"] = person.into();
            }
            None => payload["from"] = person.into(),
        }
    }
    if let Some(file) = &say.file {
        payload["type"] = kind(&file.mimetype).into();
        let url = match &file.error {
            Some(_) => Value::Null,
            None => keep(server, suit_id, file)?.into(),
        };
        payload["media"] = json!({"url": url, "mimetype": file.mimetype, "filename": file.filename, "error": file.error});
    }
    Ok(payload)
}

fn address(number: &str) -> String {
    if number.contains('@') { number.to_owned() } else { format!("{number}@c.us") }
}

fn kind(mimetype: &str) -> &'static str {
    match mimetype.split('/').next() {
        Some("image") => "image",
        Some("video") => "video",
        Some("audio") => "audio",
        _ => "document",
    }
}

/// Keeps the file and tells its URL: on the host that the gateway called the session by.
fn keep(server: &Server, suit_id: &str, file: &SaidFile) -> Result<String, String> {
    let bytes = STANDARD.decode(&file.base64).map_err(|error| format!("file.base64: {error}"))?;
    let id = uuid();
    let mut world = server.world.lock();
    let own = server.own_authority.lock().clone();
    let host = world.session(suit_id).map(|session| session.host.clone()).filter(|host| !host.is_empty()).unwrap_or(own);
    let bare = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
    let scheme = if matches!(bare, "127.0.0.1" | "localhost" | "[::1]") { "http" } else { "https" };
    let kept = File { suit_id: suit_id.to_owned(), mime_type: file.mimetype.clone(), bytes: Bytes::from(bytes) };
    world.files.insert(id.clone(), kept);
    Ok(format!("{scheme}://{host}/{suit_id}/uowhatsapp/files/{id}"))
}
