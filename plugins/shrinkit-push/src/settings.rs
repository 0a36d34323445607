//! What the operator sets. The gateway has checked it against `settings.schema.json`.

use patchbay_appgain::Notify;
use patchbay_plugin::failure::FieldProblem;
use patchbay_plugin::{Failure, hooks};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The manifest's target for pushes.
pub(crate) const API: &str = "api";
/// The manifest's target at which the key is tried.
pub(crate) const PROBE: &str = "probe";

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Settings {
    pub(crate) suit_id: String,
    #[serde(default = "default_sound")]
    pub(crate) default_sound: String,
    pub(crate) base_url: Option<String>,
    pub(crate) probe_base_url: Option<String>,
    #[serde(default = "probe_path")]
    pub(crate) probe_path: String,
}

fn default_sound() -> String {
    "default".to_owned()
}

fn probe_path() -> String {
    "/user_log_event/{suit_id}/__probe".to_owned()
}

impl Settings {
    /// The project's API.
    pub(crate) fn notify(&self) -> Notify<'_> {
        Notify { target: API, suit_id: &self.suit_id }
    }
}

/// Normalises: base URLs without a slash at the end, nothing without spaces around it.
pub(crate) fn configure(settings: &str) -> Result<String, Failure> {
    let mut object: Map<String, Value> = hooks::parse_settings(settings)?;
    for (name, value) in &mut object {
        if let Value::String(text) = value {
            let trimmed = text.trim();
            *text = if name.ends_with("base_url") { trimmed.trim_end_matches('/') } else { trimmed }.to_owned();
        }
    }
    object.retain(|_, value| !value.is_null() && value != "");
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let mut problems = Vec::new();
    let mut wrong = |pointer: &str, message: &str| problems.push(FieldProblem { pointer: pointer.into(), message: message.into() });
    match text("suit_id") {
        None => wrong("/suit_id", "isn't set: Appgain's dashboard shows the project's id under Settings, next to the API key"),
        Some(id) if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) => {
            wrong("/suit_id", "has letters, digits, - and _ only: it is a part of Appgain's addresses");
        }
        Some(_) => {}
    }
    for name in ["base_url", "probe_base_url"] {
        if text(name).is_some_and(|base| !is_base(base)) {
            wrong(&format!("/{name}"), "is http:// or https:// and a host, without a query: https://notify.appgain.io");
        }
    }
    if text("probe_path").is_some_and(|path| !is_path(path)) {
        wrong("/probe_path", "is a path that begins with / and holds no .., query or space: /user_log_event/{suit_id}/__probe");
    }
    if !problems.is_empty() {
        return Err(Failure::Invalid(problems));
    }
    let normalised = Value::Object(object).to_string();
    hooks::parse_settings::<Settings>(&normalised)?;
    Ok(normalised)
}

fn is_base(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty() && !rest.starts_with('/') && !rest.contains(['?', '#', '@']) && !rest.contains(char::is_whitespace)
    })
}

fn is_path(path: &str) -> bool {
    path.starts_with('/')
        && !path.contains("..")
        && !path.contains("//")
        && !path.contains(['?', '#'])
        && !path.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_normalised() {
        let written = json!({"suit_id": " 5db9 ", "base_url": "http://127.0.0.1:9106/", "default_sound": null, "probe_base_url": ""});
        let normalised: Value = serde_json::from_str(&configure(&written.to_string()).unwrap()).unwrap();
        assert_eq!(normalised, json!({"suit_id": "5db9", "base_url": "http://127.0.0.1:9106"}));
    }

    #[test]
    fn every_wrong_field_is_named() {
        let wrong = json!({"suit_id": "a/b", "base_url": "https://", "probe_base_url": "https://x?y", "probe_path": "/a/../b"});
        let Err(Failure::Invalid(problems)) = configure(&wrong.to_string()) else { panic!("not invalid") };
        let pointers: Vec<&str> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
        assert_eq!(pointers, ["/suit_id", "/base_url", "/probe_base_url", "/probe_path"]);
        assert!(matches!(configure("{}"), Err(Failure::Invalid(problems)) if problems[0].pointer == "/suit_id"));
        assert!(matches!(configure("[]"), Err(Failure::Invalid(_))));
    }

    #[test]
    fn the_schema_describes_every_setting() {
        let schema: Value = serde_json::from_str(include_str!("../settings.schema.json")).unwrap();
        for name in ["suit_id", "api_key", "default_sound", "webhook_secret", "base_url", "probe_base_url", "probe_path"] {
            let property = &schema["properties"][name];
            assert!(property["title"].is_string() && property["description"].is_string(), "{name}");
        }
        assert_eq!(schema["properties"]["api_key"]["writeOnly"], true);
        // The gateway fills defaults in, and a base that is set takes the probe with it.
        assert!(schema["properties"]["base_url"].get("default").is_none());
    }
}
