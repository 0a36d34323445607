use super::*;
use crate::WhatsAppCloud;
use patchbay_plugin::Channel as _;
use patchbay_plugin::testing::{self, fixtures};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

fn receive(body: &str) -> Vec<Event> {
    let account = testing::account(Some("900000000000001"), &json!({}));
    WhatsAppCloud::parse_inbound(testing::webhook(account, body)).unwrap().events
}

#[test]
fn every_fixture_gives_its_events() {
    let account = testing::account(Some("900000000000001"), &json!({}));
    assert!(fixtures::check::<WhatsAppCloud>(FIXTURES, &account).unwrap() >= 16);
}

#[test]
fn what_is_delivered_again_has_the_same_keys_and_each_fact_its_own() {
    for file in std::fs::read_dir(FIXTURES).unwrap() {
        let fixture: Value = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
        let keys = || receive(&fixture["body"].to_string()).into_iter().map(|event| event.dedupe_key).collect::<Vec<_>>();
        let unique: std::collections::BTreeSet<_> = keys().into_iter().collect();
        assert_eq!(keys(), keys());
        assert_eq!(unique.len(), keys().len());
        assert!(keys().iter().all(|key| key.starts_with("wa:") && !key.contains("900000000000001")));
    }
}

/// Meta writes what isn't ASCII, and slashes, with backslashes; some read bodies with spaces.
#[test]
fn the_way_json_is_written_changes_nothing() {
    let fixture: Value = serde_json::from_slice(&std::fs::read(format!("{FIXTURES}/wa-01-text-reply.json")).unwrap()).unwrap();
    let plain = fixture["body"].to_string();
    let escaped = plain.replace('👟', "\\ud83d\\udc5f").replace('/', "\\/");
    assert_ne!(plain, escaped);
    assert_eq!(receive(&plain), receive(&escaped));
    assert_eq!(receive(&plain), receive(&format!("{:#}", fixture["body"])));
}

#[test]
fn what_is_no_webhook_is_refused_and_any_object_is_taken() {
    let body = |body: &str| WhatsAppCloud::parse_inbound(testing::webhook(testing::account(None, &json!({})), body));
    for wrong in ["", "hello", "[]", "[{}]", "7", "null", "{\"entry\":"] {
        assert!(matches!(body(wrong), Err(Failure::Invalid(_))), "{wrong}");
    }
    for (odd, events) in [("{}", 0), (r#"{"entry":[]}"#, 0), (r#"{"entry":null}"#, 0), (r#"{"entry":7}"#, 1), (r#"{"entry":[null,{}]}"#, 2)]
    {
        assert_eq!(body(odd).unwrap().events.len(), events, "{odd}");
    }
}

#[test]
fn a_number_without_its_id_is_known_by_its_digits_and_then_by_its_business_account() {
    let account = |metadata: Value| {
        let message = json!({"id": "wamid.1", "from": "1555", "type": "text", "text": {"body": "x"}});
        let value = json!({"metadata": metadata, "messages": [message]});
        let body = json!({"entry": [{"id": "8", "changes": [{"field": "messages", "value": value}]}]});
        receive(&body.to_string()).remove(0).account.unwrap()
    };
    assert_eq!(account(json!({"phone_number_id": 9, "display_phone_number": "1"})), "9");
    assert_eq!(account(json!({"display_phone_number": "+1 555-000-1111"})), "phone:15550001111");
    assert_eq!(account(json!({})), "waba:8");
}

/// Every fixture, with each of its values in turn left out or replaced by one of another type, and its text cut anywhere.
#[test]
fn garbled_webhooks_never_panic_and_lose_nothing_beside() {
    let mut tried = 0;
    for file in std::fs::read_dir(FIXTURES).unwrap() {
        let fixture: Value = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
        let body = &fixture["body"];
        for pointer in pointers(body, "") {
            for odd in [Value::Null, json!(-1), json!(1e300), json!("😀"), json!([]), json!([null, 7, {}]), json!({}), json!(true)] {
                let mut garbled = body.clone();
                *garbled.pointer_mut(&pointer).unwrap() = odd;
                // The fact beside the garbled one.
                if let Some(entries) = garbled.pointer_mut("/entry").and_then(Value::as_array_mut) {
                    entries.push(json!({"id": "8", "changes": [{"field": "messages", "value": {"metadata": {"phone_number_id": "7"},
                        "messages": [{"id": "wamid.BESIDE", "from": "1555", "type": "text", "text": {"body": "x"}}]}}]}));
                    let events = receive(&garbled.to_string());
                    let beside = events.iter().find(|event| event.dedupe_key == "wa:wamid.BESIDE").unwrap();
                    assert!(matches!(&beside.what, Happening::Message(_)) && beside.account.as_deref() == Some("7"));
                    tried += 1;
                } else if garbled.is_object() {
                    receive(&garbled.to_string());
                }
            }
        }
        let text = body.to_string();
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let account = testing::account(None, &json!({}));
            assert!(WhatsAppCloud::parse_inbound(testing::webhook(account, &text[..end])).is_err());
        }
    }
    assert!(tried > 4000, "{tried}");
}

/// Bytes turned into others, left out and doubled, by a generator that always does the same.
#[test]
fn damaged_bytes_never_panic() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let account = testing::account(Some("900000000000001"), &json!({}));
    let mut read = 0;
    for file in std::fs::read_dir(FIXTURES).unwrap() {
        let fixture: Value = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
        let body = fixture["body"].to_string().into_bytes();
        for _ in 0..150 {
            let mut damaged = body.clone();
            for _ in 0..=next(4) {
                let place = next(damaged.len());
                match next(4) {
                    0 => damaged[place] = u8::try_from(next(256)).unwrap(),
                    1 => damaged[place] = b"{}[],:\"0"[next(8)],
                    2 => drop(damaged.remove(place)),
                    _ => damaged.insert(place, damaged[place]),
                }
            }
            read += usize::from(WhatsAppCloud::parse_inbound(testing::webhook(account.clone(), damaged)).is_ok());
        }
    }
    assert!(read > 1000, "{read} could still be read");
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
