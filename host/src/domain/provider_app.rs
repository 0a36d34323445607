//! An app: the operator's registration at a provider, shared by many accounts. In code it is a provider's app, because the
//! gateway itself is an app too.

use serde_json::{Map, Value};

use crate::clock::At;

#[derive(Debug, Clone)]
pub struct ProviderApp {
    pub id: String,
    pub name: String,
    /// The channel types that it serves.
    pub types: Vec<String>,
    /// What the provider calls it.
    pub client_id: String,
    /// What plugins and recipes may read of it; secrets are never in it.
    pub settings: Map<String, Value>,
    /// Its own data key, wrapped by the master key.
    pub data_key: Vec<u8>,
    pub created_at: At,
    pub updated_at: At,
}

impl ProviderApp {
    pub fn serves(&self, channel_type: &str) -> bool {
        self.types.iter().any(|own| own == channel_type)
    }

    /// The value of `{app:NAME}`: the client's id, or a setting as text.
    pub fn value(&self, name: &str) -> Option<String> {
        if name == "client_id" { Some(self.client_id.clone()) } else { self.settings.get(name).and_then(as_text) }
    }

    /// Everything that a plugin may read of it, by name.
    pub fn values(&self) -> impl Iterator<Item = (&str, String)> {
        let settings = self.settings.iter().filter_map(|(name, value)| Some((name.as_str(), as_text(value)?)));
        std::iter::once(("client_id", self.client_id.clone())).chain(settings)
    }
}

/// Text of a plain value; none of a null, a list or an object.
pub fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
