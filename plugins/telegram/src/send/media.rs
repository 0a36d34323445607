//! Photos, videos, files, albums and stickers.

use patchbay_plugin::messages::{Media, MediaKind, Source, Sticker, Text, TextFormat};
use patchbay_plugin::{Failure, Fields as _};
use serde_json::{Value, json};

use super::plan::Step;
use super::split::{CAPTION_MAX, units};
use super::{Context, text};
use crate::api::{File, Parameters, parameters};

const MEGABYTE: u32 = 1024 * 1024;

/// How a kind is sent: method, parameter, type inside of an album (none: not allowed there), most megabytes uploaded and
/// by URL. <https://core.telegram.org/bots/api#sending-files>
struct Form {
    method: &'static str,
    field: &'static str,
    album: Option<&'static str>,
    upload_mb: u32,
    url_mb: u32,
}

fn form(media: &Media) -> Form {
    let (method, field, album) = match media.kind {
        MediaKind::Image => return Form { method: "sendPhoto", field: "photo", album: Some("photo"), upload_mb: 10, url_mb: 5 },
        MediaKind::Video if media.extras.flag("video_note") => ("sendVideoNote", "video_note", None),
        MediaKind::Video => ("sendVideo", "video", Some("video")),
        MediaKind::Audio => ("sendAudio", "audio", Some("audio")),
        MediaKind::Voice => ("sendVoice", "voice", None),
        MediaKind::Document => ("sendDocument", "document", Some("document")),
        MediaKind::Animation => ("sendAnimation", "animation", None),
    };
    Form { method, field, album, upload_mb: 50, url_mb: 20 }
}

/// The media, and its caption as messages of their own where it is longer than a caption may be.
pub(super) fn steps(context: &Context<'_>, media: &Media, at: &str) -> Result<Vec<Step>, Failure> {
    let form = form(media);
    check_size(media, &form, at)?;
    let mut step = Step::new(form.method, parameters! {});
    // A file of the gateway's goes along as the part of that name.
    if let Some(value) = source(media, form.field, &mut step.files, at)? {
        step.parameters.insert(form.field.into(), value);
    }
    let captionless = form.method == "sendVideoNote";
    let rest = caption(context, media, captionless, &mut step.parameters, at)?;
    details(media, &mut step.parameters);
    Ok(std::iter::once(step).chain(rest).collect())
}

