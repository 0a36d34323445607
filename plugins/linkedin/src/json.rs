//! Reading JSON of which nothing is certain: a field that isn't there, or is of another type, is none.

use serde_json::Value;

pub(crate) trait Json {
    /// Text that isn't empty.
    fn text(&self, name: &str) -> Option<&str>;
    /// An identifier: text that isn't empty, or a whole number.
    fn id(&self, name: &str) -> Option<String>;
    fn object(&self, name: &str) -> Option<&Value>;
    fn list(&self, name: &str) -> &[Value];
    /// Milliseconds since 1970, up to the year 9999.
    fn time_ms(&self, name: &str) -> Option<f64>;
    /// A size, an offset: none where it is negative or beyond 32 bits.
    fn count(&self, name: &str) -> Option<u32>;
    /// Sets a field of an object.
    fn put(&mut self, name: &str, value: impl Into<Value>);
}

impl Json for Value {
    fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    fn id(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::Number(number) if !number.is_f64() => Some(number.to_string()),
            Value::String(text) if !text.is_empty() => Some(text.clone()),
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
        number(self.get(name)?).filter(|at| *at > 0.0 && *at < 2.5e14).map(f64::floor)
    }

    fn count(&self, name: &str) -> Option<u32> {
        let count = number(self.get(name)?).filter(|count| (0.0..=f64::from(u32::MAX)).contains(count) && count.fract() == 0.0)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be a whole number of 32 bits")]
        Some(count as u32)
    }

    fn put(&mut self, name: &str, value: impl Into<Value>) {
        if let Value::Object(fields) = self {
            fields.insert(name.to_owned(), value.into());
        }
    }
}

/// Also written as text.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_may_be_text() {
        let told = json!({"a": 1_764_000_000_000_i64, "b": "1764000000000", "c": "NaN", "d": -1, "e": 1.5, "f": "4294967296", "g": "7"});
        assert_eq!((told.time_ms("a"), told.time_ms("b")), (Some(1_764_000_000_000.0), Some(1_764_000_000_000.0)));
        assert_eq!((told.time_ms("c"), told.time_ms("d"), told.time_ms("x")), (None, None, None));
        assert_eq!(
            (told.count("g"), told.count("c"), told.count("d"), told.count("e"), told.count("f")),
            (Some(7), None, None, None, None)
        );
    }
}
