//! What is said, by its kind.

use patchbay_appgain::Json as _;
use patchbay_plugin::messages::{ContactCard, Content, Custom, Location, Media, MediaKind, Source, Sticker, Text};
use serde_json::{Value, json};

/// Bytes of what the plugin can't show that an event carries all the same.
const RAW_MAX: usize = 8 * 1024;

pub(super) fn of(payload: &Value) -> Vec<Content> {
    let kind = payload.text("type").unwrap_or("chat");
    let media = payload.object("media").unwrap_or(&Value::Null);
    let url = media.id("url");
    if let Some(url) = url {
        return vec![file(kind, url, media, payload)];
    }
    match kind {
        "location" => location(payload).map_or_else(|| unsupported(kind, payload), |location| vec![Content::Location(location)]),
        "vcard" | "multi_vcard" => contacts(payload),
        _ if payload.flag("hasMedia") || !media.is_null() => missing(kind, media, payload),
        _ => match payload.text("body") {
            Some(body) => vec![Content::Text(Text::plain(body))],
            None => unsupported(kind, payload),
        },
    }
}

fn file(kind: &str, url: String, media: &Value, payload: &Value) -> Content {
    // Behind the key: the gateway fetches it when somebody wants it.
    let source = Source::ProviderRef(url);
    let mime_type = media.text("mimetype").map(str::to_owned);
    if kind == "sticker" {
        return Content::Sticker(Sticker { source, emoji: None, mime_type, extras: Vec::new() });
    }
    Content::Media(Media {
        kind: media_kind(kind, mime_type.as_deref().unwrap_or_default()),
        source,
        file_name: media.text("filename").map(str::to_owned),
        size: media.whole("filesize").or_else(|| media.whole("size")).and_then(|size| u32::try_from(size).ok()),
        caption: payload.text("body").map(str::to_owned),
        width: None,
        height: None,
        duration_ms: None,
        mime_type,
        extras: Vec::new(),
    })
}

/// By what WhatsApp calls it; else by the file's type.
fn media_kind(kind: &str, mime_type: &str) -> MediaKind {
    match (kind, mime_type.split('/').next().unwrap_or_default()) {
        ("image", _) => MediaKind::Image,
        ("video", _) => MediaKind::Video,
        ("gif", _) => MediaKind::Animation,
        ("ptt" | "voice", _) => MediaKind::Voice,
        ("audio", _) => MediaKind::Audio,
        ("document", _) => MediaKind::Document,
        (_, "image") => MediaKind::Image,
        (_, "video") => MediaKind::Video,
        (_, "audio") => MediaKind::Audio,
        _ => MediaKind::Document,
    }
}

/// A file that Appgain could not fetch: what was written with it isn't lost.
fn missing(kind: &str, media: &Value, payload: &Value) -> Vec<Content> {
    let mut content: Vec<Content> = payload.text("body").map(|body| Content::Text(Text::plain(body))).into_iter().collect();
    let why = media.text("error").unwrap_or("Appgain has no file");
    content.push(Content::Custom(Custom::new("unsupported", &json!({"type": kind, "message": why}))));
    content
}

fn location(payload: &Value) -> Option<Location> {
    let place = payload.object("location").unwrap_or(payload);
    let number = |names: [&str; 2]| names.iter().find_map(|name| place.get(*name)?.as_f64());
    let text = |names: [&str; 2]| names.iter().find_map(|name| place.text(name)).map(str::to_owned);
    Some(Location {
        latitude: number(["latitude", "lat"])?,
        longitude: number(["longitude", "lng"])?,
        name: text(["name", "description"]),
        address: text(["address", "addr"]),
    })
}

fn contacts(payload: &Value) -> Vec<Content> {
    let listed: Vec<&str> = payload.list("vCards").iter().filter_map(Value::as_str).collect();
    let written = if listed.is_empty() { payload.text("body").into_iter().collect() } else { listed };
    let cards: Vec<ContactCard> = written.into_iter().filter_map(card).collect();
    if cards.is_empty() { unsupported("vcard", payload) } else { vec![Content::Contacts(cards)] }
}

/// Name, numbers and addresses of a vCard; the rest stays in it.
fn card(vcard: &str) -> Option<ContactCard> {
    let lines = || vcard.lines().filter_map(|line| line.split_once(':'));
    let of = |name: &'static str| {
        lines().filter(move |(field, _)| {
            let field = field.split(';').next().unwrap_or_default();
            let field = field.rsplit('.').next().unwrap_or_default();
            field.eq_ignore_ascii_case(name)
        })
    };
    let values = |name| of(name).map(|(_, value)| value.trim().to_owned()).collect::<Vec<_>>();
    let name = values("FN").into_iter().next()?;
    Some(ContactCard { name, phones: values("TEL"), emails: values("EMAIL"), vcard: Some(vcard.to_owned()) })
}

fn unsupported(kind: &str, payload: &Value) -> Vec<Content> {
    let raw = if payload.to_string().len() > RAW_MAX { &Value::Null } else { payload };
    vec![Content::Custom(Custom::new("unsupported", &json!({"type": kind, "raw": raw})))]
}
