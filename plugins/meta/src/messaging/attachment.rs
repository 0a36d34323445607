//! What hangs on a message. Files are links into Meta's delivery network which end after hours: they are named by their address
//! as the provider's reference, so that they are fetched through the plugin, from Meta's hosts alone.

use patchbay_plugin::Field;
use patchbay_plugin::messages::{Content, Custom, Location, Media, MediaKind, Source, Sticker};
use serde_json::{Map, Value, json};

use super::message::unsupported;
use super::raw;
use crate::json::Json as _;

/// Domains of Meta's delivery networks.
const MEDIA_DOMAINS: [&str; 3] = ["fbcdn.net", "cdninstagram.com", "fbsbx.com"];

/// Whether an address is in Meta's delivery networks.
#[must_use]
pub fn is_media_host(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    MEDIA_DOMAINS.iter().any(|domain| host == *domain || host.strip_suffix(domain).is_some_and(|sub| sub.ends_with('.')))
}

pub(super) fn contents(attachments: &[Value], has_text: bool) -> Vec<Content> {
    let mut contents = Vec::new();
    let mut stickers = Vec::new();
    for attachment in attachments {
        // The same sticker comes in the old form and in the new one.
        let sticker = attachment.get("payload").and_then(|payload| payload.id("sticker_id"));
        if let Some(id) = sticker {
            if stickers.contains(&id) {
                continue;
            }
            stickers.push(id);
        }
        contents.extend(one(attachment, has_text));
    }
    contents
}

fn one(attachment: &Value, has_text: bool) -> Vec<Content> {
    let payload = attachment.get("payload").unwrap_or(&Value::Null);
    let kind = attachment.text("type").unwrap_or("empty");
    let content = match kind {
        "image" if payload.id("sticker_id").is_some() => sticker(payload),
        "image" => file(MediaKind::Image, payload),
        "video" => file(MediaKind::Video, payload),
        "audio" => file(MediaKind::Audio, payload),
        "file" => file(MediaKind::Document, payload),
        "sticker" => sticker(payload),
        "story_mention" => file(MediaKind::Image, payload).map(|content| with_role(content, "story_mention")),
        "location" => location(payload),
        "template" => Some(Content::Custom(Custom::new("template", raw(payload)))),
        "fallback" => link(attachment, payload, has_text),
        "share" | "ig_post" | "post" | "reel" | "ig_reel" | "ig_story" | "story" => return shared(kind, attachment, payload),
        _ => None,
    };
    match content {
        Some(content) => vec![content],
        // The text has the link already.
        None if kind == "fallback" && has_text => Vec::new(),
        None => vec![unsupported(kind, payload)],
    }
}

/// A file of that kind, of which nothing else is told.
pub(super) fn media(kind: MediaKind, source: Source) -> Media {
    Media {
        kind,
        source,
        mime_type: None,
        file_name: None,
        size: None,
        caption: None,
        width: None,
        height: None,
        duration_ms: None,
        extras: Vec::new(),
    }
}

fn url(payload: &Value) -> Option<&str> {
    payload.text("url").filter(|url| !url.is_empty())
}

fn file(kind: MediaKind, payload: &Value) -> Option<Content> {
    let mut media = media(kind, Source::ProviderRef(url(payload)?.to_owned()));
    media.file_name = payload.text("file_name").or_else(|| payload.text("name")).map(str::to_owned);
    Some(Content::Media(media))
}

fn with_role(content: Content, role: &str) -> Content {
    match content {
        Content::Media(mut media) => {
            media.extras.push(Field::new("role", role));
            Content::Media(media)
        }
        other => other,
    }
}

fn sticker(payload: &Value) -> Option<Content> {
    let source = Source::ProviderRef(url(payload)?.to_owned());
    let extras = payload.id("sticker_id").map(|id| Field::new("sticker_id", id)).into_iter().collect();
    Some(Content::Sticker(Sticker { source, emoji: None, mime_type: None, extras }))
}

fn location(payload: &Value) -> Option<Content> {
    let place = payload.object("coordinates")?;
    let degrees = |name: &str| place.get(name).and_then(Value::as_f64);
    let location = Location { latitude: degrees("lat")?, longitude: degrees("long")?, name: None, address: None };
    Some(Content::Location(location))
}

/// A link that Meta has looked at.
fn link(attachment: &Value, payload: &Value, has_text: bool) -> Option<Content> {
    let told = |name: &str| payload.text(name).or_else(|| attachment.text(name)).filter(|told| !told.is_empty());
    let url = told("url");
    if url.is_none() && (has_text || told("title").is_none()) {
        return None;
    }
    Some(Content::Custom(Custom::new("link_preview", &json!({"url": url, "title": told("title")}))))
}

/// A post, reel or story that somebody passes on: what it is, and its picture or film where it is in Meta's networks.
fn shared(kind: &str, attachment: &Value, payload: &Value) -> Vec<Content> {
    let ids = ["ig_post_media_id", "reel_video_id", "story_media_id", "post_id", "id"];
    let told = |name: &str| payload.text(name).or_else(|| attachment.text(name)).filter(|told| !told.is_empty());
    let id = ids.into_iter().find_map(|name| payload.id(name));
    let mut json = Map::new();
    json.insert("type".into(), kind.into());
    for (name, value) in [("id", id), ("title", told("title").map(str::to_owned)), ("url", told("url").map(str::to_owned))] {
        json.extend(value.map(|value| (name.to_owned(), Value::String(value))));
    }
    let film = if kind.ends_with("reel") { MediaKind::Video } else { MediaKind::Image };
    let mut contents = vec![Content::Custom(Custom::new("shared_post", &Value::Object(json)))];
    let fetched = told("url").filter(|url| is_media_host(url)).map(|url| Content::Media(media(film, Source::ProviderRef(url.to_owned()))));
    contents.extend(fetched.map(|content| with_role(content, "shared")));
    contents
}
