//! The state behind the imports, one for each thread.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use crate::blob::Blob;
use crate::failure::Failure;
use crate::field::{Field, Fields as _};
use crate::http::{Body, Capture, Content, Payload, Piece, Problem, RawResponse, Request};
use crate::kv::Entry;
use crate::log::Level;
use crate::mail::{Probed, Query, Submitted};

use super::mail::{ScriptedFolder, SentLetter};

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

pub(crate) fn with<T>(act: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with_borrow_mut(act)
}

pub(crate) fn reset() {
    with(|world| *world = World::default());
    crate::host::forget_blobs();
}

#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) script: VecDeque<(String, Answer)>,
    pub(crate) requests: Vec<Recorded>,
    pub(crate) kv: BTreeMap<String, Entry>,
    pub(crate) secrets: BTreeMap<String, Vec<u8>>,
    pub(crate) log: Vec<LogLine>,
    pub(crate) letters: Vec<SentLetter>,
    pub(crate) queries: Vec<Query>,
    /// The folder, its validity, the UIDs.
    pub(crate) seen: Vec<(String, u32, Vec<u32>)>,
}

#[derive(Debug)]
pub(crate) enum Answer {
    Response { status: u16, headers: Vec<Field>, body: Vec<u8> },
    NotSent(String),
    Broken(String),
    Submitted(Submitted),
    Folder(ScriptedFolder),
    Seen,
    Probed(Probed),
    Fails(Failure),
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    /// Its level.
    pub level: Level,
    /// Its message.
    pub message: String,
    /// Its fields.
    pub fields: Vec<(String, String)>,
}

/// A request as it left the plugin.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Upper case.
    pub method: String,
    /// The egress target.
    pub target: String,
    /// Appended to the target's base.
    pub path: String,
    /// Query fields.
    pub query: Vec<Field>,
    /// Headers.
    pub headers: Vec<Field>,
    /// The body.
    pub body: RecordedBody,
    /// Its own bound, in milliseconds.
    pub timeout_ms: Option<u32>,
}

/// What a request carried.
#[derive(Debug, Clone, PartialEq)]
pub enum RecordedBody {
    /// Nothing.
    Empty,
    /// Bytes, or a blob's bytes.
    Bytes(Vec<u8>),
    /// A file of the gateway's, or a range of it.
    Piece(Piece),
    /// A form.
    Form(Vec<Field>),
    /// A multipart body.
    Multipart(Vec<RecordedPart>),
}

/// One part of a multipart body.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedPart {
    /// Its field's name.
    pub name: String,
    /// Its file's name.
    pub file_name: Option<String>,
    /// Its media type.
    pub mime_type: Option<String>,
    /// Its text, or `blob-ref:` and the reference.
    pub content: String,
}

impl Recorded {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        match &self.body {
            RecordedBody::Bytes(bytes) => serde_json::from_slice(bytes).unwrap_or_default(),
            _ => Value::Null,
        }
    }

    /// The value of a form's or multipart's field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        match &self.body {
            RecordedBody::Form(fields) => fields.iter().find(|field| field.name == name).map(|field| field.value.as_str()),
            RecordedBody::Multipart(parts) => parts.iter().find(|part| part.name == name).map(|part| part.content.as_str()),
            RecordedBody::Empty | RecordedBody::Bytes(_) | RecordedBody::Piece(_) => None,
        }
    }
}

impl World {
    pub(crate) fn log(&mut self, level: Level, message: &str, fields: &[(&str, &str)]) {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.log.push(LogLine { level, message: message.to_owned(), fields });
    }

    #[expect(clippy::panic, reason = "a request that the test didn't expect fails it")]
    pub(crate) fn http(&mut self, request: Request) -> Result<RawResponse, Problem> {
        let route = format!("{} {} {}", request.method, request.target, request.path);
        let place = self.script.iter().position(|(scripted, _)| *scripted == route);
        let into_blob = request.into_blob;
        let capture = request.capture.clone();
        self.requests.push(record(request));
        match place.and_then(|place| self.script.remove(place)) {
            Some((_, Answer::Response { status, headers, body })) => {
                let body = self.lift(body, &capture);
                let payload = if into_blob {
                    let blob = Blob::new(headers.header("content-type").unwrap_or("application/octet-stream"));
                    blob.append(&body).map_err(|_| Problem::Broken("the blob is full".into()))?;
                    Payload::Blob(blob)
                } else {
                    Payload::Bytes(body)
                };
                Ok(RawResponse { status, headers, payload })
            }
            Some((_, Answer::NotSent(reason))) => Err(Problem::NotSent(reason)),
            Some((_, Answer::Broken(reason))) => Err(Problem::Broken(reason)),
            Some((_, other)) => panic!("{route} can't be answered with {other:?}"),
            None => panic!("not scripted: {route} ({:?}); scripted are {:?}", self.requests.last(), self.script),
        }
    }

    /// Captures as the gateway does: the string becomes a secret and is blanked.
    fn lift(&mut self, body: Vec<u8>, capture: &[Capture]) -> Vec<u8> {
        if capture.is_empty() {
            return body;
        }
        let Ok(mut json) = serde_json::from_slice::<Value>(&body) else { return body };
        for wanted in capture {
            if let Some(Value::String(text)) = json.pointer_mut(&wanted.pointer) {
                self.secrets.insert(wanted.secret.clone(), std::mem::take(text).into_bytes());
            }
        }
        json.to_string().into_bytes()
    }
}

fn record(request: Request) -> Recorded {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = |blob: &Blob| blob.read_all().unwrap_or_default();
    let body = match request.body {
        Body::Empty => RecordedBody::Empty,
        Body::Bytes(bytes) => RecordedBody::Bytes(bytes),
        Body::Blob(blob) => RecordedBody::Bytes(all(&blob)),
        Body::Piece(piece) => RecordedBody::Piece(piece),
        Body::Form(fields) => RecordedBody::Form(fields),
        Body::Multipart(parts) => RecordedBody::Multipart(
            parts
                .into_iter()
                .map(|part| RecordedPart {
                    name: part.name,
                    file_name: part.file_name,
                    mime_type: part.mime_type,
                    content: match part.content {
                        Content::Bytes(bytes) => text(&bytes),
                        Content::Blob(blob) => text(&all(&blob)),
                        Content::BlobRef(reference) => format!("blob-ref:{reference}"),
                    },
                })
                .collect(),
        ),
    };
    Recorded {
        method: request.method,
        target: request.target,
        path: request.path,
        query: request.query,
        headers: request.headers,
        body,
        timeout_ms: request.timeout_ms,
    }
}
