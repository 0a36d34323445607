//! What the stand-in learns from requests, as a provider would: where webhooks go, and the secrets that sign them.

use std::collections::BTreeMap;

use axum::{body::Bytes, http::request::Parts};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use serde_json::Value;

use crate::{
    clock::At,
    manifest::{Encoding, HmacAlgorithm, HmacRecipe, Manifest, Target, TemplatePart, Verify},
};

/// Every account's webhooks go beneath this path.
const WEBHOOKS: &str = "/webhooks/";

#[derive(Default)]
pub(super) struct Learned {
    webhook_url: Option<String>,
    secrets: BTreeMap<String, String>,
}

impl Learned {
    pub(super) fn new(webhook_url: Option<String>, secrets: Vec<(String, String)>) -> Learned {
        Learned { webhook_url, secrets: secrets.into_iter().collect() }
    }

    pub(super) fn webhook_url(&self) -> Option<&str> {
        self.webhook_url.as_deref()
    }

    pub(super) fn names(&self) -> Vec<&String> {
        self.secrets.keys().collect()
    }

    pub(super) fn look_at(&mut self, manifest: &Manifest, parts: &Parts, body: &Bytes) {
        let query: Vec<(String, String)> = pairs(parts.uri.query().unwrap_or_default().as_bytes());
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let form = if json.is_null() { pairs(body) } else { Vec::new() };
        for target in manifest.egress.values() {
            self.look_for_secrets(target, parts, &query, &json, &form);
        }
        let texts = query.iter().chain(&form).map(|(_, text)| text.as_str());
        if let Some(url) = texts.chain(texts_of(&json)).find(|text| text.starts_with("http") && text.contains(WEBHOOKS)) {
            self.webhook_url = Some(url.to_owned());
        }
    }

    /// Where the target's credentials are put is where they are found again.
    fn look_for_secrets(&mut self, target: &Target, parts: &Parts, query: &[(String, String)], json: &Value, form: &[(String, String)]) {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let among =
            |fields: &[(String, String)], name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let mut found: Vec<(&str, Option<String>)> = Vec::new();
        if let Some(secret) = &target.bearer {
            found.push((secret, header("authorization").and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned)));
        }
        for (name, template) in &target.header {
            // A secret alone, or behind a word: `Bot {secret:token}`.
            let (before, secret) = match template.credential().as_slice() {
                [TemplatePart::Secret(secret)] => (String::new(), secret.clone()),
                [TemplatePart::Text(before), TemplatePart::Secret(secret)] => (before.clone(), secret.clone()),
                _ => continue,
            };
            if let Some(value) = header(name).and_then(|value| value.strip_prefix(before.as_str())) {
                self.secrets.insert(secret, value.to_owned());
            }
        }
        found.extend(target.query_secrets().map(|(name, secret, _)| (secret, among(query, name))));
        found.extend(target.json_secrets().map(|(name, secret, _)| (secret, json.get(name).and_then(Value::as_str).map(str::to_owned))));
        found.extend(target.form.iter().map(|(name, secret)| (secret.as_str(), among(form, name))));
        self.secrets.extend(found.into_iter().filter_map(|(secret, value)| Some((secret.to_owned(), value?))));
    }

    /// Where a webhook with that body goes, and the headers that prove it.
    ///
    /// # Errors
    /// Something isn't known yet: what to do.
    pub(super) fn webhook(&self, manifest: &Manifest, body: &[u8], now: At) -> Result<(String, Vec<(String, String)>), String> {
        let url = self.webhook_url.clone().ok_or("where webhooks go isn't known yet: connect an account, or start with --webhooks URL")?;
        let Some(spec) = &manifest.webhook else { return Err("the manifest has no [webhook]: this channel is told nothing".to_owned()) };
        let secret = |name: &String| {
            let unknown = || format!("the secret “{name}” isn't known yet: connect an account, or start with --secret {name}=VALUE");
            self.secrets.get(name).ok_or_else(unknown)
        };
        let headers = match &spec.verify {
            Verify::None {} => Vec::new(),
            Verify::SecretHeader(recipe) => vec![(recipe.header.clone(), secret(&recipe.secret)?.clone())],
            Verify::Hmac(recipe) if recipe.optional && !self.secrets.contains_key(&recipe.secret) => Vec::new(),
            Verify::Hmac(recipe) => signed(recipe, secret(&recipe.secret)?, body, now),
        };
        Ok((url, headers))
    }
}

