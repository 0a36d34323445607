use super::*;
use crate::TikTok;
use patchbay_plugin::hooks::{Connected, Connecting, Outcome, Progress, Report, Step};
use patchbay_plugin::{Channel as _, Failure, Fields as _};

fn run(step: Step, settings: &Value) -> Result<Outcome, Failure> {
    TikTok::connect(&call(None, settings), Connecting { step, webhook_url: HOOK.into(), state: None })
}

fn connected(outcome: Result<Outcome, Failure>) -> Connected {
    match outcome.map(|outcome| outcome.progress) {
        Ok(Progress::Connected(connected)) => connected,
        other => panic!("not connected: {other:?}"),
    }
}

fn authorized() -> Provider {
    let provider = Provider::new();
    provider.secret("access_token", "AT");
    provider
}

#[test]
fn an_account_is_connected_and_the_apps_webhook_set() {
    let provider = authorized();
    token(&provider, ALL);
    profile(&provider);
    registered(&provider, "");
    provider.on("POST webhook /business/webhook/update/").answer(200, &ok(&json!({})));
    let connected = connected(run(Step::Start, &json!({"business_id": BUSINESS})));
    assert_eq!((connected.external_id.as_str(), connected.display_name.as_str()), (BUSINESS, "Acme Shop"));
    assert_eq!(connected.facts.value("username"), Some("acme"));
    assert_eq!(connected.facts.value("profile_image"), Some("https://p16.tiktokcdn.com/a.jpg"));
    let requests = provider.requests();
    assert_eq!(requests[0].json(), json!({"app_id": APP}), "the gateway adds the token");
    assert_eq!(requests[1].query.value("fields"), Some(r#"["username","display_name","profile_image"]"#));
    assert_eq!(requests[3].json(), json!({"app_id": APP, "event_type": "DIRECT_MESSAGE", "callback_url": HOOK}));
}

#[test]
fn a_second_account_changes_nothing() {
    let provider = authorized();
    token(&provider, ALL);
    profile(&provider);
    registered(&provider, HOOK);
    assert_eq!(connected(run(Step::Start, &json!({}))).external_id, BUSINESS);
    assert!(provider.requests().iter().all(|request| request.target != "webhook"));
}

#[test]
fn an_address_of_before_is_replaced_and_said() {
    let provider = authorized();
    token(&provider, ALL);
    profile(&provider);
    registered(&provider, "https://old.example/hook");
    provider.on("POST webhook /business/webhook/update/").answer(200, &ok(&json!({})));
    connected(run(Step::Start, &json!({})));
    assert!(provider.log().iter().any(|line| line.fields.iter().any(|(_, value)| value == "https://old.example/hook")));
}

#[test]
fn a_permission_that_was_unticked_is_named() {
    let provider = authorized();
    token(&provider, "user.info.basic,message.list.read,message.list.manage");
    let Err(Failure::Forbidden(detail)) = run(Step::Start, &json!({})) else { panic!("not forbidden") };
    assert!(detail.message.contains("message.list.send") && !detail.message.contains("message.list.read"));
}

#[test]
fn another_account_than_the_one_wanted_is_refused() {
    let provider = authorized();
    token(&provider, ALL);
    let Err(Failure::Invalid(problems)) = run(Step::Start, &json!({"business_id": "biz_2"})) else { panic!("taken") };
    assert_eq!(problems[0].pointer, "/business_id");
}

#[test]
fn without_a_token_or_an_app_it_says_what_to_do() {
    let provider = Provider::new();
    assert!(matches!(run(Step::Start, &json!({})), Err(Failure::Unauthorized(detail)) if detail.code == "not_authorized"));
    provider.secret("access_token", "AT");
    let outcome =
        TikTok::connect(&testing::call(None, &json!({})), Connecting { step: Step::Start, webhook_url: HOOK.into(), state: None });
    assert!(matches!(outcome, Err(Failure::Unauthorized(detail)) if detail.code == "app_missing"));
}

#[test]
fn a_dead_token_is_unauthorized() {
    let provider = authorized();
    for body in [no(40_105), json!({"code": 40_002, "message": "Invalid access_token"})] {
        provider.on("POST token /tt_user/token_info/get/").answer(200, &body);
        assert!(matches!(run(Step::Start, &json!({})), Err(Failure::Unauthorized(_))));
    }
}

#[test]
fn disconnecting_revokes_and_a_dead_token_does_not_stop_it() {
    let provider = authorized();
    let route = "POST revoke /tt_user/oauth2/revoke/";
    provider.on(route).answer(200, &ok(&json!({}))).answer(200, &no(40_105)).answer(502, &json!({}));
    assert!(run(Step::Disconnect, &json!({})).is_ok() && run(Step::Disconnect, &json!({})).is_ok());
    assert_eq!(provider.requests()[0].json(), json!({"client_id": APP}));
    assert!(matches!(run(Step::Disconnect, &json!({})), Err(Failure::Unavailable(_))));
}

fn health(extras: &[(&str, String)]) -> Result<Report, Failure> {
    let mut call = call(Some(BUSINESS), &json!({}));
    call.extras.extend(extras.iter().map(|(name, value)| Field::new(*name, value)));
    TikTok::health(&call)
}

fn failed(report: &Report) -> Vec<&str> {
    report.checks.iter().filter(|check| !check.ok).map(|check| check.name.as_str()).collect()
}

#[test]
fn a_healthy_account_has_nothing_against_it() {
    let provider = authorized();
    token(&provider, ALL);
    profile(&provider);
    registered(&provider, HOOK);
    let ends = NOW_MS + 86_400_000 * 300;
    let report = health(&[("token_expires_ms", format!("{}", NOW_MS + 3_600_000)), ("refresh_expires_ms", format!("{ends}"))]).unwrap();
    assert_eq!(failed(&report), Vec::<&str>::new());
    assert_eq!(report.checks.len(), 5);
    assert_eq!(report.facts.value("refresh_expires_ms"), Some(ends.to_string().as_str()));
}

#[test]
fn what_is_wrong_is_named() {
    let provider = authorized();
    token(&provider, "message.list.read");
    profile(&provider);
    registered(&provider, "https://old.example/hook");
    let report = health(&[("refresh_expires_ms", format!("{}", NOW_MS + 86_400_000 * 3))]).unwrap();
    assert_eq!(failed(&report), ["permissions", "token_expiry", "webhook"]);
    let words: Vec<String> = report.checks.iter().filter_map(|check| check.detail.as_ref().map(|detail| detail.message.clone())).collect();
    assert!(words[0].contains("message.list.send") && words[1].contains("3 days") && words[2].contains("old.example"));
    provider.on("POST token /tt_user/token_info/get/").answer(200, &no(40_105));
    assert!(matches!(health(&[]), Err(Failure::Unauthorized(_))));
}

#[test]
fn what_tiktok_leaves_out_of_a_tokens_standing_is_no_refusal() {
    let provider = authorized();
    let route = "POST token /tt_user/token_info/get/";
    provider.on(route).answer(200, &ok(&json!({"app_id": APP, "creator_id": BUSINESS})));
    profile(&provider);
    registered(&provider, HOOK);
    let account = connected(run(Step::Start, &json!({})));
    assert_eq!((account.external_id.as_str(), account.facts.value("permissions")), (BUSINESS, None));
    provider.on(route).answer(200, &ok(&json!({"app_id": APP, "scope": ALL})));
    profile(&provider);
    registered(&provider, HOOK);
    assert_eq!(connected(run(Step::Start, &json!({"business_id": BUSINESS}))).external_id, BUSINESS);
    provider.on(route).answer(200, &ok(&json!({"app_id": APP, "scope": "", "creator_id": BUSINESS})));
    assert!(matches!(run(Step::Start, &json!({})), Err(Failure::Forbidden(_))), "nothing was granted");
}

#[test]
fn a_webhook_that_cannot_be_read_is_set_all_the_same() {
    let list = "GET webhooks /business/webhook/list/";
    for answer in [(200, no(40_007)), (200, no(40_002)), (404, json!({}))] {
        let provider = authorized();
        token(&provider, ALL);
        profile(&provider);
        provider.on(list).answer(answer.0, &answer.1);
        provider.on("POST webhook /business/webhook/update/").answer(200, &ok(&json!({})));
        connected(run(Step::Start, &json!({})));
        assert_eq!(provider.requests()[3].json()["callback_url"], HOOK);
        token(&provider, ALL);
        profile(&provider);
        provider.on(list).answer(answer.0, &answer.1);
        let expected: &[&str] = if answer.1 == no(40_007) { &["webhook"] } else { &[] };
        assert_eq!(failed(&health(&[]).unwrap()), expected);
    }
    let provider = authorized();
    token(&provider, ALL);
    profile(&provider);
    provider.on(list).answer(200, &no(51_065));
    assert!(matches!(run(Step::Start, &json!({})), Err(Failure::Unavailable(_))));
}
