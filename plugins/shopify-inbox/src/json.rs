//! Reading JSON of which nothing is certain: a field that isn't there, or is of another type, is none.

use serde_json::Value;

pub(crate) trait Json {
    /// Text that isn't empty.
    fn text(&self, name: &str) -> Option<&str>;
    /// An identifier: a number, which may have more than 53 bits, or text; a `gid://shopify/Customer/7001` is its last part.
    fn id(&self, name: &str) -> Option<String>;
    /// Also written as text.
    fn number(&self, name: &str) -> Option<f64>;
    fn object(&self, name: &str) -> Option<&Value>;
    fn list(&self, name: &str) -> &[Value];
}

impl Json for Value {
    fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    fn id(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) => {
                let id = if text.starts_with("gid://") { text.rsplit('/').next().unwrap_or_default() } else { text };
                (!id.is_empty()).then(|| id.to_owned())
            }
            _ => None,
        }
    }

    fn number(&self, name: &str) -> Option<f64> {
        let value = self.get(name)?;
        value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|number| number.is_finite())
    }

    fn object(&self, name: &str) -> Option<&Value> {
        self.get(name).filter(|value| value.is_object())
    }

    fn list(&self, name: &str) -> &[Value] {
        self.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}
