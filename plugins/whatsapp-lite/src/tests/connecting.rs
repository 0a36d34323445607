use patchbay_plugin::hooks::{Connected, Connecting, Outcome, Pairing, Progress, Step};

use super::*;
use crate::connect;

const URL: &str = "https://gateway.example/webhooks/a1/t1";

fn take(settings: &Value, step: Step, state: Option<Vec<u8>>) -> Result<Outcome, Failure> {
    connect::step(&call(settings), &Connecting { step, webhook_url: URL.into(), state })
}

fn step(step: Step) -> Result<Outcome, Failure> {
    take(&settings(), step, None)
}

fn scan(outcome: Result<Outcome, Failure>) -> Pairing {
    match outcome.unwrap().progress {
        Progress::Scan(pairing) => pairing,
        other => panic!("no code: {other:?}"),
    }
}

fn connected(outcome: Result<Outcome, Failure>) -> Connected {
    match outcome.unwrap().progress {
        Progress::Connected(connected) => connected,
        other => panic!("not connected: {other:?}"),
    }
}

fn waits(outcome: Result<Outcome, Failure>) -> Option<Vec<u8>> {
    let outcome = outcome.unwrap();
    assert!(matches!(outcome.progress, Progress::Wait(500.0)), "{:?}", outcome.progress);
    outcome.state
}

fn created(provider: &Provider, status: &str) {
    provider.on(&format!("POST api {SESSION}")).answer(201, &json!({"session": "s_1", "status": status}));
}

fn code(provider: &Provider, status: u16, body: &Value) {
    provider.on(&format!("GET api {SESSION}/qr")).answer(status, body);
}

#[test]
fn a_session_is_begun_with_the_address_of_the_webhooks() {
    let provider = Provider::new();
    created(&provider, "STARTING");
    waits(step(Step::Start));
    let wanted = json!({"sender_id": "sales", "phone_number": "+201220000000", "webhook_url": URL});
    assert_eq!(provider.requests()[0].json(), wanted);
}

#[test]
fn a_code_is_shown_until_it_expires() {
    let provider = Provider::new();
    session(&provider, "SCAN_QR_CODE", None);
    code(
        &provider,
        200,
        &json!({"qr": "2@raw", "mimetype": "image/png", "data": "aGk=", "expires_at": "2025-11-24T16:01:00Z", "attempt": 1}),
    );
    let first = scan(step(Step::Tick));
    assert_eq!((first.code.as_str(), first.expires_at_ms, first.refreshes_left), ("2@raw", 1_764_000_060_000.0, 5));
    // Without a time it lives as long as such codes do.
    created(&provider, "SCAN_QR_CODE");
    code(&provider, 200, &json!({"qr": "2@next", "attempt": 6}));
    let last = scan(step(Step::Start));
    assert_eq!((last.code.as_str(), last.expires_at_ms, last.refreshes_left), ("2@next", 1_764_000_020_000.0, 0));
}

#[test]
fn the_right_phone_connects_the_account_and_its_number_is_the_accounts_id() {
    let provider = Provider::new();
    session(&provider, "WORKING", Some("201220000000@c.us"));
    let connected = connected(step(Step::Tick));
    assert_eq!((connected.external_id.as_str(), connected.display_name.as_str()), ("201220000000", "Shop (+201220000000)"));
    let fact = |name: &str| connected.facts.iter().find(|fact| fact.name == name).map(|fact| fact.value.as_str());
    assert_eq!((fact("session_status"), fact("quota_limit"), fact("quota_used")), (Some("WORKING"), Some("300"), Some("12")));
    assert_eq!((fact("quota_resets_at"), fact("phone_number")), (Some("2025-11-25T00:00:00Z"), Some("+201220000000")));
}

