use super::*;
use patchbay_plugin::testing::{self, Provider};
use serde_json::json;

use super::token::NEEDED;

const WABA: &str = "800000000000001";
const PHONE: &str = "900000000000001";

fn call(settings: &Value) -> Call {
    let mut call = testing::call(None, settings);
    call.extras = vec![Field::new("app.client_id", "1"), Field::new("now_ms", "1790000000000")];
    call
}

fn run(step: Step, settings: &Value, state: Option<Vec<u8>>) -> Result<Outcome, Failure> {
    super::step(&call(settings), &Connecting { step, webhook_url: "https://gateway.example/webhooks/apps/a1".into(), state })
}

fn manual() -> Value {
    json!({"auth": "manual", "waba_id": WABA, "phone_number_id": PHONE})
}

fn world(targets: &Value) -> Provider {
    let provider = Provider::new();
    provider.secret("access_token", "EAA");
    debug(&provider, &json!({}), targets);
    provider
}

fn debug(provider: &Provider, more: &Value, targets: &Value) {
    provider.secret("app_token", "1|s");
    let mut data = json!({"app_id": "1", "type": "SYSTEM_USER", "is_valid": true, "expires_at": 0, "user_id": "218471", "scopes": NEEDED,
        "granular_scopes": [{"scope": NEEDED[0], "target_ids": targets}, {"scope": NEEDED[1]}]});
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    provider.on("GET debug /v26.0/debug_token").answer(200, &json!({"data": data}));
}

fn number(id: &str, more: &Value) -> Value {
    let mut number = json!({"id": id, "display_phone_number": "+1 555-000-1111", "verified_name": "Fake Shop", "status": "CONNECTED",
        "quality_rating": "GREEN", "platform_type": "CLOUD_API", "code_verification_status": "VERIFIED"});
    number.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    number
}

fn numbers(provider: &Provider, waba: &str, ids: &[&str]) {
    let data: Vec<Value> = ids.iter().map(|id| number(id, &json!({}))).collect();
    provider.on(&format!("GET graph /v26.0/{waba}/phone_numbers")).answer(200, &json!({"data": data}));
}

/// Reads the number, subscribes the app, reads that back and the business account.
fn finish(provider: &Provider, waba: &str, phone: &str) {
    provider.on(&format!("GET graph /v26.0/{phone}")).answer(200, &number(phone, &json!({})));
    subscribed(provider, waba);
    provider
        .on(&format!("GET graph /v26.0/{waba}"))
        .answer(200, &json!({"id": waba, "name": "Fake WABA", "business_verification_status": "verified"}));
}

fn subscribed(provider: &Provider, waba: &str) {
    let apps = format!("GET graph /v26.0/{waba}/subscribed_apps");
    provider.on(&apps).answer(200, &json!({"data": []}));
    provider.on(&format!("POST graph /v26.0/{waba}/subscribed_apps")).answer(200, &json!({"success": true}));
    provider.on(&apps).answer(200, &json!({"data": [{"whatsapp_business_api_data": {"id": "1"}}]}));
}

fn connected(outcome: Result<Outcome, Failure>) -> Connected {
    match outcome.unwrap().progress {
        Progress::Connected(connected) => connected,
        other => panic!("not connected: {other:?}"),
    }
}

fn asked(outcome: Outcome) -> (String, Vec<String>, Option<Vec<u8>>) {
    match outcome.progress {
        Progress::Ask(questions) => {
            let options = questions[0].options.iter().map(|option| option.id.clone()).collect();
            (questions[0].id.clone(), options, outcome.state)
        }
        other => panic!("nothing asked: {other:?}"),
    }
}

fn code(failure: &Failure) -> &str {
    match failure {
        Failure::Invalid(problems) => &problems[0].pointer,
        other => &other.detail().unwrap().code,
    }
}

