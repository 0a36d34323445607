//! A request from a provider, as it came, and what became of it.

use std::time::Duration;

use serde::Serialize;

use super::words;
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
    pub request: Request,
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
    pub request: Request,
}

/// An account by the provider's id.
#[derive(Debug, Clone)]
pub struct Named {
    pub channel_type: String,
    pub external_id: String,
}

/// What is told of a kept request, but for what it holds.
#[derive(Debug, Clone, Serialize)]
pub struct Delivery {
    pub id: String,
    /// None in quarantine.
    pub channel_account_id: Option<String>,
    pub organization_id: Option<String>,
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
