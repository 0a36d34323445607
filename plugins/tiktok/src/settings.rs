//! What the operator sets. The gateway has checked it against `settings.schema.json`.

use patchbay_plugin::failure::FieldProblem;
use patchbay_plugin::{Call, Failure, Fields as _, hooks};
use serde::Deserialize;
use serde_json::{Map, Value};

/// TikTok's own server, where neither the account nor the app names another.
const SERVER: &str = "https://business-api.tiktok.com";

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) business_id: Option<String>,
    base_url: Option<String>,
}

impl Settings {
    pub(crate) fn of(call: &Call) -> Result<Self, Failure> {
        call.settings()
    }

    /// Where the API is. The app's setting comes first, as at the gateway.
    pub(crate) fn server<'a>(&'a self, call: &'a Call) -> &'a str {
        let named = call.extras.value("app.base_url").or(self.base_url.as_deref());
        named.map(|url| url.trim_end_matches('/')).filter(|url| !url.is_empty()).unwrap_or(SERVER)
    }
}

/// The account's `open_id`, once it is connected.
pub(crate) fn business_id(call: &Call) -> Result<&str, Failure> {
    let id = call.account.external_id.as_deref().filter(|id| !id.is_empty());
    id.ok_or_else(|| Failure::unauthorized("not_connected", "the account isn't authorised yet: connect it"))
}

/// The app's id, which TikTok calls `app_id`, `client_id` and `client_key`.
pub(crate) fn app_id(call: &Call) -> Result<&str, Failure> {
    let id = call.extras.value("app.client_id").filter(|id| !id.is_empty());
    id.ok_or_else(|| Failure::unauthorized("app_missing", "the account has no app with a client_id: the operator makes one for TIKTOK"))
}

/// Normalises: addresses without a slash at the end, text without spaces around it, what is empty left out. Names every bad field.
pub(crate) fn configure(settings: &str) -> Result<String, Failure> {
    let mut object: Map<String, Value> = hooks::parse_settings(settings)?;
    for (name, value) in &mut object {
        if let Value::String(text) = value {
            let trimmed = text.trim();
            *text = if name.ends_with("base_url") { trimmed.trim_end_matches('/') } else { trimmed }.to_owned();
        }
    }
    object.retain(|_, value| !value.is_null() && value != "");
    let problems: Vec<FieldProblem> = object.iter().filter_map(|(name, value)| problem(name, value)).collect();
    if problems.is_empty() { Ok(Value::Object(object).to_string()) } else { Err(Failure::Invalid(problems)) }
}

fn problem(name: &str, value: &Value) -> Option<FieldProblem> {
    let message = match name {
        "business_id" if !value.is_string() => "is the open_id of the Business Account, as text",
        "base_url" | "auth_base_url" if !value.as_str().is_some_and(is_server) => "is an http or https address: https://host",
        "signature_tolerance_s" if !value.as_u64().is_some_and(|seconds| (1..=3600).contains(&seconds)) => "is 1 to 3600 seconds",
        "business_id" | "base_url" | "auth_base_url" | "signature_tolerance_s" => return None,
        _ => "isn't a setting of TIKTOK",
    };
    Some(FieldProblem { pointer: format!("/{}", name.replace('~', "~0").replace('/', "~1")), message: message.into() })
}

fn is_server(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && !host.starts_with('/') && !host.contains(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_normalised() {
        let normalised = configure(r#"{"base_url":" http://127.0.0.1:9103/ ","business_id":" ","signature_tolerance_s":5}"#);
        assert_eq!(normalised, Ok(r#"{"base_url":"http://127.0.0.1:9103","signature_tolerance_s":5}"#.to_owned()));
    }

    #[test]
    fn every_bad_field_is_named() {
        let bad = r#"{"base_url":"ftp://x","auth_base_url":7,"business_id":1,"signature_tolerance_s":0,"colour":"red"}"#;
        let Err(Failure::Invalid(problems)) = configure(bad) else { panic!("taken") };
        let mut pointers: Vec<&str> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
        pointers.sort_unstable();
        assert_eq!(pointers, ["/auth_base_url", "/base_url", "/business_id", "/colour", "/signature_tolerance_s"]);
        assert!(matches!(configure("[]"), Err(Failure::Invalid(_))));
    }

    #[test]
    fn the_schema_names_every_setting() {
        let schema: Value = serde_json::from_str(include_str!("../settings.schema.json")).unwrap();
        for (name, property) in schema["properties"].as_object().unwrap() {
            assert!(property["title"].is_string() && property["description"].is_string(), "{name}");
            assert!(problem(name, &Value::Null).is_some_and(|problem| !problem.message.contains("isn't a setting")), "{name}");
        }
    }
}
