//! Files of Messenger and Instagram: by URL, by an id uploaded before, or in the request.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::meta::answer::{GraphError, Outcome};
use crate::meta::ask::Ask;
use crate::meta::calls::media;
use crate::meta::calls::messenger::bad;
use crate::meta::params::text_of;
use crate::meta::server::Server;
use crate::meta::tokens::TokenKind;

const MB: usize = 1024 * 1024;

fn max(kind: &str) -> usize {
    if kind == "image" { 8 * MB } else { 25 * MB }
}

/// The attachments of a message, whichever key they came by.
fn attachments(message: &Value) -> Vec<&Value> {
    let (one, several) = (&message["attachment"], &message["attachments"]);
    let listed = several.as_array().into_iter().flatten().chain(Some(several).filter(|several| several.is_object()));
    Some(one).filter(|one| one.is_object()).into_iter().chain(listed).collect()
}

/// Checks the attachments and gets what they point to. Answers what was fetched from loopback.
pub(crate) async fn resolve(server: &Arc<Server>, ask: &Ask, message: &Value, instagram: bool) -> Result<Vec<Value>, GraphError> {
    let attachments = attachments(message);
    if attachments.len() > 10 {
        return Err(bad("At most 10 attachments"));
    }
    let mut fetched = Vec::new();
    for attachment in attachments {
        let kind = text_of(&attachment["type"]);
        let payload = &attachment["payload"];
        match kind.as_str() {
            "template" => continue,
            "like_heart" if instagram => continue,
            "MEDIA_SHARE" if instagram && !text_of(&payload["id"]).is_empty() => continue,
            "image" | "video" | "audio" | "file" => {}
            other => return Err(bad(format!("Param attachment[type] {other:?} is not allowed"))),
        }
        if let Some(file) = ask.params.file("filedata") {
            if file.bytes.len() > max(&kind) {
                return Err(GraphError::sub(100, 2_018_109));
            }
            fits(&kind, &file.mime_type, instagram)?;
            continue;
        }
        let (url, id) = (text_of(&payload["url"]), text_of(&payload["attachment_id"]));
        match (url.is_empty(), id.is_empty()) {
            (true, true) => return Err(bad("Param attachment[payload] must have a url or an attachment_id")),
            (false, false) => return Err(bad("Param attachment[payload] can't have both a url and an attachment_id")),
            (true, false) if !server.world.lock().media.contains_key(&id) => {
                return Err(GraphError::sub(100, 2_018_074).saying("(#100) Invalid attachment ID"));
            }
            (true, false) => {}
            (false, true) => fetched.extend(fetch(server, &kind, &url, instagram).await?),
        }
    }
    Ok(fetched)
}

async fn fetch(server: &Arc<Server>, kind: &str, url: &str, instagram: bool) -> Result<Option<Value>, GraphError> {
    let found = media::fetch(server, url).await.map_err(|_| GraphError::sub(100, 2_018_047))?;
    if let Some(found) = &found {
        if found["size"].as_u64().is_some_and(|size| size > max(kind) as u64) {
            return Err(GraphError::sub(100, 2_018_109));
        }
        fits(kind, &text_of(&found["mime_type"]), instagram)?;
    }
    Ok(found)
}

/// The type told and the file's own.
fn fits(kind: &str, mime_type: &str, instagram: bool) -> Result<(), GraphError> {
    let fits = match kind {
        "file" if instagram => mime_type.starts_with("application/pdf"),
        "file" => true,
        kind => mime_type.starts_with(kind) || mime_type.starts_with("application/octet-stream"),
    };
    if fits { Ok(()) } else { Err(GraphError::sub(100, 2_018_047)) }
}

/// `message_attachments`: a file to be sent again and again.
pub(crate) async fn upload(server: &Arc<Server>, ask: &Ask) -> Outcome {
    let caller = ask.caller_with(server, &["pages_messaging", "instagram_business_manage_messages", "instagram_manage_messages"])?;
    let message = ask.params.get("message");
    let attachment = &message["attachment"];
    let kind = text_of(&attachment["type"]);
    if !["image", "video", "audio", "file"].contains(&kind.as_str()) {
        return Err(bad("Param message[attachment][type] must be one of {audio, file, image, video}"));
    }
    let instagram = caller.kind == TokenKind::Instagram || ask.params.text("platform") == "instagram";
    resolve(server, ask, message, instagram).await?;
    let (mime_type, bytes) = match ask.params.file("filedata") {
        Some(file) => (file.mime_type.clone(), file.bytes.clone()),
        None => ("application/octet-stream".into(), media::sample("")),
    };
    let id = media::keep(server, &mime_type, bytes, &ask.account);
    Ok(json!({ "attachment_id": id }).into())
}
