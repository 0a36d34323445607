//! Telegram tells which reactions a person had and has: the difference is what happened.

use patchbay_plugin::messages::{Event, Happening, Reaction};
use serde_json::Value;

use super::{event, ignored, message, time_ms};
use crate::json::Json as _;

pub(super) fn changed(update: &Value) -> Vec<Event> {
    let (Some(target), old, new) = (message::external_id(update), emojis(update, "old_reaction"), emojis(update, "new_reaction")) else {
        return vec![ignored("message_reaction_without_message", update)];
    };
    let removed = old.iter().filter(|emoji| !new.contains(emoji)).map(|emoji| (emoji, true));
    let added = new.iter().filter(|emoji| !old.contains(emoji)).map(|emoji| (emoji, false));
    let events: Vec<Event> = removed
        .chain(added)
        .map(|(emoji, removed)| {
            let mut event = event(Happening::Reacted(Reaction { target: target.clone(), emoji: Some(emoji.clone()), removed }));
            event.conversation = message::conversation(update);
            event.actor = update.object("user").or_else(|| update.object("actor_chat")).and_then(message::party);
            event.at_ms = time_ms(update.whole("date"));
            event
        })
        .collect();
    if events.is_empty() { vec![ignored("message_reaction_unchanged", update)] } else { events }
}

fn emojis(update: &Value, name: &str) -> Vec<String> {
    let emoji = |reaction: &Value| match reaction.text("type") {
        Some("custom_emoji") => reaction.text("custom_emoji_id").map(|id| format!("custom:{id}")),
        Some("paid") => Some("paid".to_owned()),
        _ => reaction.text("emoji").map(str::to_owned),
    };
    update.list(name).iter().filter_map(emoji).collect()
}
