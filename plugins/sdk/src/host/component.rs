use crate::bindings::plugin::patchbay::channel::{http, kv, log, mail};
use crate::blob::Blob;
use crate::failure::Failure;
use crate::http::{Body, Content, Part, Payload, Problem, RawResponse, Request};
use crate::mail::{Folder, Letter};

pub(crate) use crate::bindings::plugin::patchbay::channel::crypto::{
    constant_time_equal, digest, has as has_secret, hmac, public_key, random, sign,
};
pub(crate) use crate::bindings::plugin::patchbay::channel::types::Blob as BlobHandle;

pub(crate) fn log(level: log::Level, message: &str, fields: &[(&str, &str)]) {
    let fields: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    log::write(level, message, &fields);
}

pub(crate) fn kv_get(key: &str) -> Option<kv::Entry> {
    kv::get(key)
}

pub(crate) fn kv_set(key: &str, value: &[u8], ttl_s: Option<u32>, expected: Option<u32>) -> Result<u32, kv::Problem> {
    kv::set(key, value, ttl_s, expected)
}

pub(crate) fn kv_delete(key: &str) {
    kv::delete(key);
}

pub(crate) fn http(request: Request) -> Result<RawResponse, Problem> {
    let lowered = http::Request {
        target: request.target,
        method: request.method,
        path: request.path,
        query: request.query,
        headers: request.headers,
        body: match request.body {
            Body::Empty => http::Body::Empty,
            Body::Bytes(bytes) => http::Body::Bytes(bytes),
            Body::Blob(ref blob) => http::Body::Blob(blob.handle()),
            Body::Piece(piece) => http::Body::Piece(http::Piece { blob_ref: piece.blob_ref, offset: piece.offset, length: piece.length }),
            Body::Form(fields) => http::Body::Form(fields),
            Body::Multipart(ref parts) => http::Body::Multipart(parts.iter().map(lower_part).collect()),
        },
        timeout_ms: request.timeout_ms,
        into_blob: request.into_blob,
        capture: request.capture,
    };
    let response = http::send(&lowered)?;
    Ok(RawResponse {
        status: response.status,
        headers: response.headers,
        payload: match response.body {
            http::ResponseBody::Bytes(bytes) => Payload::Bytes(bytes),
            http::ResponseBody::Blob(handle) => Payload::Blob(Blob::from_handle(handle)),
        },
    })
}

fn lower_part(part: &Part) -> http::Part<'_> {
    http::Part {
        name: part.name.clone(),
        file_name: part.file_name.clone(),
        mime_type: part.mime_type.clone(),
        content: match &part.content {
            Content::Bytes(bytes) => http::PartContent::Bytes(bytes.clone()),
            Content::Blob(blob) => http::PartContent::Blob(blob.handle()),
            Content::BlobRef(reference) => http::PartContent::BlobRef(reference.clone()),
        },
    }
}

pub(crate) fn mail_submit(target: &str, envelope: &mail::Envelope, letter: &[mail::Stretch]) -> Result<mail::Submitted, Failure> {
    mail::submit(target, envelope, letter)
}

pub(crate) fn mail_fetch(target: &str, query: &mail::Query) -> Result<Folder, Failure> {
    let folder = mail::fetch(target, query)?;
    let letters = folder.letters.into_iter().map(|letter| Letter {
        uid: letter.uid,
        received_at_ms: letter.received_at_ms,
        size: letter.size,
        whole: letter.whole,
        content: Blob::from_handle(letter.content),
    });
    Ok(Folder { validity: folder.validity, next_uid: folder.next_uid, letters: letters.collect(), more: folder.more })
}

pub(crate) fn mail_mark_seen(target: &str, folder: &str, validity: u32, uids: &[u32]) -> Result<(), Failure> {
    mail::mark_seen(target, folder, validity, uids)
}

pub(crate) fn mail_probe(target: &str) -> Result<mail::Probed, Failure> {
    mail::probe(target)
}
