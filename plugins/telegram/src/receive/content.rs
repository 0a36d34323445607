//! What a message holds, in the order in which it has to be looked for: an animation also is a document, a venue also a
//! location.

use patchbay_plugin::Field;
use patchbay_plugin::messages::{ContactCard, Content, Custom, Location, Media, MediaKind, Poll, Source, Sticker, Text, TextFormat};
use serde_json::{Value, json};

use super::raw;
use crate::json::Json as _;

/// Fields that say who, where, when and how, never what.
const ENVELOPE: &[&str] = &[
    "message_id",
    "message_thread_id",
    "direct_messages_topic",
    "from",
    "sender_chat",
    "sender_boost_count",
    "sender_business_bot",
    "sender_tag",
    "date",
    "business_connection_id",
    "chat",
    "forward_origin",
    "forward_from",
    "forward_from_chat",
    "forward_from_message_id",
    "forward_signature",
    "forward_sender_name",
    "forward_date",
    "is_topic_message",
    "is_automatic_forward",
    "reply_to_message",
    "external_reply",
    "quote",
    "reply_to_story",
    "reply_to_checklist_task_id",
    "via_bot",
    "edit_date",
    "has_protected_content",
    "is_from_offline",
    "is_paid_post",
    "media_group_id",
    "author_signature",
    "paid_star_count",
    "entities",
    "link_preview_options",
    "suggested_post_info",
    "effect_id",
    "caption",
    "caption_entities",
    "show_caption_above_media",
    "has_media_spoiler",
    "reply_markup",
];

pub(super) fn of(message: &Value) -> Vec<Content> {
    vec![one(message).unwrap_or_else(|| unsupported(message))]
}

fn one(message: &Value) -> Option<Content> {
    if let Some(text) = message.text("text") {
        let preview_links = !message.get("link_preview_options").is_some_and(|options| options.flag("is_disabled"));
        return Some(Content::Text(Text { body: text.to_owned(), format: TextFormat::Plain, preview_links }));
    }
    // Sizes of the same photo, the largest last.
    if let Some(photo) = message.list("photo").last() {
        return media(message, photo, MediaKind::Image, &[]);
    }
    let file = |name: &str| message.object(name);
    if let Some(video) = file("video") {
        return media(message, video, MediaKind::Video, &[]);
    }
    if let Some(animation) = file("animation") {
        return media(message, animation, MediaKind::Animation, &[]);
    }
    if let Some(document) = file("document") {
        return media(message, document, MediaKind::Document, &[]);
    }
    if let Some(audio) = file("audio") {
        return media(message, audio, MediaKind::Audio, &[]);
    }
    if let Some(voice) = file("voice") {
        return media(message, voice, MediaKind::Voice, &[]);
    }
    if let Some(note) = file("video_note") {
        return media(message, note, MediaKind::Video, &[("video_note", "true")]);
    }
    if let Some(sticker) = file("sticker") {
        return self::sticker(sticker);
    }
    if let Some(poll) = file("poll") {
        return Some(Content::Poll(self::poll(poll)));
    }
    if let Some(venue) = file("venue") {
        let texts = |name: &str| venue.text(name).map(str::to_owned);
        return location(venue.get("location")?, texts("title"), texts("address"));
    }
    if let Some(place) = file("location") {
        return location(place, None, None);
    }
    if let Some(contact) = file("contact") {
        return Some(self::contact(contact));
    }
    let dice = file("dice")?;
    Some(Content::Custom(Custom::new("dice", dice)))
}

fn unsupported(message: &Value) -> Content {
    let what = message.as_object().and_then(|fields| fields.iter().find(|(name, _)| !ENVELOPE.contains(&name.as_str())));
    let (kind, value) = what.map_or(("empty", &Value::Null), |(name, value)| (name.as_str(), value));
    let mut json = json!({"type": kind, "raw": raw(value)});
    if let (Some(fields), Some(caption)) = (json.as_object_mut(), message.text("caption")) {
        fields.insert("caption".into(), caption.into());
    }
    Content::Custom(Custom::new("unsupported", &json))
}

