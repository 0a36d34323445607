//! Messages of every kind but polls.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::telegram::answer::{Outcome, Refusal};
use crate::telegram::bots::Bot;
use crate::telegram::files::Kind;
use crate::telegram::html;
use crate::telegram::media;
use crate::telegram::message::{Destination, fields, post, set_words};
use crate::telegram::methods::done;
use crate::telegram::params::{Params, flag_of, text_of};
use crate::telegram::server::Server;
use crate::telegram::text;

const ACTIONS: &[&str] = &[
    "typing",
    "upload_photo",
    "record_video",
    "upload_video",
    "record_voice",
    "upload_voice",
    "record_audio",
    "upload_audio",
    "upload_document",
    "choose_sticker",
    "find_location",
    "record_video_note",
    "upload_video_note",
];
/// Each emoji's highest value.
const DICE: &[(&str, u64)] = &[("🎲", 6), ("🎯", 6), ("🎳", 6), ("🏀", 5), ("⚽", 5), ("🎰", 64)];

pub(crate) fn message(server: &Arc<Server>, bot: &Arc<Bot>, params: &Params) -> Outcome {
    let to = Destination::read(server, bot, params)?;
    let mut content = Map::new();
    set_words(&mut content, "text", "entities", text::text(params)?);
    if let Some(options) = link_preview_options(params)? {
        content.insert("link_preview_options".into(), options);
    }
    Ok(post(server, bot, &to, content).into())
}

/// As they come back in the message.
pub(crate) fn link_preview_options(params: &Params) -> Result<Option<Value>, Refusal> {
    let options = params.json("link_preview_options").map_err(|_| Refusal::bad("can't parse link preview options JSON object"))?;
    match options.as_deref() {
        None if params.flag("disable_web_page_preview") => Ok(Some(json!({"is_disabled": true}))),
        None => Ok(None),
        Some(Value::Object(options)) => {
            if let Some(url) = options.get("url").and_then(Value::as_str)
                && html::link(url).is_none()
            {
                return Err(Refusal::bad("wrong HTTP URL specified"));
            }
            Ok((!options.is_empty()).then(|| Value::Object(options.clone())))
        }
        Some(_) => Err(Refusal::bad("object expected as link preview options")),
    }
}

pub(crate) async fn media(server: &Arc<Server>, bot: &Arc<Bot>, kind: Kind, params: &Params) -> Outcome {
    let to = Destination::read(server, bot, params)?;
    let caption = match kind {
        Kind::VideoNote | Kind::Sticker => None,
        _ => text::caption(&params.text("caption"), &params.text("parse_mode"), params.json("caption_entities")?.as_deref())?,
    };
    let (file_id, file) = media::of_request(server, kind, params).await?;
    let mut content = media::content(server, &file_id, &file, params);
    if let Some(caption) = caption {
        set_words(&mut content, "caption", "caption_entities", caption);
    }
    for flag in ["has_spoiler", "show_caption_above_media"] {
        if params.flag(flag) {
            content.insert(media_flag(flag).into(), true.into());
        }
    }
    Ok(post(server, bot, &to, content).into())
}

/// How a flag of a request is called in the message.
fn media_flag(flag: &str) -> &str {
    if flag == "has_spoiler" { "has_media_spoiler" } else { flag }
}

/// 2 to 10 items: photos and videos together, documents or audio by themselves. All are checked before one is sent.
pub(crate) async fn album(server: &Arc<Server>, bot: &Arc<Bot>, params: &Params) -> Outcome {
    let to = Destination::read(server, bot, params)?;
    let media = params.json("media").map_err(|_| Refusal::bad("can't parse media JSON object"))?;
    let Some(items) = media.as_deref().and_then(Value::as_array) else { return Err(Refusal::bad("expected an Array of InputMedia")) };
    match items.len() {
        0 => return Err(Refusal::bad("there are no messages to send")),
        // Documented as 2 to 10; the real server has been seen to let a single one pass.
        1 => return Err(Refusal::bad("media must include 2-10 items")),
        2..=10 => {}
        _ => return Err(Refusal::bad("too many messages to send as an album")),
    }
    let mut contents = Vec::with_capacity(items.len());
    let mut kinds = Vec::with_capacity(items.len());
    for item in items {
        let Some(item) = item.as_object() else { return Err(Refusal::bad("can't parse InputMedia: expected an Object")) };
        let (kind, content) = input_media(server, item, params).await?;
        if kind == Kind::Animation {
            return Err(Refusal::bad("can't use the media of the specified type in the album"));
        }
        kinds.push(kind);
        contents.push(content);
    }
    for (kind, word) in [(Kind::Document, "document"), (Kind::Audio, "audio")] {
        if kinds.contains(&kind) && kinds.iter().any(|other| *other != kind) {
            return Err(Refusal::bad(&format!("{word} can't be mixed with other media types")));
        }
    }
    let group = server.next_number().to_string();
    let messages = contents.into_iter().map(|mut content| {
        content.insert("media_group_id".into(), group.clone().into());
        post(server, bot, &to, content)
    });
    Ok(Value::Array(messages.collect()).into())
}

