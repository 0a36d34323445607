//! A request from a provider, as it came.

use super::words;
use crate::clock::At;

words! {
    pub enum WebhookState {
        Processed = "processed",
        /// The account is inactive: it waits for the activation.
        Held = "held",
        /// The plugin failed on it, or none could run: it waits for a replay.
        Failed = "failed",
    }
}

/// One header, query or form field. Repeats are allowed and the order is kept.
pub type Fields = Vec<(String, String)>;

#[derive(Debug, Clone)]
pub struct Webhook {
    pub id: String,
    pub account_id: String,
    pub received_at: At,
    pub method: String,
    pub path: String,
    pub query: Fields,
    pub headers: Fields,
    pub body: Vec<u8>,
}
