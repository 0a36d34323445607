//! Reading JSON of which nothing is certain: a field that isn't there, or is of another type, is none.

use serde_json::Value;

pub(crate) trait Json {
    fn text(&self, name: &str) -> Option<&str>;
    /// A whole number.
    fn whole(&self, name: &str) -> Option<i64>;
    fn flag(&self, name: &str) -> bool;
    /// An identifier, which is a number of more than 32 bits or, at other implementations, text.
    fn id(&self, name: &str) -> Option<String>;
    fn object(&self, name: &str) -> Option<&Value>;
    fn list(&self, name: &str) -> &[Value];
    /// A size, a width: none where it is negative or beyond 32 bits.
    fn count(&self, name: &str) -> Option<u32>;
}

impl Json for Value {
    fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    fn whole(&self, name: &str) -> Option<i64> {
        self.get(name)?.as_i64()
    }

    fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    fn id(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::Number(number) => Some(number.to_string()),
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

    fn count(&self, name: &str) -> Option<u32> {
        self.get(name)?.as_u64().and_then(|count| u32::try_from(count).ok())
    }
}
