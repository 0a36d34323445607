//! Pictures, videos, sounds, documents and stickers: by address, by Meta's own id, or uploaded first.

use patchbay_plugin::Failure;
use patchbay_plugin::messages::{Media, MediaKind, Source, Sticker};
use serde_json::{Map, Value, json};

use super::plan::{Step, length};
use super::upload::Upload;

/// Characters of a caption.
const CAPTION_MAX: usize = 1024;
const MEGABYTE: u32 = 1024 * 1024;

/// How WhatsApp takes a kind of media.
struct Form {
    /// The type, and the name of its object.
    kind: &'static str,
    /// None: any.
    mime_types: &'static [&'static str],
    max_bytes: u32,
    caption: bool,
    /// Where nobody says.
    mime_type: &'static str,
    file_name: &'static str,
}

const IMAGE: Form = Form {
    kind: "image",
    mime_types: &["image/jpeg", "image/png"],
    max_bytes: 5 * MEGABYTE,
    caption: true,
    mime_type: "image/jpeg",
    file_name: "image.jpg",
};
const VIDEO: Form = Form {
    kind: "video",
    mime_types: &["video/mp4", "video/3gpp"],
    max_bytes: 16 * MEGABYTE,
    caption: true,
    mime_type: "video/mp4",
    file_name: "video.mp4",
};
const AUDIO: Form = Form {
    kind: "audio",
    mime_types: &["audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg", "audio/opus"],
    max_bytes: 16 * MEGABYTE,
    caption: false,
    mime_type: "audio/mpeg",
    file_name: "audio.mp3",
};
const VOICE: Form = Form { mime_types: &["audio/ogg", "audio/opus"], mime_type: "audio/ogg", file_name: "voice.ogg", ..AUDIO };
const DOCUMENT: Form = Form {
    kind: "document",
    mime_types: &[],
    max_bytes: 100 * MEGABYTE,
    caption: true,
    mime_type: "application/octet-stream",
    file_name: "document",
};
const STICKER: Form = Form {
    kind: "sticker",
    mime_types: &["image/webp"],
    max_bytes: 500 * 1024,
    caption: false,
    mime_type: "image/webp",
    file_name: "sticker.webp",
};

fn form(media: &Media) -> &'static Form {
    match media.kind {
        MediaKind::Image => &IMAGE,
        MediaKind::Video | MediaKind::Animation => &VIDEO,
        MediaKind::Audio => &AUDIO,
        MediaKind::Voice => &VOICE,
        MediaKind::Document => &DOCUMENT,
    }
}

pub(super) fn step(media: &Media, at: &str) -> Result<Step, Failure> {
    let form = form(media);
    let mut uploads = Vec::new();
    let mut object = object(media, form, "", &mut uploads, at)?;
    if let Some(caption) = media.caption.as_deref().filter(|caption| !caption.is_empty()) {
        let pointer = format!("{at}/caption");
        if !form.caption {
            return Err(Failure::invalid(
                pointer,
                format!("WhatsApp shows no caption with {}: send the text as a part of its own", form.kind),
            ));
        }
        length(caption, 1, CAPTION_MAX, &pointer)?;
        object.insert("caption".into(), caption.into());
    }
    if media.kind == MediaKind::Voice {
        object.insert("voice".into(), true.into());
    }
    Ok(Step { kind: form.kind, payload: Value::Object(object), uploads })
}

/// A template's header. Answers the type of the parameter and its object, whose place in the message is `place`.
pub(super) fn header(media: &Media, place: &str, uploads: &mut Vec<Upload>, at: &str) -> Result<(&'static str, Value), Failure> {
    let form = form(media);
    if !matches!(form.kind, "image" | "video" | "document") {
        return Err(Failure::invalid(format!("{at}/kind"), "a template's header shows an image, a video or a document"));
    }
    let object = object(media, form, &format!("{place}/{}", form.kind), uploads, at)?;
    Ok((form.kind, Value::Object(object)))
}

pub(super) fn sticker(sticker: &Sticker, at: &str) -> Result<Step, Failure> {
    let mut uploads = Vec::new();
    let file = File { source: &sticker.source, mime_type: sticker.mime_type.as_deref(), file_name: None, size: None };
    let object = source(&file, &STICKER, "", &mut uploads, at)?;
    Ok(Step { kind: STICKER.kind, payload: Value::Object(object), uploads })
}

fn object(media: &Media, form: &Form, place: &str, uploads: &mut Vec<Upload>, at: &str) -> Result<Map<String, Value>, Failure> {
    let file =
        File { source: &media.source, mime_type: media.mime_type.as_deref(), file_name: media.file_name.as_deref(), size: media.size };
    let mut object = source(&file, form, place, uploads, at)?;
    if form.kind == DOCUMENT.kind
        && let Some(name) = file.file_name.filter(|name| !name.is_empty())
    {
        object.insert("filename".into(), name.into());
    }
    Ok(object)
}

struct File<'a> {
    source: &'a Source,
    mime_type: Option<&'a str>,
    file_name: Option<&'a str>,
    size: Option<u32>,
}

/// `{"id"}` or `{"link"}`; an upload's id is put at its place once it is known.
fn source(file: &File<'_>, form: &Form, place: &str, uploads: &mut Vec<Upload>, at: &str) -> Result<Map<String, Value>, Failure> {
    check(file, form, at)?;
    let named = match file.source {
        Source::Url(url) if url.starts_with("https://") || url.starts_with("http://") => json!({"link": url}),
        Source::Url(_) => return Err(Failure::invalid(format!("{at}/url"), "is an http or https address that Meta can reach")),
        Source::ProviderRef(id) => json!({"id": id}),
        Source::BlobRef(reference) => {
            uploads.push(Upload {
                place: place.to_owned(),
                blob_ref: reference.clone(),
                mime_type: file.mime_type.unwrap_or(form.mime_type).to_owned(),
                file_name: file.file_name.filter(|name| !name.is_empty()).unwrap_or(form.file_name).to_owned(),
            });
            json!({})
        }
    };
    Ok(named.as_object().cloned().unwrap_or_default())
}

fn check(file: &File<'_>, form: &Form, at: &str) -> Result<(), Failure> {
    let bare = file.mime_type.map(|mime_type| mime_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    if let Some(mime_type) = bare.filter(|mime_type| !mime_type.is_empty() && !matches!(file.source, Source::ProviderRef(_)))
        && !form.mime_types.is_empty()
        && !form.mime_types.contains(&mime_type.as_str())
    {
        let known = form.mime_types.join(", ");
        return Err(Failure::invalid(
            format!("{at}/mime_type"),
            format!("WhatsApp takes {known} here and not {mime_type}: send it as a document"),
        ));
    }
    match file.size {
        Some(size) if size > form.max_bytes => {
            let field = match file.source {
                Source::BlobRef(_) => "media_id",
                Source::Url(_) | Source::ProviderRef(_) => "size",
            };
            let most = form.max_bytes / MEGABYTE;
            let most = if most == 0 { format!("{} KB", form.max_bytes / 1024) } else { format!("{most} MB") };
            Err(Failure::invalid(
                format!("{at}/{field}"),
                format!("has {size} bytes; WhatsApp takes {most} of {}, and 100 MB as a document", form.kind),
            ))
        }
        _ => Ok(()),
    }
}
