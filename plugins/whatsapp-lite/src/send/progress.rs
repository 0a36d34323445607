//! What of a message of several parts has been accepted, for the next attempt: the gateway doesn't tell it.

use patchbay_appgain::Delivered;
use patchbay_plugin::messages::Accepted;
use patchbay_plugin::{Field, kv, log};
use serde::{Deserialize, Serialize};

/// Seconds: longer than the gateway tries.
const TTL_S: u32 = 24 * 60 * 60;

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Of each part its id, if one is known, and our reference.
    parts: Vec<(Option<String>, String)>,
}

impl Progress {
    pub(super) fn load(message: &str) -> Self {
        kv::get_json(&key(message)).unwrap_or_default()
    }

    /// A store that refuses costs the guard against sending twice, not the message.
    pub(super) fn save(&self, message: &str) {
        if let Err(failure) = kv::set_json(&key(message), self, Some(TTL_S)) {
            log::warn("the progress of a message could not be kept", &[("failure", &failure.to_string())]);
        }
    }

    pub(super) fn count(&self) -> usize {
        self.parts.len()
    }

    pub(super) fn accept(&mut self, id: Option<String>, client_ref: String) {
        self.parts.push((id, client_ref));
    }

    pub(super) fn accepted(self, extras: &[Field]) -> Vec<Accepted> {
        let parts = (0..).zip(self.parts);
        parts
            .map(|(part, (id, client_ref))| {
                let mut accepted = Delivered { id, client_ref }.accepted(part);
                accepted.extras.extend_from_slice(extras);
                accepted
            })
            .collect()
    }
}

fn key(message: &str) -> String {
    format!("sent:{message}")
}
