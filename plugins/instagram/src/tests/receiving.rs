use super::*;
use crate::Instagram;
use patchbay_plugin::Channel as _;
use patchbay_plugin::testing::fixtures;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

#[test]
fn every_fixture_gives_its_events() {
    assert!(fixtures::check::<Instagram>(FIXTURES, &testing::account(Some(ACCOUNT), &json!({}))).unwrap() >= 13);
}

#[test]
fn whatever_comes_is_no_panic() {
    let mut tried = 0;
    for file in std::fs::read_dir(FIXTURES).unwrap() {
        let fixture: Value = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
        let body = &fixture["body"];
        let parse = |body: &str| Instagram::parse_inbound(testing::webhook(testing::account(Some(ACCOUNT), &json!({})), body));
        for pointer in pointers(body, "") {
            for odd in [Value::Null, json!(-1), json!(1e300), json!("😀"), json!([]), json!([null, 7, {}]), json!({}), json!(true)] {
                let mut garbled = body.clone();
                *garbled.pointer_mut(&pointer).unwrap() = odd;
                assert_eq!(parse(&garbled.to_string()).is_ok(), garbled.is_object(), "{garbled}");
                tried += 1;
            }
        }
        let text = body.to_string();
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            assert!(parse(&text[..end]).is_err());
            tried += 1;
        }
    }
    assert!(tried > 5000, "{tried}");
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

#[test]
fn settings_are_normalised_and_the_schema_names_them() {
    let normalised = Instagram::configure(r#"{"ig_graph_base_url":" http://127.0.0.1:9101/ ","page_id":" ","login_type":"instagram"}"#);
    assert_eq!(normalised, Ok(r#"{"ig_graph_base_url":"http://127.0.0.1:9101","login_type":"instagram"}"#.to_owned()));
    assert!(matches!(Instagram::configure(r#"{"login_type":"pigeon"}"#), Err(Failure::Invalid(_))));
    let schema: Value = serde_json::from_str(include_str!("../../settings.schema.json")).unwrap();
    for property in schema["properties"].as_object().unwrap().values() {
        assert!(property["title"].is_string() && property["description"].is_string());
    }
}

/// They have one mid: with one key the second would be dropped as a repetition.
#[test]
fn an_unsend_is_another_fact_than_its_message() {
    let keys = |file: &str| {
        let fixture: Value = serde_json::from_slice(&std::fs::read(format!("{FIXTURES}/{file}.json")).unwrap()).unwrap();
        fixture["expected"][0]["dedupe_key"].as_str().unwrap().to_owned()
    };
    assert_ne!(keys("ig-01-text"), keys("ig-07-unsend"));
    assert_ne!(keys("ig-01-text"), keys("ig-12-edit"));
}
