//! What of a message has been accepted, for the next attempt: the gateway doesn't tell it. A message that takes several requests
//! is kept here after each of them, so that an attempt goes on where the last one broke.

use serde::{Deserialize, Serialize};

use crate::field::Field;
use crate::messages::Accepted;
use crate::{kv, log};

/// Seconds: longer than the gateway tries.
const TTL_S: u32 = 24 * 60 * 60;

/// How far a message has come.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps that are done.
    pub steps: usize,
    /// Items of the step after those that are done: of an album that broke in the middle.
    #[serde(default)]
    pub items: usize,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Part {
    id: Option<String>,
    extras: Vec<(String, String)>,
}

impl Progress {
    /// As the last attempt left it; nothing at first.
    #[must_use]
    pub fn load(message: &str) -> Self {
        kv::get_json(&key(message)).unwrap_or_default()
    }

    /// A store that refuses costs the guard against sending twice, not the message.
    pub fn save(&self, message: &str) {
        if let Err(failure) = kv::set_json(&key(message), self, Some(TTL_S)) {
            log::warn("the progress of a message could not be kept", &[("failure", &failure.to_string())]);
        }
    }

    /// One more part that the provider took, with its id of it and what it told besides.
    pub fn accept(&mut self, id: Option<String>, extras: &[Field]) {
        let extras = extras.iter().map(|field| (field.name.clone(), field.value.clone())).collect();
        self.parts.push(Part { id, extras });
    }

    /// All parts that were taken, of every attempt.
    #[must_use]
    pub fn accepted(&self) -> Vec<Accepted> {
        let extras = |part: &Part| part.extras.iter().map(|(name, value)| Field::new(name, value)).collect();
        (0..).zip(&self.parts).map(|(number, part)| Accepted { part: number, external_id: part.id.clone(), extras: extras(part) }).collect()
    }
}

fn key(message: &str) -> String {
    format!("sent:{message}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Provider;

    #[test]
    fn the_next_attempt_goes_on_where_the_last_one_broke() {
        let _world = Provider::new();
        let mut progress = Progress::load("m");
        assert_eq!(progress, Progress::default());
        progress.steps += 1;
        progress.accept(Some("x".to_owned()), &[Field::new("ref", "y")]);
        progress.save("m");
        let next = Progress::load("m");
        assert_eq!(next, progress);
        let accepted = Accepted { part: 0, external_id: Some("x".to_owned()), extras: vec![Field::new("ref", "y")] };
        assert_eq!(next.accepted(), [accepted]);
        assert_eq!(Progress::load("other"), Progress::default());
    }
}
