//! What of a message has been accepted, for the next attempt: the gateway doesn't tell it.

use patchbay_plugin::messages::Accepted;
use patchbay_plugin::{Field, kv, log};
use serde::{Deserialize, Serialize};

/// Seconds: longer than the gateway tries.
const TTL_S: u32 = 24 * 60 * 60;

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Part {
    id: Option<String>,
    extras: Vec<(String, String)>,
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

    /// Parts that are done.
    pub(super) fn steps(&self) -> usize {
        self.parts.len()
    }

    pub(super) fn accept(&mut self, id: Option<String>, extras: &[Field]) {
        let extras = extras.iter().map(|field| (field.name.clone(), field.value.clone())).collect();
        self.parts.push(Part { id, extras });
    }

    pub(super) fn accepted(&self) -> Vec<Accepted> {
        let extras = |part: &Part| part.extras.iter().map(|(name, value)| Field::new(name, value)).collect();
        (0..).zip(&self.parts).map(|(number, part)| Accepted { part: number, external_id: part.id.clone(), extras: extras(part) }).collect()
    }
}

fn key(message: &str) -> String {
    format!("sent:{message}")
}
