//! Adding a field to a JSON object that may lack it.

use serde_json::Value;

pub(super) trait Put {
    /// Sets a field of an object; what is no object stays as it is.
    fn put(&mut self, name: &str, value: impl Into<Value>);
}

impl Put for Value {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        if let Value::Object(fields) = self {
            fields.insert(name.to_owned(), value.into());
        }
    }
}
