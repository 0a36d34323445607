//! How long a limit lasts: what a header says, else what its kind takes, growing while it goes on.

use patchbay_plugin::{kv, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Class, Refusal};
use crate::json::Json as _;

const SECOND: f64 = 1000.0;
const MINUTE: f64 = 60.0 * SECOND;
const HOUR: f64 = 60.0 * MINUTE;

/// A limit's first wait, by what it is multiplied each time, and the longest, in milliseconds.
struct Waits {
    first: f64,
    times: f64,
    most: f64,
}

fn waits(refusal: &Refusal) -> Waits {
    let (first, times, most) = match (refusal.code, refusal.subcode) {
        (130_429, _) => (2.0 * SECOND, 2.0, MINUTE),
        (131_056, _) => (4.0 * SECOND, 4.0, HOUR),
        (131_048 | 131_064, _) => (HOUR, 2.0, 12.0 * HOUR),
        (133_016, _) => (24.0 * HOUR, 1.0, 24.0 * HOUR),
        (10, 1_893_063) => (30.0 * MINUTE, 2.0, 4.0 * HOUR),
        _ => (30.0 * SECOND, 2.0, 15.0 * MINUTE),
    };
    Waits { first, times, most }
}

/// The wait of a limit that has just begun; none for what is no limit.
pub(super) fn first_ms(refusal: &Refusal) -> Option<f64> {
    matches!(refusal.class(), Class::Limited | Class::ConversationLimited).then(|| waits(refusal).first)
}

/// `{"<business or account id>": [{"estimated_time_to_regain_access": minutes, …}]}`: the longest.
pub(super) fn business_usage_ms(header: &str) -> Option<f64> {
    let usage: Value = serde_json::from_str(header).ok()?;
    let lists = usage.as_object()?.values().filter_map(Value::as_array).flatten();
    let minutes = lists.filter_map(|entry| entry.whole("estimated_time_to_regain_access")).max()?;
    #[expect(clippy::cast_precision_loss, reason = "minutes of a limit")]
    (minutes > 0).then_some(minutes as f64 * MINUTE)
}

#[derive(Debug, Serialize, Deserialize)]
struct Streak {
    /// The last wait, in milliseconds.
    wait: f64,
}

/// Longer than the last time, where that wasn't long ago.
pub(super) fn grown_ms(refusal: &Refusal, recipient: &str) -> Option<f64> {
    let waits = waits(refusal);
    let key = match refusal.class() {
        Class::ConversationLimited => format!("limit:{}:{recipient}", refusal.code),
        _ => format!("limit:{}", refusal.code),
    };
    let wait = match kv::get_json::<Streak>(&key) {
        Some(last) if last.wait.is_finite() => (last.wait * waits.times).clamp(waits.first, waits.most),
        _ => waits.first,
    };
    // It is forgotten once a wait as long again has passed without the limit.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most two days")]
    let ttl_s = (wait / SECOND * 2.0) as u32 + 30;
    if let Err(failure) = kv::set_json(&key, &Streak { wait }, Some(ttl_s)) {
        log::warn("the wait of a limit could not be kept", &[("failure", &failure.to_string())]);
    }
    Some(wait)
}