#[test]
fn a_login_with_one_business_account_and_one_number_asks_nothing() {
    let provider = world(&json!([WABA]));
    numbers(&provider, WABA, &[PHONE]);
    finish(&provider, WABA, PHONE);
    let connected = connected(run(Step::Start, &json!({"preview_url": false}), None));
    assert_eq!((connected.external_id.as_str(), connected.display_name.as_str()), (PHONE, "Fake Shop (+1 555-000-1111)"));
    assert_eq!(connected.routes, ["waba:800000000000001", "phone:15550001111", "user:218471"]);
    let settings: Value = serde_json::from_str(&connected.settings.unwrap()).unwrap();
    assert_eq!(settings, json!({"preview_url": false, "waba_id": WABA, "phone_number_id": PHONE}));
    for (name, value) in
        [("token_expires", "never"), ("quality_rating", "GREEN"), ("business_verification", "verified"), ("waba_name", "Fake WABA")]
    {
        assert_eq!(connected.facts.value(name), Some(value), "{name}");
    }
}

#[test]
fn what_there_are_several_of_is_asked_for_step_by_step() {
    let other = "800000000000002";
    let provider = world(&json!([WABA, other]));
    for (id, name) in [(WABA, "One"), (other, "Two")] {
        provider.on(&format!("GET graph /v26.0/{id}")).answer(200, &json!({"id": id, "name": name}));
    }
    let (question, options, state) = asked(run(Step::Start, &json!({}), None).unwrap());
    assert_eq!((question.as_str(), options), ("waba_id", vec![WABA.to_owned(), other.to_owned()]));

    debug(&provider, &json!({}), &json!([WABA, other]));
    numbers(&provider, other, &[PHONE, "900000000000002"]);
    let (question, options, state) = asked(run(Step::Answers(vec![Field::new("waba_id", other)]), &json!({}), state).unwrap());
    assert_eq!((question.as_str(), options.len()), ("phone_number_id", 2));

    debug(&provider, &json!({}), &json!([WABA, other]));
    numbers(&provider, other, &[PHONE, "900000000000002"]);
    finish(&provider, other, "900000000000002");
    let connected = connected(run(Step::Answers(vec![Field::new("phone_number_id", "900000000000002")]), &json!({}), state));
    assert_eq!(connected.external_id, "900000000000002");
}

#[test]
fn an_id_that_was_not_granted_is_not_believed() {
    let provider = world(&json!([WABA, "800000000000002"]));
    for id in [WABA, "800000000000002"] {
        provider.on(&format!("GET graph /v26.0/{id}")).answer(200, &json!({"id": id}));
    }
    let outcome = run(Step::Answers(vec![Field::new("waba_id", "800000000000009")]), &json!({}), None).unwrap();
    assert_eq!(asked(outcome).0, "waba_id");
}

#[test]
fn a_grant_for_everything_is_listed_by_business() {
    let provider = Provider::new();
    provider.secret("access_token", "EAA");
    debug(&provider, &json!({}), &json!([]));
    provider.on("GET graph /v26.0/me/businesses").answer(200, &json!({"data": [{"id": "7", "name": "Fake Co"}]}));
    provider.on("GET graph /v26.0/7/owned_whatsapp_business_accounts").answer(200, &json!({"data": [{"id": WABA, "name": "One"}]}));
    provider.on("GET graph /v26.0/7/client_whatsapp_business_accounts").answer(200, &json!({"data": []}));
    numbers(&provider, WABA, &[PHONE]);
    finish(&provider, WABA, PHONE);
    assert_eq!(connected(run(Step::Start, &json!({}), None)).external_id, PHONE);
}

#[test]
fn missing_scopes_and_assets_are_named() {
    let provider = Provider::new();
    provider.secret("access_token", "EAA");
    debug(&provider, &json!({"scopes": ["whatsapp_business_messaging"]}), &json!([WABA]));
    let failure = run(Step::Start, &json!({}), None).unwrap_err();
    assert!(
        matches!(&failure, Failure::Forbidden(detail) if detail.message.contains("whatsapp_business_management") && !detail.message.contains("and whatsapp"))
    );
    debug(&provider, &json!({}), &json!([]));
    provider.on("GET graph /v26.0/me/businesses").answer(403, &json!({"error": {"code": 200, "message": "x"}}));
    assert_eq!(code(&run(Step::Start, &json!({}), None).unwrap_err()), "no_business_account");
    debug(&provider, &json!({}), &json!([WABA]));
    numbers(&provider, WABA, &[]);
    assert_eq!(code(&run(Step::Start, &json!({}), None).unwrap_err()), "no_number");
}

