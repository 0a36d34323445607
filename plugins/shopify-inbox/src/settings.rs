//! What the operator sets. The gateway has checked it against `settings.schema.json`.

use patchbay_plugin::failure::FieldProblem;
use patchbay_plugin::{Call, Failure, hooks};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Every shop is under it.
const SHOPS: &str = ".myshopify.com";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AuthMode {
    AdminToken,
    #[default]
    ClientCredentials,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) shop_domain: String,
    pub(crate) auth_mode: AuthMode,
    pub(crate) client_id: Option<String>,
    pub(crate) api_version: String,
    pub(crate) inbox_base_url: Option<String>,
    pub(crate) author_name: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            shop_domain: String::new(),
            auth_mode: AuthMode::default(),
            client_id: None,
            api_version: "2026-07".into(),
            inbox_base_url: None,
            author_name: "Agent".into(),
        }
    }
}

impl Settings {
    /// The settings, with the shop checked again: addresses are built of it.
    pub(crate) fn of(call: &Call) -> Result<Self, Failure> {
        let settings: Self = call.settings()?;
        if !is_shop(&settings.shop_domain) {
            return Err(Failure::invalid("/shop_domain", SHOP_WORDS));
        }
        Ok(settings)
    }
}

const SHOP_WORDS: &str = "is the shop's own name at Shopify, such as acme.myshopify.com: lower case, without https://";

/// `^[a-z0-9][a-z0-9-]*\.myshopify\.com$`
fn is_shop(domain: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    domain
        .strip_suffix(SHOPS)
        .is_some_and(|name| name.bytes().next().is_some_and(plain) && name.bytes().all(|byte| plain(byte) || byte == b'-'))
}

/// `^20[0-9]{2}-(01|04|07|10)$`
fn is_version(version: &str) -> bool {
    let (year, month) = version.split_once('-').unwrap_or_default();
    year.len() == 4
        && year.starts_with("20")
        && year.bytes().all(|byte| byte.is_ascii_digit())
        && matches!(month, "01" | "04" | "07" | "10")
}

/// Normalises: the shop in lower case, addresses without a slash at the end, text without spaces around it, what is empty left out.
pub(crate) fn configure(settings: &str) -> Result<String, Failure> {
    let mut object: Map<String, Value> = hooks::parse_settings(settings)?;
    for (name, value) in &mut object {
        if let Value::String(text) = value {
            let trimmed = text.trim();
            *text = match name.as_str() {
                "shop_domain" => trimmed.to_ascii_lowercase(),
                name if name.ends_with("base_url") => trimmed.trim_end_matches('/').to_owned(),
                _ => trimmed.to_owned(),
            };
        }
    }
    object.retain(|_, value| !value.is_null() && value != "");
    let normalised = Value::Object(object).to_string();
    let settings: Settings = hooks::parse_settings(&normalised)?;
    let mut problems = Vec::new();
    let mut problem = |pointer: &str, message: &str| problems.push(FieldProblem { pointer: pointer.into(), message: message.into() });
    if !is_shop(&settings.shop_domain) {
        problem("/shop_domain", SHOP_WORDS);
    }
    if settings.auth_mode == AuthMode::ClientCredentials && settings.client_id.is_none() {
        problem("/client_id", "is needed to mint tokens: it is in the Dev Dashboard, or set auth_mode to admin_token");
    }
    if !is_version(&settings.api_version) {
        problem("/api_version", "is a version of Shopify's, such as 2026-07: one begins in January, April, July and October");
    }
    if settings.inbox_base_url.as_deref().is_some_and(|url| !(url.starts_with("https://") || url.starts_with("http://"))) {
        problem("/inbox_base_url", "is an address that begins with https://");
    }
    if problems.is_empty() { Ok(normalised) } else { Err(Failure::Invalid(problems)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pointers(settings: &Value) -> Vec<String> {
        match configure(&settings.to_string()) {
            Ok(_) => Vec::new(),
            Err(Failure::Invalid(problems)) => problems.into_iter().map(|problem| problem.pointer).collect(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn settings_are_normalised() {
        let settings =
            r#"{"shop_domain":" Acme.myshopify.com","auth_mode":"admin_token","inbox_base_url":"https://c.example/x/","author_name":""}"#;
        let normalised = r#"{"auth_mode":"admin_token","inbox_base_url":"https://c.example/x","shop_domain":"acme.myshopify.com"}"#;
        assert_eq!(configure(settings), Ok(normalised.to_owned()));
    }

    #[test]
    fn every_bad_field_is_named() {
        let bad = json!({"shop_domain": "acme.com", "api_version": "2026-05", "inbox_base_url": "ftp://x"});
        assert_eq!(pointers(&bad), ["/shop_domain", "/client_id", "/api_version", "/inbox_base_url"]);
        for shop in [
            "-a.myshopify.com",
            ".myshopify.com",
            "a_b.myshopify.com",
            "a.b.myshopify.com",
            "a.myshopify.com.evil.example",
            "x@a.myshopify.com",
            "",
        ] {
            assert_eq!(pointers(&json!({"shop_domain": shop, "client_id": "c"})), ["/shop_domain"], "{shop}");
        }
        for shop in ["a.myshopify.com", "0-9.myshopify.com"] {
            assert!(pointers(&json!({"shop_domain": shop, "client_id": "c"})).is_empty(), "{shop}");
        }
        assert!(matches!(configure(r#"{"auth_mode":"pigeon"}"#), Err(Failure::Invalid(_))));
        assert!(matches!(configure("[]"), Err(Failure::Invalid(_))));
    }

    #[test]
    fn the_schema_describes_every_setting_and_secret() {
        let schema: Value = serde_json::from_str(include_str!("../settings.schema.json")).unwrap();
        let properties = schema["properties"].as_object().unwrap();
        assert!(properties.values().all(|property| property["description"].is_string() && property["title"].is_string()));
        for secret in ["admin_token", "client_secret", "webhook_secret", "previous_secret"] {
            assert_eq!(properties[secret]["writeOnly"], json!(true), "{secret}");
        }
        assert_eq!(properties["api_version"]["default"], json!(Settings::default().api_version));
        assert_eq!(properties["author_name"]["default"], json!(Settings::default().author_name));
    }
}
