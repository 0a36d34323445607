use patchbay_plugin::Channel as _;
use patchbay_plugin::messages::{Event, Happening};
use patchbay_plugin::testing::{self, fixtures};
use serde_json::{Value, json};

use super::*;
use crate::LinkedIn;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
const ORGANIZATION: &str = "urn:li:organization:5590506";

fn parse(body: &str) -> Result<Vec<Event>, Failure> {
    LinkedIn::parse_inbound(testing::webhook(testing::account(Some(ORGANIZATION), &json!({})), body)).map(|parsed| parsed.events)
}

fn bodies() -> Vec<Value> {
    let mut files: Vec<_> = std::fs::read_dir(FIXTURES).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| serde_json::from_slice::<Value>(&std::fs::read(file).unwrap()).unwrap()["body"].take()).collect()
}

#[test]
fn every_fixture_gives_its_events() {
    assert!(fixtures::check::<LinkedIn>(FIXTURES, &testing::account(Some(ORGANIZATION), &json!({}))).unwrap() >= 19);
}

#[test]
fn what_is_delivered_again_has_the_same_keys_and_each_fact_its_own() {
    let mut seen = 0;
    for body in bodies() {
        let keys = || parse(&body.to_string()).unwrap().into_iter().map(|event| event.dedupe_key).collect::<Vec<_>>();
        let unique: std::collections::BTreeSet<_> = keys().into_iter().collect();
        assert_eq!(keys(), keys());
        assert_eq!(unique.len(), keys().len());
        seen += unique.len();
    }
    assert!(seen >= 20, "{seen}");
}

#[test]
fn a_message_of_the_organisation_itself_is_an_echo() {
    let echo = |from: &str| {
        let body = json!({"type": "MESSAGE_CREATED", "notifications": [{"notificationId": 1, "organizationalEntity": ORGANIZATION, "thread": "urn:li:messageThread:2-a",
            "message": {"id": "urn:li:message:1", "from": from, "body": "x"}}]});
        let Happening::Message(inbound) = parse(&body.to_string()).unwrap().remove(0).what else { panic!() };
        inbound.echo
    };
    assert_eq!((echo(ORGANIZATION), echo("urn:li:person:abc")), (true, false));
}

#[test]
fn ids_may_be_numbers_and_times_text() {
    let body = json!({"type": "MESSAGE_CREATED", "notifications": [{"notificationId": "601", "owner": ORGANIZATION, "thread": "urn:li:messageThread:2-a",
        "message": {"id": 7, "from": "urn:li:person:abc", "body": "x", "createdAt": "1764000002000"}}]});
    let event = parse(&body.to_string()).unwrap().remove(0);
    assert_eq!((event.dedupe_key.as_str(), event.at_ms), ("li:message:601", Some(1_764_000_002_000.0)));
    let Happening::Message(inbound) = event.what else { panic!() };
    assert_eq!((inbound.external_id.as_str(), inbound.sent_at_ms), ("7", Some(1_764_000_002_000.0)));
}

#[test]
fn what_is_no_webhook_is_refused_and_any_object_is_taken() {
    for wrong in ["", "hello", "[]", "[{}]", "7", "null", "{\"type\":"] {
        assert!(matches!(parse(wrong), Err(Failure::Invalid(_))), "{wrong}");
    }
    for odd in ["{}", r#"{"type":7}"#, r#"{"type":"MESSAGE_CREATED"}"#, r#"{"type":"MESSAGE_CREATED","notifications":[null,7,{}]}"#] {
        assert_eq!(parse(odd).unwrap(), Vec::new(), "{odd}");
    }
}

#[test]
fn garbled_webhooks_never_panic_and_lose_nothing_beside() {
    let mut tried = 0;
    for body in bodies() {
        let beside = match body["type"].as_str() {
            Some("MESSAGE_CREATED") => json!({"notificationId": "beside", "owner": "urn:li:person:me", "thread": "urn:li:messageThread:1",
                "message": {"id": "urn:li:message:9", "from": "urn:li:person:x", "body": "hi"}}),
            _ => {
                json!({"notificationId": "beside", "action": "LIKE", "organizationalEntity": ORGANIZATION, "sourcePost": "urn:li:share:1"})
            }
        };
        for pointer in pointers(&body, "") {
            for odd in [Value::Null, json!(-1), json!(1e300), json!("😀"), json!([]), json!([null, 7, {}]), json!({}), json!(true)] {
                let mut garbled = body.clone();
                *garbled.pointer_mut(&pointer).unwrap() = odd;
                let known = matches!(garbled["type"].as_str(), Some("MESSAGE_CREATED" | "ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS"));
                if let Some(list) = garbled.get_mut("notifications").and_then(Value::as_array_mut) {
                    list.push(beside.clone());
                }
                let is_listed = garbled["notifications"].is_array();
                let parsed = parse(&garbled.to_string());
                if let Ok(events) = &parsed {
                    assert_eq!(events.iter().any(|event| event.dedupe_key.ends_with(":beside")), known && is_listed, "{garbled}");
                }
                assert_eq!(parsed.is_ok(), garbled.is_object());
                tried += 1;
            }
        }
        let text = body.to_string();
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            assert!(parse(&text[..end]).is_err());
            tried += 1;
        }
    }
    assert!(tried > 3000, "{tried}");
}

fn pointers(value: &Value, at: &str) -> Vec<String> {
    let mut all = vec![at.to_owned()];
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| all.extend(pointers(field, &format!("{at}/{name}")))),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| all.extend(pointers(item, &format!("{at}/{index}")))),
        _ => {}
    }
    all
}
