//! Reading JSON of which nothing is certain: a field that isn't there, or is of another type, is none.

use serde_json::Value;

pub(crate) trait Json {
    /// Text that isn't empty.
    fn text(&self, name: &str) -> Option<&str>;
    /// A whole number, also written as text or with a fraction of nothing.
    fn whole(&self, name: &str) -> Option<i64>;
    /// Text that isn't empty, or a number with all its digits.
    fn id(&self, name: &str) -> Option<String>;
    fn list(&self, name: &str) -> &[Value];
}

impl Json for Value {
    fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    fn whole(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Number(number) => number.as_i64().or_else(|| crate::clock::whole(&number.to_string())),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    fn id(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            _ => None,
        }
    }

    fn list(&self, name: &str) -> &[Value] {
        self.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}
