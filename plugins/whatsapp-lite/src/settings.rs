//! What the operator sets. The gateway has checked it against `settings.schema.json`.

use patchbay_appgain::{Notify, phone};
use patchbay_plugin::failure::FieldProblem;
use patchbay_plugin::{Failure, hooks};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::templates::{self, Stored};

/// The manifest's target.
pub(crate) const API: &str = "api";
/// Where the target goes unless the settings say otherwise.
const BASE: &str = "https://notify.appgain.io";

/// How the phone is linked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pairing {
    /// The gateway shows the code.
    #[default]
    Qr,
    /// Somebody has linked it at Appgain.
    Credentials,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Settings {
    pub(crate) suit_id: Option<String>,
    pub(crate) sender_id: String,
    pub(crate) phone_number: String,
    #[serde(default)]
    pub(crate) pairing: Pairing,
    #[serde(default = "daily_limit")]
    pub(crate) daily_limit: u32,
    #[serde(default)]
    pub(crate) templates: Vec<Stored>,
    pub(crate) base_url: Option<String>,
}

fn daily_limit() -> u32 {
    300
}

impl Settings {
    /// The project's API.
    pub(crate) fn notify(&self) -> Result<Notify<'_>, Failure> {
        let suit_id = self.suit_id.as_deref().ok_or_else(|| {
            Failure::invalid("/suit_id", "isn't set: Appgain's dashboard shows the project's id under Settings, next to the API key")
        })?;
        Ok(Notify { target: API, suit_id })
    }

    /// The number's digits.
    pub(crate) fn number(&self) -> Result<String, Failure> {
        phone::international(&self.phone_number).ok_or_else(|| Failure::invalid("/phone_number", WRONG_NUMBER))
    }

    pub(crate) fn base(&self) -> &str {
        self.base_url.as_deref().unwrap_or(BASE)
    }
}

const WRONG_NUMBER: &str = "is no international number: write it with its country code, +201220000000, 8 to 15 digits";

/// Normalises: base URLs without a slash at the end, names without spaces around them, the number as `+` and digits.
pub(crate) fn configure(settings: &str) -> Result<String, Failure> {
    let mut object: Map<String, Value> = hooks::parse_settings(settings)?;
    for (name, value) in &mut object {
        if let Value::String(text) = value {
            let trimmed = text.trim();
            *text = if name == "base_url" { trimmed.trim_end_matches('/') } else { trimmed }.to_owned();
        }
    }
    object.retain(|_, value| !value.is_null() && value != "");
    let mut problems = Vec::new();
    let mut wrong = |pointer: &str, message: &str| problems.push(FieldProblem { pointer: pointer.into(), message: message.into() });
    if let Some(number) = object.get("phone_number").and_then(Value::as_str) {
        match phone::international(number) {
            Some(digits) => {
                object.insert("phone_number".into(), format!("+{digits}").into());
            }
            None => wrong("/phone_number", WRONG_NUMBER),
        }
    }
    let suit_id = object.get("suit_id").and_then(Value::as_str);
    if suit_id.is_some_and(|id| !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))) {
        wrong("/suit_id", "has letters, digits, - and _ only: it is a part of Appgain's addresses");
    }
    let base = object.get("base_url").and_then(Value::as_str);
    if base.is_some_and(|base| !is_base(base)) {
        wrong("/base_url", "is http:// or https:// and a host, without a query: https://notify.appgain.io");
    }
    if !problems.is_empty() {
        return Err(Failure::Invalid(problems));
    }
    let normalised = Value::Object(object).to_string();
    let settings: Settings = hooks::parse_settings(&normalised)?;
    templates::check(&settings.templates)?;
    Ok(normalised)
}

fn is_base(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty() && !rest.starts_with('/') && !rest.contains(['?', '#', '@']) && !rest.contains(char::is_whitespace)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_normalised() {
        let written = json!({"suit_id": " 5db9 ", "sender_id": "sales", "phone_number": "0020 122 000-0000", "base_url": "http://127.0.0.1:9106/", "pairing": null});
        let normalised: Value = serde_json::from_str(&configure(&written.to_string()).unwrap()).unwrap();
        assert_eq!(
            normalised,
            json!({"suit_id": "5db9", "sender_id": "sales", "phone_number": "+201220000000", "base_url": "http://127.0.0.1:9106"})
        );
    }

    #[test]
    fn every_wrong_field_is_named() {
        let wrong = json!({"suit_id": "a/b", "sender_id": "s", "phone_number": "01220000000", "base_url": "https://x@y"});
        let Err(Failure::Invalid(problems)) = configure(&wrong.to_string()) else { panic!("not invalid") };
        assert_eq!(problems.iter().map(|problem| problem.pointer.as_str()).collect::<Vec<_>>(), ["/phone_number", "/suit_id", "/base_url"]);
        assert!(problems[0].message.contains("country code"));
        assert!(matches!(configure("[]"), Err(Failure::Invalid(_))));
        assert!(matches!(configure(r#"{"sender_id":"s","phone_number":"+201220000000","pairing":"pigeon"}"#), Err(Failure::Invalid(_))));
    }

    #[test]
    fn the_seeds_settings_are_enough_to_make_an_account_and_connecting_names_what_is_missing() {
        let settings: Settings = hooks::parse_settings(&configure(r#"{"sender_id":"s","phone_number":"+201220000000"}"#).unwrap()).unwrap();
        assert!(matches!(settings.notify(), Err(Failure::Invalid(problems)) if problems[0].pointer == "/suit_id"));
        assert_eq!((settings.daily_limit, settings.base()), (300, "https://notify.appgain.io"));
    }

    #[test]
    fn the_schema_describes_every_setting() {
        let schema: Value = serde_json::from_str(include_str!("../settings.schema.json")).unwrap();
        for name in ["suit_id", "api_key", "sender_id", "phone_number", "pairing", "webhook_secret", "daily_limit", "templates", "base_url"]
        {
            let property = &schema["properties"][name];
            assert!(property["title"].is_string() && property["description"].is_string(), "{name}");
        }
        for secret in ["api_key", "webhook_secret"] {
            assert_eq!(schema["properties"][secret]["writeOnly"], true);
        }
    }
}