fn media(message: &Value, file: &Value, kind: MediaKind, more: &[(&str, &str)]) -> Option<Content> {
    let mut extras: Vec<Field> = more.iter().map(|(name, value)| Field::new(*name, *value)).collect();
    for name in ["file_unique_id", "performer", "title"] {
        extras.extend(file.text(name).map(|value| Field::new(name, value)));
    }
    extras.extend(file.get("thumbnail").and_then(|small| small.text("file_id")).map(|id| Field::new("thumbnail", id)));
    if message.flag("has_media_spoiler") {
        extras.push(Field::new("has_spoiler", "true"));
    }
    let side = |name: &str| file.count(name).or_else(|| file.count("length").filter(|_| kind == MediaKind::Video));
    Some(Content::Media(Media {
        kind,
        source: Source::ProviderRef(file.text("file_id")?.to_owned()),
        mime_type: file.text("mime_type").map(str::to_owned).or_else(|| default_mime_type(kind, more).map(str::to_owned)),
        file_name: file.text("file_name").map(str::to_owned),
        size: file.count("file_size"),
        caption: message.text("caption").map(str::to_owned),
        width: side("width"),
        height: side("height"),
        duration_ms: file.count("duration").map(|seconds| f64::from(seconds) * 1000.0),
        extras,
    }))
}

/// Telegram makes these itself and doesn't say so.
fn default_mime_type(kind: MediaKind, more: &[(&str, &str)]) -> Option<&'static str> {
    match kind {
        MediaKind::Image => Some("image/jpeg"),
        MediaKind::Voice => Some("audio/ogg"),
        MediaKind::Video if !more.is_empty() => Some("video/mp4"),
        _ => None,
    }
}

fn sticker(sticker: &Value) -> Option<Content> {
    let mime_type = match (sticker.flag("is_animated"), sticker.flag("is_video")) {
        (true, _) => "application/x-tgsticker",
        (_, true) => "video/webm",
        _ => "image/webp",
    };
    let mut extras = Vec::new();
    for name in ["file_unique_id", "set_name", "type", "custom_emoji_id"] {
        extras.extend(sticker.text(name).map(|value| Field::new(name, value)));
    }
    Some(Content::Sticker(Sticker {
        source: Source::ProviderRef(sticker.text("file_id")?.to_owned()),
        emoji: sticker.text("emoji").map(str::to_owned),
        mime_type: Some(mime_type.to_owned()),
        extras,
    }))
}

fn poll(poll: &Value) -> Poll {
    let mut extras = Vec::new();
    for name in ["id", "type", "correct_option_id", "explanation", "open_period", "close_date"] {
        extras.extend(poll.id(name).map(|value| Field::new(name, value)));
    }
    // The list since Bot API 9.6.
    let correct: Vec<String> = poll.list("correct_option_ids").iter().filter_map(Value::as_u64).map(|id| id.to_string()).collect();
    if !correct.is_empty() {
        extras.push(Field::new("correct_option_ids", correct.join(",")));
    }
    if poll.flag("is_closed") {
        extras.push(Field::new("is_closed", "true"));
    }
    Poll {
        question: poll.text("question").unwrap_or_default().to_owned(),
        options: poll.list("options").iter().filter_map(|option| option.text("text")).map(str::to_owned).collect(),
        multiple: poll.flag("allows_multiple_answers"),
        anonymous: poll.get("is_anonymous").and_then(Value::as_bool).unwrap_or(true),
        extras,
    }
}

fn location(place: &Value, name: Option<String>, address: Option<String>) -> Option<Content> {
    let degrees = |name: &str| place.get(name).and_then(Value::as_f64);
    Some(Content::Location(Location { latitude: degrees("latitude")?, longitude: degrees("longitude")?, name, address }))
}

fn contact(contact: &Value) -> Content {
    let names: Vec<&str> = ["first_name", "last_name"].iter().filter_map(|part| contact.text(part)).collect();
    Content::Contacts(vec![ContactCard {
        name: names.join(" "),
        phones: contact.text("phone_number").map(str::to_owned).into_iter().collect(),
        emails: Vec::new(),
        vcard: contact.text("vcard").map(str::to_owned),
    }])
}
