use super::*;
use crate::Instagram;
use patchbay_plugin::Channel as _;
use patchbay_plugin::hooks::{Connected, Connecting, Outcome, Progress, Step};

fn run(step: Step, state: Option<Vec<u8>>, settings: &Value) -> Result<Outcome, Failure> {
    Instagram::connect(&call(None, settings), Connecting { step, webhook_url: "https://g.example/webhooks/apps/a".into(), state })
}

fn connected(outcome: Result<Outcome, Failure>) -> Connected {
    match outcome.map(|outcome| outcome.progress) {
        Ok(Progress::Connected(connected)) => connected,
        other => panic!("not connected: {other:?}"),
    }
}

fn me() -> Value {
    json!({"user_id": ACCOUNT, "id": "28978000000000001", "username": "fake.shop", "account_type": "BUSINESS"})
}

/// Somebody has just authorised the account at Instagram.
fn authorized() -> Provider {
    let provider = Provider::new();
    provider.secret("access_token", "SHORT");
    provider.secret("app_secret", "s");
    provider
}

fn exchanged() -> Value {
    json!({"access_token": "LONG", "token_type": "bearer", "expires_in": 5_183_944})
}

#[test]
fn by_instagrams_door_the_token_is_exchanged_and_the_webhooks_id_taken() {
    let provider = authorized();
    provider.on("GET ig_exchange /access_token").answer(200, &exchanged());
    provider.on("GET instagram /v26.0/me").answer(200, &me());
    provider.on(&format!("GET instagram /v26.0/{ACCOUNT}/subscribed_apps")).answer(200, &json!({"data": []}));
    provider.on(&format!("POST instagram /v26.0/{ACCOUNT}/subscribed_apps")).answer(200, &json!({"success": true}));
    subscribed(&provider);
    let connected = connected(run(Step::Start, None, &own()));
    assert_eq!((connected.external_id.as_str(), connected.display_name.as_str()), (ACCOUNT, "@fake.shop"));
    assert_eq!(connected.routes, ["user:28978000000000001".to_owned(), format!("user:{ACCOUNT}")]);
    assert_eq!(provider.secret_value("access_token").as_deref(), Some(&b"LONG"[..]));
    let fields = provider.requests().iter().find(|request| request.method == "POST").map(|request| request.query[0].value.clone());
    assert!(fields.is_some_and(|fields| fields.contains("messaging_seen") && fields.contains("message_edit")));
    // Connecting once more leaves the long token as it is.
    provider.on("GET instagram /v26.0/me").answer(200, &me());
    subscribed(&provider);
    assert!(run(Step::Start, None, &own()).is_ok());
}

#[test]
fn an_exchange_that_is_refused_is_tried_with_the_version_and_answers_may_be_wrapped() {
    let provider = authorized();
    provider.on("GET ig_exchange /access_token").answer(400, &refusal(100, 0));
    provider.on("GET ig_exchange /v26.0/access_token").answer(200, &json!({"data": [exchanged()]}));
    provider.on("GET instagram /v26.0/me").answer(200, &json!({"data": [me()]}));
    subscribed(&provider);
    assert_eq!(connected(run(Step::Start, None, &own())).external_id, ACCOUNT);
    assert_eq!(provider.secret_value("access_token").as_deref(), Some(&b"LONG"[..]));
}

#[test]
fn a_long_token_that_was_typed_in_is_kept() {
    let provider = authorized();
    provider.on("GET ig_exchange /access_token").answer(400, &refusal(100, 0));
    provider.on("GET ig_exchange /v26.0/access_token").answer(400, &refusal(100, 0));
    provider.on("GET instagram /v26.0/me").answer(200, &me());
    subscribed(&provider);
    assert!(run(Step::Start, None, &own()).is_ok());
    assert_eq!(provider.secret_value("access_token").as_deref(), Some(&b"SHORT"[..]));
}

#[test]
fn a_dead_token_is_unauthorized() {
    let provider = authorized();
    provider.on("GET ig_exchange /access_token").answer(401, &refusal(190, 463));
    assert!(matches!(run(Step::Start, None, &own()), Err(Failure::Unauthorized(_))));
}

#[test]
fn a_personal_account_is_told_how_to_become_a_professional_one() {
    let provider = authorized();
    provider.on("GET ig_exchange /access_token").answer(200, &exchanged());
    provider.on("GET instagram /v26.0/me").answer(200, &json!({"user_id": ACCOUNT, "account_type": "PERSONAL"}));
    let Err(Failure::Rejected(detail)) = run(Step::Start, None, &own()) else { panic!("not rejected") };
    assert!(detail.code == "personal_account" && detail.message.contains("professional"));
}

#[test]
fn another_account_than_the_settings_name_is_refused() {
    let provider = authorized();
    provider.on("GET ig_exchange /access_token").answer(200, &exchanged());
    provider.on("GET instagram /v26.0/me").answer(200, &me());
    let Err(Failure::Invalid(problems)) = run(Step::Start, None, &json!({"login_type": "instagram", "ig_account_id": "7"})) else {
        panic!()
    };
    assert_eq!(problems[0].pointer, "/ig_account_id");
}

