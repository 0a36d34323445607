//! What the operator sets. The gateway has checked it against `settings.schema.json`; its secrets never come here.

use std::collections::BTreeMap;

use patchbay_plugin::failure::FieldProblem;
use patchbay_plugin::messages::ReceiptState;
use patchbay_plugin::{Failure, hooks};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Whose network carries the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Provider {
    AppgainNotify,
    #[serde(rename = "victorylink")]
    VictoryLink,
}

/// What a delivery status of VictoryLink's that is a number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Meaning {
    Sent,
    Delivered,
    Failed,
    /// Nothing that changes the message.
    Ignored,
}

impl Meaning {
    pub(crate) fn state(self) -> Option<ReceiptState> {
        match self {
            Self::Sent => Some(ReceiptState::Sent),
            Self::Delivered => Some(ReceiptState::Delivered),
            Self::Failed => Some(ReceiptState::Failed),
            Self::Ignored => None,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Settings {
    pub(crate) provider: Provider,
    #[serde(default)]
    pub(crate) suit_id: String,
    #[serde(default)]
    pub(crate) username: String,
    #[serde(default)]
    pub(crate) sender_id: String,
    #[serde(default)]
    pub(crate) dlr_status_map: BTreeMap<String, Meaning>,
    #[serde(default = "egypt")]
    pub(crate) default_country: String,
    #[serde(default)]
    pub(crate) smart_encoding: bool,
    #[serde(default)]
    pub(crate) campaign_name: Option<String>,
}

fn egypt() -> String {
    "20".to_owned()
}

/// Characters of a sender's name, and digits of a sender's number.
const NAME_MAX: usize = 11;
const NUMBER_MAX: usize = 15;
/// Characters of a campaign's name.
const CAMPAIGN_MAX: usize = 100;

/// Normalises: addresses without a slash at the end, text without spaces around it, codes of countries without `+` or `00`, what is
/// empty left out. Then names everything that is wrong.
pub(crate) fn configure(settings: &str) -> Result<String, Failure> {
    let mut object: Map<String, Value> = hooks::parse_settings(settings)?;
    for (name, value) in &mut object {
        if let Value::String(text) = value {
            let trimmed = text.trim();
            *text = match name.as_str() {
                "base_url" => trimmed.trim_end_matches('/').to_owned(),
                "default_country" => trimmed.trim_start_matches(['+', '0']).to_owned(),
                _ => trimmed.to_owned(),
            };
        }
    }
    own_address(&mut object);
    object.retain(|_, value| !value.is_null() && value.as_object().is_none_or(|entries| !entries.is_empty()) && value != "");
    let problems = problems(&object);
    if !problems.is_empty() {
        return Err(Failure::Invalid(problems));
    }
    let normalised = Value::Object(object).to_string();
    hooks::parse_settings::<Settings>(&normalised)?;
    Ok(normalised)
}

/// Of Appgain's own address the key's probe is at another server, and VictoryLink's path isn't a part of its address: so the one is left
/// out, and the other cut off.
fn own_address(object: &mut Map<String, Value>) {
    let provider = object.get("provider").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(Value::String(base)) = object.get_mut("base_url") {
        if provider == "appgain_notify" && base.eq_ignore_ascii_case("https://notify.appgain.io") {
            base.clear();
        } else if provider == "victorylink"
            && let Some(origin) = base.strip_suffix("/VLSMSPlatformResellerAPI")
        {
            *base = origin.to_owned();
        }
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
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    for name in ["provider", "base_url", "suit_id", "username", "sender_id", "default_country", "campaign_name"] {
        if object.get(name).is_some_and(|value| !value.is_string()) {
            problems.add(format!("/{name}"), "is text");
        }
    }
    let mut need = |name: &str, why: &str| {
        if !object.contains_key(name) {
            problems.add(format!("/{name}"), why);
        }
    };
    match text("provider") {
        Some("appgain_notify") => need("suit_id", "is needed for Appgain: the project's id, from its settings at Appgain"),
        Some("victorylink") => {
            need("username", "is needed for VictoryLink: the user name of the sending account");
            need("sender_id", "is needed for VictoryLink: the sender that the operators have registered for you");
        }
        Some(_) => problems.add("/provider", "is appgain_notify or victorylink"),
        None => need("provider", "says who sends: appgain_notify or victorylink"),
    }
    if let Some(base) = text("base_url").filter(|base| !is_address(base)) {
        let scheme = if base.contains("://") { "isn't the address of a server" } else { "has no scheme" };
        problems.add("/base_url", format!("{scheme}: write it as https://host"));
    }
    if text("suit_id").is_some_and(|id| !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))) {
        problems.add("/suit_id", "is the project's id at Appgain: letters, digits, - and _");
    }
    if let Some(why) = text("sender_id").and_then(sender_problem) {
        problems.add("/sender_id", why);
    }
    if text("default_country").is_some_and(|code| !(1..=3).contains(&code.len()) || !code.bytes().all(|byte| byte.is_ascii_digit())) {
        problems.add("/default_country", "is the code of a country, 1 to 3 digits: 20 for Egypt");
    }
    if text("campaign_name").is_some_and(|name| name.chars().count() > CAMPAIGN_MAX) {
        problems.add("/campaign_name", format!("has at most {CAMPAIGN_MAX} characters"));
    }
    if object.get("smart_encoding").is_some_and(|value| !value.is_boolean()) {
        problems.add("/smart_encoding", "is true or false");
    }
    match object.get("dlr_status_map") {
        Some(Value::Object(map)) => map.iter().for_each(|(status, meaning)| status_problem(status, meaning, &mut problems)),
        Some(_) => problems.add("/dlr_status_map", "is an object: {\"5\": \"delivered\"}"),
        None => {}
    }
    problems.0
}

fn is_address(base: &str) -> bool {
    let rest = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with(['/', ':', '?', '#'])
            && !rest.contains(['?', '#', '@'])
            && !rest.contains(char::is_whitespace)
    })
}

/// Networks show a name of 11 characters at most, or a number.
fn sender_problem(sender: &str) -> Option<String> {
    let number = sender.strip_prefix('+').unwrap_or(sender);
    if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = number.len();
        return (digits > NUMBER_MAX).then(|| format!("has {digits} digits: a sender that is a number has at most {NUMBER_MAX}"));
    }
    if !sender.chars().all(|character| character.is_ascii_alphanumeric() || character == ' ') {
        return Some("holds letters (A to Z), digits and spaces only, and is as the operators have registered it".to_owned());
    }
    let characters = sender.chars().count();
    (characters > NAME_MAX).then(|| format!("has {characters} characters: a sender's name has at most {NAME_MAX}"))
}

fn status_problem(status: &str, meaning: &Value, problems: &mut Problems) {
    let pointer = format!("/dlr_status_map/{}", status.replace('~', "~0").replace('/', "~1"));
    if status.parse::<i64>().is_err() {
        problems.add(pointer, "is the number that VictoryLink tells, such as \"5\": words are known by themselves");
    } else if !matches!(meaning.as_str(), Some("sent" | "delivered" | "failed" | "ignored")) {
        problems.add(pointer, "is sent, delivered, failed or ignored");
    }
}
