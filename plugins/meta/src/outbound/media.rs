//! Files: by address, by Meta's id of an upload, or uploaded with the message. None has a caption, so that is a message of its own.

use patchbay_plugin::messages::{Media, MediaKind, Source, Sticker};
use patchbay_plugin::{Failure, Fields as _};
use serde_json::{Value, json};

use super::Sending;
use super::plan::{File, Step, text};

const MEGABYTE: u32 = 1024 * 1024;
const IMAGE_MB: u32 = 8;
const FILE_MB: u32 = 25;

pub(super) fn steps(sending: &Sending<'_>, media: &Media, at: &str) -> Result<Vec<Step>, Failure> {
    let kind = match media.kind {
        MediaKind::Image | MediaKind::Animation => "image",
        MediaKind::Video => "video",
        MediaKind::Audio | MediaKind::Voice => "audio",
        MediaKind::Document => "file",
    };
    check(sending, media, kind, at)?;
    let mut step = attachment(kind, &media.source, media.extras.flag("reusable"), at)?;
    if let Some(file) = &mut step.file {
        file.name.clone_from(&media.file_name);
        file.mime_type.clone_from(&media.mime_type);
    }
    let caption = media.caption.as_deref().filter(|caption| !caption.trim().is_empty());
    let mut steps = vec![step];
    if let Some(caption) = caption {
        steps.extend(text(sending, caption, &format!("{at}/caption"))?);
    }
    Ok(steps)
}

/// By Meta's number; another picture is sent as an image.
pub(super) fn sticker(sending: &Sending<'_>, sticker: &Sticker, at: &str) -> Result<Step, Failure> {
    match &sticker.source {
        Source::ProviderRef(id) if sending.rules.sticker_ids && is_number(id) => {
            // A number in JSON, however many digits.
            Ok(Step::new(json!({"sticker_id": id.parse::<u64>().map_or_else(|_| Value::from(id.as_str()), Value::from)})))
        }
        Source::ProviderRef(name) if !sending.rules.sticker_ids && matches!(name.as_str(), "like_heart" | "heart" | "❤" | "❤️") => {
            Ok(Step::new(json!({"attachment": {"type": "like_heart"}})))
        }
        Source::ProviderRef(name) if !sending.rules.sticker_ids && !is_url(name) => {
            Err(Failure::invalid(format!("{at}/provider_ref"), "the only sticker is like_heart; others go by url, as images"))
        }
        source => {
            let mut step = attachment("image", source, false, at)?;
            if let Some(file) = &mut step.file {
                file.mime_type.clone_from(&sticker.mime_type);
            }
            Ok(step)
        }
    }
}

fn attachment(kind: &str, source: &Source, reusable: bool, at: &str) -> Result<Step, Failure> {
    let mut file = None;
    let mut payload = match source {
        Source::Url(url) if is_url(url) => json!({"url": url}),
        Source::Url(_) => return Err(Failure::invalid(format!("{at}/url"), "an http or https address is expected, which Meta can fetch")),
        // What came in is named by its address.
        Source::ProviderRef(url) if is_url(url) => json!({"url": url}),
        Source::ProviderRef(id) if is_number(id) => {
            return Ok(Step::new(json!({"attachment": {"type": kind, "payload": {"attachment_id": id}}})));
        }
        Source::ProviderRef(_) => return Err(Failure::invalid(format!("{at}/provider_ref"), "an attachment id is a number")),
        Source::BlobRef(reference) => {
            file = Some(File { blob_ref: reference.clone(), name: None, mime_type: None });
            json!({})
        }
    };
    if let Some(payload) = payload.as_object_mut().filter(|_| reusable) {
        payload.insert("is_reusable".into(), true.into());
    }
    Ok(Step { message: json!({"attachment": {"type": kind, "payload": payload}}), file })
}

fn check(sending: &Sending<'_>, media: &Media, kind: &str, at: &str) -> Result<(), Failure> {
    let name = sending.rules.name;
    let most = if kind == "image" { IMAGE_MB } else { FILE_MB };
    if media.size.is_some_and(|size| size > most * MEGABYTE) {
        // The gateway knows the size of a file of its own, the client names the file.
        let field = if matches!(media.source, Source::BlobRef(_)) { "media_id" } else { "size" };
        return Err(Failure::invalid(format!("{at}/{field}"), format!("{name} takes files of this kind up to {most} MB")));
    }
    let other = media.mime_type.as_deref().is_some_and(|mime_type| mime_type != "application/pdf");
    if kind == "file" && !sending.rules.any_file && other {
        return Err(Failure::invalid(format!("{at}/mime_type"), format!("{name} takes documents as PDF only")));
    }
    Ok(())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_url(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}
