//! Messages: the person's, and what the business wrote in the app or on the web.

use patchbay_plugin::Field;
use patchbay_plugin::messages::{Choice, Event, Happening, Inbound, Receipt, ReceiptState, ReceiptTarget};

use super::item::Item;
use super::{content, signal};
use crate::clock;
use crate::json::Json as _;
use crate::window::{self, Context};

const KINDS: [&str; 8] = ["text", "image", "video", "share_post", "sticker", "emoji", "reaction", "template"];

pub(super) fn received(item: &Item<'_>) -> Vec<Event> {
    let content = &item.content;
    let (Some(conversation), Some(id)) = (item.conversation(), content.id("message_id")) else {
        return vec![item.ignored("message_without_id")];
    };
    // What it carries lies under the name of its type.
    let named = content.text("type").or_else(|| KINDS.into_iter().find(|kind| content.get(*kind).is_some_and(|part| !part.is_null())));
    let kind = named.unwrap_or_default().to_ascii_lowercase();
    let source = content.get("message_tag").and_then(|tag| tag.text("source")).unwrap_or_default();
    if kind == "reaction" {
        return signal::reacted(item, &id);
    }
    // It is ours, and may be told before the send is answered: there is nothing to write down but that it was sent.
    if item.own && source.eq_ignore_ascii_case("API") {
        let target = ReceiptTarget::Messages(vec![id.clone()]);
        let (conversation, at_ms) = (Some(conversation.external_id), item.at_ms.map(clock::milliseconds));
        let receipt = Receipt { conversation, target, state: ReceiptState::Sent, at_ms, failure: None };
        return vec![item.event(&id, Happening::Receipt(receipt))];
    }
    if let Some(choice) = chosen(item).filter(|_| !item.own) {
        return vec![item.event(&id, Happening::Chose(choice))];
    }
    let contents = content::of(item, &kind, &conversation.external_id, &id);
    let opened_at = item.at_ms.filter(|_| !item.own);
    let context = opened_at.and_then(|opened_at| Context { opened_at, message: id.clone(), kind }.written());
    let inbound = Inbound {
        external_id: id.clone(),
        conversation,
        sender: item.speaker(),
        echo: item.own,
        content: contents,
        reply_to: content.get("referenced_message_info").and_then(|info| info.id("referenced_message_id")),
        related: Vec::new(),
        automatic: false,
        origin: "direct".to_owned(),
        sent_at_ms: item.at_ms.map(clock::milliseconds),
        reply_context: context,
        extras: extras(item, source, opened_at),
    };
    vec![item.event(&id, Happening::Message(inbound))]
}

/// A tap on a card's button comes as a text with the button's title.
fn chosen(item: &Item<'_>) -> Option<Choice> {
    let payload = item.content.get("reply_source_payload")?;
    let id = payload.id("reply_source_unique_id")?;
    let title = item.content.get("text").and_then(|text| text.text("body")).unwrap_or(&id).to_owned();
    Some(Choice { target: payload.id("reply_source_msg_id"), id, title, answer_ref: None })
}

fn extras(item: &Item<'_>, source: &str, opened_at: Option<i64>) -> Vec<Field> {
    let content = &item.content;
    let mut extras = Vec::new();
    if !source.is_empty() {
        extras.push(Field::new("source", source));
    }
    extras.extend(content.text("auto_message_type").map(|kind| Field::new("auto_message_type", kind)));
    extras.extend(
        content.get("is_follower").and_then(serde_json::Value::as_bool).map(|follows| Field::new("is_follower", follows.to_string())),
    );
    extras.extend(opened_at.map(|opened_at| Field::new("window_closes_at", window::closes_at(opened_at))));
    extras
}
