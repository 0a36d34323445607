//! `POST /{suit}/send`: one endpoint for SMS, WhatsApp and app pushes, told apart by the name of their object.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::appgain::answer::{Outcome, Refusal, Reply};
use crate::appgain::magic;
use crate::appgain::pusher::{self, ack, push_status, sms_status};
use crate::appgain::server::{Ask, Knobs, Server, number, only, required};
use crate::appgain::session::WORKING;
use crate::appgain::world::{Sent, quota_resets_s};
use crate::clock;
use crate::desk::random;

/// WhatsApp texts aren't longer.
const TEXT_MAX: usize = 4096;
/// A file that is larger isn't sent: 64 MB for documents, 16 MB for pictures and videos.
const DOCUMENT_MAX: usize = 64 * 1024 * 1024;
const MEDIA_MAX: usize = 16 * 1024 * 1024;

const AUDIENCE: [&str; 3] = ["receivers", "users_id", "target_list_name"];
const SMS_FIELDS: &[&str] = &["message", "client_ref", "template_name"];
const WHATSAPP_FIELDS: &[&str] =
    &["message", "random_string", "imageUrl", "documentUrl", "videoUrl", "fileName", "client_ref", "template_name"];
const PUSH_FIELDS: &[&str] = &[
    "message",
    "title",
    "sound",
    "campaignName",
    "type",
    "attachment",
    "image-url",
    "url",
    "call2action",
    "mutable-content",
    "content-available",
    "category",
    "orientation",
    "client_ref",
    "template_name",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    Sms,
    WhatsApp,
    Push,
}

impl Channel {
    const ALL: [Self; 3] = [Self::Sms, Self::WhatsApp, Self::Push];

    fn name(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
            Self::WhatsApp => "UOWHATSAPP",
            Self::Push => "appPush",
        }
    }

    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Sms => SMS_FIELDS,
            Self::WhatsApp => WHATSAPP_FIELDS,
            Self::Push => PUSH_FIELDS,
        }
    }
}

/// The first receiver as the request writes it, for failures that are planned for one.
pub(crate) fn recipient(body: Option<&Map<String, Value>>) -> String {
    let content = Channel::ALL.iter().find_map(|channel| body?.get(channel.name()));
    let first = content.and_then(|content| content["receivers"].get(0));
    first.and_then(|first| first["mobileNum"].as_str().or(first["userID"].as_str())).unwrap_or_default().to_owned()
}

pub(crate) async fn send(server: &Arc<Server>, ask: &Ask) -> Outcome {
    let body = ask.body.as_ref().map_err(|refusal| Refusal::new(refusal.status, refusal.body["message"].as_str().unwrap_or_default()))?;
    let named: Vec<_> = Channel::ALL.into_iter().filter(|channel| body.contains_key(channel.name())).collect();
    let [channel] = named.as_slice() else {
        return Err(Refusal::new(400, "one of SMS, UOWHATSAPP, appPush is required (others aren't played here)"));
    };
    let channel = *channel;
    only(body, &[channel.name(), "campaign_name", "client_ref"])?;
    let content = body.get(channel.name()).and_then(Value::as_object);
    let content = content.ok_or_else(|| Refusal::new(400, &format!("{} must be an object", channel.name())))?;
    check_names(channel, content)?;
    let to = audience(server, &ask.suit_id, channel, content)?;
    check_content(server, channel, content).await?;
    let knobs = server.knobs();
    if let Some(outcome) = to.iter().filter(|_| knobs.magic).find_map(|recipient| magic::at_once(channel, recipient)) {
        return outcome;
    }
    let text = |object: &Map<String, Value>, name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    let sent = Sent {
        suit_id: ask.suit_id.clone(),
        channel: channel.name().into(),
        everybody: !AUDIENCE.iter().any(|name| content.get(*name).is_some_and(|value| !is_nobody(value))),
        message: text(content, "message").unwrap_or_default(),
        client_ref: text(content, "client_ref").or_else(|| text(body, "client_ref")),
        id: message_id(channel, to.first()),
        body: Value::Object(content.clone()),
        campaign_name: text(body, "campaign_name").or_else(|| text(content, "campaignName")),
        at_ms: clock::now_ms(),
        to,
    };
    accept(server, channel, &sent, &knobs)?;
    tell(server, channel, &sent, &knobs);
    let mut answer = json!({"status": "success", "message": "your request is being processed"});
    place(&mut answer, &knobs.id_at, &sent.id);
    Ok(Reply::Json(200, answer))
}

