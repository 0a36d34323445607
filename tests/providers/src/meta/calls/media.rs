//! Files: WhatsApp media, resumable uploads, and what lies on the CDN.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ring::digest;
use serde_json::{Value, json};
use url::Url;

use crate::meta::answer::{GraphError, Outcome, Reply, success};
use crate::meta::ask::Ask;
use crate::meta::calls::numbers::product;
use crate::meta::server::Server;
use crate::meta::sign::hmac_hex;
use crate::meta::world::Media;
use crate::telegram::png;

const MB: usize = 1024 * 1024;
/// Seconds that a URL lives.
const URL_S: u64 = 300;
const SCOPE: &[&str] = &["whatsapp_business_messaging"];
/// The assets that the fixtures name.
const FIXTURES: &[(&str, &str)] = &[
    ("700000000000001", "image/jpeg"),
    ("700000000000002", "audio/ogg; codecs=opus"),
    ("700000000000003", "image/webp"),
    ("700000000000004", "application/pdf"),
    ("700000000000005", "video/mp4"),
    ("FAKE", "image/png"),
    ("FAKE2", "image/png"),
    ("FAKE3", "image/png"),
];

/// The first bytes of a file of this type, so that it is taken for one.
pub(crate) fn sample(mime_type: &str) -> Bytes {
    match mime_type.split(';').next().unwrap_or_default() {
        "image/png" => png(64, 64).into(),
        "image/jpeg" => Bytes::from_static(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00 stand-in \xff\xd9"),
        "image/webp" => Bytes::from_static(b"RIFF\x1a\x00\x00\x00WEBPVP8 \x0e\x00\x00\x00stand-in image"),
        "audio/ogg" => Bytes::from_static(b"OggS\x00\x02stand-in OpusHead voice"),
        "video/mp4" => Bytes::from_static(b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom stand-in video"),
        "application/pdf" => Bytes::from_static(b"%PDF-1.4\n% stand-in\n%%EOF\n"),
        _ => Bytes::from_static(b"stand-in"),
    }
}

pub(crate) fn seed(server: &Server) {
    let mut world = server.world.lock();
    for (id, mime_type) in FIXTURES {
        world.media.insert((*id).into(), Media { mime_type: (*mime_type).into(), bytes: sample(mime_type), owner: String::new() });
    }
}

/// Keeps a file under a new id.
pub(crate) fn keep(server: &Server, mime_type: &str, bytes: Bytes, owner: &str) -> String {
    let id = format!("7{:014}", server.next_number());
    let media = Media { mime_type: mime_type.to_owned(), bytes, owner: owner.to_owned() };
    server.world.lock().media.insert(id.clone(), media);
    id
}

/// As webhooks write a file's digest.
pub(crate) fn sha256_base64(bytes: &[u8]) -> String {
    STANDARD.encode(digest::digest(&digest::SHA256, bytes))
}

fn host(server: &Server) -> String {
    if server.knobs().own_media_urls { server.own_url.lock().clone() } else { "https://lookaside.fbsbx.com".into() }
}

fn hash(id: &str, expires: u64) -> String {
    hmac_hex("lookaside", format!("{id}.{expires}").as_bytes()).chars().take(22).collect()
}

/// A signed URL of five minutes; only the bearer opens it.
pub(crate) fn signed_url(server: &Server, id: &str) -> String {
    let expires = server.now_s() + URL_S;
    format!("{}/whatsapp_business/attachments/?mid={id}&ext={expires}&hash={}", host(server), hash(id, expires))
}

/// A URL of the CDN, as Messenger's and Instagram's webhooks bring them: no credential, and a long life.
pub(crate) fn cdn_url(server: &Server, id: &str) -> String {
    format!("{}/ig_messaging_cdn/?asset_id={id}&signature=standin", host(server))
}

/// The largest of its type, or that there is no such type.
fn limit(mime_type: &str) -> Option<usize> {
    let mime_type = mime_type.split(';').next().unwrap_or_default().trim();
    match mime_type {
        "image/jpeg" | "image/png" => Some(5 * MB),
        "image/webp" => Some(500 * 1024),
        "video/mp4" | "video/3gpp" | "audio/aac" | "audio/amr" | "audio/mpeg" | "audio/mp4" | "audio/ogg" => Some(16 * MB),
        other if other.starts_with("text/") || other.starts_with("application/") => Some(100 * MB),
        _ => None,
    }
}

pub(crate) fn upload(server: &Server, ask: &Ask) -> Outcome {
    ask.caller_with(server, SCOPE)?;
    product(ask)?;
    let Some(file) = ask.params.file("file") else {
        return Err(GraphError::of(100).saying("(#100) The parameter file is required."));
    };
    let mime_type = [ask.params.text("type"), file.mime_type.clone()].into_iter().find(|one| one.contains('/')).unwrap_or_default();
    let Some(max) = limit(&mime_type) else {
        return Err(GraphError::of(100).saying(format!("(#100) Param file must be a file with one of the following types: audio/aac, audio/mp4, audio/mpeg, audio/amr, audio/ogg, audio/opus, application/pdf, image/jpeg, image/png, image/webp, text/plain, video/mp4, video/3gpp. Received file of type '{mime_type}'.")));
    };
    if file.bytes.is_empty() || file.bytes.len() > max {
        return Err(GraphError::of(131_053).details(format!("{} bytes of {mime_type}: at most {max}", file.bytes.len())));
    }
    let id = keep(server, &mime_type, file.bytes.clone(), &ask.account);
    Ok(json!({ "id": id }).into())
}

pub(crate) fn url(server: &Server, ask: &Ask) -> Outcome {
    ask.caller_with(server, SCOPE)?;
    let media = server.world.lock().media.get(&ask.account).cloned().ok_or_else(|| ask.unsupported())?;
    let number = ask.params.text("phone_number_id");
    if !number.is_empty() && !media.owner.is_empty() && number != media.owner {
        return Err(ask.unsupported());
    }
    let sha256 = hex::encode(digest::digest(&digest::SHA256, &media.bytes));
    Ok(json!({"url": signed_url(server, &ask.account), "mime_type": media.mime_type, "sha256": sha256, "file_size": media.bytes.len(),
        "id": ask.account, "messaging_product": "whatsapp"})
    .into())
}

pub(crate) fn delete(server: &Server, ask: &Ask) -> Outcome {
    ask.caller_with(server, SCOPE)?;
    server.world.lock().media.remove(&ask.account);
    success()
}

/// 401 without the bearer, 404 once it is too late.
pub(crate) fn download(server: &Server, ask: &Ask) -> Outcome {
    if ask.bearer.is_none() {
        return Err(GraphError::of(190).saying("Authentication Error"));
    }
    ask.caller(server)?;
    let (id, expires) = (ask.params.text("mid"), ask.params.text("ext").parse().unwrap_or_default());
    let gone = || GraphError::of(100).saying("URL signature expired or media not found").status(404);
    if expires < server.now_s() || ask.params.text("hash") != hash(&id, expires) {
        return Err(gone());
    }
    file(server, &id).ok_or_else(gone)
}

fn file(server: &Server, id: &str) -> Option<Reply> {
    let media = server.world.lock().media.get(id).cloned()?;
    Some(Reply::File { mime_type: media.mime_type, bytes: media.bytes })
}

/// Assets by `asset_id`; paths of `*.fbcdn.net` are a picture each.
pub(crate) fn cdn(server: &Server, ask: &Ask) -> Outcome {
    if ask.node == "v" {
        return Ok(Reply::File { mime_type: "image/png".into(), bytes: sample("image/png") });
    }
    file(server, &ask.params.text("asset_id")).ok_or_else(|| GraphError::of(100).saying("URL signature expired").status(404))
}

/// `POST /{app}/uploads`: announces one.
pub(crate) fn resumable(server: &Server, ask: &Ask) -> Outcome {
    ask.caller(server)?;
    ask.params.needed("file_length")?;
    let mime_type = ask.params.needed("file_type")?;
    let id = format!("upload:standin{}", server.next_number());
    server.world.lock().uploads.insert(id.clone(), mime_type);
    Ok(json!({ "id": id }).into())
}

pub(crate) fn resumable_bytes(server: &Server, ask: &Ask) -> Outcome {
    ask.caller(server)?;
    let known = server.world.lock().uploads.remove(&ask.account);
    let Some(mime_type) = known else { return Err(ask.unsupported()) };
    if !ask.headers.contains_key("file_offset") || ask.params.raw.is_empty() {
        return Err(GraphError::of(100).saying("(#100) The file_offset header and the file's bytes are required"));
    }
    let id = keep(server, &mime_type, ask.params.raw.clone(), "");
    Ok(json!({"h": format!("4::{id}")}).into())
}

/// Fetches what a send links to, as Meta does: from loopback only; other hosts are believed, except those that
/// can't be there. The error is why it can't be had.
pub(crate) async fn fetch(server: &Arc<Server>, link: &str) -> Result<Option<Value>, String> {
    let url = Url::parse(link).map_err(|error| error.to_string())?;
    let host = url.host_str().unwrap_or_default().to_owned();
    match host.as_str() {
        "127.0.0.1" | "localhost" | "[::1]" => {
            let posted = server.poster.fetch(link, Duration::from_secs(10)).await?;
            let mime_type = posted.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
            if !posted.status.is_success() {
                return Err(format!("the link answered {}", posted.status));
            }
            let sha256 = hex::encode(digest::digest(&digest::SHA256, &posted.body));
            Ok(Some(
                json!({"url": link, "status": posted.status.as_u16(), "mime_type": mime_type, "size": posted.body.len(), "sha256": sha256}),
            ))
        }
        host if !host.contains('.') || host.ends_with(".invalid") => Err(format!("{host} can't be resolved")),
        _ => Ok(None),
    }
}
