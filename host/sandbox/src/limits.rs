//! What one call may use.

use std::time::Duration;

/// The bounds of one call. `default()` is what a plugin gets unasked; [`clamp`](CallLimits::clamp) keeps what a manifest
/// or an operator asks for below what one call may ever have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// All linear memories and tables of the call together, in bytes. Default 64 MiB, most 256 MiB.
    pub memory_bytes: usize,
    /// Time on a processor, in the guest and in what the host does for it; waiting is free. Default 250 ms, most 2 s.
    pub cpu: Duration,
    /// From asking for a place in the pool to the answer. Default 10 s, most 60 s.
    pub wall: Duration,
    /// Calls of the host's functions, all but logging. Default 200, most 10,000.
    pub host_calls: u32,
    /// HTTP requests, counted among the host calls too. Default 16, most 256.
    pub http_requests: u32,
    /// What one HTTP request may carry inline, in bytes: larger bodies go by blob. Default 2 MiB, most 16 MiB.
    pub request_bytes: usize,
    /// Log messages with their fields, in bytes. Default 64 KiB, most 1 MiB.
    pub log_bytes: usize,
    /// Events that one answer may hold. Default 500, most 10,000.
    pub events: usize,
    /// What the guest may hand over at once, in bytes: an answer with its events, or one host call's arguments.
    /// Default 4 MiB, most 32 MiB.
    pub event_bytes: usize,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

impl CallLimits {
    /// What a plugin gets unasked.
    pub const USUAL: CallLimits = CallLimits {
        memory_bytes: 64 * MIB,
        cpu: Duration::from_millis(250),
        wall: Duration::from_secs(10),
        host_calls: 200,
        http_requests: 16,
        request_bytes: 2 * MIB,
        log_bytes: 64 * KIB,
        events: 500,
        event_bytes: 4 * MIB,
    };

    /// The most that a call may ever have.
    pub const MOST: CallLimits = CallLimits {
        memory_bytes: 256 * MIB,
        cpu: Duration::from_secs(2),
        wall: Duration::from_secs(60),
        host_calls: 10_000,
        http_requests: 256,
        request_bytes: 16 * MIB,
        log_bytes: MIB,
        events: 10_000,
        event_bytes: 32 * MIB,
    };

    /// These limits, none of them above [`MOST`](CallLimits::MOST).
    #[must_use]
    pub fn clamp(self) -> CallLimits {
        let most = CallLimits::MOST;
        CallLimits {
            memory_bytes: self.memory_bytes.min(most.memory_bytes),
            cpu: self.cpu.min(most.cpu),
            wall: self.wall.min(most.wall),
            host_calls: self.host_calls.min(most.host_calls),
            http_requests: self.http_requests.min(most.http_requests),
            request_bytes: self.request_bytes.min(most.request_bytes),
            log_bytes: self.log_bytes.min(most.log_bytes),
            events: self.events.min(most.events),
            event_bytes: self.event_bytes.min(most.event_bytes),
        }
    }
}

impl Default for CallLimits {
    fn default() -> CallLimits {
        CallLimits::USUAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clamped_limit_never_passes_the_most() {
        let greedy = CallLimits { memory_bytes: usize::MAX, cpu: Duration::MAX, events: usize::MAX, ..CallLimits::default() };
        let clamped = greedy.clamp();
        assert_eq!(clamped.memory_bytes, CallLimits::MOST.memory_bytes);
        assert_eq!(clamped.cpu, CallLimits::MOST.cpu);
        assert_eq!(clamped.events, CallLimits::MOST.events);
        assert_eq!(clamped.host_calls, CallLimits::default().host_calls);
    }

    #[test]
    fn the_defaults_are_below_the_most() {
        assert_eq!(CallLimits::default().clamp(), CallLimits::default());
    }
}
