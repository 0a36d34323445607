//! What WhatsApp numbers send.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::meta::answer::{GraphError, Outcome, success};
use crate::meta::ask::Ask;
use crate::meta::calls::interactive;
use crate::meta::calls::media;
use crate::meta::calls::numbers::product;
use crate::meta::calls::template_sends;
use crate::meta::errors::{self, Fate};
use crate::meta::params::text_of;
use crate::meta::pusher;
use crate::meta::scene;
use crate::meta::server::Server;
use crate::meta::world::Sent;

const CALLBACK_DATA_MAX: usize = 512;

/// A parameter that has to be there.
pub(crate) fn missing(what: &str) -> GraphError {
    GraphError::of(131_008).details(format!("{what} is required"))
}

/// A parameter that is wrong.
pub(crate) fn invalid(details: impl Into<String>) -> GraphError {
    GraphError::of(131_009).details(details)
}

/// A text within its limits, counted in characters.
pub(crate) fn text_within(value: &Value, what: &str, max: usize) -> Result<String, GraphError> {
    let text = text_of(value);
    match text.chars().count() {
        0 => Err(missing(what)),
        length if length > max => Err(invalid(format!("{what}: length {length}, at most {max}"))),
        _ => Ok(text),
    }
}

/// Whom a message goes to.
struct Recipient {
    input: String,
    /// What addresses the person: digits, or a business-scoped id.
    id: String,
    phone: bool,
    group: bool,
}

