//! Images, documents and videos on their way: announced, put, and, where they are videos, put together.

use axum::http::Method;
use serde_json::{Value, json};

use crate::linkedin::answer::{Outcome, Refusal, Reply};
use crate::linkedin::ask::Ask;
use crate::linkedin::posts::text;
use crate::linkedin::server::{Server, missing};
use crate::linkedin::world::{Asset, Grant};

const WRITERS: [&str; 2] = ["w_organization_social", "w_member_social"];
const DOCUMENT_MAX: usize = 100 * 1024 * 1024;

pub(crate) fn call(server: &Server, ask: &Ask, caller: &Grant) -> Outcome {
    caller.need(&WRITERS, "media")?;
    let kind = match ask.segments.get(1).map(String::as_str) {
        Some("images") => "image",
        Some("documents") => "document",
        _ => "video",
    };
    match (&ask.method, ask.segments.len(), ask.query("action")) {
        (&Method::POST, 2, Some("initializeUpload")) => begin(server, ask, kind),
        (&Method::POST, 2, Some("finalizeUpload")) if kind == "video" => finish(server, ask),
        (&Method::GET, 3, _) => look(server, ask),
        _ => Err(missing(ask)),
    }
}

fn begin(server: &Server, ask: &Ask, kind: &str) -> Outcome {
    let request = ask.json()?["initializeUploadRequest"].take();
    let owner = text(&request, "owner").to_owned();
    let knobs = server.knobs();
    let mut world = server.world.lock();
    if !world.may_write_as(&owner) {
        return Err(Refusal::denied(&format!("{kind}s.initializeUpload of {owner}")));
    }
    let announced = request["fileSizeBytes"].as_u64().and_then(|size| usize::try_from(size).ok()).unwrap_or_default();
    if kind == "video" && announced == 0 {
        return Err(Refusal::unprocessable("ERROR :: /initializeUploadRequest/fileSizeBytes :: field is required but not found"));
    }
    let number = server.next_number();
    let id = format!("urn:li:{kind}:C4E{number}");
    let upload_token = if kind == "video" { format!("standin-token-{number}") } else { String::new() };
    let base = if knobs.own_upload_urls { server.own_url.lock().clone() } else { "https://www.linkedin.com".to_owned() };
    let place = |part: usize| format!("{base}/dms-uploads/C4E{number}/{kind}/{part}?ca=vector_feedshare&sync=0&ut={number}");
    let value = if kind == "video" {
        let size = knobs.part_bytes.max(1);
        let parts: Vec<Value> = (0..announced.div_ceil(size))
            .map(|part| json!({"uploadUrl": place(part), "firstByte": part * size, "lastByte": ((part + 1) * size).min(announced) - 1}))
            .collect();
        json!({"video": id, "uploadInstructions": parts, "uploadToken": upload_token, "uploadUrlsExpireAt": server.now_ms() + 3_600_000})
    } else {
        json!({kind: id, "uploadUrl": place(0), "uploadUrlExpiresAt": server.now_ms() + 3_600_000})
    };
    let asset = Asset { owner, announced, upload_token, status: "WAITING_UPLOAD".into(), ..Asset::default() };
    world.assets.insert(id, asset);
    Ok(Reply::json(json!({"value": value})))
}

/// The bytes, to the URL that was told. Parts of videos need no token.
pub(crate) fn put(server: &Server, ask: &Ask) -> Outcome {
    let [_, number, kind, part] = ask.segments.as_slice() else { return Err(missing(ask)) };
    if ask.method != Method::PUT && !(ask.method == Method::POST && kind == "image") {
        return Err(Refusal::new(405, "METHOD_NOT_ALLOWED", "Files are PUT"));
    }
    let part_bytes = server.knobs().part_bytes.max(1);
    let mut world = server.world.lock();
    let authorized = kind == "video" || ask.bearer().is_some_and(|token| world.tokens.get(token).is_some_and(|grant| !grant.revoked));
    if !authorized {
        return Err(Refusal::new(401, "INVALID_ACCESS_TOKEN", "Invalid access token").numbered(65_600));
    }
    let signed = number.strip_prefix("C4E").is_some_and(|plain| ask.query("ut") == Some(plain));
    let asset = world.assets.get_mut(&format!("urn:li:{kind}:{number}")).filter(|_| signed).ok_or_else(|| Refusal::of(404))?;
    let (Ok(part), false) = (part.parse::<u32>(), ask.body.is_empty()) else { return Err(Refusal::invalid("The file is empty")) };
    let bytes = ask.body.to_vec();
    match kind.as_str() {
        "video" => {
            let first = usize::try_from(part).unwrap_or(usize::MAX).saturating_mul(part_bytes);
            if bytes.len() != part_bytes.min(asset.announced.saturating_sub(first)) {
                return Err(Refusal::invalid(format!("Part {part} has {} bytes, which aren't those of its instruction", bytes.len())));
            }
        }
        "image" => asset.status = if is_picture(&bytes) { "AVAILABLE" } else { "PROCESSING_FAILED" }.into(),
        _ => asset.status = if bytes.len() <= DOCUMENT_MAX { "AVAILABLE" } else { "PROCESSING_FAILED" }.into(),
    }
    let tag = etag(part, &bytes);
    asset.parts.insert(part, bytes);
    Ok(Reply::status(if kind == "video" { 200 } else { 201 }).header("etag", &tag))
}

fn etag(part: u32, bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    format!("/ambry-video/signedId/{part}-{}", hex::encode(digest.as_ref().get(..8).unwrap_or_default()))
}

fn is_picture(bytes: &[u8]) -> bool {
    [&b"\x89PNG\r\n\x1a\n"[..], b"\xff\xd8\xff", b"GIF8"].iter().any(|start| bytes.starts_with(start))
}

fn finish(server: &Server, ask: &Ask) -> Outcome {
    let request = ask.json()?["finalizeUploadRequest"].take();
    let looks = server.knobs().video_looks;
    let mut world = server.world.lock();
    let asset = world.assets.get_mut(text(&request, "video")).ok_or_else(|| Refusal::of(404))?;
    if text(&request, "uploadToken") != asset.upload_token {
        return Err(Refusal::invalid("The uploadToken isn't this video's"));
    }
    let tags: Vec<&str> = request["uploadedPartIds"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let there: Vec<String> = asset.parts.iter().map(|(part, bytes)| etag(*part, bytes)).collect();
    let size: usize = asset.parts.values().map(Vec::len).sum();
    if tags != there || size != asset.announced {
        return Err(Refusal::invalid("The uploadedPartIds aren't the ETags of all parts, in their order"));
    }
    asset.looks_left = looks;
    asset.status = if looks == 0 { "AVAILABLE" } else { "PROCESSING" }.into();
    Ok(Reply::status(200))
}

fn look(server: &Server, ask: &Ask) -> Outcome {
    let id = ask.key(2)?;
    let mut world = server.world.lock();
    let asset = world.assets.get_mut(&id).ok_or_else(|| Refusal::of(404))?;
    if asset.status == "PROCESSING" {
        asset.looks_left = asset.looks_left.saturating_sub(1);
        if asset.looks_left == 0 {
            asset.status = "AVAILABLE".into();
        }
    }
    Ok(Reply::json(json!({"id": id, "owner": asset.owner, "status": asset.status})))
}
