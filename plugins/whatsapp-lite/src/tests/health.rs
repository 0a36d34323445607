use patchbay_plugin::hooks::Report;

use super::*;
use crate::health;

fn failing(report: &Report) -> Vec<&str> {
    report.checks.iter().filter(|check| !check.ok).filter_map(|check| Some(check.detail.as_ref()?.code.as_str())).collect()
}

fn report(settings: &Value) -> Result<Report, Failure> {
    health::report(&call(settings))
}

#[test]
fn a_linked_phone_is_healthy_and_tells_its_quota() {
    let provider = Provider::new();
    session(&provider, "WORKING", Some("201220000000"));
    let report = report(&settings()).unwrap();
    assert_eq!(failing(&report), Vec::<&str>::new());
    assert_eq!(report.checks.iter().map(|check| check.name.as_str()).collect::<Vec<_>>(), ["api_key", "session", "number", "quota"]);
    for fact in [("quota_limit", "300"), ("quota_used", "12"), ("quota_resets_at", "2025-11-25T00:00:00Z"), ("session_status", "WORKING")] {
        assert!(report.facts.contains(&Field::new(fact.0, fact.1)), "{fact:?}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let provider = Provider::new();
    session(&provider, "WORKING", Some("201119999999"));
    let failure = report(&settings()).unwrap_err();
    let words = &failure.detail().unwrap().message;
    assert!(words.contains("+201119999999") && words.contains("+201220000000"), "{words}");
    assert_eq!(class(&failure), ("unauthorized", "logged_out"));
    session(&provider, "STARTING", None);
    assert_eq!(failing(&report(&settings()).unwrap()), ["connecting"]);
    session(&provider, "WORKING", None);
    assert_eq!(failing(&report(&with(&json!({"daily_limit": 12}))).unwrap()), ["quota"]);
}

#[test]
fn a_phone_that_is_not_linked_logs_the_account_out() {
    for (pairing, words) in [("qr", "scan the code"), ("credentials", "dashboard")] {
        for status in ["FAILED", "STOPPED", "SCAN_QR_CODE", "LOGGED_OUT"] {
            let provider = Provider::new();
            session(&provider, status, None);
            let failure = report(&with(&json!({"pairing": pairing}))).unwrap_err();
            assert_eq!(class(&failure), ("unauthorized", "logged_out"), "{status}");
            assert!(failure.detail().unwrap().message.contains(words), "{status}");
        }
    }
}

#[test]
fn a_missing_session_api_matters_only_where_the_gateway_links_the_phone() {
    let provider = Provider::new();
    provider.on(&format!("GET api {SESSION}")).answer(404, &json!({}));
    let report = report(&with(&json!({"pairing": "credentials"}))).unwrap();
    assert_eq!((failing(&report).len(), report.facts), (0, vec![Field::new("session_status", "not told")]));
    provider.on(&format!("GET api {SESSION}")).answer(404, &json!({}));
    assert_eq!(class(&self::report(&settings()).unwrap_err()), ("unauthorized", "logged_out"));
}

#[test]
fn a_dead_key_and_an_absent_provider_are_failures_and_no_checks() {
    let provider = Provider::new();
    provider.on(&format!("GET api {SESSION}")).answer(401, &json!({"message": "app API key or user authentication required"}));
    provider.on(&format!("GET api {SESSION}")).not_sent("dns");
    assert_eq!(class(&report(&settings()).unwrap_err()), ("unauthorized", "api_key"));
    assert_eq!(class(&report(&settings()).unwrap_err()).0, "unavailable");
}
