//! What the operator sets. The gateway has checked it against `settings.schema.json`.

use patchbay_plugin::{Call, Failure, Fields as _, hooks};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::urn;

/// Who sees a post.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Visibility {
    #[default]
    Public,
    Connections,
    LoggedIn,
}

impl Visibility {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_uppercase().as_str() {
            "PUBLIC" => Some(Self::Public),
            "CONNECTIONS" => Some(Self::Connections),
            "LOGGED_IN" => Some(Self::LoggedIn),
            _ => None,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Public => "PUBLIC",
            Self::Connections => "CONNECTIONS",
            Self::LoggedIn => "LOGGED_IN",
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) organization_urn: Option<String>,
    pub(crate) api_version: String,
    pub(crate) visibility: Visibility,
    application_id: Option<String>,
    base_url: Option<String>,
    oauth_base_url: Option<String>,
    messaging_base_url: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            organization_urn: None,
            api_version: "202401".into(),
            visibility: Visibility::default(),
            application_id: None,
            base_url: None,
            oauth_base_url: None,
            messaging_base_url: None,
        }
    }
}

impl Settings {
    /// With the servers of the account's app, where it has one: there they are the app's to say.
    pub(crate) fn of(call: &Call) -> Result<Self, Failure> {
        let mut settings: Self = call.settings()?;
        let of_app = |name: &str| {
            call.extras.value(&format!("app.{name}")).map(|text| text.trim_end_matches('/').to_owned()).filter(|text| !text.is_empty())
        };
        settings.base_url = of_app("base_url").or(settings.base_url);
        settings.oauth_base_url = of_app("oauth_base_url").or(settings.oauth_base_url);
        settings.messaging_base_url = of_app("messaging_base_url").or(settings.messaging_base_url);
        settings.application_id = settings.application_id.or_else(|| of_app("application_id")).or_else(|| of_app("client_id"));
        Ok(settings)
    }

    /// Under which app events are subscribed.
    pub(crate) fn application_id(&self) -> Option<&str> {
        self.application_id.as_deref()
    }

    pub(crate) fn api_base(&self) -> &str {
        self.base_url.as_deref().unwrap_or("https://api.linkedin.com")
    }

    pub(crate) fn login_base(&self) -> &str {
        self.oauth_base_url.as_deref().unwrap_or("https://www.linkedin.com")
    }

    /// The egress target of messages to members.
    pub(crate) fn messages_target(&self) -> &'static str {
        if self.messaging_base_url.is_some() { "messages" } else { "api" }
    }
}

/// Normalises: addresses without a slash at the end, text without spaces around it, what is empty left out.
pub(crate) fn configure(settings: &str) -> Result<String, Failure> {
    let mut object: Map<String, Value> = hooks::parse_settings(settings)?;
    for (name, value) in &mut object {
        if let Value::String(text) = value {
            let trimmed = text.trim();
            *text = if name.ends_with("base_url") { trimmed.trim_end_matches('/') } else { trimmed }.to_owned();
        }
    }
    object.retain(|_, value| !value.is_null() && value != "");
    let problems = [
        problem(
            &object,
            "organization_urn",
            urn::is_organization,
            "is a URN such as urn:li:organization:5590506: the number is in the address of the page's admin view",
        ),
        problem(&object, "api_version", is_version, "is a month as LinkedIn writes it, YYYYMM: 202607"),
        problem(
            &object,
            "visibility",
            |text| Visibility::parse(text).is_some_and(|known| known.as_str() == text),
            "is PUBLIC, CONNECTIONS or LOGGED_IN",
        ),
        problem(&object, "application_id", |text| text.bytes().all(|byte| byte.is_ascii_digit()), "is the app's number, not its client ID"),
        problem(&object, "base_url", is_address, "is an http or https address"),
        problem(&object, "oauth_base_url", is_address, "is an http or https address"),
        problem(&object, "messaging_base_url", is_address, "is an http or https address"),
    ];
    let problems: Vec<_> = problems.into_iter().flatten().collect();
    if !problems.is_empty() {
        return Err(Failure::Invalid(problems));
    }
    Ok(Value::Object(object).to_string())
}

fn problem(
    settings: &Map<String, Value>,
    name: &str,
    fits: impl Fn(&str) -> bool,
    words: &str,
) -> Option<patchbay_plugin::failure::FieldProblem> {
    let value = settings.get(name)?;
    (!value.as_str().is_some_and(fits))
        .then(|| patchbay_plugin::failure::FieldProblem { pointer: format!("/{name}"), message: words.to_owned() })
}

fn is_version(text: &str) -> bool {
    text.len() == 6 && text.starts_with("20") && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_address(text: &str) -> bool {
    text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchbay_plugin::{Field, testing};
    use serde_json::json;

    #[test]
    fn settings_are_normalised() {
        let normalised =
            configure(r#"{"base_url":" http://127.0.0.1:9105/ ","organization_urn":" urn:li:organization:5 ","application_id":""}"#);
        assert_eq!(normalised, Ok(r#"{"base_url":"http://127.0.0.1:9105","organization_urn":"urn:li:organization:5"}"#.to_owned()));
        assert_eq!(configure("{}"), Ok("{}".to_owned()));
    }

    #[test]
    fn every_wrong_field_is_named() {
        let wrong = json!({"organization_urn": "5590506", "api_version": "2024-01", "visibility": "FRIENDS", "application_id": "86abc", "base_url": "ftp://x",
            "oauth_base_url": 7, "messaging_base_url": "https:///x"});
        let Err(Failure::Invalid(problems)) = configure(&wrong.to_string()) else { panic!("taken") };
        let pointers: Vec<_> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
        assert_eq!(
            pointers,
            ["/organization_urn", "/api_version", "/visibility", "/application_id", "/base_url", "/oauth_base_url", "/messaging_base_url"]
        );
        assert!(matches!(configure("[]"), Err(Failure::Invalid(_))));
    }

    #[test]
    fn the_servers_are_the_apps_where_it_has_them() {
        let mut call = testing::call(None, &json!({"messaging_base_url": "https://own"}));
        call.extras = vec![Field::new("app.client_id", "86abc"), Field::new("app.base_url", "http://fake/")];
        let settings = Settings::of(&call).unwrap();
        assert_eq!(
            (settings.api_base(), settings.login_base(), settings.messages_target()),
            ("http://fake", "https://www.linkedin.com", "messages")
        );
        assert_eq!(settings.application_id(), Some("86abc"));
    }

    #[test]
    fn the_schema_says_what_the_code_takes() {
        let schema: Value = serde_json::from_str(include_str!("../settings.schema.json")).unwrap();
        for property in schema["properties"].as_object().unwrap().values() {
            assert!(property["title"].is_string() && property["description"].is_string());
        }
        assert_eq!(schema["properties"]["api_version"]["default"], Settings::default().api_version);
        assert_eq!(schema["properties"]["visibility"]["default"], Settings::default().visibility.as_str());
    }
}