/// Somebody has just authorised the account at Facebook, and has these Pages.
fn by_facebook(pages: &Value) -> Provider {
    let provider = authorized();
    provider.on("GET exchange /v26.0/oauth/access_token").answer(200, &exchanged());
    provider.on("GET user /v26.0/me").answer(200, &json!({"id": "218471", "name": "Mona"}));
    let scopes = ["instagram_basic", "instagram_manage_messages", "pages_show_list", "pages_manage_metadata"];
    let permissions: Vec<Value> = scopes.iter().map(|scope| json!({"permission": scope, "status": "granted"})).collect();
    provider.on("GET user /v26.0/me/permissions").answer(200, &json!({"data": permissions}));
    provider.on("GET user /v26.0/me/accounts").answer(200, &json!({"data": pages}));
    provider.on("GET debug_user /v26.0/debug_token").answer(200, &json!({"data": {"is_valid": true}}));
    provider
}

fn linked(page: &str, account: &str) -> Value {
    json!({"id": page, "name": "Shop", "tasks": ["MESSAGING"], "instagram_business_account": {"id": account, "username": "fake.shop"}})
}

fn finishes(provider: &Provider) {
    provider.on(&format!("GET user /v26.0/{PAGE}")).answer(200, &json!({"id": PAGE, "access_token": "PT"}));
    let account = json!({"id": ACCOUNT, "username": "fake.shop", "name": "Fake"});
    provider
        .on(&format!("GET page /v26.0/{PAGE}"))
        .answer(200, &json!({"id": PAGE, "name": "Shop", "instagram_business_account": account}));
    page_subscribed(provider);
    page_token(provider);
}

#[test]
fn by_facebooks_door_the_page_leads_to_the_account_and_is_kept() {
    let provider = by_facebook(&json!([{"id": "8", "name": "Without", "tasks": ["MESSAGING"]}, linked(PAGE, ACCOUNT)]));
    finishes(&provider);
    let connected = connected(run(Step::Start, None, &json!({})));
    assert_eq!((connected.external_id.as_str(), connected.routes.as_slice()), (ACCOUNT, &["user:218471".to_owned()][..]));
    assert_eq!(connected.settings, Some(json!({"page_id": PAGE}).to_string()));
    assert_eq!(provider.secret_value("page_token").as_deref(), Some(&b"PT"[..]));
}

#[test]
fn of_several_accounts_one_is_asked_for() {
    let provider = by_facebook(&json!([linked("8", "1784"), linked(PAGE, ACCOUNT)]));
    let outcome = run(Step::Start, None, &json!({})).unwrap();
    let Progress::Ask(questions) = &outcome.progress else { panic!("nothing asked") };
    assert_eq!(questions[0].options[0].note.as_deref(), Some("@fake.shop"));
    finishes(&provider);
    let answer = Step::Answers(vec![Field::new("page", PAGE)]);
    assert_eq!(connected(run(answer, outcome.state.clone(), &json!({}))).external_id, ACCOUNT);
}

#[test]
fn pages_without_an_account_are_told_what_to_link() {
    let _provider = by_facebook(&json!([{"id": "8", "name": "Without"}]));
    assert!(matches!(run(Step::Start, None, &json!({})), Err(Failure::Forbidden(detail)) if detail.code == "no_instagram_account"));
}

#[test]
fn what_messenger_is_subscribed_to_stays() {
    let provider = Provider::new();
    provider.secret("page_token", "PT");
    provider.on("GET page /v26.0/me").answer(200, &json!({"id": PAGE}));
    let account = json!({"id": ACCOUNT, "username": "fake.shop"});
    provider.on(&format!("GET page /v26.0/{PAGE}")).answer(200, &json!({"id": PAGE, "instagram_business_account": account}));
    let list = format!("GET page /v26.0/{PAGE}/subscribed_apps");
    provider.on(&list).answer(200, &json!({"data": [{"id": "1", "subscribed_fields": ["messages", "message_reads"]}]}));
    provider.on(&format!("POST page /v26.0/{PAGE}/subscribed_apps")).answer(200, &json!({"success": true}));
    page_subscribed(&provider);
    page_token(&provider);
    assert_eq!(connected(run(Step::Start, None, &json!({"page_id": PAGE}))).settings, None);
    let set = provider.requests().iter().find(|request| request.method == "POST").map(|request| request.query[0].value.clone());
    assert!(set.is_some_and(|fields| fields.ends_with(",message_reads")));
}

#[test]
fn disconnecting_leaves_a_pages_subscription_alone() {
    let provider = authorized();
    assert!(run(Step::Disconnect, None, &json!({"page_id": PAGE})).is_ok());
    provider.on(&format!("DELETE instagram /v26.0/{ACCOUNT}/subscribed_apps")).answer(200, &json!({"success": true}));
    assert!(run(Step::Disconnect, None, &json!({"login_type": "instagram", "ig_account_id": ACCOUNT})).is_ok());
}
