use std::collections::BTreeSet;

use patchbay_plugin::Channel as _;
use patchbay_plugin::hooks::{Account, Parsed};
use patchbay_plugin::messages::{AccountStatus, Event, Happening, Inbound, ReceiptTarget};
use patchbay_plugin::testing::fixtures;

use super::*;
use crate::WhatsAppLite;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
const OURS: &str = "019a0000-0000-7000-8000-0000000000aa";

fn account() -> Account {
    testing::account(Some("201220000000"), &settings())
}

fn parse(account: Account, body: impl Into<Vec<u8>>) -> Result<Parsed, Failure> {
    WhatsAppLite::parse_inbound(testing::webhook(account, body))
}

fn receive(event: &str, payload: &Value) -> Vec<Event> {
    let body = json!({"event": event, "id": "evt_1", "suit_id": "5db9", "session": "s_1", "timestamp": 1_764_000_000, "payload": payload});
    parse(account(), body.to_string()).unwrap().events
}

fn message(payload: &Value) -> Inbound {
    match receive("message", payload).remove(0).what {
        Happening::Message(inbound) => inbound,
        other => panic!("no message: {other:?}"),
    }
}

fn targets(payload: &Value) -> Vec<String> {
    match receive("message.ack", payload).remove(0).what {
        Happening::Receipt(receipt) => match receipt.target {
            ReceiptTarget::Messages(ids) => ids,
            other @ ReceiptTarget::UpToMs(_) => panic!("{other:?}"),
        },
        other => panic!("no receipt: {other:?}"),
    }
}

fn status(account: Account, payload: &Value) -> AccountStatus {
    let body = json!({"event": "session.status", "id": "evt_1", "suit_id": "5db9", "timestamp": 1, "payload": payload});
    match parse(account, body.to_string()).unwrap().events.remove(0).what {
        Happening::Account(status) => status,
        other => panic!("no status: {other:?}"),
    }
}

#[test]
fn every_webhook_gives_its_events() {
    assert!(fixtures::check::<WhatsAppLite>(FIXTURES, &account()).unwrap() >= 25);
}

#[test]
fn a_webhook_that_is_delivered_again_has_the_same_keys() {
    let mut keys = BTreeSet::new();
    let mut count = 0;
    for file in std::fs::read_dir(FIXTURES).unwrap() {
        let fixture: Value = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
        if !fixture["body"].is_object() {
            continue;
        }
        let of =
            || parse(account(), fixture["body"].to_string()).unwrap().events.into_iter().map(|event| event.dedupe_key).collect::<Vec<_>>();
        assert_eq!(of(), of());
        count += of().len();
        keys.extend(of());
    }
    assert_eq!(keys.len(), count, "two facts have one key");
}

#[test]
fn an_ack_names_our_message_by_our_reference_and_another_by_both_ids() {
    let id = "true_201001383533@c.us_3EB0FF";
    assert_eq!(targets(&json!({"id": id, "client_ref": "msg-uuid-1", "ack": 3})), [id, "msg-uuid-1"]);
    assert_eq!(targets(&json!({"id": id, "client_ref": OURS, "ack": 3})), [OURS]);
    assert_eq!(targets(&json!({"id": id, "client_ref": format!("{OURS}.1"), "ack": 3})), [format!("{OURS}.1")]);
    assert_eq!(targets(&json!({"id": id, "ack": "2"})), [id]);
    assert_eq!(targets(&json!({"client_ref": "msg-1", "ack": 2})), ["msg-1"]);
    assert!(receive("message.ack", &json!({"ack": 3})).is_empty());
    assert!(receive("message.ack", &json!({"id": id, "ack": 0})).is_empty());
    assert!(receive("message.ack", &json!({"id": id, "ack": 9})).is_empty());
    // What others wrote is acknowledged by us.
    assert!(receive("message.ack", &json!({"id": "false_201001383533@c.us_3EB0A1", "ack": 3})).is_empty());
    assert!(receive("message.ack", &json!({"id": "true_12036304@g.us_3EB0A1", "ack": 3})).is_empty());
}

#[test]
fn an_ack_that_failed_says_whether_it_was_the_number() {
    let failed =
        |error: &str| match receive("message.ack", &json!({"id": "true_201001383533@c.us_3EB0", "ack": -1, "error": error})).remove(0).what
        {
            Happening::Receipt(receipt) => receipt.failure.map(|failure| class(&failure).0),
            other => panic!("no receipt: {other:?}"),
        };
    assert_eq!((failed("NOT_ON_WHATSAPP"), failed("timeout")), (Some("recipient"), Some("rejected")));
}

#[test]
fn an_echo_of_the_gateways_own_message_says_which() {
    let echo = |client_ref: &str| {
        let payload = json!({"id": "true_201001383533@c.us_3EB0", "fromMe": true, "to": "201001383533@c.us", "type": "chat", "body": "x", "client_ref": client_ref});
        message(&payload)
    };
    assert_eq!((echo(OURS).echo, echo(OURS).extras), (true, vec![Field::new("message_id", OURS)]));
    assert_eq!(echo("somebody-else").extras, []);
    assert_eq!(echo(OURS).conversation.external_id, "201001383533");
}