#[test]
fn another_phone_is_logged_out_again_and_both_numbers_are_named() {
    let provider = Provider::new();
    session(&provider, "WORKING", Some("201119999999"));
    provider.on(&format!("POST api {SESSION}/logout")).answer(200, &json!({"status": "STOPPED"}));
    let failure = step(Step::Tick).unwrap_err();
    assert_eq!(class(&failure), ("rejected", "wrong_number"));
    let words = &failure.detail().unwrap().message;
    assert!(words.contains("+201119999999") && words.contains("+201220000000") && words.contains("logged out again"), "{words}");
    session(&provider, "WORKING", Some("201119999999"));
    provider.on(&format!("POST api {SESSION}/logout")).answer(500, &json!({}));
    let failure = step(Step::Tick).unwrap_err();
    assert!(failure.detail().unwrap().message.contains("do that on the phone"));
}

#[test]
fn a_code_that_was_scanned_meanwhile_is_no_failure() {
    let provider = Provider::new();
    session(&provider, "SCAN_QR_CODE", None);
    code(&provider, 409, &json!({"status": "Failed", "code": "ALREADY_CONNECTED"}));
    session(&provider, "WORKING", Some("201220000000"));
    connected(step(Step::Tick));
    session(&provider, "SCAN_QR_CODE", None);
    code(&provider, 404, &json!({"status": "Failed", "code": "NO_QR"}));
    waits(step(Step::Tick));
}

#[test]
fn what_is_newer_than_the_plugin_is_waited_for_and_not_for_ever() {
    let provider = Provider::new();
    let mut state = None;
    for _ in 0..1200 {
        session(&provider, "PASSKEY_REQUIRED", None);
        state = waits(take(&settings(), Step::Tick, state));
    }
    session(&provider, "PASSKEY_REQUIRED", None);
    assert_eq!(class(&take(&settings(), Step::Tick, state).unwrap_err()), ("rejected", "session_stuck"));
    // A state that is no longer understood counts as none.
    session(&provider, "STOPPED", None);
    waits(take(&settings(), Step::Tick, Some(b"old".to_vec())));
}

#[test]
fn a_session_that_has_failed_says_why_and_is_begun_anew_when_somebody_asks() {
    for (reason, wanted) in [
        (json!(null), ("rejected", "pairing_failed")),
        (json!("TIMEOUT"), ("rejected", "pairing_failed")),
        (json!("BANNED"), ("rejected", "banned")),
        (json!("LOGGED_OUT"), ("unauthorized", "logged_out")),
    ] {
        let provider = Provider::new();
        provider.on(&format!("GET api {SESSION}")).answer(200, &json!({"status": "FAILED", "reason": reason}));
        assert_eq!(class(&step(Step::Tick).unwrap_err()), wanted);
    }
    for (begin, status) in [(Step::Refresh, "FAILED"), (Step::Refresh, "STOPPED")] {
        let provider = Provider::new();
        session(&provider, status, None);
        provider.on(&format!("POST api {SESSION}/restart")).answer(200, &json!({"status": "STARTING"}));
        waits(step(begin));
    }
    for status in ["FAILED", "STOPPED"] {
        let provider = Provider::new();
        created(&provider, status);
        provider.on(&format!("POST api {SESSION}/restart")).answer(200, &json!({"status": "STARTING"}));
        waits(step(Step::Start));
    }
}

#[test]
fn a_new_code_that_is_asked_for_is_the_one_that_is_shown_now() {
    let provider = Provider::new();
    session(&provider, "SCAN_QR_CODE", None);
    code(&provider, 200, &json!({"qr": "2@second", "attempt": 2}));
    assert_eq!(scan(step(Step::Refresh)).code, "2@second");
}

#[test]
fn a_session_that_was_deleted_is_begun_again_only_when_somebody_asks() {
    let provider = Provider::new();
    provider.on(&format!("GET api {SESSION}")).answer(404, &json!({"code": "SESSION_NOT_FOUND"}));
    assert_eq!(class(&step(Step::Tick).unwrap_err()), ("rejected", "session_gone"));
    provider.on(&format!("GET api {SESSION}")).answer(404, &json!({"code": "SESSION_NOT_FOUND"}));
    created(&provider, "STARTING");
    waits(step(Step::Refresh));
}

