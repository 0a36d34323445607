//! A question of the plugin's and the host's answer.

use patchbay_sandbox::{
    contract::types,
    services::{
        BlobInfo, Capture, CryptoProblem, Envelope, Field, Folder, FolderQuery, HashAlgorithm, HttpBody, HttpProblem, HttpRequest,
        HttpResponse, HttpResponseBody, KvEntry, KvProblem, Part, PartContent, Probed, Refusal, SignAlgorithm, Stretch, Submitted,
    },
};
use serde::{Deserialize, Serialize};

use super::kept::{Kept, Room};
use crate::{domain::failure::Failure, plugins::convert};

/// One exchange, in the order in which they were.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    pub asked: Asked,
    /// None where the call ended before there was one.
    pub answer: Option<Answer>,
}

/// What a plugin asked of the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    KvGet { key: String },
    KvSet { key: String, value: Kept, ttl_s: Option<u64>, expected: Option<u32> },
    KvDelete { key: String },
    Http(Box<Request>),
    Digest { algorithm: HashAlgorithm, data: Kept },
    HasSecret { secret: String },
    Hmac { secret: String, algorithm: HashAlgorithm, data: Kept },
    Sign { secret: String, algorithm: SignAlgorithm, data: Kept },
    PublicKey { secret: String },
    Random { length: usize },
    WallClock,
    MailSubmit { target: String, envelope: Envelope, letter: Vec<Piece> },
    MailFetch { target: String, query: FolderQuery },
    MailMarkSeen { target: String, folder: String, validity: u32, uids: Vec<u32> },
    MailProbe { target: String },
    BlobCreate { mime_type: String },
    BlobAppend { id: String, chunk: Kept },
    BlobRead { id: String, offset: u32, max: u32 },
}

/// A request without its timeout, which is what is left of the call's time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub target: String,
    pub method: String,
    pub path: String,
    pub query: Vec<Field>,
    pub headers: Vec<Field>,
    pub body: Body,
    pub into_blob: bool,
    pub capture: Vec<Capture>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    Empty,
    Bytes(Kept),
    Blob(String),
    Piece { id: String, offset: u32, length: Option<u32> },
    Form(Vec<Field>),
    Multipart(Vec<FormPart>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FormPart {
    pub name: String,
    pub file_name: Option<String>,
    pub mime_type: Option<String>,
    pub content: Piece,
}

/// Bytes, or a file of the gateway's by its id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    Bytes(Kept),
    File(String),
}

/// What the host answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Done,
    Entry(Option<Entry>),
    Written(Result<u32, KvProblem>),
    Response(Result<Response, HttpProblem>),
    Bytes(Kept),
    Signed(Result<Kept, CryptoProblem>),
    Known(bool),
    /// Microseconds since 1970 UTC; none left it to the machine's clock.
    Time(Option<u64>),
    Submitted(Result<Taken, Failure>),
    Folder(Result<Folder, Failure>),
    Marked(Result<(), Failure>),
    Probed(Result<Probed, Failure>),
    Blob(Result<BlobInfo, String>),
    Appended(Result<(), String>),
    Read(Result<Kept, String>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub value: Kept,
    pub version: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<Field>,
    pub body: ResponseBody,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseBody {
    Bytes(Kept),
    Blob(BlobInfo),
}

/// The server took the letter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    pub response: String,
    pub refused: Vec<(String, Failure)>,
}

fn fields(room: &mut Room, fields: &[Field]) -> Vec<Field> {
    fields.iter().map(|field| Field { name: room.text(&field.name), value: room.text(&field.value) }).collect()
}

fn failure(failure: &types::Failure) -> Failure {
    convert::failure_in(failure.clone())
}

