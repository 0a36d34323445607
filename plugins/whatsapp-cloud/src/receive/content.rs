//! What a message holds, by its type.

use patchbay_meta::Json as _;
use patchbay_plugin::Field;
use patchbay_plugin::messages::{ContactCard, Content, Custom, Location, Media, MediaKind, Source, Sticker, Text, TextFormat};
use serde_json::{Value, json};

use super::wire::{File, FlowReply, Message};

/// None where the type is none that is known, or says what its payload doesn't.
pub(super) fn of(message: &mut Message) -> Option<Content> {
    let kind = message.kind.as_deref().unwrap_or_default();
    Some(match kind {
        "text" => Content::Text(Text { body: message.text.take()?.body, format: TextFormat::Plain, preview_links: true }),
        "image" => media(message.image.take()?, MediaKind::Image)?,
        "video" => media(message.video.take()?, MediaKind::Video)?,
        "audio" => {
            let audio = message.audio.take()?;
            let kind = if audio.voice { MediaKind::Voice } else { MediaKind::Audio };
            media(audio, kind)?
        }
        "document" => media(message.document.take()?, MediaKind::Document)?,
        "sticker" => sticker(message.sticker.take()?)?,
        "location" => {
            let place = message.location.take()?;
            let (latitude, longitude) = (place.latitude.0?, place.longitude.0?);
            Content::Location(Location { latitude, longitude, name: place.name, address: place.address.or(place.url) })
        }
        "contacts" => Content::Contacts(message.contacts.as_ref()?.iter().map(card).collect()),
        "order" => Content::Custom(Custom::new("order", &message.order.take()?)),
        "interactive" => {
            let interactive = message.interactive.take()?;
            match (interactive.nfm_reply, interactive.call_permission_reply) {
                (Some(reply), _) => form(&reply),
                (None, Some(reply)) => Content::Custom(Custom::new("call_permission", &reply)),
                (None, None) => return None,
            }
        }
        _ => return None,
    })
}

/// What this version of the plugin, or WhatsApp's own interface, can't show.
pub(super) fn unsupported(message: &Message, raw: &Value) -> Content {
    let mut json = json!({"type": message.kind.as_deref().unwrap_or("unknown")});
    if let Some(fields) = json.as_object_mut() {
        let named = message.unsupported.as_ref().and_then(|told| told.get("type")).and_then(Value::as_str);
        if let Some(named) = named {
            fields.insert("type".into(), named.into());
        }
        if let Some(problem) = message.errors.first() {
            fields.insert("code".into(), problem.id("code").into());
            fields.insert("message".into(), words(problem).into());
        } else {
            fields.insert("raw".into(), raw.clone());
        }
    }
    Content::Custom(Custom::new("unsupported", &json))
}

/// The most that an error of a webhook tells.
pub(super) fn words(problem: &Value) -> String {
    let title = problem.text("title").or_else(|| problem.text("message")).unwrap_or_default();
    match problem.get("error_data").and_then(|data| data.text("details")) {
        Some(details) if details != title => format!("{title}: {details}"),
        _ => title.to_owned(),
    }
}

fn media(file: File, kind: MediaKind) -> Option<Content> {
    let extras = file.sha256.iter().map(|sha256| Field::new("sha256", sha256)).collect();
    Some(Content::Media(Media {
        kind,
        source: Source::ProviderRef(file.id.0?),
        mime_type: file.mime_type,
        file_name: file.filename,
        size: None,
        caption: file.caption.filter(|caption| !caption.is_empty()),
        width: None,
        height: None,
        duration_ms: None,
        extras,
    }))
}

fn sticker(file: File) -> Option<Content> {
    let mut extras: Vec<Field> = file.sha256.iter().map(|sha256| Field::new("sha256", sha256)).collect();
    if file.animated {
        extras.push(Field::new("animated", "true"));
    }
    Some(Content::Sticker(Sticker { source: Source::ProviderRef(file.id.0?), emoji: None, mime_type: file.mime_type, extras }))
}

fn card(card: &Value) -> ContactCard {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let list = |name: &str| card.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let name = card.get("name").unwrap_or(&Value::Null);
    let parts = || {
        let parts: Vec<String> = ["first_name", "middle_name", "last_name"].iter().filter_map(|part| text(name, part)).collect();
        parts.join(" ")
    };
    ContactCard {
        name: text(name, "formatted_name").unwrap_or_else(parts),
        phones: list("phones").iter().filter_map(|phone| text(phone, "phone").or_else(|| text(phone, "wa_id"))).collect(),
        emails: list("emails").iter().filter_map(|email| text(email, "email")).collect(),
        vcard: text(card, "vcard"),
    }
}

/// A flow's answers, or an address form's. Those that aren't JSON are kept as the text they are.
fn form(reply: &FlowReply) -> Content {
    let mut answers = match &reply.response_json {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
        Some(other) => other.clone(),
        None => Value::Null,
    };
    let token = answers.as_object_mut().and_then(|answers| answers.remove("flow_token"));
    Content::Custom(Custom::new("form", &json!({"name": reply.name, "body": reply.body, "flow_token": token, "answers": answers})))
}