#[test]
fn what_appgain_says_against_it_names_the_way_out() {
    for (status, body, wanted) in [
        (401, json!({"message": "Not Authorized Api Key"}), ("unauthorized", "api_key")),
        (409, json!({"status": "Failed", "code": "ALREADY_CONNECTED"}), ("rejected", "already_connected")),
        (404, json!({}), ("rejected", "no_session_api")),
        (503, json!({}), ("unavailable", "503")),
    ] {
        let provider = Provider::new();
        provider.on(&format!("POST api {SESSION}")).answer(status, &body);
        assert_eq!(class(&step(Step::Start).unwrap_err()), wanted, "{status}");
    }
    let provider = Provider::new();
    let mut nothing = settings();
    nothing.as_object_mut().unwrap().remove("suit_id");
    assert!(matches!(take(&nothing, Step::Start, None), Err(Failure::Invalid(problems)) if problems[0].pointer == "/suit_id"));
    assert!(provider.requests().is_empty());
}

#[test]
fn a_code_without_its_text_is_not_understood() {
    let provider = Provider::new();
    session(&provider, "SCAN_QR_CODE", None);
    code(&provider, 200, &json!({"data": "aGk="}));
    assert_eq!(class(&step(Step::Tick).unwrap_err()), ("unavailable", "not_understood"));
}

#[test]
fn disconnecting_unlinks_the_phone_and_what_is_gone_already_does_not_stop_it() {
    for (status, body) in [
        (200, json!({"status": "STOPPED"})),
        (404, json!({"code": "SESSION_NOT_FOUND"})),
        (409, json!({"code": "SESSION_NOT_WORKING"})),
        (401, json!({"message": "Not Authorized Api Key"})),
    ] {
        let provider = Provider::new();
        provider.on(&format!("POST api {SESSION}/logout")).answer(status, &body);
        assert!(step(Step::Disconnect).is_ok(), "{status}");
    }
    let provider = Provider::new();
    provider.on(&format!("POST api {SESSION}/logout")).answer(500, &json!({}));
    assert_eq!(class(&step(Step::Disconnect).unwrap_err()).0, "unavailable");
}

#[test]
fn a_phone_that_was_linked_at_appgain_is_found_and_never_logged_out() {
    let credentials = with(&json!({"pairing": "credentials"}));
    let start = || take(&credentials, Step::Start, None);
    let provider = Provider::new();
    session(&provider, "WORKING", Some("201220000000"));
    created(&provider, "WORKING");
    assert_eq!(connected(start()).external_id, "201220000000");
    assert_eq!(provider.requests()[1].json()["webhook_url"], URL);
    session(&provider, "WORKING", Some("201220000000"));
    provider.on(&format!("POST api {SESSION}")).answer(404, &json!({}));
    connected(start());
    session(&provider, "WORKING", Some("201119999999"));
    assert_eq!(class(&start().unwrap_err()), ("rejected", "wrong_number"));
    session(&provider, "SCAN_QR_CODE", None);
    assert_eq!(class(&start().unwrap_err()), ("unauthorized", "logged_out"));
    assert!(take(&credentials, Step::Disconnect, None).is_ok());
}

#[test]
fn where_there_is_no_session_api_the_account_connects_and_says_so() {
    let provider = Provider::new();
    provider.on(&format!("GET api {SESSION}")).answer(404, &json!({}));
    let connected = connected(take(&with(&json!({"pairing": "credentials"})), Step::Start, None));
    assert_eq!((connected.external_id.as_str(), connected.display_name.as_str()), ("201220000000", "+201220000000"));
    assert!(connected.facts.contains(&Field::new("session_status", "not told")));
    provider
        .on(&format!("GET api {SESSION}"))
        .answer(500, &json!({"exception": "'NoneType' object has no attribute 'api_key'", "status": "Failed"}));
    let failure = take(&with(&json!({"pairing": "credentials"})), Step::Start, None).unwrap_err();
    assert_eq!(class(&failure), ("unauthorized", "api_key"));
}