impl Asked {
    /// The hook's own word for it, as an author knows it.
    pub fn name(&self) -> &'static str {
        match self {
            Asked::KvGet { .. } => "kv.get",
            Asked::KvSet { .. } => "kv.set",
            Asked::KvDelete { .. } => "kv.delete",
            Asked::Http(_) => "http.send",
            Asked::Digest { .. } => "crypto.digest",
            Asked::HasSecret { .. } => "crypto.has",
            Asked::Hmac { .. } => "crypto.hmac",
            Asked::Sign { .. } => "crypto.sign",
            Asked::PublicKey { .. } => "crypto.public-key",
            Asked::Random { .. } => "random",
            Asked::WallClock => "wall-clock.now",
            Asked::MailSubmit { .. } => "mail.submit",
            Asked::MailFetch { .. } => "mail.fetch",
            Asked::MailMarkSeen { .. } => "mail.mark-seen",
            Asked::MailProbe { .. } => "mail.probe",
            Asked::BlobCreate { .. } => "blob",
            Asked::BlobAppend { .. } => "blob.append",
            Asked::BlobRead { .. } => "blob.read",
        }
    }

    pub(crate) fn http(room: &mut Room, request: &HttpRequest) -> Asked {
        let body = match &request.body {
            HttpBody::Empty => Body::Empty,
            HttpBody::Bytes(bytes) => Body::Bytes(room.asked(bytes)),
            HttpBody::Blob(id) => Body::Blob(room.text(id)),
            HttpBody::Piece { id, offset, length } => Body::Piece { id: room.text(id), offset: *offset, length: *length },
            HttpBody::Form(form) => Body::Form(fields(room, form)),
            HttpBody::Multipart(parts) => Body::Multipart(parts.iter().map(|part| FormPart::of(room, part)).collect()),
        };
        Asked::Http(Box::new(Request {
            target: room.text(&request.target),
            method: room.text(&request.method),
            path: room.text(&request.path),
            query: fields(room, &request.query),
            headers: fields(room, &request.headers),
            body,
            into_blob: request.into_blob,
            capture: request.capture.clone(),
        }))
    }

    pub(crate) fn mail_submit(room: &mut Room, target: &str, envelope: &Envelope, letter: &[Stretch]) -> Asked {
        let piece = |stretch: &Stretch| match stretch {
            Stretch::Bytes(bytes) => Piece::Bytes(room.asked(bytes)),
            Stretch::File(id) => Piece::File(room.text(id)),
        };
        let letter = letter.iter().map(piece).collect();
        Asked::MailSubmit { target: room.text(target), envelope: envelope.clone(), letter }
    }
}

impl FormPart {
    fn of(room: &mut Room, part: &Part) -> FormPart {
        FormPart {
            name: room.text(&part.name),
            file_name: part.file_name.as_deref().map(|name| room.text(name)),
            mime_type: part.mime_type.as_deref().map(|name| room.text(name)),
            content: match &part.content {
                PartContent::Bytes(bytes) => Piece::Bytes(room.asked(bytes)),
                PartContent::Blob(id) => Piece::File(room.text(id)),
            },
        }
    }
}

impl Answer {
    pub(crate) fn entry(room: &mut Room, entry: Option<&KvEntry>) -> Answer {
        Answer::Entry(entry.map(|entry| Entry { value: room.answered(&entry.value), version: entry.version }))
    }

    pub(crate) fn response(room: &mut Room, answer: &Result<HttpResponse, HttpProblem>) -> Answer {
        Answer::Response(answer.as_ref().map_err(Clone::clone).map(|response| Response {
            status: response.status,
            headers: response.headers.clone(),
            body: match &response.body {
                HttpResponseBody::Bytes(bytes) => ResponseBody::Bytes(room.answered(bytes)),
                HttpResponseBody::Blob(info) => ResponseBody::Blob(info.clone()),
            },
        }))
    }

    pub(crate) fn signed(room: &mut Room, answer: &Result<Vec<u8>, CryptoProblem>) -> Answer {
        Answer::Signed(answer.as_ref().map_err(Clone::clone).map(|bytes| room.answered(bytes)))
    }

    pub(crate) fn submitted(answer: &Result<Submitted, types::Failure>) -> Answer {
        Answer::Submitted(answer.as_ref().map_err(failure).map(|submitted| Taken {
            response: submitted.response.clone(),
            refused: submitted.refused.iter().map(|refusal| (refusal.recipient.clone(), failure(&refusal.failure))).collect(),
        }))
    }

    pub(crate) fn folder(answer: &Result<Folder, types::Failure>) -> Answer {
        Answer::Folder(answer.clone().map_err(|why| failure(&why)))
    }

    pub(crate) fn marked(answer: &Result<(), types::Failure>) -> Answer {
        Answer::Marked(answer.as_ref().copied().map_err(failure))
    }

    pub(crate) fn probed(answer: &Result<Probed, types::Failure>) -> Answer {
        Answer::Probed(answer.clone().map_err(|why| failure(&why)))
    }

    pub(crate) fn read(room: &mut Room, answer: &Result<Vec<u8>, String>) -> Answer {
        Answer::Read(answer.as_ref().map_err(Clone::clone).map(|bytes| room.answered(bytes)))
    }
}

impl Response {
    /// None where its body had no room.
    pub(crate) fn given(&self) -> Option<HttpResponse> {
        let body = match &self.body {
            ResponseBody::Bytes(kept) => HttpResponseBody::Bytes(kept.to_vec()?),
            ResponseBody::Blob(info) => HttpResponseBody::Blob(info.clone()),
        };
        Some(HttpResponse { status: self.status, headers: self.headers.clone(), body })
    }
}

impl Taken {
    pub(crate) fn given(&self) -> Submitted {
        let refusal = |(recipient, failure): &(String, Failure)| Refusal {
            recipient: recipient.clone(),
            failure: convert::failure_out(failure.clone()),
        };
        Submitted { response: self.response.clone(), refused: self.refused.iter().map(refusal).collect() }
    }
}
