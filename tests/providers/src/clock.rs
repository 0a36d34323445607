//! The stand-ins' clock: the real one, because the programs they talk to are real.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970 UTC.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Seconds since 1970 UTC, as most providers write times.
pub(crate) fn now_s() -> u64 {
    now_ms() / 1000
}
