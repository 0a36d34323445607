//! Messages to the account. LinkedIn has no public webhook of them: this is a proposal of ours, signed as LinkedIn signs the others.

use patchbay_plugin::Field;
use patchbay_plugin::messages::{Content, Conversation, ConversationKind, Event, Happening, Inbound, Media, MediaKind, Source, Text};
use serde_json::Value;

use super::person;
use crate::json::Json as _;

pub(super) fn event(notification: &Value) -> Option<Event> {
    let message = notification.object("message")?;
    let (id, from) = (message.id("id")?, message.text("from")?);
    let thread = notification.text("thread").or_else(|| message.text("thread"))?;
    let conversation = Conversation { external_id: thread.to_owned(), kind: ConversationKind::Direct, title: None };
    let sender = person(from, message.text("fromName"));
    let mut content: Vec<Content> = message.text("body").map(|body| Content::Text(Text::plain(body))).into_iter().collect();
    content.extend(message.list("attachments").iter().filter_map(attachment).map(Content::Media));
    if content.is_empty() {
        return None;
    }
    let inbound = Inbound {
        external_id: id,
        conversation: conversation.clone(),
        sender: sender.clone(),
        echo: ["organizationalEntity", "owner"].iter().any(|name| notification.text(name) == Some(from)),
        content,
        reply_to: message.text("replyTo").map(str::to_owned),
        related: Vec::new(),
        automatic: false,
        origin: "direct".into(),
        sent_at_ms: message.time_ms("createdAt"),
        reply_context: None,
        extras: message.text("subject").map(|subject| Field::new("subject", subject)).into_iter().collect(),
    };
    let mut event = super::event("message", notification, Happening::Message(inbound));
    event.conversation = Some(conversation);
    event.actor = Some(sender);
    event.at_ms = message.time_ms("createdAt");
    Some(event)
}

fn attachment(told: &Value) -> Option<Media> {
    let url = told.text("url").filter(|url| url.starts_with("https://") || url.starts_with("http://"))?;
    let mime_type = told.text("mediaType");
    let kind = match mime_type.and_then(|mime| mime.split('/').next()) {
        Some("image") => MediaKind::Image,
        Some("video") => MediaKind::Video,
        Some("audio") => MediaKind::Audio,
        _ => MediaKind::Document,
    };
    Some(Media {
        kind,
        source: Source::Url(url.to_owned()),
        mime_type: mime_type.filter(|mime| mime.contains('/')).map(str::to_owned),
        file_name: told.text("name").map(str::to_owned),
        size: told.count("size"),
        caption: None,
        width: None,
        height: None,
        duration_ms: None,
        extras: Vec::new(),
    })
}
