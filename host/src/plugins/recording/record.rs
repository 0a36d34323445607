//! The record of a call, as it is stored, shown and carried to an author's machine.

use std::time::Duration;

use patchbay_sandbox::{CallLimits, services::LogLevel};
use serde::{Deserialize, Serialize};

use super::{exchange::Exchange, input::Input, outcome::Outcome};
use crate::clock::At;

/// What a record looks like: another number is another shape.
pub const FORMAT: u32 = 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    pub format: u32,
    pub id: String,
    pub at: At,
    #[serde(rename = "type")]
    pub channel_type: String,
    /// The manifest's.
    pub version: String,
    /// Of the component.
    pub digest: String,
    /// None of what came to an app's URL, and of `configure`.
    #[serde(rename = "channel_account_id")]
    pub account_id: Option<String>,
    pub organization_id: Option<String>,
    pub hook: String,
    pub took_ms: u64,
    pub limits: Limits,
    /// None where it is withheld.
    pub input: Option<Input>,
    /// Why the input isn't there, or not all of the exchanges.
    pub withheld: Option<String>,
    pub exchanges: Vec<Exchange>,
    /// Exchanges that had no room.
    pub left_out: u32,
    pub log: Vec<Line>,
    pub outcome: Outcome,
    /// Calls that the instance had answered before: what these left in its memory isn't here.
    pub instance_calls: u32,
    /// Names of the secrets that stood in it, and are `*` now.
    pub blanked: Vec<String>,
}

/// What the plugin logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub level: LogLevel,
    pub message: String,
    pub fields: Vec<(String, String)>,
}

/// What the call could use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub memory_bytes: usize,
    pub cpu_ms: u64,
    pub wall_ms: u64,
    pub host_calls: u32,
    pub http_requests: u32,
    pub request_bytes: usize,
    pub log_bytes: usize,
    pub events: usize,
    pub event_bytes: usize,
}

impl From<CallLimits> for Limits {
    fn from(limits: CallLimits) -> Limits {
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Limits {
            memory_bytes: limits.memory_bytes,
            cpu_ms: millis(limits.cpu),
            wall_ms: millis(limits.wall),
            host_calls: limits.host_calls,
            http_requests: limits.http_requests,
            request_bytes: limits.request_bytes,
            log_bytes: limits.log_bytes,
            events: limits.events,
            event_bytes: limits.event_bytes,
        }
    }
}

impl Limits {
    pub fn given(self) -> CallLimits {
        let limits = CallLimits {
            memory_bytes: self.memory_bytes,
            cpu: Duration::from_millis(self.cpu_ms),
            wall: Duration::from_millis(self.wall_ms),
            host_calls: self.host_calls,
            http_requests: self.http_requests,
            request_bytes: self.request_bytes,
            log_bytes: self.log_bytes,
            events: self.events,
            event_bytes: self.event_bytes,
        };
        limits.clamp()
    }
}
