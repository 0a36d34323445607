//! What the operator sets. The gateway has checked it against `settings.schema.json`.

use patchbay_plugin::{Call, Failure, hooks};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) page_id: Option<String>,
    pub(crate) graph_version: String,
    pub(crate) human_agent_enabled: bool,
    pub(crate) subscribed_fields: Vec<String>,
}

/// All that Messenger tells of conversations.
const FIELDS: [&str; 11] = [
    "messages",
    "messaging_postbacks",
    "message_deliveries",
    "message_reads",
    "message_echoes",
    "message_reactions",
    "message_edits",
    "messaging_referrals",
    "messaging_optins",
    "messaging_handovers",
    "standby",
];

impl Default for Settings {
    fn default() -> Self {
        Self {
            page_id: None,
            graph_version: "v26.0".into(),
            human_agent_enabled: false,
            subscribed_fields: FIELDS.map(str::to_owned).to_vec(),
        }
    }
}

impl Settings {
    /// The Page: the account's, once it is connected; else the one that the settings name.
    pub(crate) fn page<'a>(&'a self, call: &'a Call) -> Option<&'a str> {
        call.account.external_id.as_deref().or(self.page_id.as_deref()).filter(|id| !id.is_empty())
    }

    pub(crate) fn fields(&self) -> Vec<&str> {
        self.subscribed_fields.iter().map(String::as_str).collect()
    }
}

/// Normalises: addresses without a slash at the end, text without spaces around it, what is empty left out.
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
