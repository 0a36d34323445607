//! A webhook that failed, as a fixture of the plugin's conformance suite.

use patchbay_sandbox::services::Field;
use serde_json::{Map, Value, json};

use super::{Replay, Verdict};
use crate::{
    domain::failure::FailureClass,
    plugins::recording::{CallRecord, Input, Outcome},
};

#[derive(Debug, thiserror::Error)]
pub enum FixtureError {
    #[error("the call was of the hook {0}: fixtures are webhooks, so only calls of “parse” make one")]
    NoWebhook(String),
    #[error("the record doesn't hold the webhook's body")]
    NoBody,
    #[error("the webhook's body isn't text, and a fixture's is")]
    Binary,
}

/// The fixture. What is expected of it is what the run told: no events where the plugin failed again, which is then the author's to
/// say; none at all (`null`) where it refused the webhook.
///
/// # Errors
/// The record is none of a webhook, or not all of one.
pub fn fixture(record: &CallRecord, replay: &Replay) -> Result<Value, FixtureError> {
    let webhook = match &record.input {
        Some(Input::Parse { webhook }) => webhook,
        Some(_) => return Err(FixtureError::NoWebhook(record.hook.clone())),
        None => return Err(FixtureError::NoBody),
    };
    let body = String::from_utf8(webhook.body.to_vec().ok_or(FixtureError::NoBody)?).map_err(|_| FixtureError::Binary)?;
    let mut fixture = Map::new();
    fixture.insert("body".to_owned(), body_of(body));
    fixture.insert("method".to_owned(), json!(webhook.method));
    // A webhook's own path tells nothing; that of a page's call says which it is.
    if !webhook.path.starts_with("/webhooks/") {
        fixture.insert("path".to_owned(), json!(webhook.path));
    }
    for (name, fields) in [("query", &webhook.query), ("headers", &webhook.headers)] {
        if !fields.is_empty() {
            fixture.insert(name.to_owned(), members(fields));
        }
    }
    fixture.insert("expected".to_owned(), expected(replay));
    Ok(Value::Object(fixture))
}

/// JSON as such where it is written the same again: a fixture's bytes are those that failed.
fn body_of(text: String) -> Value {
    match serde_json::from_str::<Value>(&text) {
        Ok(json) if (json.is_object() || json.is_array()) && is_written(&json, &text) => json,
        _ => Value::String(text),
    }
}

fn is_written(json: &Value, text: &str) -> bool {
    serde_json::to_string(json).is_ok_and(|written| written == text)
}

fn members(fields: &[Field]) -> Value {
    fields.iter().map(|field| (field.name.clone(), Value::String(field.value.clone()))).collect::<Map<_, _>>().into()
}

fn expected(replay: &Replay) -> Value {
    let refused = |outcome: &Outcome| matches!(outcome, Outcome::Failure { class, .. } if *class != FailureClass::Fault);
    match (&replay.events, &replay.verdict) {
        (Some(keys), _) => keys.iter().map(|key| json!({"dedupe_key": key})).collect(),
        (None, Verdict::Other(outcome)) if refused(outcome) => Value::Null,
        _ => json!([]),
    }
}
