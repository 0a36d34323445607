//! What an account can set. The schema has been checked by the gateway; here is what a schema can't say.

use patchbay_plugin::{Failure, hooks};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Settings {
    /// A line below each text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_url: Option<String>,
}

pub(crate) fn configure(settings: &str) -> Result<String, Failure> {
    let mut settings: Settings = hooks::parse_settings(settings)?;
    if let Some(signature) = &mut settings.signature {
        *signature = signature.trim().to_owned();
        if signature.is_empty() {
            return Err(Failure::invalid("/signature", "is blank: write something, or leave it out"));
        }
    }
    serde_json::to_string(&settings).map_err(|error| Failure::fault("settings", error.to_string()))
}
