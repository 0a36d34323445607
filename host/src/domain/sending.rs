//! How sending goes for an account.

use schemars::JsonSchema;
use serde::Serialize;

use super::words;
use crate::clock::At;

words! {
    pub enum SendingState {
        /// Messages go as they come.
        Flowing = "flowing",
        /// The provider asked to wait.
        Paused = "paused",
        /// The provider fails one time after another: messages wait.
        Broken = "broken",
        /// One message goes to see whether the provider is back.
        Probing = "probing",
        /// Messages wait until the account is active and connected.
        Parked = "parked",
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Sending {
    pub state: SendingState,
    /// When it goes on by itself.
    pub until: Option<At>,
    pub reason: Option<String>,
}

impl Sending {
    pub const FLOWING: Sending = Sending { state: SendingState::Flowing, until: None, reason: None };
}
