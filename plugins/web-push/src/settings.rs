//! What the operator sets. The gateway has checked it against `settings.schema.json`; its secrets never come here.

use patchbay_plugin::failure::FieldProblem;
use patchbay_plugin::{Failure, hooks};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::address::{Address, is_host, is_link, is_local};

/// Seconds: push services keep nothing longer.
pub(crate) const TTL_MAX: u32 = 2_419_200;

/// How much a push is worth of a phone's battery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Urgency {
    VeryLow,
    Low,
    #[default]
    Normal,
    High,
}

impl Urgency {
    const WORDS: [(&str, Self); 4] = [("very-low", Self::VeryLow), ("low", Self::Low), ("normal", Self::Normal), ("high", Self::High)];

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, urgency)| *urgency)
    }

    pub(crate) fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, urgency)| *urgency == self).map_or("normal", |(word, _)| word)
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Settings {
    pub(crate) vapid_subject: String,
    #[serde(default)]
    pub(crate) site_origins: Vec<String>,
    pub(crate) default_title: Option<String>,
    pub(crate) default_icon: Option<String>,
    pub(crate) default_badge: Option<String>,
    pub(crate) default_url: Option<String>,
    #[serde(default = "a_day")]
    pub(crate) default_ttl: u32,
    #[serde(default)]
    pub(crate) default_urgency: Urgency,
    #[serde(default)]
    pub(crate) endpoint_allowlist: Vec<String>,
}

fn a_day() -> u32 {
    86_400
}

/// Normalises: text without spaces around it, origins as browsers write them, what is empty left out. Then names everything that is wrong.
pub(crate) fn configure(settings: &str) -> Result<String, Failure> {
    let mut object: Map<String, Value> = hooks::parse_settings(settings)?;
    object.values_mut().for_each(trim);
    if let Some(Value::Array(origins)) = object.get_mut("site_origins") {
        origins.iter_mut().for_each(as_origin);
    }
    if let Some(Value::Array(hosts)) = object.get_mut("endpoint_allowlist") {
        hosts.iter_mut().for_each(as_service);
    }
    object.retain(|_, value| !value.is_null() && value != "");
    let problems = problems(&object);
    if !problems.is_empty() {
        return Err(Failure::Invalid(problems));
    }
    let normalised = Value::Object(object).to_string();
    hooks::parse_settings::<Settings>(&normalised)?;
    Ok(normalised)
}

fn trim(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.trim().to_owned(),
        Value::Array(items) => items.iter_mut().for_each(trim),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
    }
}

fn as_origin(value: &mut Value) {
    if let Some(address) = value.as_str().and_then(Address::parse).filter(|address| matches!(address.path.as_str(), "" | "/")) {
        *value = address.origin().into();
    }
}

fn as_service(value: &mut Value) {
    match value.as_str() {
        Some(text) if text.contains("://") => as_origin(value),
        Some(text) => *value = text.to_ascii_lowercase().into(),
        None => {}
    }
}

struct Problems(Vec<FieldProblem>);

impl Problems {
    fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldProblem { pointer: pointer.into(), message: message.into() });
    }
}

fn problems(object: &Map<String, Value>) -> Vec<FieldProblem> {
    let mut problems = Problems(Vec::new());
    match object.get("vapid_subject").map(|value| value.as_str()) {
        None => problems.add("/vapid_subject", "is needed: push services want to know whom to ask, mailto:you@example.com"),
        Some(subject) => {
            if let Some(why) = subject.map_or(Some("is text"), subject_problem) {
                problems.add("/vapid_subject", why);
            }
        }
    }
    listed(object, "site_origins", origin_problem, &mut problems);
    listed(object, "endpoint_allowlist", service_problem, &mut problems);
    for name in ["default_icon", "default_badge", "default_url"] {
        if object.get(name).is_some_and(|value| !value.as_str().is_some_and(is_link)) {
            problems.add(format!("/{name}"), "is an http(s) address, or a path at the site that begins with one /");
        }
    }
    if object.get("default_title").is_some_and(|value| !value.is_string()) {
        problems.add("/default_title", "is text");
    }
    if object.get("default_ttl").is_some_and(|value| value.as_u64().is_none_or(|seconds| seconds > u64::from(TTL_MAX))) {
        problems.add("/default_ttl", format!("is seconds, 0 to {TTL_MAX} (28 days)"));
    }
    if object.get("default_urgency").is_some_and(|value| value.as_str().and_then(Urgency::parse).is_none()) {
        problems.add("/default_urgency", "is very-low, low, normal or high");
    }
    if object.get("sw_path").is_some_and(|value| !value.as_str().is_some_and(is_path)) {
        problems.add("/sw_path", "is the path of a file at the site: /patchbay-sw.js");
    }
    problems.0
}

/// Each entry of a list, with its place.
fn listed(object: &Map<String, Value>, name: &str, problem: fn(&str) -> Option<&'static str>, problems: &mut Problems) {
    match object.get(name) {
        Some(Value::Array(items)) => {
            for (place, item) in items.iter().enumerate() {
                if let Some(why) = item.as_str().map_or(Some("is text"), problem) {
                    problems.add(format!("/{name}/{place}"), why);
                }
            }
        }
        Some(_) => problems.add(format!("/{name}"), "is a list"),
        None => {}
    }
}

/// Apple refuses every push whose subject it doesn't like.
fn subject_problem(subject: &str) -> Option<&'static str> {
    if subject.contains(char::is_whitespace) {
        return Some("has a space in it, which Apple's push service refuses: mailto:you@example.com");
    }
    let host = match subject.strip_prefix("mailto:") {
        Some(mailbox) => match mailbox.rsplit_once('@') {
            Some((name, host)) if !name.is_empty() && host.contains('.') && is_host(host) => host.to_ascii_lowercase(),
            _ => return Some("isn't mailto: and an address of e-mail: mailto:you@example.com"),
        },
        None => match Address::parse(subject) {
            Some(address) if address.is_https => address.host,
            _ => return Some("begins with mailto: or https://"),
        },
    };
    let is_nobodys = is_local(&host) || host.ends_with(".invalid") || host.ends_with(".local");
    is_nobodys.then_some("names a host that isn't on the internet, which Apple's push service refuses")
}

fn origin_problem(origin: &str) -> Option<&'static str> {
    match Address::parse(origin) {
        Some(address) if !address.path.is_empty() => Some("is an origin, without a path: https://www.example.com"),
        Some(address) if !address.is_https && !address.is_local() => {
            Some("is https: browsers have push on such pages alone (and on localhost)")
        }
        Some(_) => None,
        None => Some("isn't an origin: https://www.example.com"),
    }
}

/// `host`, `host:port` or an origin.
fn service_problem(service: &str) -> Option<&'static str> {
    let whole = if service.contains("://") { service.to_owned() } else { format!("https://{service}") };
    match Address::parse(&whole) {
        Some(address) if address.path.is_empty() => None,
        _ => Some("is a host, a host with its port, or an origin: push.example.org, push.example.org:8443, https://push.example.org"),
    }
}

fn is_path(path: &str) -> bool {
    is_link(path) && path.starts_with('/') && path.len() > 1 && !path.contains("..") && !path.contains(['?', '#', '"'])
}
