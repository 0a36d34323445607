use super::*;
use crate::Messenger;
use patchbay_plugin::Channel as _;
use patchbay_plugin::hooks::Report;

fn page(provider: &Provider, fields: &Value) {
    provider.on(&format!("GET page /v26.0/{PAGE}")).answer(200, fields);
}

fn report() -> Result<Report, Failure> {
    Messenger::health(&call(Some(PAGE), &json!({})))
}

fn failing(report: &Report) -> Vec<&str> {
    report.checks.iter().filter(|check| !check.ok).map(|check| check.name.as_str()).collect()
}

#[test]
fn a_page_that_works_is_healthy_and_tells_its_facts() {
    let provider = Provider::new();
    page_token(&provider);
    page(&provider, &json!({"id": PAGE, "name": "Shop", "is_published": true, "messaging_feature_status": "USER", "has_added_app": true}));
    subscribed(&provider, &fields());
    let report = report().unwrap();
    assert!(failing(&report).is_empty());
    let facts: Vec<(&str, &str)> = report.facts.iter().map(|fact| (fact.name.as_str(), fact.value.as_str())).collect();
    assert!(
        facts.contains(&("page_name", "Shop"))
            && facts.contains(&("is_published", "true"))
            && facts.contains(&("token_expires_ms", "never"))
    );
}

#[test]
fn a_subscription_that_is_gone_is_mended_and_said() {
    let provider = Provider::new();
    page_token(&provider);
    page(&provider, &json!({"id": PAGE}));
    provider.on(&format!("GET page /v26.0/{PAGE}/subscribed_apps")).answer(200, &json!({"data": []}));
    subscribes(&provider);
    subscribed(&provider, &fields());
    let report = report().unwrap();
    let check = report.checks.iter().find(|check| check.name == "subscription").unwrap();
    assert_eq!((check.ok, check.detail.as_ref().map(|detail| detail.code.as_str())), (true, Some("subscription_mended")));
}

#[test]
fn a_dead_token_is_a_failure_and_no_check() {
    let provider = Provider::new();
    let error = json!({"code": 190, "subcode": 460, "message": "The password has changed"});
    provider.on("GET debug_page /v26.0/debug_token").answer(200, &json!({"data": {"is_valid": false, "error": error}}));
    assert!(matches!(report(), Err(Failure::Unauthorized(detail)) if detail.code == "190/460"));
    page_token(&provider);
    provider.on(&format!("GET page /v26.0/{PAGE}")).answer(401, &refusal(190, 463));
    assert!(matches!(report(), Err(Failure::Unauthorized(_))));
}

#[test]
fn what_is_wrong_is_named() {
    let provider = Provider::new();
    let data = json!({"is_valid": true, "expires_at": 1_790_000_000 + 86_400, "scopes": ["pages_messaging"]});
    provider.on("GET debug_page /v26.0/debug_token").answer(200, &json!({"data": data}));
    page(&provider, &json!({"id": PAGE, "is_published": false}));
    provider.on(&format!("GET page /v26.0/{PAGE}/subscribed_apps")).answer(403, &refusal(210, 0));
    assert_eq!(failing(&report().unwrap()), ["token_expiry", "permissions", "page", "subscription"]);
}

#[test]
fn a_limit_says_nothing_about_the_page() {
    let provider = Provider::new();
    page_token(&provider);
    provider.on(&format!("GET page /v26.0/{PAGE}")).answer(400, &refusal(32, 0));
    assert!(matches!(report(), Err(Failure::Limited(_))));
}
