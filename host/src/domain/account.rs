//! A channel account: one bot, number, page or mailbox of one organisation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{failure::FailureClass, words};
use crate::clock::At;

words! {
    /// How the account stands towards its provider, as observed; what the operator wants is `is_active`.
    pub enum Connection {
        Unconfigured = "unconfigured",
        Pairing = "pairing",
        Authorizing = "authorizing",
        Connecting = "connecting",
        Connected = "connected",
        /// Works, with a reason to look at it.
        Degraded = "degraded",
        NeedsReauth = "needs_reauth",
        LoggedOut = "logged_out",
        Error = "error",
    }
}

impl Connection {
    /// Whether messages can go out.
    pub fn is_connected(self) -> bool {
        matches!(self, Connection::Connected | Connection::Degraded)
    }
}

/// The state of the connection and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    pub connection: Connection,
    pub reason_code: Option<String>,
    pub reason: Option<String>,
    pub user_action: Option<String>,
}

impl Standing {
    pub fn plain(connection: Connection) -> Standing {
        Standing { connection, reason_code: None, reason: None, user_action: None }
    }

    pub fn because(connection: Connection, code: impl Into<String>, reason: impl Into<String>, user_action: impl Into<String>) -> Standing {
        Standing { connection, reason_code: Some(code.into()), reason: Some(reason.into()), user_action: Some(user_action.into()) }
    }
}

#[derive(Debug, Clone)]
pub struct Account {
    pub id: String,
    pub organization_id: String,
    pub channel_type: String,
    pub name: String,
    /// As the plugin's `configure` returned them; secrets are never in it.
    pub settings: Map<String, Value>,
    /// The operator's app at the provider that it goes through.
    pub app_id: Option<String>,
    pub is_active: bool,
    pub standing: Standing,
    pub external_id: Option<String>,
    pub display_name: Option<String>,
    pub facts: Value,
    pub connect_state: Option<Vec<u8>>,
    pub connect_prompt: Option<Value>,
    /// The account's data key, wrapped by the master key.
    pub data_key: Vec<u8>,
    pub health: Option<HealthReport>,
    pub health_at: Option<At>,
    pub webhook_refusals: i64,
    pub last_refused_at: Option<At>,
    pub poll_cursor: Option<Vec<u8>>,
    pub created_at: At,
    pub updated_at: At,
    pub connected_at: Option<At>,
    /// When the access token from OAuth expires, as the provider told it.
    pub oauth_expires_at: Option<At>,
    /// When the refresh token does.
    pub oauth_refresh_expires_at: Option<At>,
    /// When the access token was last given or renewed.
    pub oauth_renewed_at: Option<At>,
    /// The end of its webhook URL where its type asks for one.
    pub webhook_token: Option<String>,
}

/// What the last look at the account found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReport {
    pub ok: bool,
    pub checks: Vec<HealthCheck>,
    /// Why the checks could not be made at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureClass>,
}

impl HealthReport {
    /// Whether the provider could not be asked: that says nothing of the account yet.
    pub fn is_unreached(&self) -> bool {
        matches!(self.failure, Some(FailureClass::Unavailable | FailureClass::Limited | FailureClass::Uncertain))
    }
}

/// What a look at the account found, as its history keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthRecord {
    pub at: At,
    pub ok: bool,
    pub checks: Vec<HealthCheck>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    pub name: String,
    pub ok: bool,
    pub code: Option<String>,
    pub message: Option<String>,
}

/// What may be told of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecretHint {
    pub set: bool,
    pub last4: String,
}