/// One `InputMedia` with its caption.
pub(crate) async fn input_media(
    server: &Arc<Server>,
    item: &Map<String, Value>,
    params: &Params,
) -> Result<(Kind, Map<String, Value>), Refusal> {
    let kind = match text_of(item.get("type")).as_ref() {
        "photo" => Kind::Photo,
        "video" => Kind::Video,
        "animation" => Kind::Animation,
        "audio" => Kind::Audio,
        "document" => Kind::Document,
        "" => return Err(Refusal::bad("can't parse InputMedia: Can't find field \"type\"")),
        _ => return Err(Refusal::bad("can't parse InputMedia: type must be one of photo, video, animation, audio, document")),
    };
    let source = text_of(item.get("media"));
    if source.is_empty() {
        return Err(Refusal::bad("can't parse InputMedia: Media not found"));
    }
    let caption = text::caption(&text_of(item.get("caption")), &text_of(item.get("parse_mode")), item.get("caption_entities"))?;
    let (file_id, file) = media::of_source(server, kind, &source, params).await?;
    let mut content = media::content(server, &file_id, &file, item);
    if let Some(caption) = caption {
        set_words(&mut content, "caption", "caption_entities", caption);
    }
    if flag_of(item.get("has_spoiler")) {
        content.insert("has_media_spoiler".into(), true.into());
    }
    Ok((kind, content))
}

pub(crate) fn location(server: &Arc<Server>, bot: &Arc<Bot>, params: &Params) -> Outcome {
    let to = Destination::read(server, bot, params)?;
    let location = position(params)?;
    Ok(post(server, bot, &to, fields(json!({"location": location}))).into())
}

pub(crate) fn venue(server: &Arc<Server>, bot: &Arc<Bot>, params: &Params) -> Outcome {
    let to = Destination::read(server, bot, params)?;
    let location = position(params)?;
    let (title, address) = (params.text("title"), params.text("address"));
    for (name, value) in [("title", &title), ("address", &address)] {
        if value.trim().is_empty() {
            return Err(Refusal::bad(&format!("venue {name} must be non-empty")));
        }
    }
    let venue = json!({"location": location, "title": title, "address": address});
    Ok(post(server, bot, &to, fields(json!({"location": venue["location"], "venue": venue}))).into())
}

fn position(params: &Params) -> Result<Value, Refusal> {
    let degrees = |name: &str, most: f64| match params.float(name) {
        None if params.text(name).is_empty() => Err(Refusal::bad(&format!("{name} is empty"))),
        Some(degrees) if degrees.abs() <= most => Ok(degrees),
        _ => Err(Refusal::bad("wrong location specified")),
    };
    let mut location = json!({"latitude": degrees("latitude", 90.0)?, "longitude": degrees("longitude", 180.0)?});
    if let Some(period) = params.number("live_period") {
        location["live_period"] = period.into();
    }
    if let Some(accuracy) = params.float("horizontal_accuracy") {
        location["horizontal_accuracy"] = accuracy.into();
    }
    Ok(location)
}

pub(crate) fn contact(server: &Arc<Server>, bot: &Arc<Bot>, params: &Params) -> Outcome {
    let to = Destination::read(server, bot, params)?;
    let (phone, first_name) = (params.text("phone_number"), params.text("first_name"));
    if !phone.contains(|letter: char| letter.is_ascii_digit()) {
        return Err(Refusal::bad("field \"phone_number\" must contain a valid phone number"));
    }
    if first_name.trim().is_empty() {
        return Err(Refusal::bad("first name must be non-empty"));
    }
    let mut contact = fields(json!({"phone_number": phone, "first_name": first_name}));
    for name in ["last_name", "vcard"] {
        if params.has(name) {
            contact.insert(name.into(), params.text(name).into());
        }
    }
    Ok(post(server, bot, &to, fields(json!({"contact": contact}))).into())
}

pub(crate) fn dice(server: &Arc<Server>, bot: &Arc<Bot>, params: &Params) -> Outcome {
    let to = Destination::read(server, bot, params)?;
    let asked = params.text("emoji");
    let emoji = if asked.is_empty() { "🎲" } else { &asked };
    let Some((_, most)) = DICE.iter().find(|(known, _)| *known == emoji) else { return Err(Refusal::bad("wrong dice emoji specified")) };
    // Not random, so that a run can be repeated, but not the same twice either.
    let value = server.next_number() % most + 1;
    Ok(post(server, bot, &to, fields(json!({"dice": {"emoji": emoji, "value": value}}))).into())
}

pub(crate) fn chat_action(server: &Server, params: &Params) -> Outcome {
    let chat = server.chats.find(&params.text("chat_id"))?;
    server.chats.check_writable(&chat, params.number("message_thread_id"))?;
    if !ACTIONS.contains(&params.text("action").to_ascii_lowercase().as_str()) {
        return Err(Refusal::bad("wrong parameter action in request"));
    }
    done()
}
