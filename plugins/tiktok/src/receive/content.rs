//! What a message carries.

use patchbay_plugin::messages::{Content, Custom, Media, MediaKind, Source, Sticker, Text};
use serde_json::{Map, Value, json};

use super::item::{Item, bounded};
use crate::json::Json as _;
use crate::media::MediaRef;

pub(super) fn of(item: &Item<'_>, kind: &str, conversation: &str, message: &str) -> Vec<Content> {
    let part = item.content.get(kind).unwrap_or(&Value::Null);
    let file = |media: MediaKind, name: &str| {
        let file = MediaRef { kind: name.into(), conversation: conversation.into(), message: message.into(), media: part.id("media_id")? };
        Some(Content::Media(self::media(media, file.written())))
    };
    let content = match kind {
        "text" => part.text("body").map(|body| Content::Text(Text::plain(body))),
        "image" => file(MediaKind::Image, "IMAGE"),
        "video" => file(MediaKind::Video, "VIDEO"),
        "share_post" => shared(part),
        // Some stickers have no fields at all.
        "sticker" => part.text("url").map(sticker),
        "emoji" => part.text("url").map(sticker).or_else(|| part.text("emoji").map(|emoji| Content::Text(Text::plain(emoji)))),
        "template" => part.is_object().then(|| Content::Custom(Custom::new("template", &bounded(part)))),
        _ => None,
    };
    vec![content.unwrap_or_else(|| Content::Custom(Custom::new("unsupported", &json!({"type": kind, "raw": bounded(part)}))))]
}

/// TikTok tells nothing of a file but its id.
fn media(kind: MediaKind, provider_ref: String) -> Media {
    Media {
        kind,
        source: Source::ProviderRef(provider_ref),
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

/// Its address takes no token, and is good for thirty days.
fn sticker(url: &str) -> Content {
    Content::Sticker(Sticker { source: Source::Url(url.to_owned()), emoji: None, mime_type: None, extras: Vec::new() })
}

fn shared(post: &Value) -> Option<Content> {
    let mut json = Map::from_iter([("type".to_owned(), Value::from("tiktok_post"))]);
    json.extend(post.id("video_id").or_else(|| post.id("item_id")).map(|id| ("id".to_owned(), id.into())));
    json.extend(post.text("embed_url").map(|url| ("url".to_owned(), url.into())));
    (json.len() > 1).then(|| Content::Custom(Custom::new("shared_post", &Value::Object(json))))
}