#[test]
fn groups_broadcasts_channels_and_notices_are_not_carried() {
    let chat = |from: &str, kind: &str| receive("message", &json!({"id": "m", "from": from, "type": kind, "body": "x"})).len();
    assert_eq!(chat("201001383533@c.us", "chat"), 1);
    for from in ["12036304@g.us", "status@broadcast", "1203630@newsletter", "", "@lid", "@c.us"] {
        assert_eq!(chat(from, "chat"), 0, "{from}");
    }
    for kind in ["e2e_notification", "gp2", "call_log", "protocol"] {
        assert_eq!(chat("201001383533@c.us", kind), 0, "{kind}");
    }
}

#[test]
fn another_projects_event_is_ignored() {
    let body = json!({"event": "message", "id": "e", "suit_id": "other", "payload": {"id": "m", "from": "201001383533@c.us", "body": "x"}});
    assert!(parse(account(), body.to_string()).unwrap().events.is_empty());
}

#[test]
fn a_sessions_words_are_the_accounts() {
    let state = |payload: &Value| {
        let status = status(account(), payload);
        (status.state, status.detail.code)
    };
    for (payload, wanted) in [
        (json!({"status": "WORKING"}), ("connected", "working")),
        (json!({"status": "WORKING", "me": {"id": "201220000000@c.us"}}), ("connected", "working")),
        (json!({"status": "WORKING", "me": {"id": "201119999999"}}), ("logged_out", "wrong_number")),
        (json!({"status": "FAILED", "reason": "LOGGED_OUT"}), ("logged_out", "logged_out")),
        (json!({"status": "STOPPED", "reason": "LOGGED_OUT"}), ("logged_out", "logged_out")),
        (json!({"status": "LOGGED_OUT"}), ("logged_out", "logged_out")),
        (json!({"status": "FAILED", "reason": "BANNED"}), ("logged_out", "banned")),
        (json!({"status": "FAILED"}), ("logged_out", "failed")),
        (json!({"status": "SCAN_QR_CODE", "attempt": 2}), ("pairing", "scan_qr_code")),
        (json!({"status": "STOPPED"}), ("connecting", "connecting")),
        (json!({"status": "PASSKEY_REQUIRED"}), ("connecting", "connecting")),
    ] {
        assert_eq!(state(&payload), (wanted.0.to_owned(), wanted.1.to_owned()), "{payload}");
    }
    assert!(status(account(), &json!({"status": "FAILED"})).detail.message.contains("scan the code"));
    let credentials = testing::account(Some("201220000000"), &with(&json!({"pairing": "credentials"})));
    assert!(status(credentials, &json!({"status": "FAILED"})).detail.message.contains("dashboard"));
}

#[test]
fn before_it_was_ever_connected_an_accounts_dialogue_says_how_it_stands() {
    let new = || testing::account(None, &settings());
    assert_eq!(status(new(), &json!({"status": "WORKING"})).state, "");
    assert_eq!(status(new(), &json!({"status": "STOPPED", "reason": "LOGGED_OUT"})).state, "");
    assert_eq!(status(new(), &json!({"status": "SCAN_QR_CODE"})).state, "pairing");
}

#[test]
fn what_is_no_webhook_is_refused_and_any_object_is_taken() {
    for wrong in ["", "hello", "[]", "7", "null", "{}", r#"{"event":"message","payload":{"#] {
        assert!(matches!(parse(account(), wrong), Err(Failure::Invalid(_))), "{wrong}");
    }
    for odd in [
        json!({"event": "message"}),
        json!({"event": "message", "payload": 7}),
        json!({"event": "message", "payload": {"from": {}, "id": []}}),
        json!({"event": "message.ack", "payload": {"id": 7, "ack": {}}}),
        json!({"event": "session.status", "payload": {"status": 7}}),
        json!({"event": "message.reaction", "payload": {"id": "m"}}),
    ] {
        assert!(parse(account(), odd.to_string()).unwrap().events.is_empty(), "{odd}");
    }
    // An account whose settings can't be read any more loses nothing that comes in.
    let body = json!({"event": "message", "id": "e", "payload": {"id": "m", "from": "201001383533@c.us", "body": "x"}});
    assert_eq!(parse(testing::account(None, &json!([])), body.to_string()).unwrap().events.len(), 1);
}

#[test]
fn what_another_server_writes_otherwise_is_read_all_the_same() {
    let bare = json!({"id": "false_201001383533@c.us_3EB0A9", "type": "chat", "body": "Hi", "fromMe": "False", "participant": ""});
    let told = message(&bare);
    assert_eq!((told.conversation.external_id.as_str(), told.echo), ("201001383533", false));
    let echo = message(&json!({"id": "true_201001383533@c.us_3EB0AA", "body": "Hi", "fromMe": true}));
    assert_eq!((echo.conversation.external_id.as_str(), echo.echo), ("201001383533", true));
    assert_eq!(message(&json!({"from": 201_001_383_533_u64, "body": "Hi"})).external_id, "evt_1", "no id but the event's");
    assert!(receive("message", &json!({"id": "3EB0", "body": "Hi"})).is_empty(), "of nobody");

    let read = receive("Message.Ack", &json!({"id": "true_201001383533@c.us_3EB0FF", "client_ref": OURS, "ackName": "read"}));
    assert!(matches!(&read[0].what, Happening::Receipt(receipt) if receipt.state == patchbay_plugin::messages::ReceiptState::Read));
    assert_eq!(status(account(), &json!({"status": "working"})).state, "connected");
    assert_eq!(status(account(), &json!({"status": "Failed", "reason": "logged_out"})).detail.code, "logged_out");
    assert_eq!(status(account(), &json!({"status": "failed", "reason": "banned"})).detail.code, "banned");
}
