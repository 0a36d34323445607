use std::collections::BTreeSet;

use patchbay_plugin::Channel as _;
use patchbay_plugin::hooks::Parsed;
use patchbay_plugin::messages::{Event, Happening, ReceiptState};
use patchbay_plugin::testing::fixtures;

use super::*;
use crate::ShrinkItPush;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

fn parse(body: impl Into<Vec<u8>>) -> Result<Parsed, Failure> {
    ShrinkItPush::parse_inbound(testing::webhook(testing::account(Some("5db9"), &settings()), body))
}

fn receive(name: &str, value: &str, client_ref: &str) -> Vec<Event> {
    let payload = json!({"channel": "apppush", "action": {"name": name, "value": value}, "userId": "P9", "client_ref": client_ref});
    parse(json!({"event": "push.status", "id": "e", "suit_id": "5db9", "timestamp": 1_764_000_000, "payload": payload}).to_string())
        .unwrap()
        .events
}

#[test]
fn every_webhook_gives_its_events() {
    assert!(fixtures::check::<ShrinkItPush>(FIXTURES, &testing::account(Some("5db9"), &settings())).unwrap() >= 10);
}

#[test]
fn a_webhook_that_is_delivered_again_has_the_same_keys() {
    let mut keys = BTreeSet::new();
    let mut count = 0;
    for file in std::fs::read_dir(FIXTURES).unwrap() {
        let fixture: Value = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
        let of = || parse(fixture["body"].to_string()).unwrap().events.into_iter().map(|event| event.dedupe_key).collect::<Vec<_>>();
        assert_eq!(of(), of());
        count += of().len();
        keys.extend(of());
    }
    assert_eq!(keys.len(), count, "two facts have one key");
}

#[test]
fn an_app_that_is_gone_makes_the_user_unreachable_and_any_other_failure_does_not() {
    let failed = |reason: &str| match receive("failed", reason, "msg-2").remove(0).what {
        Happening::Receipt(receipt) => {
            assert_eq!(receipt.state, ReceiptState::Failed);
            let failure = receipt.failure.unwrap();
            (class(&failure).0, class(&failure).1.to_owned())
        }
        other => panic!("no receipt: {other:?}"),
    };
    for reason in [
        "BadDeviceToken",
        "DeviceTokenNotForTopic",
        "InvalidParameters",
        "InvalidRegistration",
        "MismatchSenderId",
        "MissingDeviceToken",
        "NotRegistered",
        "Unregistered",
    ] {
        assert_eq!(failed(reason), ("recipient", reason.to_owned()));
    }
    assert_eq!(failed("PayloadTooLarge"), ("rejected", "push_failed".into()));
    assert_eq!(failed("NA"), ("rejected", "push_failed".into()));
}

#[test]
fn one_phone_of_a_segment_that_fails_does_not_fail_the_message() {
    let events = receive("failed", "NotRegistered", "019a0000-0000-7000-8000-0000000000aa.segment");
    assert!(matches!(&events[0].what, Happening::Custom(custom) if custom.kind == "push_failed"));
    let opened = receive("open", "NA", "019a0000-0000-7000-8000-0000000000aa.segment");
    assert!(matches!(&opened[0].what, Happening::Receipt(receipt) if receipt.state == ReceiptState::Read));
}

#[test]
fn what_is_no_webhook_is_refused_and_any_object_is_taken() {
    for wrong in ["", "hello", "[]", "7", "null", "{}", r#"{"event":"push.status","payload":{"#] {
        assert!(matches!(parse(wrong), Err(Failure::Invalid(_))), "{wrong}");
    }
    for odd in [
        json!({"event": "push.status"}),
        json!({"event": "push.status", "payload": 7}),
        json!({"event": "push.status", "payload": {"action": 7}}),
        json!({"event": "push.status", "payload": {"action": {"name": 7}}}),
        json!({"event": "push.status", "payload": {"action": {"name": "received"}}}),
        json!({"event": "push.status", "payload": {"action": {"name": "vibrated"}, "client_ref": "m"}}),
        json!({"event": "push.new", "payload": {"action": {"name": "open"}}}),
        json!({"event": "push.status", "suit_id": "other", "payload": {"action": {"name": "open"}, "client_ref": "m"}}),
    ] {
        assert!(parse(odd.to_string()).unwrap().events.is_empty(), "{odd}");
    }
}

#[test]
fn what_another_server_writes_otherwise_is_read_all_the_same() {
    let of = |payload: &Value| parse(json!({"event": "Push.Status", "id": "e", "payload": payload}).to_string()).unwrap().events;
    let states = |payload: &Value| match of(payload).remove(0).what {
        Happening::Receipt(receipt) => (receipt.state, receipt.target),
        other => panic!("no receipt: {other:?}"),
    };
    let named = |id: &str| patchbay_plugin::messages::ReceiptTarget::Messages(vec![id.to_owned()]);
    assert_eq!(states(&json!({"action": {"name": "RECEIVED"}, "client_ref": "m"})), (ReceiptState::Delivered, named("m")));
    assert_eq!(states(&json!({"action": "open", "value": "na", "user_id": 7, "messageId": "n-1"})), (ReceiptState::Read, named("n-1")));
    assert_eq!(class_of_failed(of(&json!({"action": {"name": "Failed", "value": "notregistered"}, "client_ref": "m"}))), "recipient");
    // It may be one phone of many.
    let one = of(&json!({"action": {"name": "failed", "value": "x"}, "message_id": "n-1"})).remove(0).what;
    assert!(matches!(one, Happening::Custom(custom) if custom.kind == "push_failed" && custom.json.contains("n-1")));
    assert!(of(&json!({"action": 7})).is_empty() && of(&json!(null)).is_empty());
}

fn class_of_failed(mut events: Vec<Event>) -> &'static str {
    match events.remove(0).what {
        Happening::Receipt(receipt) => class(&receipt.failure.unwrap()).0,
        other => panic!("no receipt: {other:?}"),
    }
}
