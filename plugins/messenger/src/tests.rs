use super::*;
use patchbay_plugin::testing::{self, fixtures};
use serde_json::json;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
const PAGE: &str = "100000000000001";

#[test]
fn every_fixture_gives_its_events() {
    assert!(fixtures::check::<Messenger>(FIXTURES, &testing::account(Some(PAGE), &json!({}))).unwrap() >= 12);
}