/// The headers of a recipe.
fn signed(recipe: &HmacRecipe, secret: &str, body: &[u8], now: At) -> Vec<(String, String)> {
    let timestamp = (now.millis() / 1000).to_string();
    let algorithm = match recipe.algorithm {
        HmacAlgorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        HmacAlgorithm::Sha256 => hmac::HMAC_SHA256,
        HmacAlgorithm::Sha512 => hmac::HMAC_SHA512,
    };
    let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, secret.as_bytes()));
    let (before, after) = recipe.signed.split_once("{body}").unwrap_or_default();
    context.update(before.replace("{timestamp}", &timestamp).as_bytes());
    context.update(body);
    context.update(after.replace("{timestamp}", &timestamp).as_bytes());
    let tag = context.sign();
    let signature = match recipe.encoding {
        Encoding::Hex => hex::encode(tag),
        Encoding::Base64 => STANDARD.encode(tag),
    };
    let value = match (&recipe.timestamp_field, &recipe.signature_field) {
        (Some(at), Some(field)) => format!("{at}={timestamp},{field}={}{signature}", recipe.prefix),
        _ => format!("{}{signature}", recipe.prefix),
    };
    let mut headers = vec![(recipe.header.clone(), value)];
    headers.extend(recipe.timestamp_header.iter().map(|name| (name.clone(), timestamp.clone())));
    headers
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text).into_owned().collect()
}

/// Every text in a JSON value.
fn texts_of(value: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match value {
        Value::String(text) => Box::new(std::iter::once(text.as_str())),
        Value::Array(items) => Box::new(items.iter().flat_map(texts_of)),
        Value::Object(members) => Box::new(members.values().flat_map(texts_of)),
        _ => Box::new(std::iter::empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::Secret;
    use crate::verify::{Evidence, verify};
    use axum::http::Request;
    use serde_json::{Map, json};

    fn manifest(verify: &Value) -> Manifest {
        let text = include_str!("../../../../plugins/examples/rust/plugin.toml");
        let mut manifest: toml::Table = text.parse().unwrap();
        manifest.insert(
            "settings".to_owned(),
            toml::Value::try_from(json!({"type": "object", "properties": {"token": {"type": "string"}}})).unwrap(),
        );
        manifest.remove("icon");
        manifest["webhook"].as_table_mut().unwrap().insert("verify".to_owned(), toml::Value::try_from(verify).unwrap());
        manifest.try_into().unwrap()
    }

    #[test]
    fn what_connecting_brings_signs_the_webhooks_that_the_gateway_takes() {
        for recipe in [
            json!({"kind": "hmac", "header": "x-s", "secret": "webhook_secret"}),
            json!({"kind": "hmac", "header": "x-s", "secret": "webhook_secret", "prefix": "v0=", "signed": "v0:{timestamp}:{body}", "timestamp_header": "x-t"}),
            json!({"kind": "hmac", "header": "x-s", "secret": "webhook_secret", "algorithm": "sha1", "encoding": "base64"}),
            json!({"kind": "secret-header", "header": "x-s", "secret": "webhook_secret"}),
        ] {
            let manifest = manifest(&recipe);
            let mut learned = Learned::default();
            let now = At::from_micros(1_764_000_000_000_000);
            assert!(learned.webhook(&manifest, b"{}", now).unwrap_err().contains("--webhooks"));
            let body = json!({"url": "http://127.0.0.1:8080/webhooks/a", "secret": "s3cret"}).to_string();
            let (parts, ()) = Request::put("/v1/webhook").header("authorization", "Bearer t0ken").body(()).unwrap().into_parts();
            learned.look_at(&manifest, &parts, &Bytes::from(body));
            assert_eq!(learned.names(), ["token", "webhook_secret"]);
            let (url, headers) = learned.webhook(&manifest, b"{\"events\":[]}", now).unwrap();
            assert_eq!(url, "http://127.0.0.1:8080/webhooks/a");
            let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            let secrets = BTreeMap::from([("webhook_secret".to_owned(), Secret::new("s3cret".to_owned()))]);
            let settings = Map::new();
            let body = b"{\"events\":[]}";
            let evidence = Evidence { headers: &headers, body, secrets: &secrets, settings: &settings, now: now.millis() / 1000 };
            assert_eq!(verify(&manifest.webhook.as_ref().unwrap().verify, &evidence), Ok(recipe["kind"].as_str()), "{recipe}");
        }
    }
}
