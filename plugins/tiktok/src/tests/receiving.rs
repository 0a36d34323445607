use super::*;
use crate::TikTok;
use patchbay_plugin::Channel as _;
use patchbay_plugin::messages::{Content, Happening};
use patchbay_plugin::testing::fixtures;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

#[test]
fn every_fixture_gives_its_events() {
    assert!(fixtures::check::<TikTok>(FIXTURES, &testing::account(Some(BUSINESS), &json!({}))).unwrap() >= 27);
}

#[test]
fn a_type_may_be_left_out_and_a_reaction_stand_alone() {
    let parse = |content: Value| {
        let content = json!({"conversation_id": "c", "message_id": "m", "timestamp": "1764000000123", "content": null})
            .as_object()
            .into_iter()
            .chain(content.as_object())
            .flatten()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect::<Value>();
        let body = json!({"event": "im_receive_msg", "user_openid": BUSINESS, "content": content.to_string()}).to_string();
        TikTok::parse_inbound(testing::webhook(testing::account(Some(BUSINESS), &json!({})), body)).unwrap().events.remove(0)
    };
    let event = parse(json!({"text": {"body": "Price?"}, "unique_identifier": "u_77"}));
    assert_eq!(event.at_ms, Some(1_764_000_000_123.0));
    let Happening::Message(inbound) = event.what else { panic!("{event:?}") };
    assert!(matches!(&inbound.content[0], Content::Text(text) if text.body == "Price?"));
    assert_eq!((inbound.echo, inbound.sender.identities[0].value.as_str()), (false, "u_77"));
    let event = parse(json!({"type": "reaction", "reaction": {"operation": "ADD", "emoji": "❤️", "original_msg_id": "m_out_9"}}));
    assert!(matches!(event.what, Happening::Reacted(reaction) if reaction.target == "m_out_9" && !reaction.removed));
}

#[test]
fn whatever_comes_is_no_panic_and_the_same_gives_the_same() {
    let mut tried = 0;
    for file in std::fs::read_dir(FIXTURES).unwrap() {
        let fixture: Value = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
        let body = &fixture["body"];
        let parse = |body: &str| TikTok::parse_inbound(testing::webhook(testing::account(Some(BUSINESS), &json!({})), body));
        let keys = |body: &str| parse(body).map(|parsed| parsed.events.into_iter().map(|event| event.dedupe_key).collect::<Vec<_>>()).ok();
        for garbled in garbled(body) {
            let text = garbled.to_string();
            assert_eq!(keys(&text), keys(&text));
            tried += 1;
        }
        let text = body.to_string();
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            assert!(parse(&text[..end]).is_err());
            tried += 1;
        }
    }
    assert!(tried > 10_000, "{tried}");
}

/// The body with each of its values replaced by odd ones, inside the content too.
fn garbled(body: &Value) -> Vec<Value> {
    let odd = [Value::Null, json!(-1), json!(1e300), json!("😀"), json!([]), json!([null, 7, {}]), json!({}), json!(true), json!(i64::MAX)];
    let replaced = |whole: &Value| -> Vec<Value> {
        let places = pointers(whole, "");
        let each = |(at, odd): (&String, &Value)| {
            let mut garbled = whole.clone();
            *garbled.pointer_mut(at).unwrap() = odd.clone();
            garbled
        };
        places.iter().flat_map(|at| odd.iter().map(move |odd| (at, odd))).map(each).collect()
    };
    let mut all = replaced(body);
    if let Some(content) = body["content"].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok()) {
        let outer = |inner: Value| {
            let mut outer = body.clone();
            outer["content"] = json!(inner.to_string());
            outer
        };
        all.extend(replaced(&content).into_iter().map(outer));
    }
    all
}

/// The place of every value.
fn pointers(value: &Value, at: &str) -> Vec<String> {
    let mut all = vec![at.to_owned()];
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| all.extend(pointers(field, &format!("{at}/{name}")))),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| all.extend(pointers(item, &format!("{at}/{index}")))),
        _ => {}
    }
    all
}
