//! Time as a value. Rooms ask the [`Clock`] once and hand [`At`] down; only this file reads the machine's.

use std::{borrow::Cow, fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A moment: microseconds since 1970 UTC. In JSON it is RFC 3339 text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At(i64);

impl At {
    pub const fn from_micros(micros: i64) -> At {
        At(micros)
    }

    /// From a plugin's milliseconds; what lies outside 1970 to 9999 is no time of a message.
    pub fn from_millis(millis: f64) -> Option<At> {
        const YEAR_10000_MS: f64 = 253_402_300_800_000.0;
        (0.0..YEAR_10000_MS).contains(&millis).then_some(At((millis * 1000.0) as i64))
    }

    pub const fn micros(self) -> i64 {
        self.0
    }

    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    #[must_use]
    pub fn plus(self, span: Duration) -> At {
        At(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    #[must_use]
    pub fn minus(self, span: Duration) -> At {
        At(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The span from `earlier` to this moment; none where this moment comes first.
    pub fn since(self, earlier: At) -> Option<Duration> {
        u64::try_from(self.0 - earlier.0).ok().map(Duration::from_micros)
    }
}

impl JsonSchema for At {
    fn schema_name() -> Cow<'static, str> {
        "At".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp:.6}"),
            Err(_) => write!(f, "{}µs", self.0),
        }
    }
}

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<At, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse::<jiff::Timestamp>()
            .map(|timestamp| At(timestamp.as_microsecond()))
            .map_err(|_| D::Error::custom(format!("“{text}” is not a time: write RFC 3339, like 2026-11-22T20:15:00Z")))
    }
}

/// Where the current time comes from.
pub trait Clock: Send + Sync {
    fn now(&self) -> At;
}

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> At {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        At(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rfc_3339_in_json_and_comes_back_the_same() {
        let at = At::from_micros(1_764_000_000_123_456);
        let json = serde_json::to_string(&at).unwrap();
        assert_eq!(json, "\"2025-11-24T16:00:00.123456Z\"");
        assert_eq!(serde_json::from_str::<At>(&json).unwrap(), at);
    }

    #[test]
    fn what_is_no_time_says_how_to_write_one() {
        let error = serde_json::from_str::<At>("\"tomorrow\"").unwrap_err().to_string();
        assert!(error.contains("RFC 3339"), "{error}");
    }

    #[test]
    fn a_plugin_cannot_send_a_time_out_of_range() {
        assert_eq!(At::from_millis(f64::NAN), None);
        assert_eq!(At::from_millis(-1.0), None);
        assert_eq!(At::from_millis(1e300), None);
        assert_eq!(At::from_millis(1500.5), Some(At::from_micros(1_500_500)));
    }
}