#[test]
fn a_token_that_is_dead_or_of_another_app_is_refused() {
    let provider = Provider::new();
    assert!(matches!(run(Step::Start, &json!({}), None), Err(Failure::Unauthorized(_))));
    assert_eq!(code(&run(Step::Start, &manual(), None).unwrap_err()), "/access_token");
    provider.secret("access_token", "EAA");
    debug(&provider, &json!({"is_valid": false, "error": {"code": 190, "subcode": 463, "message": "expired"}}), &json!([WABA]));
    assert!(matches!(run(Step::Start, &manual(), None), Err(Failure::Unauthorized(detail)) if detail.code == "190/463"));
    debug(&provider, &json!({"app_id": "2"}), &json!([WABA]));
    assert_eq!(code(&run(Step::Start, &manual(), None).unwrap_err()), "/access_token");
}

#[test]
fn a_logins_token_of_an_hour_becomes_one_of_sixty_days() {
    let provider = Provider::new();
    provider.secret("access_token", "SHORT");
    debug(&provider, &json!({"type": "USER", "expires_at": 1_790_003_600}), &json!([WABA]));
    provider
        .on("GET exchange /v26.0/oauth/access_token")
        .answer(200, &json!({"access_token": "LONG", "token_type": "bearer", "expires_in": 5_183_944}));
    debug(&provider, &json!({"type": "USER", "expires_at": 1_795_184_000}), &json!([WABA]));
    numbers(&provider, WABA, &[PHONE]);
    finish(&provider, WABA, PHONE);
    let connected = connected(run(Step::Start, &json!({}), None));
    assert_eq!(provider.secret_value("access_token").as_deref(), Some(&b"LONG"[..]));
    assert_eq!(connected.facts.value("token_expires"), Some("2026-11-20"));
    let exchange = &provider.requests()[1];
    assert_eq!((exchange.query.value("grant_type"), exchange.query.value("client_id")), (Some("fb_exchange_token"), Some("1")));
}

#[test]
fn a_typed_token_is_tried_and_without_an_app_nobody_asks_about_it() {
    let provider = Provider::new();
    provider.secret("access_token", "EAA");
    provider.on("GET graph /v26.0/900000000000001").answer(200, &number(PHONE, &json!({})));
    numbers(&provider, WABA, &["900000000000009", PHONE]);
    provider.on("GET graph /v26.0/900000000000001").answer(200, &number(PHONE, &json!({})));
    // Another's app is there already: ours is subscribed all the same.
    provider.on("POST graph /v26.0/800000000000001/subscribed_apps").answer(200, &json!({"success": true}));
    let apps = json!({"data": [{"whatsapp_business_api_data": {"id": "2"}}, {"whatsapp_business_api_data": {"id": "1"}}]});
    provider.on("GET graph /v26.0/800000000000001/subscribed_apps").answer(200, &apps);
    provider.on("GET graph /v26.0/800000000000001").answer(200, &json!({"id": WABA, "name": "Fake WABA"}));
    let settings = manual();
    let connecting = Connecting { step: Step::Start, webhook_url: String::new(), state: None };
    let connected = connected(super::step(&testing::call(None, &settings), &connecting));
    assert_eq!(connected.routes, ["waba:800000000000001", "phone:15550001111"]);
    assert!(connected.facts.value("token_unchecked").is_some());
}

