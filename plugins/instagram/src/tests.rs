use super::*;
use patchbay_plugin::testing::{self, fixtures};
use serde_json::json;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
const ACCOUNT: &str = "17841400000000001";

#[test]
fn every_fixture_gives_its_events() {
    assert!(fixtures::check::<Instagram>(FIXTURES, &testing::account(Some(ACCOUNT), &json!({}))).unwrap() >= 13);
}
