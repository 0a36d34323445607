//! What the access token is good for.

use patchbay_plugin::http::Request;
use patchbay_plugin::{Call, Failure, Field};
use serde_json::{Value, json};

use crate::api::{self, Trouble};
use crate::json::Json as _;
use crate::settings::app_id;

/// Without these nothing works; a person may untick any of them.
pub(crate) const NEEDED: [&str; 3] = ["message.list.read", "message.list.send", "message.list.manage"];

#[derive(Debug)]
pub(crate) struct Token {
    /// The Business Account's `open_id`.
    pub(crate) business_id: Option<String>,
    /// None where TikTok doesn't tell.
    pub(crate) scopes: Option<Vec<String>>,
}

impl Token {
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let Some(scopes) = &self.scopes else { return Vec::new() };
        NEEDED.into_iter().filter(|needed| !scopes.iter().any(|scope| scope == needed)).collect()
    }

    pub(crate) fn facts(&self) -> Option<Field> {
        self.scopes.as_ref().map(|scopes| Field::new("permissions", scopes.join(",")))
    }
}

/// Asks TikTok. The gateway adds the token itself.
pub(crate) fn read(call: &Call) -> Result<Token, Failure> {
    let ask = Request::post("token", "/tt_user/token_info/get/").json(&json!({"app_id": app_id(call)?}))?.repeatable();
    let told = api::ask(ask).map_err(dead)?;
    let scopes = match told.get("scope") {
        Some(Value::Array(scopes)) => Some(scopes.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        Some(Value::String(scopes)) => {
            Some(scopes.split([',', ' ']).map(str::trim).filter(|scope| !scope.is_empty()).map(str::to_owned).collect())
        }
        _ => None,
    };
    Ok(Token { business_id: told.id("creator_id").or_else(|| told.id("open_id")), scopes })
}

/// A token that TikTok can't look into is no token.
fn dead(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Refused(refusal) if refusal.code == 40_002 && refusal.message.to_ascii_lowercase().contains("token") => {
            Failure::Unauthorized(refusal.detail())
        }
        trouble => trouble.into(),
    }
}
