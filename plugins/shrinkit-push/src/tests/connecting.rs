use patchbay_plugin::hooks::{Connected, Connecting, Progress, Step};

use super::*;
use crate::{connect, health};

const PROBE: &str = "GET probe /user_log_event/5db9/__probe";

fn take(settings: &Value, step: Step) -> Result<Connected, Failure> {
    let input = Connecting { step, webhook_url: "https://gateway.example/webhooks/a1/t1".into(), state: None };
    match connect::step(&testing::call(None, settings), &input)?.progress {
        Progress::Connected(connected) => Ok(connected),
        other => panic!("not connected: {other:?}"),
    }
}

#[test]
fn the_key_is_tried_and_the_app_id_is_the_accounts() {
    let provider = Provider::new();
    provider.on(PROBE).answer(200, &json!([]));
    let connected = take(&settings(), Step::Start).unwrap();
    assert_eq!((connected.external_id.as_str(), connected.display_name.as_str()), ("5db9", "ShrinkIt 5db9"));
    assert_eq!(connected.facts, [Field::new("probe_status", "200")]);
}

#[test]
fn whatever_else_the_probe_answers_the_key_was_taken() {
    for status in [400, 404, 405, 429, 500, 503] {
        let provider = Provider::new();
        provider.on(PROBE).answer(status, &json!({"message": "no such user"}));
        provider.on(PROBE).answer(status, &json!({"message": "no such user"}));
        assert!(take(&settings(), Step::Start).is_ok(), "{status}");
        let report = health::report(&testing::call(Some("5db9"), &settings())).unwrap();
        assert!(report.checks.iter().all(|check| check.ok));
        assert_eq!(report.facts, [Field::new("probe_status", status.to_string())]);
    }
}

#[test]
fn a_dead_key_is_unauthorized_and_an_absent_provider_is_no_verdict() {
    let provider = Provider::new();
    let check = || health::report(&testing::call(Some("5db9"), &settings())).unwrap_err();
    for (status, body) in [
        (401, json!({"message": "app API key or user authentication required"})),
        (403, json!({"message": "Not Authorized Api Key"})),
        (500, json!({"exception": "'NoneType' object has no attribute 'api_key'", "status": "Failed"})),
    ] {
        provider.on(PROBE).answer(status, &body);
        provider.on(PROBE).answer(status, &body);
        assert_eq!(class(&take(&settings(), Step::Start).unwrap_err()), ("unauthorized", "api_key"));
        assert_eq!(class(&check()), ("unauthorized", "api_key"));
    }
    provider.on(PROBE).not_sent("dns");
    assert_eq!(class(&check()).0, "unavailable");
}

#[test]
fn the_key_is_tried_where_the_settings_say() {
    let provider = Provider::new();
    provider.on("GET api /user_log_event/5db9/__probe").answer(404, &json!({}));
    assert!(take(&json!({"suit_id": "5db9", "base_url": "http://127.0.0.1:9106"}), Step::Start).is_ok());
    provider.on(PROBE).answer(404, &json!({}));
    let both = json!({"suit_id": "5db9", "base_url": "http://127.0.0.1:9106", "probe_base_url": "http://127.0.0.1:9107"});
    assert!(take(&both, Step::Start).is_ok());
    provider.on(PROBE).answer(404, &json!({}));
    assert!(
        take(&json!({"suit_id": "5db9", "base_url": "https://notify.appgain.io"}), Step::Start).is_ok(),
        "written out, it is the default"
    );
    provider.on("GET probe /ping/5db9").answer(404, &json!({}));
    assert!(take(&json!({"suit_id": "5db9", "probe_path": "/ping/{suit_id}"}), Step::Start).is_ok());
}

#[test]
fn disconnecting_asks_nobody() {
    let provider = Provider::new();
    assert!(take(&settings(), Step::Disconnect).is_ok());
    assert!(provider.requests().is_empty());
}