fn recipient(ask: &Ask) -> Result<Recipient, GraphError> {
    let (to, recipient) = (ask.params.text("to"), ask.params.text("recipient"));
    if ask.params.text("recipient_type") == "group" {
        return if to.is_empty() { Err(missing("to")) } else { Ok(Recipient { input: to.clone(), id: to, phone: false, group: true }) };
    }
    if !to.is_empty() {
        let digits: String = to.chars().filter(|letter| !matches!(letter, '+' | '-' | ' ' | '(' | ')')).collect();
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) || !(7..=15).contains(&digits.len()) {
            return Err(GraphError::of(100).saying("(#100) Invalid parameter").details(format!("to: {to:?} is not a valid WhatsApp id")));
        }
        return Ok(Recipient { input: to, id: digits, phone: true, group: false });
    }
    if recipient.is_empty() {
        return Err(GraphError::of(100).saying("(#100) The parameter to is required."));
    }
    let scoped = recipient.split_once('.').is_some_and(|(country, id)| {
        let id = id.strip_prefix("ENT.").unwrap_or(id);
        country.len() == 2
            && country.bytes().all(|byte| byte.is_ascii_uppercase())
            && (1..=128).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    if !scoped {
        return Err(GraphError::of(100)
            .saying("(#100) Invalid parameter")
            .details(format!("recipient: {recipient:?} is not a business-scoped user id")));
    }
    Ok(Recipient { input: recipient.clone(), id: recipient, phone: false, group: false })
}

pub(crate) async fn send(server: &Arc<Server>, ask: &Ask) -> Outcome {
    ask.caller_with(server, &["whatsapp_business_messaging"])?;
    product(ask)?;
    if ask.params.has("status") {
        return mark(ask);
    }
    let recipient = recipient(ask)?;
    let kind = [ask.params.text("type"), "text".into()].into_iter().find(|kind| !kind.is_empty()).unwrap_or_default();
    let links = check(server, ask, &kind, &recipient)?;
    let fate = errors::whatsapp(&recipient.id);
    if let Some(Fate::Refused(error)) = fate {
        return Err(error);
    }
    let mut failed = match fate {
        Some(Fate::Failed(code)) => Some(code),
        _ => None,
    };
    let mut fetched = Vec::new();
    for link in links {
        match media::fetch(server, &link).await {
            Ok(found) => fetched.extend(found),
            Err(why) => {
                fetched.push(json!({"url": link, "error": why}));
                failed = failed.or(Some(131_053));
            }
        }
    }
    let id = format!("wamid.HBgLStandIn{:012}+/A==", server.next_number());
    let mut contact = json!({"input": recipient.input});
    {
        let mut world = server.world.lock();
        let person = world.people.values().find(|person| person.id == recipient.id || person.bsuid.as_deref() == Some(&recipient.id));
        let bsuid = person.and_then(|person| person.bsuid.clone());
        if recipient.phone {
            let wa_id = world.wa_ids.get(&recipient.id).cloned().unwrap_or_else(|| recipient.id.clone());
            contact["wa_id"] = wa_id.into();
        }
        if !recipient.phone && !recipient.group {
            contact["user_id"] = recipient.id.clone().into();
        } else if let Some(bsuid) = bsuid {
            contact["user_id"] = bsuid.into();
        }
        let body = Value::Object(ask.params.values().clone());
        let at_ms = server.now_ms();
        world.sent.push(Sent { account: ask.account.clone(), to: recipient.id.clone(), id: id.clone(), body, at_ms, fetched });
    }
    follow(server, ask, &id, failed);
    let mut message = json!({"id": id});
    if kind == "template" {
        message["message_status"] = "accepted".into();
    }
    Ok(json!({"messaging_product": "whatsapp", "contacts": [contact], "messages": [message]}).into())
}

/// The statuses that come afterwards: a failure always, the others where the knob says so.
fn follow(server: &Arc<Server>, ask: &Ask, id: &str, failed: Option<u32>) {
    let statuses = match failed {
        Some(code) => vec![("failed", Some(code))],
        None if server.knobs().statuses => vec![("sent", None), ("delivered", None), ("read", None)],
        None => return,
    };
    let (server, number, id) = (Arc::clone(server), ask.account.clone(), id.to_owned());
    tokio::spawn(async move {
        for (status, code) in statuses {
            let payload = scene::status(&server, &number, &id, status, code);
            pusher::push(&server, &payload).await;
        }
    });
}

/// Read, and typing: both want the id of a message that came in.
fn mark(ask: &Ask) -> Outcome {
    if ask.params.text("status") != "read" {
        return Err(GraphError::of(100).saying("(#100) Param status must be one of {read}"));
    }
    if ask.params.text("message_id").is_empty() {
        return Err(missing("message_id"));
    }
    let typing = ask.params.get("typing_indicator");
    if !typing.is_null() && typing["type"] != "text" {
        return Err(invalid("typing_indicator.type must be text"));
    }
    success()
}

/// Shapes and limits. Answers the links that the message has.
fn check(server: &Server, ask: &Ask, kind: &str, recipient: &Recipient) -> Result<Vec<String>, GraphError> {
    let number_id = &ask.account;
    let world = server.world.lock();
    let (waba, number) = world.number(number_id).ok_or_else(|| ask.unsupported())?;
    if !number.registered {
        return Err(GraphError::of(133_010));
    }
    if recipient.id == number.digits() {
        return Err(GraphError::of(131_021));
    }
    if ask.params.text("biz_opaque_callback_data").chars().count() > CALLBACK_DATA_MAX {
        return Err(invalid("biz_opaque_callback_data: at most 512 characters"));
    }
    let context = ask.params.get("context");
    if !context.is_null() && text_of(&context["message_id"]).is_empty() {
        return Err(missing("context.message_id"));
    }
    let content = ask.params.get(kind);
    if content.is_null() {
        return Err(GraphError::of(100).saying(format!("(#100) The parameter {kind} is required.")));
    }
    let mut links = Vec::new();
    let mut file = |file: &Value, what: &str| -> Result<(), GraphError> {
        let (id, link) = (text_of(&file["id"]), text_of(&file["link"]));
        match (id.is_empty(), link.is_empty()) {
            (true, true) => Err(missing(&format!("{what}: id or link"))),
            (false, false) => Err(invalid(format!("{what}: id and link exclude each other"))),
            (true, false) if !link.starts_with("https://") && !link.starts_with("http://") => {
                Err(invalid(format!("{what}: the link must be a URL")))
            }
            (true, false) => {
                links.push(link);
                Ok(())
            }
            (false, true) if world.media.contains_key(&id) => Ok(()),
            (false, true) => Err(invalid(format!("{what}: there is no media with id {id}"))),
        }
    };
    match kind {
        "text" => {
            text_within(&content["body"], "text.body", 4096)?;
        }
        "image" | "video" | "document" => {
            file(content, kind)?;
            if content.get("caption").is_some() {
                text_within(&content["caption"], "caption", 1024)?;
            }
            if kind != "document" && content.get("filename").is_some() {
                return Err(GraphError::of(100).saying(format!("(#100) Unexpected key \"filename\" on param \"{kind}\".")));
            }
        }
        "audio" | "sticker" => {
            file(content, kind)?;
            if content.get("caption").is_some() {
                return Err(GraphError::of(100).saying(format!("(#100) Unexpected key \"caption\" on param \"{kind}\".")));
            }
            let media = world.media.get(&text_of(&content["id"]));
            if content["voice"] == true && media.is_some_and(|media| !media.mime_type.starts_with("audio/ogg")) {
                return Err(invalid("a voice note is audio/ogg with opus"));
            }
            if kind == "sticker" && media.is_some_and(|media| media.mime_type != "image/webp") {
                return Err(invalid("a sticker is image/webp"));
            }
        }
        "location" => {
            for (name, max) in [("latitude", 90.0), ("longitude", 180.0)] {
                let degrees: Option<f64> = text_of(&content[name]).parse().ok();
                if degrees.is_none_or(|degrees| degrees.abs() > max) {
                    return Err(invalid(format!("location.{name} must be degrees")));
                }
            }
        }
        "contacts" => contacts(content)?,
        "reaction" => {
            if text_of(&content["message_id"]).is_empty() {
                return Err(missing("reaction.message_id"));
            }
            if !content["emoji"].is_string() || text_of(&content["emoji"]).chars().count() > 16 {
                return Err(invalid("reaction.emoji must be one emoji, or empty"));
            }
        }
        "interactive" => {
            if let Some(header) = interactive::check(content)? {
                file(header, "interactive.header")?;
            }
        }
        "template" => {
            template_sends::check(&world, &waba.id, content, recipient.phone)?;
            for media in template_sends::files(content) {
                file(media, "template header")?;
            }
        }
        other => return Err(GraphError::of(131_051).details(format!("type {other:?}"))),
    }
    let strict = server.knobs().strict_windows;
    if kind != "template" && !recipient.group && !world.window(number_id, &recipient.id, server.now_ms(), 24, strict) {
        let details = "Message failed to send because more than 24 hours have passed since the customer last replied to this number.";
        return Err(GraphError::of(131_047).details(details));
    }
    Ok(links)
}

/// A formatted name and one part of it more; nulls aren't taken.
fn contacts(contacts: &Value) -> Result<(), GraphError> {
    let Some(contacts) = contacts.as_array().filter(|contacts| !contacts.is_empty()) else {
        return Err(invalid("contacts must be a list"));
    };
    for contact in contacts {
        let name = contact["name"].as_object().ok_or_else(|| missing("contacts.name"))?;
        text_within(&contact["name"]["formatted_name"], "contacts.name.formatted_name", 1024)?;
        let parts = ["first_name", "last_name", "middle_name", "suffix", "prefix"];
        if !parts.iter().any(|part| name.get(*part).is_some_and(|part| !text_of(part).is_empty())) {
            return Err(invalid("contacts.name: formatted_name and at least one other part are needed"));
        }
        if has_null(contact) {
            return Err(invalid("contacts: null is not a value"));
        }
    }
    Ok(())
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        _ => false,
    }
}
