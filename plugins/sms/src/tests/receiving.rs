use super::*;
use crate::Sms;
use patchbay_plugin::Channel as _;
use patchbay_plugin::hooks::{Parsed, Webhook};
use patchbay_plugin::testing::fixtures;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

fn with_numbers(mut settings: Value) -> Value {
    settings["dlr_status_map"] = json!({"9": "delivered", "8": "ignored"});
    settings
}

#[test]
fn every_fixture_gives_its_events_whichever_provider_is_set() {
    for settings in [with_numbers(victorylink()), with_numbers(appgain())] {
        assert!(fixtures::check::<Sms>(FIXTURES, &testing::account(None, &settings)).unwrap() >= 30);
    }
}

fn parse(settings: &Value, body: &str) -> Result<Parsed, Failure> {
    Sms::parse_inbound(testing::webhook(testing::account(None, settings), body))
}

fn get(query: &[(&str, &str)]) -> Parsed {
    let query = query.iter().map(|(name, value)| Field::new(*name, *value)).collect();
    let webhook = testing::webhook(testing::account(None, &victorylink()), "");
    Sms::parse_inbound(Webhook { method: "GET".into(), query, ..webhook }).unwrap()
}

#[test]
fn a_report_of_nothing_is_answered_400_and_says_what_is_missing() {
    let long = "x".repeat(101);
    for (query, missing) in [
        (vec![], "userSMSId"),
        (vec![("dlrResponseStatus", "Delivered")], "userSMSId"),
        (vec![("userSMSId", " "), ("dlrResponseStatus", "Delivered")], "userSMSId"),
        (vec![("userSMSId", long.as_str()), ("dlrResponseStatus", "Delivered")], "userSMSId"),
        (vec![("userSMSId", OURS)], "dlrResponseStatus"),
    ] {
        let parsed = get(&query);
        let reply = parsed.reply.unwrap();
        assert_eq!((parsed.events.len(), reply.status), (0, 400), "{query:?}");
        assert!(String::from_utf8(reply.body).unwrap().contains(missing));
    }
    let status = json!({"event": "sms.status", "payload": {"client_ref": OURS}});
    assert_eq!(parse(&appgain(), &status.to_string()).unwrap().reply.map(|reply| reply.status), Some(400));
    assert_eq!(get(&[("userSMSId", OURS), ("dlrResponseStatus", "Delivered")]).reply, None, "the gateway says 200");
}

#[test]
fn a_report_that_comes_twice_is_one_fact_and_another_status_is_another() {
    let key = |status: &str| get(&[("userSMSId", OURS), ("dlrResponseStatus", status)]).events[0].dedupe_key.clone();
    assert_eq!(key("Delivered"), key("DELIVERED"));
    assert_ne!(key("Delivered"), key("Submitted"));
}

#[test]
fn another_projects_events_are_ignored() {
    let status = json!({"event": "sms.status", "id": "e", "suit_id": "other", "payload": {"client_ref": OURS, "status": "DELIVRD"}});
    assert_eq!(parse(&appgain(), &status.to_string()).unwrap().events, []);
}

#[test]
fn whatever_comes_is_no_panic() {
    let mut tried = 0;
    for file in std::fs::read_dir(FIXTURES).unwrap() {
        let fixture: Value = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
        let body = &fixture["body"];
        if !body.is_object() {
            continue;
        }
        for pointer in places(body, "") {
            for odd in [Value::Null, json!(-1), json!(1e300), json!("😀"), json!([]), json!([null, 7, {}]), json!({}), json!(true)] {
                let mut garbled = body.clone();
                *garbled.pointer_mut(&pointer).unwrap() = odd;
                let text = garbled.to_string();
                let event_is_wrong = garbled.get("event").is_some_and(|event| !event.is_string());
                assert_eq!(parse(&appgain(), &text).is_ok(), garbled.is_object() && !event_is_wrong, "{text}");
                assert_eq!(parse(&appgain(), &text), parse(&appgain(), &text));
                tried += 1;
            }
        }
        let text = body.to_string();
        for end in (1..text.len()).filter(|end| text.is_char_boundary(*end)) {
            assert!(parse(&appgain(), &text[..end]).is_err());
            tried += 1;
        }
    }
    assert!(tried > 2000, "{tried}");
}

/// The place of every value.
fn places(value: &Value, at: &str) -> Vec<String> {
    let mut all = vec![at.to_owned()];
    if let Value::Object(fields) = value {
        fields.iter().for_each(|(name, field)| all.extend(places(field, &format!("{at}/{name}"))));
    }
    all
}

#[test]
fn a_report_by_post_may_be_a_form_or_stand_beside_an_empty_object() {
    let delivered = |parsed: Parsed| match parsed.events.into_iter().next().unwrap().what {
        patchbay_plugin::messages::Happening::Receipt(receipt) => receipt.state == patchbay_plugin::messages::ReceiptState::Delivered,
        _ => false,
    };
    assert!(delivered(parse(&victorylink(), &format!("userSMSId={OURS}&dlrResponseStatus=Delivered&mobile=%2B201001383533")).unwrap()));
    let webhook = testing::webhook(testing::account(None, &victorylink()), "{}");
    let query = vec![Field::new("usersmsid", OURS), Field::new("DlrResponseStatus", "DELIVERED")];
    assert!(delivered(Sms::parse_inbound(Webhook { query, ..webhook }).unwrap()));
    assert!(parse(&victorylink(), "a=b").is_err() && parse(&victorylink(), "%").is_err());
    let half = parse(&victorylink(), &format!("userSMSId={OURS}")).unwrap();
    assert_eq!(half.reply.map(|reply| reply.status), Some(400));
}

#[test]
fn appgains_status_counts_in_any_case() {
    for (event, status) in [("SMS.STATUS", "delivrd"), ("sms.status", " Delivered ")] {
        let body = json!({"event": event, "payload": {"client_ref": OURS, "status": status, "code": 0}}).to_string();
        let what = parse(&appgain(), &body).unwrap().events.remove(0).what;
        let patchbay_plugin::messages::Happening::Receipt(receipt) = what else { panic!("{status}: {what:?}") };
        assert_eq!(receipt.state, patchbay_plugin::messages::ReceiptState::Delivered);
    }
}
