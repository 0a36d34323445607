//! A record without secrets: whatever form they have in it, there are as many `*` in their place.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::record::CallRecord;
use crate::{egress::Scanner, secrets::Secret};

/// The record's JSON as it may be stored; none where it could not be freed of a secret.
pub(super) fn redacted(record: &CallRecord, secrets: &[(String, Secret)]) -> Option<Value> {
    let scanner = Scanner::new(secrets.iter().map(|(name, secret)| (name.as_str(), secret)));
    let mut found = BTreeSet::new();
    let mut json = serde_json::to_value(record).ok()?;
    blank(&mut json, &scanner, &mut found);
    if let Value::Object(members) = &mut json {
        members.insert("blanked".to_owned(), found.into_iter().map(Value::String).collect());
    }
    // What stands in two strings at once, or in a form that nobody thought of.
    scanner.find(json.to_string().as_bytes()).is_none().then_some(json)
}

fn blank(json: &mut Value, scanner: &Scanner, found: &mut BTreeSet<String>) {
    match json {
        Value::String(text) => blank_text(text, scanner, found),
        Value::Array(items) => items.iter_mut().for_each(|item| blank(item, scanner, found)),
        Value::Object(members) => {
            if let Some(bytes) = bytes_of(members) {
                blank_bytes(members, bytes, scanner, found);
                return;
            }
            for value in members.values_mut() {
                blank(value, scanner, found);
            }
            blank_names(members, scanner, found);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn blank_text(text: &mut String, scanner: &Scanner, found: &mut BTreeSet<String>) {
    // Twice: what is found is blanked, and then what is only found once it is decoded.
    for _ in 0..2 {
        let Some(name) = scanner.find(text.as_bytes()).map(str::to_owned) else { return };
        let blanked = scanner.blank_text(text.clone());
        // Written as nobody writes it: all of it goes.
        *text = if blanked == *text { "*".repeat(text.len()) } else { blanked };
        found.insert(name);
    }
}

/// Where a client's own words are the names.
fn blank_names(members: &mut Map<String, Value>, scanner: &Scanner, found: &mut BTreeSet<String>) {
    let named: Vec<String> = members.keys().filter(|name| scanner.find(name.as_bytes()).is_some()).cloned().collect();
    for mut name in named {
        let value = members.remove(&name).unwrap_or_default();
        blank_text(&mut name, scanner, found);
        members.insert(name, value);
    }
}

/// Bytes that aren't text, decoded: blanked as they are written they would be base64 no more.
fn bytes_of(members: &Map<String, Value>) -> Option<Vec<u8>> {
    STANDARD.decode(members.get("base64")?.as_str()?).ok()
}

fn blank_bytes(members: &mut Map<String, Value>, mut bytes: Vec<u8>, scanner: &Scanner, found: &mut BTreeSet<String>) {
    if let Some(name) = scanner.find(&bytes) {
        found.insert(name.to_owned());
        scanner.blank(&mut bytes);
        if scanner.find(&bytes).is_some() {
            bytes.fill(b'*');
        }
        members.insert("base64".to_owned(), Value::String(STANDARD.encode(&bytes)));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use patchbay_sandbox::{CallLimits, services::LogLevel};
    use serde_json::json;

    use super::*;
    use crate::{
        clock::At,
        plugins::recording::{
            Answer, Asked, Exchange, FORMAT, Input, Kept, Line, Outcome,
            input::{Account, Webhook},
        },
    };

    const TOKEN: &str = "12345:AB/cd+ef";

    fn record(body: Vec<u8>) -> CallRecord {
        let account = Account { id: "a".to_owned(), external_id: None, settings: "{}".to_owned() };
        let webhook = Webhook {
            account: Some(account),
            method: "POST".to_owned(),
            path: format!("/webhooks/{TOKEN}"),
            query: Vec::new(),
            headers: Vec::new(),
            body: Kept::whole(body),
            verified_by: None,
            extras: Vec::new(),
        };
        CallRecord {
            format: FORMAT,
            id: "1".to_owned(),
            at: At::from_micros(0),
            channel_type: "PIGEON".to_owned(),
            version: "1.0.0".to_owned(),
            digest: "d".to_owned(),
            account_id: Some("a".to_owned()),
            organization_id: None,
            hook: "parse".to_owned(),
            took_ms: 1,
            limits: CallLimits { wall: Duration::from_secs(1), ..CallLimits::USUAL }.into(),
            input: Some(Input::Parse { webhook }),
            withheld: None,
            exchanges: vec![Exchange {
                asked: Asked::KvGet { key: "token/12345%3AAB%2Fcd%2Bef".to_owned() },
                answer: Some(Answer::Bytes(Kept::whole(STANDARD.encode(format!("user:{TOKEN}")).into_bytes()))),
            }],
            left_out: 0,
            log: vec![Line {
                level: LogLevel::Info,
                message: "%31%32345:AB/cd+ef".to_owned(),
                fields: vec![("t".to_owned(), TOKEN.to_owned())],
            }],
            outcome: Outcome::Fault { word: "trap".to_owned(), text: format!("at {TOKEN}") },
            instance_calls: 0,
            blanked: Vec::new(),
        }
    }

    fn secrets() -> Vec<(String, Secret)> {
        vec![("token".to_owned(), Secret::from(TOKEN)), ("other".to_owned(), Secret::from("never in it"))]
    }

    #[test]
    fn no_form_of_a_secret_stays_and_the_record_is_one_still() {
        let bodies = [br#"{"token": "12345:AB\/cd+ef"}"#.to_vec(), [&[0xff, 0][..], TOKEN.as_bytes()].concat()];
        for body in bodies {
            let length = body.len();
            let json = redacted(&record(body), &secrets()).unwrap();
            let text = json.to_string();
            for form in [TOKEN, "12345%3AAB", "12345:AB\\\\/cd", &STANDARD.encode(TOKEN)[..12], "%31%32345"] {
                assert!(!text.contains(form), "{form} is in {text}");
            }
            assert_eq!(json["blanked"], json!(["token"]));
            let back: CallRecord = serde_json::from_value(json).unwrap();
            let Some(Input::Parse { webhook }) = back.input else { panic!() };
            let body = webhook.body.to_vec().unwrap();
            assert_eq!(body.len(), length, "what stands in its place is as long");
            assert!(!body.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes()));
            assert_eq!(webhook.path, format!("/webhooks/{}", "*".repeat(TOKEN.len())));
        }
    }

    #[test]
    fn without_secrets_nothing_changes() {
        let record = record(b"{}".to_vec());
        assert_eq!(serde_json::from_value::<CallRecord>(redacted(&record, &[]).unwrap()).unwrap(), record);
    }
}
