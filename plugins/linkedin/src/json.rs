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
        self.get(name)?.as_f64().filter(|at| *at > 0.0 && *at < 2.5e14).map(f64::floor)
    }

    fn count(&self, name: &str) -> Option<u32> {
        self.get(name)?.as_u64().and_then(|count| u32::try_from(count).ok())
    }

    fn put(&mut self, name: &str, value: impl Into<Value>) {
        if let Value::Object(fields) = self {
            fields.insert(name.to_owned(), value.into());
        }
    }
}
