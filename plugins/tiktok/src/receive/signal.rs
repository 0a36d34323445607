//! What happens to messages and conversations: read, reacted to, come from somewhere.

use patchbay_plugin::messages::{Event, Happening, Reaction, Receipt, ReceiptState, ReceiptTarget};
use serde_json::{Map, Value, json};

use super::item::{Item, custom, fingerprint};
use crate::clock;
use crate::json::Json as _;

/// Everything of ours up to the mark is read. That the business has read what the person wrote is no news.
pub(super) fn read(item: &Item<'_>) -> Vec<Event> {
    if item.own {
        return Vec::new();
    }
    let until = item.content.get("read").and_then(|read| read.whole("last_read_timestamp"));
    let (Some(conversation), Some(until)) = (item.conversation(), until) else { return vec![item.ignored("read_of_nothing")] };
    let key = format!("{}:{until}", conversation.external_id);
    let target = ReceiptTarget::UpToMs(clock::milliseconds(until));
    let at_ms = item.at_ms.map(clock::milliseconds);
    let receipt = Receipt { conversation: Some(conversation.external_id), target, state: ReceiptState::Read, at_ms, failure: None };
    vec![item.event(&key, Happening::Receipt(receipt))]
}

/// Mostly one; each has a target of its own.
pub(super) fn reacted(item: &Item<'_>, id: &str) -> Vec<Event> {
    let reactions = match item.content.get("reaction") {
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => item.content.list("reaction"),
    };
    if reactions.is_empty() {
        return vec![item.ignored("reaction_of_nothing")];
    }
    let one = |(index, reaction): (usize, &Value)| {
        let key = if index == 0 { id.to_owned() } else { format!("{id}:{index}") };
        item.event(&key, what(reaction))
    };
    reactions.iter().enumerate().map(one).collect()
}

fn what(reaction: &Value) -> Happening {
    let removed = reaction.text("operation").is_some_and(|operation| !operation.eq_ignore_ascii_case("ADD"));
    let emoji = reaction.text("emoji").filter(|_| !removed).map(str::to_owned);
    match reaction.id("original_msg_id") {
        Some(target) if removed || emoji.is_some() => Happening::Reacted(Reaction { target, emoji, removed }),
        // A picture made of somebody's face has no emoji that stands for it.
        target => custom("reaction", &json!({"target": target, "type": reaction.text("type"), "url": reaction.text("ai_emoji_url")})),
    }
}

/// Where the person came from: a link, a code, an ad. What each source tells lies under its name.
pub(super) fn referral(item: &Item<'_>) -> Event {
    let told = item.content.get("referral").unwrap_or(&Value::Null);
    let mut json = Map::new();
    for (name, value) in told.as_object().into_iter().flatten() {
        match value {
            Value::Object(fields) => {
                let plain = fields.iter().filter(|(_, value)| is_plain(value));
                json.extend(plain.map(|(name, value)| (name.clone(), value.clone())));
            }
            value if is_plain(value) => {
                json.insert(name.clone(), value.clone());
            }
            _ => {}
        }
    }
    let conversation = item.conversation().map(|conversation| conversation.external_id).unwrap_or_default();
    let key = format!("{conversation}:{}:{}", item.at_ms.unwrap_or_default(), fingerprint(told));
    item.event(&key, custom("referral", &Value::Object(json)))
}

fn is_plain(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))
}