/// The session has to work and the quota to last; then it is sent.
fn accept(server: &Server, channel: Channel, sent: &Sent, knobs: &Knobs) -> Result<(), Refusal> {
    let mut world = server.world.lock();
    if channel == Channel::WhatsApp {
        if world.session(&sent.suit_id).is_none_or(|session| session.status != WORKING) {
            return Err(Refusal::coded(409, "SESSION_NOT_WORKING", "the session isn't connected: link a phone"));
        }
        if let Some(project) = world.projects.get_mut(&sent.suit_id) {
            let used = project.used(sent.at_ms) + u64::try_from(sent.to.len()).unwrap_or(u64::MAX);
            if used > knobs.daily_limit {
                let why = format!("{} messages a day and no more", knobs.daily_limit);
                return Err(Refusal::coded(429, "QUOTA_EXCEEDED", &why).retry_after(quota_resets_s(sent.at_ms) - sent.at_ms / 1000));
            }
            project.set_used(used, sent.at_ms);
        }
    }
    world.sent.push(sent.clone());
    Ok(())
}

/// The events that come of it afterwards.
fn tell(server: &Arc<Server>, channel: Channel, sent: &Sent, knobs: &Knobs) {
    let client_ref = sent.client_ref.as_deref();
    for recipient in &sent.to {
        let (event, payloads): (_, Vec<Value>) = match channel {
            Channel::WhatsApp if knobs.magic && magic::ack_fails(recipient) => ("message.ack", vec![ack(&sent.id, client_ref, -1)]),
            Channel::WhatsApp => ("message.ack", (1..=i64::from(knobs.acks)).map(|level| ack(&sent.id, client_ref, level)).collect()),
            Channel::Sms => {
                let unsubscribed = server.world.lock().projects.get(&sent.suit_id).is_some_and(|p| p.unsubscribed.contains(recipient));
                let end = if unsubscribed { Some("REJECTD") } else { magic::sms_end(recipient).filter(|_| knobs.magic) };
                let statuses = match end {
                    Some(end) => vec![end],
                    None if knobs.sms_statuses => vec!["ENROUTE", "DELIVRD"],
                    None => Vec::new(),
                };
                ("sms.status", statuses.into_iter().map(|status| sms_status(client_ref, recipient, status)).collect())
            }
            Channel::Push => {
                let campaign = sent.campaign_name.as_deref();
                let told = match magic::push_end(recipient).filter(|_| knobs.magic) {
                    Some(reason) => vec![push_status(client_ref, recipient, "failed", reason, campaign)],
                    None => knobs.push_events.iter().map(|action| push_status(client_ref, recipient, action, "NA", campaign)).collect(),
                };
                ("push.status", told)
            }
        };
        pusher::push_later(server, &sent.suit_id, event, payloads);
    }
}

fn check_names(channel: Channel, content: &Map<String, Value>) -> Result<(), Refusal> {
    let known = |name: &str| channel.fields().contains(&name) || AUDIENCE.contains(&name) || name.starts_with("$variable");
    match content.keys().find(|name| !known(name)) {
        Some(name) => Err(Refusal::new(400, &format!("{} has no field {name:?}", channel.name()))),
        None => Ok(()),
    }
}

