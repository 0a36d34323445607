//! What a message says.

use patchbay_plugin::Field;
use patchbay_plugin::messages::{Content, Custom, Media, MediaKind, Source, Text};
use serde_json::{Value, json};

use super::bounded;
use crate::json::Json as _;

/// The text, then the files. A message that has neither is told all the same.
pub(super) fn of(message: &Value) -> Vec<Content> {
    let text = message.text("body").filter(|body| !body.trim().is_empty()).map(|body| Content::Text(Text::plain(body)));
    let mut content: Vec<Content> = text.into_iter().chain(message.list("attachments").iter().map(attachment)).collect();
    if content.is_empty() {
        content.push(unsupported("empty", message));
    }
    content
}

fn attachment(attachment: &Value) -> Content {
    let Some(url) = attachment.text("url").filter(|url| url.starts_with("https://") || url.starts_with("http://")) else {
        return unsupported("attachment", attachment);
    };
    let mime_type = attachment.text("content_type");
    Content::Media(Media {
        kind: kind(mime_type.unwrap_or_default()),
        source: Source::Url(url.to_owned()),
        mime_type: mime_type.map(str::to_owned),
        file_name: attachment.text("filename").map(str::to_owned),
        size: number(attachment, "size"),
        caption: None,
        width: number(attachment, "width"),
        height: number(attachment, "height"),
        duration_ms: None,
        extras: attachment.text("alt").map(|alt| Field::new("alt", alt)).into_iter().collect(),
    })
}

fn number(attachment: &Value, name: &str) -> Option<u32> {
    let value = attachment.get(name)?;
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())?.try_into().ok()
}

fn kind(mime_type: &str) -> MediaKind {
    match mime_type.split('/').next() {
        Some("image") if mime_type.starts_with("image/svg") => MediaKind::Document,
        Some("image") => MediaKind::Image,
        Some("video") => MediaKind::Video,
        Some("audio") => MediaKind::Audio,
        _ => MediaKind::Document,
    }
}

fn unsupported(kind: &str, raw: &Value) -> Content {
    Content::Custom(Custom::new("unsupported", &json!({"type": kind, "raw": bounded(raw)})))
}
