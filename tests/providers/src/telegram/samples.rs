//! An example update of every kind, kept as data in `samples.json`.
//!
//! Some values are put in when a sample is pushed: `$next` is the chat's next message id, `$last` its newest message, `$now`
//! the time, `$bot` the bot's user, `$unique` a fresh text (the same one throughout a sample).

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::clock;
use crate::telegram::bots::Bot;
use crate::telegram::chats::Conversation;
use crate::telegram::server::Server;

#[derive(Debug, Deserialize)]
struct Sample {
    name: String,
    about: String,
    updates: Vec<Map<String, Value>>,
}

static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(|| serde_json::from_str(include_str!("samples.json")).unwrap_or_default());

pub(crate) fn names() -> Vec<&'static str> {
    SAMPLES.iter().map(|sample| sample.name.as_str()).collect()
}

/// Every sample as it is written.
pub(crate) fn list() -> Value {
    SAMPLES.iter().map(|sample| serde_json::json!({"name": sample.name, "about": sample.about, "updates": sample.updates})).collect()
}

/// A sample's updates, ready to be pushed.
pub(crate) fn updates(server: &Server, bot: &Bot, name: &str) -> Option<Vec<Map<String, Value>>> {
    let sample = SAMPLES.iter().find(|sample| sample.name == name)?;
    let unique = server.next_number().to_string();
    Some(
        sample
            .updates
            .iter()
            .map(|update| {
                let filler = Filler { server, bot, unique: &unique };
                update.iter().map(|(kind, payload)| (kind.clone(), filler.fill(payload, None))).collect()
            })
            .collect(),
    )
}

struct Filler<'a> {
    server: &'a Server,
    bot: &'a Bot,
    unique: &'a str,
}

impl Filler<'_> {
    /// `chat` is the id of the chat that surrounds the value.
    fn fill(&self, value: &Value, chat: Option<i64>) -> Value {
        match value {
            Value::Object(fields) => {
                let chat = fields.get("chat").and_then(|chat| chat["id"].as_i64()).or(chat);
                Value::Object(fields.iter().map(|(name, value)| (name.clone(), self.fill(value, chat))).collect())
            }
            Value::Array(values) => values.iter().map(|value| self.fill(value, chat)).collect(),
            Value::String(text) => match text.as_str() {
                "$now" => clock::now_s().into(),
                "$bot" => self.bot.user(),
                "$unique" => self.unique.into(),
                "$next" => self.server.chats.with(self.bot.id, chat.unwrap_or_default(), Conversation::next_id).into(),
                "$last" => {
                    let last = |chat: &mut Conversation| chat.newest().unwrap_or_else(|| chat.next_id());
                    self.server.chats.with(self.bot.id, chat.unwrap_or_default(), last).into()
                }
                _ => value.clone(),
            },
            _ => value.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_can_be_read_and_each_update_has_one_payload() {
        assert!(SAMPLES.len() >= 40, "{} samples", SAMPLES.len());
        for sample in SAMPLES.iter() {
            assert!(!sample.updates.is_empty() && sample.updates.iter().all(|update| update.len() == 1), "{}", sample.name);
        }
    }
}