/// 2 to 10 items; documents and audio keep to themselves.
pub(super) fn album(context: &Context<'_>, items: &[Media], at: &str) -> Result<Vec<Step>, Failure> {
    let at = format!("{at}/items");
    match items {
        [] => return Err(Failure::invalid(at, "the album is empty")),
        [single] => return steps(context, single, &format!("{at}/0")),
        items if items.len() > 10 => return Err(Failure::invalid(at, "an album has at most 10 items")),
        _ => {}
    }
    let mut step = Step::new("sendMediaGroup", parameters! {});
    let (mut entries, mut rest, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
    for (index, media) in items.iter().enumerate() {
        let at = format!("{at}/{index}");
        let form = form(media);
        let kind =
            form.album.ok_or_else(|| Failure::invalid(format!("{at}/kind"), "voice, animations and video notes can't be in an album"))?;
        check_size(media, &form, &at)?;
        let mut entry = parameters! {"type": kind};
        entry.insert("media".into(), attached(media, &format!("f{index}"), &mut step.files, &at)?);
        rest.extend(caption(context, media, false, &mut entry, &at)?);
        details(media, &mut entry);
        entries.push(Value::Object(entry));
        kinds.push(kind);
        // Without the texts that come after: those follow once, behind the album.
        step.singles.extend(steps(context, media, &at)?.into_iter().take(1));
    }
    let alone = |kind: &str| kinds.contains(&kind) && kinds.iter().any(|other| *other != kind);
    if alone("document") || alone("audio") {
        return Err(Failure::invalid(at, "documents go with documents only, audio with audio only; photos and videos may be mixed"));
    }
    step.parameters.insert("media".into(), Value::Array(entries));
    Ok(std::iter::once(step).chain(rest).collect())
}

/// <https://core.telegram.org/bots/api#sendsticker>
pub(super) fn sticker(sticker: &Sticker, at: &str) -> Result<Step, Failure> {
    let moving = matches!(sticker.mime_type.as_deref(), Some("application/x-tgsticker" | "video/webm"));
    if let Source::Url(url) = &sticker.source
        && (moving || url.ends_with(".tgs") || url.ends_with(".webm"))
    {
        return Err(Failure::invalid(
            source_pointer(&sticker.source, at),
            "animated and video stickers are sent by provider-ref or upload, not by URL",
        ));
    }
    let mut step = Step::new("sendSticker", parameters! {});
    let value = match &sticker.source {
        Source::BlobRef(reference) => {
            if let Some(emoji) = &sticker.emoji {
                step.parameters.insert("emoji".into(), emoji.as_str().into());
            }
            step.files.push(File {
                field: "sticker".into(),
                blob_ref: reference.clone(),
                name: None,
                mime_type: sticker.mime_type.clone(),
            });
            return Ok(step);
        }
        Source::Url(reference) | Source::ProviderRef(reference) => reference,
    };
    step.parameters.insert("sticker".into(), value.as_str().into());
    Ok(step)
}

/// `media` of an edit: one item as in an album, but of any kind.
pub(super) fn input(context: &Context<'_>, media: &Media, at: &str) -> Result<(Value, Vec<File>), Failure> {
    let form = form(media);
    check_size(media, &form, at)?;
    let kind = match media.kind {
        MediaKind::Animation => "animation",
        _ => {
            form.album.ok_or_else(|| Failure::unsupported("edit", "voice and video notes can't be put in the place of another message"))?
        }
    };
    let mut entry = parameters! {"type": kind};
    let mut files = Vec::new();
    entry.insert("media".into(), attached(media, "f0", &mut files, at)?);
    if !caption(context, media, false, &mut entry, at)?.is_empty() {
        return Err(Failure::invalid(format!("{at}/caption"), format!("a caption has at most {CAPTION_MAX} characters")));
    }
    details(media, &mut entry);
    Ok((Value::Object(entry), files))
}

/// Where the client named the file.
fn source_pointer(source: &Source, at: &str) -> String {
    let field = match source {
        Source::Url(_) => "url",
        Source::ProviderRef(_) => "provider_ref",
        Source::BlobRef(_) => "media_id",
    };
    format!("{at}/{field}")
}

/// The value of a file's parameter; none where the gateway has the file, which then goes along under `field`.
fn source(media: &Media, field: &str, files: &mut Vec<File>, at: &str) -> Result<Option<Value>, Failure> {
    match &media.source {
        Source::Url(url) if url.starts_with("https://") || url.starts_with("http://") => Ok(Some(url.as_str().into())),
        Source::Url(_) => Err(Failure::invalid(source_pointer(&media.source, at), "an http or https address is expected")),
        Source::ProviderRef(id) => Ok(Some(id.as_str().into())),
        Source::BlobRef(reference) => {
            let (name, mime_type) = (media.file_name.clone(), media.mime_type.clone());
            files.push(File { field: field.to_owned(), blob_ref: reference.clone(), name, mime_type });
            Ok(None)
        }
    }
}

/// The value where several files share a parameter: it names the part.
fn attached(media: &Media, field: &str, files: &mut Vec<File>, at: &str) -> Result<Value, Failure> {
    Ok(source(media, field, files, at)?.unwrap_or_else(|| format!("attach://{field}").into()))
}

fn check_size(media: &Media, form: &Form, at: &str) -> Result<(), Failure> {
    let most = match media.source {
        Source::Url(_) => form.url_mb,
        Source::BlobRef(_) => form.upload_mb,
        Source::ProviderRef(_) => return Ok(()),
    };
    match media.size {
        Some(size) if size > most * MEGABYTE => {
            let way = if matches!(media.source, Source::Url(_)) { "by URL" } else { "uploaded" };
            // The gateway knows the size of a file of its own, the client names the file.
            let at = if matches!(media.source, Source::Url(_)) { format!("{at}/size") } else { source_pointer(&media.source, at) };
            Err(Failure::invalid(at, format!("{} takes at most {most} MB {way}; a document 50 MB uploaded", form.method)))
        }
        _ => Ok(()),
    }
}

/// Sets the caption where it fits; else the messages that carry it.
fn caption(context: &Context<'_>, media: &Media, captionless: bool, parameters: &mut Parameters, at: &str) -> Result<Vec<Step>, Failure> {
    let Some(caption) = media.caption.as_deref().filter(|caption| !caption.is_empty()) else { return Ok(Vec::new()) };
    if captionless || units(caption) > CAPTION_MAX {
        return text::steps(context, &Text::plain(caption), None, &format!("{at}/caption"));
    }
    let formatted = text::formatted(context, caption, TextFormat::Plain);
    parameters.insert("caption".into(), formatted.body.into());
    if formatted.html {
        parameters.insert("parse_mode".into(), "HTML".into());
    }
    Ok(Vec::new())
}

fn details(media: &Media, parameters: &mut Parameters) {
    let mut set = |name: &str, value: Value| parameters.insert(name.to_owned(), value);
    if matches!(media.kind, MediaKind::Video | MediaKind::Animation) && !media.extras.flag("video_note") {
        media.width.map(|width| set("width", width.into()));
        media.height.map(|height| set("height", height.into()));
    }
    if !matches!(media.kind, MediaKind::Image | MediaKind::Document)
        && let Some(duration) = media.duration_ms.filter(|duration| *duration > 0.0)
    {
        // Whole seconds, and at least one.
        #[expect(clippy::cast_possible_truncation, reason = "clamped")]
        set("duration", ((duration / 1000.0).round().clamp(1.0, 1e9) as i64).into());
    }
    if media.kind == MediaKind::Audio {
        for name in ["performer", "title"] {
            media.extras.value(name).map(|value| set(name, value.into()));
        }
    }
    for name in ["has_spoiler", "supports_streaming", "disable_content_type_detection", "show_caption_above_media"] {
        if media.extras.flag(name) {
            set(name, json!(true));
        }
    }
}
