//! A place where a plugin may send requests, with the credentials that belong there.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::is_false;

/// One of the manifest's `[egress.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// `https://host[:port]/path`; its path may hold secrets as `{secret:NAME}`, and a setting may be its whole host:
    /// `https://{setting:NAME}/path`. A request's path is appended.
    pub base: Template,
    /// A setting that, where it is set, takes the place of the base's scheme, host and port and is put before its path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_setting: Option<String>,
    /// Upper case.
    pub methods: Vec<String>,
    /// Paths that may be appended: exact (`/messages`) or all beneath (`/messages/*`). Empty is any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// MiB of a response, 1 to 100; without it the gateway's own bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_response_mb: Option<u32>,
    /// Name of the secret that goes out as `Authorization: Bearer …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<String>,
    /// Header to a secret's name, or to text with `{secret:NAME}`: `Bot {secret:token}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub header: BTreeMap<String, Template>,
    /// Hosts (`a.example.com`, or `*.example.com` for all beneath) that a request may name itself: its path is a whole https URL
    /// then. Credentials go to the base's own origin alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// A setting with further hosts: a list of `host`, `host:port` or `http(s)://host[:port]`. The addresses behind them are guarded like
    /// all others: what is private, and plain http, needs the operator's `[egress] allow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts_setting: Option<String>,
    /// Credentials go to the host of `hosts` that a request names too, and not on to where that one redirects.
    #[serde(default, skip_serializing_if = "is_false")]
    pub trusted_hosts: bool,
    /// The plugin writes `Authorization` itself: a token that it had signed for this very request. The target has no credential then.
    #[serde(default, skip_serializing_if = "is_false")]
    pub signed_by_plugin: bool,
    /// Query parameter to a secret's name; with a `?` behind it, it is left out while the secret isn't there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<Basic>,
    /// Form field to a secret's name: added to a form or multipart body, or to none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub form: BTreeMap<String, String>,
    /// Member to a secret's name: added at the top of a body that is a JSON object, or to none. With a `?` behind the name, it is left
    /// out while the secret isn't there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub json: BTreeMap<String, String>,
}

/// HTTP basic authentication from two secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    pub user: String,
    pub password: String,
}

impl Target {
    /// The secrets that a request to this place needs, each with the field that names it. Sorted by field.
    pub fn secrets(&self) -> Vec<(String, &str)> {
        let mut named: Vec<(String, &str)> = self.base.secrets().map(|secret| ("base".to_owned(), secret)).collect();
        if let Some(basic) = &self.basic {
            named.push(("basic.user".to_owned(), &basic.user));
            named.push(("basic.password".to_owned(), &basic.password));
        }
        named.extend(self.bearer.iter().map(|secret| ("bearer".to_owned(), secret.as_str())));
        named.extend(self.form.iter().map(|(field, secret)| (format!("form.{field}"), secret.as_str())));
        for (field, value) in &self.header {
            named.extend(value.named().into_iter().map(|secret| (format!("header.{field}"), secret)));
        }
        named.extend(optional(&self.json).map(|(field, secret, _)| (format!("json.{field}"), secret)));
        named.extend(self.query_secrets().map(|(field, secret, _)| (format!("query.{field}"), secret)));
        named
    }

    /// Each query parameter with its secret, and whether it may be left out.
    pub fn query_secrets(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        optional(&self.query)
    }

    /// Each member of a JSON body with its secret, and whether it may be left out.
    pub fn json_secrets(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        optional(&self.json)
    }

    /// May a request's path be a whole URL?
    pub fn takes_urls(&self) -> bool {
        !self.hosts.is_empty() || self.hosts_setting.is_some()
    }

    /// May a request name this host itself?
    pub fn allows_host(&self, host: &str) -> bool {
        self.hosts.iter().any(|pattern| host_matches(pattern, host))
    }

    /// May a request append this path? Asked before placeholders are filled, so no secret is involved.
    pub fn allows_path(&self, path: &str) -> bool {
        let path = path.trim_start_matches('/');
        self.paths.is_empty()
            || self.paths.iter().map(|rule| rule.trim_start_matches('/')).any(|rule| match rule.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix) && path.len() > prefix.len(),
                None => path == rule,
            })
    }
}

/// Each field with its secret, and whether a `?` stands behind that.
fn optional(fields: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str, bool)> {
    fields.iter().map(|(field, secret)| match secret.strip_suffix('?') {
        Some(secret) => (field.as_str(), secret, true),
        None => (field.as_str(), secret.as_str(), false),
    })
}

/// Whether a host is the one named, or, where `*.` stands before the name, one beneath it.
pub fn host_matches(pattern: &str, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    match pattern.strip_prefix("*.") {
        Some(parent) => host.strip_suffix(parent).is_some_and(|before| before.len() > 1 && before.ends_with('.')),
        None => host == pattern,
    }
}

/// Text with `{secret:NAME}` in it, and `{setting:NAME}` in a base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Template(Vec<TemplatePart>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePart {
    Text(String),
    /// A secret's name.
    Secret(String),
    /// A setting's name.
    Setting(String),
}

impl Template {
    pub fn parts(&self) -> &[TemplatePart] {
        &self.0
    }

    /// The secrets in braces.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            TemplatePart::Secret(name) => Some(name.as_str()),
            TemplatePart::Text(_) | TemplatePart::Setting(_) => None,
        })
    }

    /// The settings in braces.
    pub fn settings(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            TemplatePart::Setting(name) => Some(name.as_str()),
            TemplatePart::Text(_) | TemplatePart::Secret(_) => None,
        })
    }

    /// The parts of a credential: text without braces is the name of a secret.
    pub fn credential(&self) -> Vec<TemplatePart> {
        match self.0.as_slice() {
            [TemplatePart::Text(name)] => vec![TemplatePart::Secret(name.clone())],
            parts => parts.to_vec(),
        }
    }

    fn named(&self) -> Vec<&str> {
        match self.0.as_slice() {
            [TemplatePart::Text(name)] => vec![name],
            _ => self.secrets().collect(),
        }
    }

    /// With every secret and setting replaced by the same harmless text: for looking at the rest.
    pub fn filled_with(&self, text: &str) -> String {
        self.0.iter().map(|part| if let TemplatePart::Text(own) = part { own } else { text }).collect()
    }
}

/// The first placeholder with what stands before and after it.
fn next_placeholder(text: &str) -> Option<(&str, TemplatePart, &str)> {
    let word = |word: &str| text.find(word).map(|at| (at, word.len()));
    let (secret, setting) = (word("{secret:"), word("{setting:"));
    let (at, length) = [secret, setting].into_iter().flatten().min()?;
    let (name, after) = text.get(at + length..)?.split_once('}')?;
    let name = name.to_owned();
    let part = if secret == Some((at, length)) { TemplatePart::Secret(name) } else { TemplatePart::Setting(name) };
    Some((text.get(..at)?, part, after))
}

impl From<String> for Template {
    fn from(text: String) -> Self {
        let mut parts = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, part, after)) = next_placeholder(rest) {
            if !before.is_empty() {
                parts.push(TemplatePart::Text(before.to_owned()));
            }
            parts.push(part);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(TemplatePart::Text(rest.to_owned()));
        }
        Self(parts)
    }
}

impl FromStr for Template {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(text.to_owned()))
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.to_string()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            TemplatePart::Text(text) => f.write_str(text),
            TemplatePart::Secret(name) => write!(f, "{{secret:{name}}}"),
            TemplatePart::Setting(name) => write!(f, "{{setting:{name}}}"),
        })
    }
}
