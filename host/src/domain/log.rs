//! An account's log: what happened to it, in plain words, for the people who look after it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{account::Account, words};
use crate::clock::At;

words! {
    /// What an entry is about.
    pub enum LogKind {
        Connection = "connection",
        Webhook = "webhook",
        Oauth = "oauth",
        Send = "send",
        Health = "health",
        Media = "media",
        /// What the plugin says itself.
        Plugin = "plugin",
    }
}

words! {
    pub enum LogLevel {
        Info = "info",
        Warn = "warn",
        Error = "error",
    }
}

impl LogLevel {
    pub fn rank(self) -> u8 {
        match self {
            LogLevel::Info => 0,
            LogLevel::Warn => 1,
            LogLevel::Error => 2,
        }
    }
}

/// What is to be logged. It never holds a credential, the text of a message, or a person's name or number.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Note {
    pub organization_id: String,
    #[serde(rename = "channel_account_id")]
    pub account_id: String,
    pub kind: LogKind,
    pub level: LogLevel,
    /// A word for programs.
    pub code: String,
    /// What happened, for people.
    pub message: String,
    pub details: Map<String, Value>,
    pub message_id: Option<String>,
    #[serde(rename = "webhook_delivery_id")]
    pub webhook_id: Option<String>,
    pub plugin_digest: Option<String>,
}

impl Note {
    pub fn new(account: &Account, kind: LogKind, level: LogLevel, code: impl Into<String>, message: impl Into<String>) -> Note {
        Note::of(account.organization_id.clone(), account.id.clone(), kind, level, code, message)
    }

    /// By the ids alone, where nobody has the account at hand.
    pub fn of(
        organization_id: String,
        account_id: String,
        kind: LogKind,
        level: LogLevel,
        code: impl Into<String>,
        message: impl Into<String>,
    ) -> Note {
        Note {
            organization_id,
            account_id,
            kind,
            level,
            code: code.into(),
            message: message.into(),
            details: Map::new(),
            message_id: None,
            webhook_id: None,
            plugin_digest: None,
        }
    }

    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Note {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn of_message(mut self, id: &str) -> Note {
        self.message_id = Some(id.to_owned());
        self
    }

    #[must_use]
    pub fn of_webhook(mut self, id: &str) -> Note {
        self.webhook_id = Some(id.to_owned());
        self
    }

    #[must_use]
    pub fn by_plugin(mut self, digest: &str) -> Note {
        self.plugin_digest = Some(digest.to_owned());
        self
    }
}

/// A note as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LogEntry {
    pub id: String,
    pub at: At,
    #[serde(flatten)]
    pub note: Note,
}
