//! Reading JSON of which nothing is certain: a field that isn't there, or is of another type, is none. Ids and numbers come now as
//! numbers and now as text.

use serde_json::Value;

use crate::clock;

/// What lies above it counts milliseconds (1973), below it seconds (5138).
const SECONDS_MAX: f64 = 1e11;

/// A JSON object, asked by the names of its fields.
pub trait Json {
    /// Text as it stands; none where it is empty.
    fn text(&self, name: &str) -> Option<&str>;
    /// A whole number, also written as text.
    fn whole(&self, name: &str) -> Option<i64>;
    /// True, also written as text or 1.
    fn flag(&self, name: &str) -> bool;
    /// An identifier: text that isn't empty, or a number with all its digits.
    fn id(&self, name: &str) -> Option<String>;
    /// An object.
    fn object(&self, name: &str) -> Option<&Value>;
    /// A list; empty where there is none.
    fn list(&self, name: &str) -> &[Value];
    /// A time in milliseconds since 1970: seconds or milliseconds, a number or text, or ISO 8601.
    fn time_ms(&self, name: &str) -> Option<f64>;
}

impl Json for Value {
    fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    fn whole(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    fn flag(&self, name: &str) -> bool {
        match self.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true") || text == "1",
            Some(Value::Number(number)) => number.as_i64() == Some(1),
            _ => false,
        }
    }

    fn id(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
            Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
            _ => None,
        }
    }

    fn object(&self, name: &str) -> Option<&Value> {
        self.get(name).filter(|value| value.is_object())
    }

    fn list(&self, name: &str) -> &[Value] {
        self.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn time_ms(&self, name: &str) -> Option<f64> {
        let told = match self.get(name)? {
            Value::Number(number) => number.as_f64()?,
            Value::String(text) => match text.trim().parse() {
                Ok(told) => told,
                Err(_) => return clock::iso_ms(text),
            },
            _ => return None,
        };
        // Beyond the year 10000 it is no time, and stores can't keep it.
        let at = if told > SECONDS_MAX { told } else { told * 1000.0 };
        (told > 0.0 && at < 2.5e14).then(|| at.floor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_id_keeps_every_digit_however_it_is_written() {
        let told = json!({"a": 17_841_400_000_000_001_u64, "b": "17841400000000001", "c": "", "d": 1.5, "e": null});
        assert_eq!(told.id("a"), told.id("b"));
        assert_eq!(["c", "d", "e", "f"].map(|name| told.id(name)), [None, None, None, None]);
    }

    #[test]
    fn seconds_and_milliseconds_are_one_time() {
        let told = json!({"s": 1_764_000_000, "t": "1764000000", "m": 1_764_000_000_000_i64, "i": "2025-11-24T16:00:00Z", "odd": -1, "far": 1e300, "no": "soon"});
        for name in ["s", "t", "m", "i"] {
            assert_eq!(told.time_ms(name), Some(1_764_000_000_000.0), "{name}");
        }
        assert_eq!(["odd", "far", "no"].map(|name| told.time_ms(name)), [None, None, None]);
    }
}
