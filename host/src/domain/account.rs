//! A channel account: one bot, number, page or mailbox of one organisation.

use std::fmt;

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

/// What becomes of an account whose provider tells how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Stands(Standing),
    /// The plugin is asked: it alone knows whether the dialogue has come to its end, and whose account it is.
    Asks,
    /// It says nothing of the account as it is.
    Nothing,
}

impl Account {
    /// What the provider's word means for the account as it stands.
    pub fn told(&self, told: Standing) -> Told {
        match (self.standing.connection, told.connection) {
            // The dialogue is under way, and the word may be of an earlier one.
            (Connection::Pairing | Connection::Connecting, _) => Told::Asks,
            // An account that nobody has connected, or that was taken out of service, isn't brought into it by a word.
            (Connection::Unconfigured | Connection::Authorizing | Connection::LoggedOut, _) => Told::Nothing,
            (_, Connection::Connected | Connection::Degraded) if self.external_id.is_none() => Told::Nothing,
            // It doesn't mend what stopped the dialogue.
            (Connection::Error | Connection::NeedsReauth, Connection::Connecting | Connection::Pairing) => Told::Nothing,
            // A new code is of no use where nobody waits for one.
            (_, Connection::Pairing) => Told::Stands(Standing { connection: Connection::LoggedOut, ..told }),
            // These begin with somebody here.
            (_, Connection::Unconfigured | Connection::Authorizing) => Told::Nothing,
            _ => Told::Stands(told),
        }
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
    pub webhook_token: Option<WebhookToken>,
}

/// Whoever knows it may send in the provider's name: it isn't shown.
#[derive(Clone)]
pub struct WebhookToken(pub String);

impl fmt::Debug for WebhookToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// What the last look at the account found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HealthRecord {
    pub at: At,
    pub ok: bool,
    pub checks: Vec<HealthCheck>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthCheck {
    pub name: String,
    pub ok: bool,
    pub code: Option<String>,
    pub message: Option<String>,
}

/// What may be told of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SecretHint {
    pub set: bool,
    pub last4: String,
}

#[cfg(test)]
impl Account {
    /// One that is connected, of the organisation `org` and the type `TEST`, with nothing else to tell.
    pub(crate) fn for_tests(id: &str, data_key: Vec<u8>, at: At) -> Account {
        Account {
            id: id.to_owned(),
            organization_id: "org".to_owned(),
            channel_type: "TEST".to_owned(),
            name: "Desk".to_owned(),
            settings: Map::new(),
            app_id: None,
            is_active: true,
            standing: Standing::plain(Connection::Connected),
            external_id: None,
            display_name: None,
            facts: Value::Object(Map::new()),
            connect_state: None,
            connect_prompt: None,
            data_key,
            health: None,
            health_at: None,
            webhook_refusals: 0,
            last_refused_at: None,
            poll_cursor: None,
            created_at: at,
            updated_at: at,
            connected_at: None,
            oauth_expires_at: None,
            oauth_refresh_expires_at: None,
            oauth_renewed_at: None,
            webhook_token: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(connection: Connection, external_id: Option<&str>) -> Account {
        Account {
            standing: Standing::plain(connection),
            external_id: external_id.map(str::to_owned),
            ..Account::for_tests("a", Vec::new(), At::from_micros(0))
        }
    }

    fn told(stood: Connection, told: Connection) -> Told {
        account(stood, Some("x")).told(Standing::plain(told))
    }

    #[test]
    fn the_token_of_its_webhook_url_is_not_shown() {
        let account = Account { webhook_token: Some(WebhookToken("hunter2-hunter2".into())), ..account(Connection::Connected, None) };
        assert!(!format!("{account:?}").contains("hunter2"));
    }

    #[test]
    fn only_the_plugin_ends_a_dialogue() {
        for word in [Connection::Connected, Connection::Pairing, Connection::LoggedOut, Connection::Error] {
            assert_eq!(told(Connection::Pairing, word), Told::Asks);
        }
        assert_eq!(told(Connection::Connecting, Connection::Connected), Told::Asks);
        assert_eq!(told(Connection::Connecting, Connection::LoggedOut), Told::Asks, "of a session that was before");
        assert_eq!(told(Connection::Error, Connection::Connecting), Told::Nothing, "what stopped it is still to be read");
    }

    #[test]
    fn a_word_brings_no_account_into_service() {
        for stood in [Connection::LoggedOut, Connection::Unconfigured, Connection::Authorizing] {
            assert_eq!(told(stood, Connection::Connected), Told::Nothing);
        }
        assert_eq!(account(Connection::Error, None).told(Standing::plain(Connection::Connected)), Told::Nothing);
        assert_eq!(told(Connection::Error, Connection::Connected), Told::Stands(Standing::plain(Connection::Connected)));
        assert_eq!(told(Connection::NeedsReauth, Connection::Connected), Told::Stands(Standing::plain(Connection::Connected)));
    }

    #[test]
    fn a_session_that_ended_needs_somebody() {
        let logged_out = Told::Stands(Standing::plain(Connection::LoggedOut));
        assert_eq!(told(Connection::Connected, Connection::LoggedOut), logged_out);
        assert_eq!(told(Connection::Connected, Connection::Pairing), logged_out, "nobody waits for its code");
        assert_eq!(told(Connection::Degraded, Connection::Connecting), Told::Stands(Standing::plain(Connection::Connecting)));
        assert_eq!(told(Connection::Connected, Connection::Authorizing), Told::Nothing);
    }
}