#[test]
fn each_wrong_id_is_named() {
    let provider = world(&json!([]));
    let refusal = json!({"error": {"code": 100, "error_subcode": 33, "message": "Unsupported get request"}});
    let phone = "GET graph /v26.0/900000000000001";
    provider.on(phone).answer(400, &refusal);
    assert_eq!(code(&run(Step::Start, &manual(), None).unwrap_err()), "/phone_number_id");
    debug(&provider, &json!({}), &json!([]));
    provider.on(phone).answer(200, &number(PHONE, &json!({})));
    provider.on("GET graph /v26.0/800000000000001/phone_numbers").answer(400, &refusal);
    assert_eq!(code(&run(Step::Start, &manual(), None).unwrap_err()), "/waba_id");
    debug(&provider, &json!({}), &json!([]));
    provider.on(phone).answer(200, &number(PHONE, &json!({})));
    numbers(&provider, WABA, &["900000000000009"]);
    let failure = run(Step::Start, &manual(), None).unwrap_err();
    assert!(matches!(&failure, Failure::Invalid(problems) if problems[0].message.contains("swapped")));
}

#[test]
fn a_number_that_is_not_registered_is_registered_with_its_pin() {
    let pending = number(PHONE, &json!({"status": "PENDING", "platform_type": "NOT_APPLICABLE"}));
    let provider = world(&json!([WABA]));
    let phone = "GET graph /v26.0/900000000000001";
    numbers(&provider, WABA, &[PHONE]);
    provider.on(phone).answer(200, &pending);
    assert_eq!(code(&run(Step::Start, &json!({}), None).unwrap_err()), "/pin");

    provider.secret("pin", "123456");
    let register = "POST register /v26.0/900000000000001/register";
    for (refused, expected) in [(133_005, "/pin"), (133_006, "133006"), (133_016, "133016"), (131_045, "131045")] {
        debug(&provider, &json!({}), &json!([WABA]));
        numbers(&provider, WABA, &[PHONE]);
        provider.on(phone).answer(200, &pending);
        provider.on(register).answer(400, &json!({"error": {"code": refused, "message": "x"}}));
        assert_eq!(code(&run(Step::Start, &json!({}), None).unwrap_err()), expected);
    }

    debug(&provider, &json!({}), &json!([WABA]));
    numbers(&provider, WABA, &[PHONE]);
    provider.on(phone).answer(200, &pending);
    provider.on(register).answer(200, &json!({"success": true}));
    finish(&provider, WABA, PHONE);
    assert_eq!(connected(run(Step::Start, &json!({}), None)).external_id, PHONE);
    let form = provider.requests().into_iter().rev().find(|request| request.target == "register").unwrap();
    assert_eq!((form.field("messaging_product"), form.field("pin")), (Some("whatsapp"), None), "the gateway adds the PIN");
}

#[test]
fn a_number_that_lives_on_a_phone_as_well_is_not_registered() {
    let provider = world(&json!([WABA]));
    numbers(&provider, WABA, &[PHONE]);
    provider
        .on("GET graph /v26.0/900000000000001")
        .answer(200, &number(PHONE, &json!({"platform_type": "NOT_APPLICABLE", "is_on_biz_app": true})));
    subscribed(&provider, WABA);
    provider.on("GET graph /v26.0/800000000000001").answer(403, &json!({"error": {"code": 200}}));
    assert_eq!(connected(run(Step::Start, &json!({}), None)).facts.value("waba_id"), Some(WABA));
}

#[test]
fn a_subscription_that_does_not_hold_is_told() {
    let provider = world(&json!([WABA]));
    numbers(&provider, WABA, &[PHONE]);
    provider.on("GET graph /v26.0/900000000000001").answer(200, &number(PHONE, &json!({})));
    let apps = "GET graph /v26.0/800000000000001/subscribed_apps";
    provider.on(apps).answer(200, &json!({"data": []}));
    provider.on("POST graph /v26.0/800000000000001/subscribed_apps").answer(200, &json!({"success": true}));
    provider.on(apps).answer(200, &json!({"data": [{"whatsapp_business_api_data": {"id": "2"}}]}));
    assert_eq!(code(&run(Step::Start, &json!({}), None).unwrap_err()), "not_subscribed");
}

#[test]
fn disconnecting_leaves_the_subscription_to_other_numbers() {
    let provider = Provider::new();
    assert!(run(Step::Disconnect, &manual(), None).is_ok());
    assert!(provider.requests().is_empty());
}
