//! A request from a provider, as it came, and what became of it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::{account::Account, words};
use crate::clock::At;

/// How long a provider may go on delivering a webhook that it wasn't answered 2xx for: some do for 7 days.
pub const REDELIVERY: Duration = Duration::from_secs(8 * 24 * 3600);

words! {
    pub enum WebhookState {
        Processed = "processed",
        /// The account is inactive: it waits for the activation.
        Held = "held",
        /// The plugin failed on it, or none could run: it waits for a replay.
        Failed = "failed",
        /// It names no account that is there: the operator may replay it into one.
        Quarantined = "quarantined",
        /// For an account that was deleted: counted, not kept.
        Ignored = "ignored",
    }
}

/// One header, query or form field. Repeats are allowed and the order is kept.
pub type Fields = Vec<(String, String)>;

/// What was sent, without what proves the sender.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: Fields,
    pub headers: Fields,
    pub body: Vec<u8>,
}

/// A request to an account.
#[derive(Debug, Clone)]
pub struct Webhook {
    pub id: String,
    pub account_id: String,
    pub organization_id: String,
    pub received_at: At,
    /// The recipe that its sender was checked with; none where nothing was checked.
    pub verified_by: Option<String>,
    /// It holds what came for other accounts too.
    pub shared: bool,
    pub request: Request,
}

/// A request to the URL of an app, which serves many accounts.
#[derive(Debug, Clone)]
pub struct AppWebhook {
    pub id: String,
    pub app_id: String,
    /// Whose plugin reads it.
    pub channel_type: String,
    pub received_at: At,
    pub verified_by: Option<String>,
    pub request: Request,
}

impl AppWebhook {
    /// As it stands with one of the accounts that it came for.
    pub fn for_account(&self, id: String, account: &Account, shared: bool) -> Webhook {
        Webhook {
            id,
            account_id: account.id.clone(),
            organization_id: account.organization_id.clone(),
            received_at: self.received_at,
            verified_by: self.verified_by.clone(),
            shared,
            request: self.request.clone(),
        }
    }
}

/// A request to no account that is there.
#[derive(Debug, Clone)]
pub struct Stray {
    pub id: String,
    pub received_at: At,
    /// The account that it names, where it came to a known channel type; none where it came to an unknown address.
    pub named: Option<Named>,
    pub verified_by: Option<String>,
    pub reason: String,
    /// It holds what came for accounts too.
    pub shared: bool,
    pub request: Request,
}

/// An account by the provider's id.
#[derive(Debug, Clone)]
pub struct Named {
    pub channel_type: String,
    pub external_id: String,
}

/// What is told of a kept request, but for what it holds.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "WebhookDelivery")]
pub struct Delivery {
    pub id: String,
    /// None in quarantine, and where it is an app's.
    pub channel_account_id: Option<String>,
    /// The app that it came to, where it isn't an account's.
    pub app_id: Option<String>,
    pub organization_id: Option<String>,
    /// It holds what came for other accounts too: the operator alone sees what it says.
    pub shared: bool,
    /// The account that was named, in quarantine.
    #[serde(rename = "type")]
    pub channel_type: Option<String>,
    pub external_id: Option<String>,
    pub received_at: At,
    pub method: String,
    pub path: String,
    pub verified_by: Option<String>,
    pub state: WebhookState,
    pub reason: Option<String>,
    /// Facts that the plugin found in it.
    pub events: i64,
    /// Bytes of the body.
    pub size: i64,
    /// How often it was delivered while it waited.
    pub deliveries: i64,
    pub repeated_at: Option<At>,
    pub plugin_digest: Option<String>,
    pub plugin_version: Option<String>,
    pub processed_at: Option<At>,
}
