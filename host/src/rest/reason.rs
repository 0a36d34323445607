//! Why somebody does a thing, in their words.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};

use crate::error::ApiError;

/// Characters of a reason.
const MAX: usize = 1000;

/// Trimmed, and no longer than it may be; empty where nothing was said.
#[derive(Debug, Default)]
pub(super) struct Reason(String);

impl Reason {
    /// What was said, else the usual word.
    pub(super) fn or(self, usual: &str) -> String {
        if self.0.is_empty() { usual.to_owned() } else { self.0 }
    }

    /// # Errors
    /// 422 where nothing was said.
    pub(super) fn needed(self) -> Result<String, ApiError> {
        if self.0.is_empty() {
            return Err(ApiError::invalid_field("/reason", "is required: whoever brought it reads it"));
        }
        Ok(self.0)
    }
}

impl JsonSchema for Reason {
    fn schema_name() -> Cow<'static, str> {
        "Reason".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "Why: whoever is concerned reads it.", "type": ["string", "null"], "maxLength": MAX})
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Reason, D::Error> {
        let said = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        let said = said.trim();
        if said.chars().count() > MAX {
            return Err(D::Error::custom(format!("has more than {MAX} characters")));
        }
        Ok(Reason(said.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reason(value: serde_json::Value) -> Result<Reason, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn what_was_said_counts_trimmed_and_bounded() {
        assert_eq!(reason(json!("  it is slow ")).unwrap().or("by hand"), "it is slow");
        assert_eq!(reason(json!(null)).unwrap().or("by hand"), "by hand");
        assert_eq!(reason(json!("x".repeat(MAX))).unwrap().needed().unwrap().len(), MAX);
        assert_eq!(reason(json!("é".repeat(MAX + 1))).unwrap_err(), "has more than 1000 characters");
        assert!(reason(json!("  ")).unwrap().needed().unwrap_err().body.message.contains("/reason"));
    }
}
