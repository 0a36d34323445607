//! What the operator sets. The gateway has checked it against `settings.schema.json`.

use patchbay_plugin::{Failure, hooks};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Without `chat_member` and `message_reaction_count`, which tell of others than those who write to the bot.
const UPDATES: [&str; 9] = [
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "callback_query",
    "poll",
    "poll_answer",
    "my_chat_member",
    "message_reaction",
];

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    #[default]
    Webhook,
    Polling,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum ParseMode {
    #[default]
    #[serde(rename = "none")]
    None,
    #[serde(rename = "HTML")]
    Html,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AnswerCallbacks {
    #[default]
    Auto,
    Manual,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    pub(crate) allowed_updates: Vec<String>,
    pub(crate) broadcast_channel: Option<String>,
    pub(crate) parse_mode: ParseMode,
    pub(crate) drop_pending_updates: bool,
    pub(crate) max_connections: u32,
    pub(crate) answer_callbacks: AnswerCallbacks,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            allowed_updates: UPDATES.map(str::to_owned).to_vec(),
            broadcast_channel: None,
            parse_mode: ParseMode::default(),
            drop_pending_updates: false,
            max_connections: 40,
            answer_callbacks: AnswerCallbacks::default(),
        }
    }
}

/// Normalises: base URLs without a slash at the end, names without spaces around them, an empty list of updates (which
/// would mean Telegram's own choice) as none.
pub(crate) fn configure(settings: &str) -> Result<String, Failure> {
    let mut object: Map<String, Value> = hooks::parse_settings(settings)?;
    for (name, value) in &mut object {
        if let Value::String(text) = value {
            let trimmed = text.trim();
            *text = if name.ends_with("base_url") { trimmed.trim_end_matches('/') } else { trimmed }.to_owned();
        }
    }
    object.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty()) && value != "");
    let normalised = Value::Object(object).to_string();
    hooks::parse_settings::<Settings>(&normalised)?;
    Ok(normalised)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_normalised() {
        let normalised = configure(r#"{"base_url":" http://127.0.0.1:9101/ ","allowed_updates":[],"mode":"polling"}"#);
        assert_eq!(normalised, Ok(r#"{"base_url":"http://127.0.0.1:9101","mode":"polling"}"#.to_owned()));
    }

    #[test]
    fn an_unknown_mode_is_named() {
        assert!(matches!(configure(r#"{"mode":"pigeon"}"#), Err(Failure::Invalid(_))));
        assert!(matches!(configure("[]"), Err(Failure::Invalid(_))));
    }

    #[test]
    fn reactions_are_asked_for_because_telegram_leaves_them_out_by_itself() {
        assert!(Settings::default().allowed_updates.iter().any(|kind| kind == "message_reaction"));
    }

    #[test]
    fn the_schema_names_every_setting() {
        let schema: Value = serde_json::from_str(include_str!("../settings.schema.json")).unwrap();
        for name in ["bot_token", "mode", "allowed_updates", "broadcast_channel", "parse_mode", "drop_pending_updates", "max_connections"] {
            assert!(schema["properties"][name]["description"].is_string(), "{name}");
        }
    }
}