/// Whether an audience is there but empty: to Appgain that is everybody.
fn is_nobody(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Whom it goes to; nobody named is everybody, and that list is empty.
fn audience(server: &Server, suit_id: &str, channel: Channel, content: &Map<String, Value>) -> Result<Vec<String>, Refusal> {
    let named: Vec<_> = AUDIENCE.iter().filter_map(|name| Some((*name, content.get(*name)?))).collect();
    let (name, value) = match named.as_slice() {
        [] => return Ok(Vec::new()),
        [one] => *one,
        _ => return Err(Refusal::new(400, "only one of receivers, users_id, target_list_name")),
    };
    let text = || value.as_str().ok_or_else(|| Refusal::new(400, &format!("{name} must be a text")));
    match name {
        "users_id" => Ok(text()?.split(',').map(str::trim).filter(|user| !user.is_empty()).map(str::to_owned).collect()),
        "target_list_name" => {
            let list = text()?.to_owned();
            let world = server.world.lock();
            let members = world.projects.get(suit_id).and_then(|project| project.lists.get(&list));
            let members = members.ok_or_else(|| Refusal::new(400, &format!("there is no target list {list:?}")))?;
            Ok(members.iter().cloned().collect())
        }
        _ => {
            let receivers = value.as_array().ok_or_else(|| Refusal::new(400, "receivers must be a list"))?;
            receivers.iter().map(|receiver| read_receiver(channel, receiver)).collect()
        }
    }
}

fn read_receiver(channel: Channel, receiver: &Value) -> Result<String, Refusal> {
    let fields = receiver.as_object().ok_or_else(|| Refusal::new(400, "a receiver must be an object"))?;
    only(fields, &["userID", "mobileNum"])?;
    if channel == Channel::Push {
        return required(fields, "userID").map(str::to_owned);
    }
    let invalid = || Refusal::new(400, "mobileNum must be 8 to 15 digits with the country's code, as text");
    number(receiver.get("mobileNum").unwrap_or(&Value::Null)).ok_or_else(invalid)
}

async fn check_content(server: &Server, channel: Channel, content: &Map<String, Value>) -> Result<(), Refusal> {
    let message = content.get("message").and_then(Value::as_str);
    let templated = content.contains_key("template_name");
    match channel {
        Channel::Sms if templated => Ok(()),
        Channel::Sms => required(content, "message").map(|_| ()),
        Channel::WhatsApp => {
            let media: Vec<_> = ["imageUrl", "documentUrl", "videoUrl"].into_iter().filter(|name| content.contains_key(*name)).collect();
            if media.len() > 1 {
                return Err(Refusal::new(400, "only one of imageUrl, documentUrl, videoUrl"));
            }
            if media.is_empty() && !templated {
                required(content, "message")?;
            }
            if message.is_some_and(|message| message.chars().count() > TEXT_MAX) {
                return Err(Refusal::new(400, "message is longer than 4096 characters"));
            }
            match media.first() {
                Some(name) => check_media(server, name, required(content, name)?).await,
                None => Ok(()),
            }
        }
        Channel::Push => {
            let silent = content.get("content-available") == Some(&json!(1)) && message.is_none_or(str::is_empty);
            let kind = content.get("type").map(|kind| kind.as_str().unwrap_or_default());
            match kind {
                Some(kind) if !["photo", "gif", "video", "webView", "htmlWebView"].contains(&kind) => {
                    return Err(Refusal::new(400, &format!("type {kind:?} is unknown: photo, gif, video, webView, htmlWebView")));
                }
                Some("photo" | "gif" | "video") => required(content, "attachment").map(|_| ())?,
                _ => {}
            }
            if silent || templated { Ok(()) } else { required(content, "message").map(|_| ()) }
        }
    }
}

async fn check_media(server: &Server, name: &str, url: &str) -> Result<(), Refusal> {
    if !url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
        return Err(Refusal::new(400, &format!("{name} must be an http(s) URL")));
    }
    let Some((status, kind, size)) = server.desk.look_at(url).await else { return Ok(()) };
    if !(200..300).contains(&status) {
        return Err(Refusal::coded(400, "MEDIA_UNREACHABLE", &format!("{name} can't be fetched: HTTP {status}")));
    }
    let (wanted, largest) = match name {
        "imageUrl" => ("image/", MEDIA_MAX),
        "videoUrl" => ("video/", MEDIA_MAX),
        _ => ("", DOCUMENT_MAX),
    };
    if size > largest {
        return Err(Refusal::coded(413, "MEDIA_TOO_LARGE", &format!("{name} has {size} bytes, at most {largest} can be sent")));
    }
    if !kind.starts_with(wanted) {
        return Err(Refusal::coded(415, "MEDIA_TYPE", &format!("{name} is {kind}")));
    }
    Ok(())
}

/// As whatsapp-web.js has them for WhatsApp; opaque for the others.
fn message_id(channel: Channel, first: Option<&String>) -> String {
    let unique = hex::encode_upper(random::<8>());
    match (channel, first) {
        (Channel::WhatsApp, Some(number)) => format!("true_{number}@c.us_3EB0{unique}"),
        (Channel::WhatsApp, None) => format!("true_status@broadcast_3EB0{unique}"),
        _ => unique.to_lowercase(),
    }
}

/// Writes the id where the path says: `messageId`, `result.id`; nowhere where it is empty.
fn place(answer: &mut Value, path: &str, id: &str) {
    match path.split_once('.') {
        _ if path.is_empty() => {}
        Some((outer, inner)) => {
            let mut object = json!({});
            object[inner] = id.into();
            answer[outer] = object;
        }
        None => answer[path] = id.into(),
    }
}
