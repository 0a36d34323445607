//! Messages → the chat app. One message of ours is one of theirs: its texts are one body, its files are attachments.
//!
//! The app takes our message id as the idempotency key, so a request is always safe to repeat.

use patchbay_plugin::http::Request;
use patchbay_plugin::messages::{Accepted, Command, Content, Media, MediaKind, Outbound, Sent, Source};
use patchbay_plugin::{Call, Failure, Field, Fields as _};
use serde_json::{Value, json};

use crate::access::Access;
use crate::json::Json as _;
use crate::refusal::{self, Place};
use crate::settings::Settings;

const TEXT_MAX: usize = 4000;
/// Bytes of a file: 20 MiB.
const FILE_MAX: u32 = 20 * 1024 * 1024;

pub(crate) fn send(call: &Call, message: &Outbound) -> Result<Sent, Failure> {
    let contents = match &message.command {
        Command::Message(contents) => contents,
        Command::React(_) => return Err(unsupported("react", "reactions")),
        Command::Edit(_) => return Err(unsupported("edit", "edits")),
        Command::Delete(_) => return Err(unsupported("delete", "deletions")),
        Command::Typing(_) => return Err(unsupported("typing", "typing signs")),
        Command::MarkRead(_) => return Err(unsupported("mark_read", "read marks of ours")),
        Command::Custom(custom) => return Err(unsupported("command", &custom.kind)),
    };
    let settings = Settings::of(call)?;
    if settings.inbox_base_url.is_none() {
        let words = "is needed to send: Shopify has no API for its Inbox, so set the address of the app that owns the chat widget";
        return Err(Failure::invalid("/inbox_base_url", words));
    }
    let path = format!("/conversations/{}/messages", conversation(message)?);
    let body = body(&settings, message, contents)?;
    let access = Access::open(call)?;
    let request = || Ok(Request::post("inbox", path.as_str()).header("idempotency-key", message.id.as_str()).json(&body)?.repeatable());
    let response = access.ask(request)?;
    if !response.is_success() {
        return Err(refusal::of_status(Place::Inbox, &response));
    }
    let told: Value = match response.json() {
        Ok(told) => told,
        // Taken without a word: a repetition would say no more.
        Err(_) if response.bytes().iter().all(u8::is_ascii_whitespace) => Value::Null,
        Err(_) if refusal::is_page(response.bytes()) => {
            let words = "a web page answers at inbox_base_url, and no chat app: check the address";
            return Err(Failure::rejected("inbox_not_found", words));
        }
        Err(error) => return Err(error.into()),
    };
    let taken = told.object("message").unwrap_or(&told);
    let extras = taken.text("created_at").map(|at| Field::new("created_at", at)).into_iter().collect();
    Ok(Sent { accepted: vec![Accepted { part: 0, external_id: taken.id("id"), extras }], failed: None, events: Vec::new() })
}

fn unsupported(code: &str, what: &str) -> Failure {
    Failure::unsupported(code, format!("the chat app of a Shopify shop has no {what}"))
}

/// The conversation's id, as one segment of a path.
fn conversation(message: &Outbound) -> Result<String, Failure> {
    let id = message.conversation.as_deref().filter(|id| !id.is_empty()).unwrap_or(&message.to).trim();
    if id.is_empty() || id.bytes().all(|byte| byte == b'.') || id.chars().any(char::is_control) {
        return Err(Failure::invalid(
            "/to",
            "is a conversation's id, as its first message brought it: nobody can be written to before they write",
        ));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    Ok(id.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect())
}

fn body(settings: &Settings, message: &Outbound, contents: &[Content]) -> Result<Value, Failure> {
    let (mut texts, mut attachments) = (Vec::new(), Vec::new());
    for (index, content) in contents.iter().enumerate() {
        let at = format!("/content/{index}");
        match content {
            Content::Text(text) => texts.push(text.body.as_str()),
            Content::Media(media) => attached(media, &at, &mut texts, &mut attachments)?,
            Content::Album(items) => {
                for (item, media) in items.iter().enumerate() {
                    attached(media, &format!("{at}/items/{item}"), &mut texts, &mut attachments)?;
                }
            }
            _ => return Err(Failure::unsupported("content", format!("{at}: the chat app of a Shopify shop takes text and files"))),
        }
    }
    let text = texts.into_iter().filter(|text| !text.trim().is_empty()).collect::<Vec<_>>().join("\n");
    let length = text.chars().count();
    if length > TEXT_MAX {
        return Err(Failure::invalid(
            "/content",
            format!("all texts and captions together are {length} characters, and {TEXT_MAX} are taken at most"),
        ));
    }
    if text.is_empty() && attachments.is_empty() {
        return Err(Failure::invalid("/content", "has neither text nor files"));
    }
    let author = message.extras.value("author_name").filter(|name| !name.is_empty()).unwrap_or(&settings.author_name);
    let written = json!({"id": message.id, "body": text, "attachments": attachments, "author": {"name": author}});
    Ok(json!({"shop": settings.shop_domain, "message": written}))
}

fn attached<'a>(media: &'a Media, at: &str, texts: &mut Vec<&'a str>, attachments: &mut Vec<Value>) -> Result<(), Failure> {
    let Source::Url(url) = &media.source else {
        return Err(Failure::invalid(format!("{at}/url"), "is the file's public address: the chat app fetches it by itself"));
    };
    if media.size.is_some_and(|size| size > FILE_MAX) {
        return Err(Failure::invalid(at, "the file is larger than 20 MiB"));
    }
    let mut attachment = json!({"url": url, "content_type": media.mime_type.as_deref().unwrap_or_else(|| usual(media.kind))});
    for (name, value) in [("filename", media.file_name.as_deref()), ("alt", media.extras.value("alt"))] {
        if let (Some(object), Some(value)) = (attachment.as_object_mut(), value) {
            object.insert(name.into(), value.into());
        }
    }
    attachments.push(attachment);
    texts.extend(media.caption.as_deref());
    Ok(())
}

/// Where nobody has said more.
fn usual(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image/jpeg",
        MediaKind::Animation => "image/gif",
        MediaKind::Video => "video/mp4",
        MediaKind::Audio => "audio/mpeg",
        MediaKind::Voice => "audio/ogg",
        MediaKind::Document => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
