//! Media: pictures that a business uploads, and what people sent, which is fetched by a URL that wants `x-user`.

use serde_json::{Value, json};

use crate::telegram::png;
use crate::tiktok::answer::{Outcome, Refusal, Reply};
use crate::tiktok::ask::Ask;
use crate::tiktok::server::Server;
use crate::tiktok::world::Media;

const IMAGE_MAX: usize = 3 * 1024 * 1024;
/// Milliseconds that an uploaded picture can be sent: 30 days.
const UPLOAD_MS: u64 = 30 * 86_400_000;
/// Milliseconds that a download URL is good: a day.
const DOWNLOAD_MS: u64 = 86_400_000;

/// By what the file begins with.
fn mime_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        _ => None,
    }
}

pub(crate) fn upload(server: &Server, ask: &Ask) -> Outcome {
    ask.only(&["business_id", "media_type"])?;
    let business_id = server.acting(ask, "message.list.send")?;
    if ask.needed("media_type")? != "IMAGE" {
        return Err(Refusal::parameter("media_type: Must be IMAGE."));
    }
    let [file] = ask.files.as_slice() else { return Err(Refusal::parameter("file: Exactly one file.")) };
    if file.field != "file" {
        return Err(Refusal::parameter(format!("{}: Unknown field.", file.field)));
    }
    let mime_type = mime_type(&file.bytes).ok_or_else(|| Refusal::of(40_908))?;
    if file.bytes.len() > IMAGE_MAX {
        return Err(Refusal::parameter("file: Larger than 3 MB."));
    }
    let media_id = format!("img_{}", server.next_number());
    let media = Media { business_id, mime_type, bytes: file.bytes.to_vec(), expires_ms: server.now_ms() + UPLOAD_MS };
    server.world.lock().uploads.insert(media_id.clone(), media);
    Ok(Reply::Data(json!({"media_id": media_id})))
}

pub(crate) fn download(server: &Server, ask: &Ask) -> Outcome {
    ask.only(&["business_id", "conversation_id", "message_id", "media_id", "media_type"])?;
    let business_id = server.acting(ask, "message.list.read")?;
    let (conversation_id, message_id, media_id) = (ask.needed("conversation_id")?, ask.needed("message_id")?, ask.needed("media_id")?);
    let media_type = ask.needed("media_type")?;
    if !matches!(media_type, "IMAGE" | "VIDEO") {
        return Err(Refusal::parameter("media_type: Must be IMAGE or VIDEO."));
    }
    let mut world = server.world.lock();
    let conversation = world.conversation(&business_id, conversation_id).ok_or_else(|| Refusal::parameter("conversation_id is invalid"))?;
    let message = conversation.messages.iter().find(|message| message.id == message_id && message.kind == media_type);
    if message.and_then(|message| message.value["media_id"].as_str()) != Some(media_id) {
        return Err(Refusal::of(40_007));
    }
    let (mime_type, bytes) = match media_type {
        "VIDEO" => ("video/mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom".to_vec()),
        _ => ("image/png", png(32, 32)),
    };
    let id = format!("{media_id}~{}", server.next_number());
    world.downloads.insert(id.clone(), Media { business_id, mime_type, bytes, expires_ms: server.now_ms() + DOWNLOAD_MS });
    let own = server.knobs().own_media_urls.then(|| server.own_url.lock().clone());
    let host = own.unwrap_or_else(|| "https://p16-im-sg.tiktokcdn.com".into());
    Ok(Reply::Data(json!({"download_url": format!("{host}/im-media/{id}")})))
}

/// The URL wants the access token of the business in `x-user`.
pub(crate) fn fetch(server: &Server, ask: &Ask, id: &str) -> Outcome {
    let now = server.now_ms();
    let world = server.world.lock();
    let Some(media) = world.downloads.get(id).filter(|media| media.expires_ms > now) else {
        return Ok(Reply::Page(404, "Not Found".into()));
    };
    let tokens = server.tokens.lock();
    if !tokens.grant(&ask.user, now).is_ok_and(|grant| grant.business_id == media.business_id) {
        return Ok(Reply::Page(403, "Forbidden".into()));
    }
    Ok(Reply::File(media.mime_type, media.bytes.clone()))
}

/// What stands under a media message's name where nobody said more.
pub(crate) fn value(server: &Server, given: Value) -> Value {
    if given["media_id"].is_string() { given } else { json!({"media_id": format!("v_{}", server.next_number())}) }
}
