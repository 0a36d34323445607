//! What the operator sets. The gateway has checked it against `settings.schema.json`.

use patchbay_meta::login;
use patchbay_plugin::{Call, Failure, hooks};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Where the token of Instagram's own login is used.
pub(crate) const INSTAGRAM: &str = "instagram";

/// By which door the account comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LoginType {
    /// Facebook Login: the account hangs on a Page, whose token is used.
    #[default]
    Facebook,
    /// Instagram Login: no Page, and a token of 60 days.
    Instagram,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) login_type: LoginType,
    pub(crate) ig_account_id: Option<String>,
    pub(crate) page_id: Option<String>,
    pub(crate) graph_version: String,
    pub(crate) human_agent_enabled: bool,
    pub(crate) subscribed_fields: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            login_type: LoginType::default(),
            ig_account_id: None,
            page_id: None,
            graph_version: "v26.0".into(),
            human_agent_enabled: false,
            subscribed_fields: Vec::new(),
        }
    }
}

/// A Page's names of fields have neither reads nor edits: those are ticked in the app, for the object `instagram`.
const PAGE_FIELDS: [&str; 4] = ["messages", "messaging_postbacks", "message_reactions", "messaging_referrals"];
const ACCOUNT_FIELDS: [&str; 7] =
    ["messages", "messaging_postbacks", "messaging_seen", "message_reactions", "message_edit", "messaging_referral", "standby"];

impl Settings {
    pub(crate) fn target(&self) -> &'static str {
        match self.login_type {
            LoginType::Facebook => login::PAGE,
            LoginType::Instagram => INSTAGRAM,
        }
    }

    /// The account: the connected one, else the one that the settings name.
    pub(crate) fn account<'a>(&'a self, call: &'a Call) -> Option<&'a str> {
        call.account.external_id.as_deref().or(self.ig_account_id.as_deref()).filter(|id| !id.is_empty())
    }

    /// Who sends and is subscribed: the Page, or the account itself.
    pub(crate) fn node<'a>(&'a self, call: &'a Call) -> Option<&'a str> {
        match self.login_type {
            LoginType::Facebook => self.page_id.as_deref(),
            LoginType::Instagram => self.account(call),
        }
    }

    pub(crate) fn fields(&self) -> Vec<&str> {
        match (self.subscribed_fields.as_slice(), self.login_type) {
            ([], LoginType::Facebook) => PAGE_FIELDS.to_vec(),
            ([], LoginType::Instagram) => ACCOUNT_FIELDS.to_vec(),
            (fields, _) => fields.iter().map(String::as_str).collect(),
        }
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
