use super::*;
use crate::Instagram;
use patchbay_plugin::Channel as _;
use patchbay_plugin::hooks::{Connecting, Report, Step};

fn report(settings: &Value, now_ms: f64) -> Result<Report, Failure> {
    Instagram::health(&call_at(Some(ACCOUNT), settings, now_ms))
}

fn failing(report: &Report) -> Vec<&str> {
    report.checks.iter().filter(|check| !check.ok).map(|check| check.name.as_str()).collect()
}

fn me(provider: &Provider) {
    provider.on("GET instagram /v26.0/me").answer(200, &json!({"user_id": ACCOUNT, "username": "fake.shop"}));
}

/// An account whose token was exchanged now.
fn connected() -> Provider {
    let provider = Provider::new();
    provider.secret("access_token", "SHORT");
    provider.secret("app_secret", "s");
    provider.on("GET ig_exchange /access_token").answer(200, &json!({"access_token": "LONG"}));
    me(&provider);
    subscribed(&provider);
    let input = Connecting { step: Step::Start, webhook_url: String::new(), state: None };
    assert!(Instagram::connect(&call(Some(ACCOUNT), &own()), input).is_ok());
    provider
}

#[test]
fn a_token_is_renewed_after_fifty_days_and_not_before() {
    let provider = connected();
    let healthy = |days: f64| {
        me(&provider);
        subscribed(&provider);
        let report = report(&own(), NOW_MS + days * DAY_MS).unwrap();
        assert!(failing(&report).is_empty());
        report.checks.into_iter().find(|check| check.name == "token_renewal").unwrap().detail.map(|detail| detail.code)
    };
    assert_eq!(healthy(49.0), None);
    provider.on("GET ig_refresh /refresh_access_token").answer(200, &json!({"access_token": "NEXT", "expires_in": 5_183_944}));
    assert_eq!(healthy(51.0).as_deref(), Some("token_renewed"));
    assert_eq!(provider.secret_value("access_token").as_deref(), Some(&b"NEXT"[..]));
    assert_eq!(healthy(52.0), None);
}

#[test]
fn a_renewal_that_fails_is_told_and_tried_again_later() {
    let provider = connected();
    provider.on("GET ig_refresh /refresh_access_token").answer(400, &refusal(100, 0));
    me(&provider);
    subscribed(&provider);
    assert_eq!(failing(&report(&own(), NOW_MS + 51.0 * DAY_MS).unwrap()), ["token_renewal"]);
    me(&provider);
    subscribed(&provider);
    assert!(failing(&report(&own(), NOW_MS + 51.1 * DAY_MS).unwrap()).is_empty(), "six hours have not passed");
    provider.on("GET ig_refresh /refresh_access_token").answer(401, &refusal(190, 463));
    assert!(matches!(report(&own(), NOW_MS + 52.0 * DAY_MS), Err(Failure::Unauthorized(_))));
}

#[test]
fn a_token_of_unknown_age_is_renewed_as_soon_as_it_may_be() {
    let provider = Provider::new();
    provider.secret("access_token", "TYPED");
    for _ in 0..2 {
        me(&provider);
        subscribed(&provider);
    }
    assert!(failing(&report(&own(), NOW_MS).unwrap()).is_empty());
    provider.on("GET ig_refresh /refresh_access_token").answer(200, &json!({"data": [{"access_token": "NEXT"}]}));
    assert!(failing(&report(&own(), NOW_MS + 2.0 * DAY_MS).unwrap()).is_empty());
    assert_eq!(provider.secret_value("access_token").as_deref(), Some(&b"NEXT"[..]));
}

#[test]
fn a_page_that_has_lost_its_account_is_named() {
    let settings = json!({"page_id": PAGE});
    let provider = Provider::new();
    let page = format!("GET page /v26.0/{PAGE}");
    for told in [json!({"id": ACCOUNT, "username": "fake.shop"}), json!(null), json!({"id": "7"})] {
        page_token(&provider);
        provider.on(&page).answer(200, &json!({"id": PAGE, "instagram_business_account": told}));
        page_subscribed(&provider);
    }
    assert!(failing(&report(&settings, NOW_MS).unwrap()).is_empty());
    assert_eq!(failing(&report(&settings, NOW_MS).unwrap()), ["account"]);
    assert_eq!(failing(&report(&settings, NOW_MS).unwrap()), ["account"]);
}
