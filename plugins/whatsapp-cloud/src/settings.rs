//! What the operator sets. The gateway has checked it against `settings.schema.json`.

use patchbay_meta::Graph;
use patchbay_plugin::failure::FieldProblem;
use patchbay_plugin::{Call, Failure, hooks};
use serde::Deserialize;
use serde_json::{Map, Value};

/// How an account is authorised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Auth {
    /// Somebody logs in at Facebook.
    #[default]
    Oauth,
    /// A system user's token is typed in.
    Manual,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) auth: Auth,
    pub(crate) waba_id: Option<String>,
    pub(crate) phone_number_id: Option<String>,
    pub(crate) default_language: String,
    pub(crate) preview_url: bool,
    pub(crate) graph_version: String,
    pub(crate) media_base_url: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            auth: Auth::default(),
            waba_id: None,
            phone_number_id: None,
            default_language: "en_US".to_owned(),
            preview_url: true,
            graph_version: "v26.0".to_owned(),
            media_base_url: None,
        }
    }
}

impl Settings {
    pub(crate) fn of(call: &Call) -> Result<Self, Failure> {
        call.settings()
    }

    /// What is asked with the account's token.
    pub(crate) fn graph(&self) -> Graph<'_> {
        Graph::new("graph", &self.graph_version)
    }

    /// Another place of the manifest's.
    pub(crate) fn graph_at<'a>(&'a self, target: &'a str) -> Graph<'a> {
        Graph::new(target, &self.graph_version)
    }

    /// The number's id: what is set, else what the account was connected as.
    pub(crate) fn number<'a>(&'a self, call: &'a Call) -> Result<&'a str, Failure> {
        let known = call.account.external_id.as_deref().or(self.phone_number_id.as_deref());
        known.ok_or_else(|| Failure::invalid("/phone_number_id", "no number is known yet: connect the account"))
    }

    pub(crate) fn waba(&self) -> Result<&str, Failure> {
        let known = self.waba_id.as_deref();
        known.ok_or_else(|| Failure::invalid("/waba_id", "no business account is known yet: connect the account"))
    }
}

/// Normalises: base URLs without a slash at the end, ids and names without spaces around them, what is empty as left out.
pub(crate) fn configure(settings: &str) -> Result<String, Failure> {
    let mut object: Map<String, Value> = hooks::parse_settings(settings)?;
    for (name, value) in &mut object {
        if let Value::String(text) = value {
            let trimmed = text.trim();
            *text = if name.ends_with("base_url") { trimmed.trim_end_matches('/') } else { trimmed }.to_owned();
        }
    }
    object.retain(|_, value| !value.is_null() && value != "");
    let normalised = Value::Object(object).to_string();
    let read: Settings = hooks::parse_settings(&normalised)?;
    let problems = problems(&read);
    if problems.is_empty() { Ok(normalised) } else { Err(Failure::Invalid(problems)) }
}

fn problems(settings: &Settings) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    let mut wrong = |pointer: &str, message: &str| problems.push(FieldProblem { pointer: pointer.into(), message: message.into() });
    for (pointer, id, what) in [
        ("/waba_id", &settings.waba_id, "WhatsApp Manager shows the id of the business account beside its name"),
        ("/phone_number_id", &settings.phone_number_id, "this is the number's id, which WhatsApp > API Setup shows under the number"),
    ] {
        match id {
            Some(id) if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) => {
                wrong(pointer, &format!("is digits only: {what}"));
            }
            None if settings.auth == Auth::Manual => wrong(pointer, &format!("is needed with a token that is typed in: {what}")),
            _ => {}
        }
    }
    if settings.waba_id.is_some() && settings.waba_id == settings.phone_number_id {
        wrong("/phone_number_id", "is the id of the business account: the number has one of its own");
    }
    let version = settings.graph_version.strip_prefix('v').and_then(|version| version.split_once('.'));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !version.is_some_and(|(major, minor)| digits(major) && digits(minor)) {
        wrong("/graph_version", "is written v26.0");
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_normalised() {
        let normalised = configure(r#"{"graph_base_url":" http://127.0.0.1:9101/ ","waba_id":" 800000000000001 ","default_language":""}"#);
        assert_eq!(normalised, Ok(r#"{"graph_base_url":"http://127.0.0.1:9101","waba_id":"800000000000001"}"#.to_owned()));
    }

    #[test]
    fn a_typed_token_needs_both_ids_and_each_is_named() {
        let Err(Failure::Invalid(problems)) = configure(r#"{"auth":"manual"}"#) else { panic!("fine") };
        assert_eq!(problems.iter().map(|problem| problem.pointer.as_str()).collect::<Vec<_>>(), ["/waba_id", "/phone_number_id"]);
        assert!(configure(r#"{"auth":"manual","waba_id":"800000000000001","phone_number_id":"900000000000001"}"#).is_ok());
        assert!(configure("{}").is_ok(), "a login asks for them");
    }

    #[test]
    fn what_is_no_id_or_version_is_named() {
        let pointer = |settings: &str| match configure(settings) {
            Err(Failure::Invalid(problems)) => problems[0].pointer.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(pointer(r#"{"phone_number_id":"+15550001111"}"#), "/phone_number_id");
        assert_eq!(pointer(r#"{"phone_number_id":"12345","waba_id":"12345"}"#), "/phone_number_id");
        assert_eq!(pointer(r#"{"graph_version":"26"}"#), "/graph_version");
        assert_eq!(pointer(r#"{"auth":"pigeon"}"#), "");
    }

    #[test]
    fn the_schema_names_every_setting() {
        let schema: Value = serde_json::from_str(include_str!("../settings.schema.json")).unwrap();
        for name in ["auth", "waba_id", "phone_number_id", "access_token", "pin", "default_language", "preview_url", "graph_version"] {
            assert!(schema["properties"][name]["description"].is_string(), "{name}");
        }
    }
}
