use super::*;
use crate::Messenger;
use patchbay_plugin::Channel as _;
use patchbay_plugin::hooks::{Connected, Connecting, Outcome, Progress, Step};

fn run(step: Step, state: Option<Vec<u8>>, settings: &Value) -> Result<Outcome, Failure> {
    Messenger::connect(&call(None, settings), Connecting { step, webhook_url: "https://g.example/webhooks/apps/a".into(), state })
}

fn connected(outcome: Result<Outcome, Failure>) -> Connected {
    match outcome.map(|outcome| outcome.progress) {
        Ok(Progress::Connected(connected)) => connected,
        other => panic!("not connected: {other:?}"),
    }
}

/// Somebody has just authorised the account.
fn authorized(permissions: &[(&str, &str)]) -> Provider {
    let provider = Provider::new();
    provider.secret("access_token", "SHORT");
    provider
        .on("GET exchange /v26.0/oauth/access_token")
        .answer(200, &json!({"access_token": "LONG", "token_type": "bearer", "expires_in": 5_183_944}));
    provider.on("GET user /v26.0/me").answer(200, &json!({"id": "218471", "name": "Mona"}));
    let permissions: Vec<Value> =
        permissions.iter().map(|(permission, status)| json!({"permission": permission, "status": status})).collect();
    provider.on("GET user /v26.0/me/permissions").answer(200, &json!({"data": permissions}));
    provider
}

const ALL: [(&str, &str); 3] = [("pages_show_list", "granted"), ("pages_messaging", "granted"), ("pages_manage_metadata", "granted")];

fn page(id: &str, tasks: &[&str]) -> Value {
    json!({"id": id, "name": format!("Shop {id}"), "category": "Shopping", "tasks": tasks})
}

fn debug_user(provider: &Provider, targets: &[&str]) {
    let scopes = json!([{"scope": "pages_messaging", "target_ids": targets}]);
    provider
        .on("GET debug_user /v26.0/debug_token")
        .answer(200, &json!({"data": {"is_valid": true, "user_id": "218471", "granular_scopes": scopes}}));
}

fn finishes(provider: &Provider) {
    provider.on(&format!("GET user /v26.0/{PAGE}")).answer(200, &json!({"id": PAGE, "name": "Shop", "access_token": "PT"}));
    subscribes(provider);
    subscribed(provider, &fields());
    page_token(provider);
}

#[test]
fn one_page_is_connected_with_a_token_from_the_long_one() {
    let provider = authorized(&ALL);
    provider.on("GET user /v26.0/me/accounts").answer(200, &json!({"data": [page(PAGE, &["MESSAGING"])]}));
    debug_user(&provider, &[PAGE]);
    finishes(&provider);
    let connected = connected(run(Step::Start, None, &json!({})));
    assert_eq!((connected.external_id.as_str(), connected.routes.as_slice()), (PAGE, &["user:218471".to_owned()][..]));
    assert_eq!(provider.secret_value("access_token").as_deref(), Some(&b"LONG"[..]));
    assert_eq!(provider.secret_value("page_token").as_deref(), Some(&b"PT"[..]));
    let requests = provider.requests();
    assert_eq!(requests[0].target, "exchange", "before anything is asked for with it");
    let subscribe = requests.iter().find(|request| request.method == "POST").unwrap();
    assert!(subscribe.query[0].value.contains("message_edits") && subscribe.query[0].value.contains("standby"));
    assert!(connected.facts.iter().any(|fact| (fact.name.as_str(), fact.value.as_str()) == ("token_expires_ms", "never")));
}

#[test]
fn of_several_pages_one_is_asked_for() {
    let provider = authorized(&ALL);
    provider.on("GET user /v26.0/me/accounts").answer(
        200,
        &json!({"data": [page("7", &["ADVERTISE"]), page("8", &["MESSAGING"])], "paging": {"cursors": {"after": "x"}, "next": "https://…"}}),
    );
    provider.on("GET user /v26.0/me/accounts").answer(200, &json!({"data": [page(PAGE, &["PROFILE_PLUS_MESSAGING"])]}));
    debug_user(&provider, &[]);
    let outcome = run(Step::Start, None, &json!({})).unwrap();
    let Progress::Ask(questions) = &outcome.progress else { panic!("nothing asked") };
    let ids: Vec<&str> = questions[0].options.iter().map(|option| option.id.as_str()).collect();
    assert_eq!(ids, ["8", PAGE], "without the one where the person may not send messages");
    finishes(&provider);
    let answer = vec![Field::new("page", PAGE)];
    assert_eq!(connected(run(Step::Answers(answer), outcome.state.clone(), &json!({}))).external_id, PAGE);
    let other = run(Step::Answers(vec![Field::new("page", "7")]), outcome.state, &json!({}));
    assert!(matches!(other, Err(Failure::Forbidden(detail)) if detail.code == "page_missing"));
    assert!(matches!(run(Step::Answers(vec![Field::new("page", PAGE)]), None, &json!({})), Err(Failure::Invalid(_))));
}

#[test]
fn the_page_that_the_settings_name_is_taken_without_a_question() {
    let provider = authorized(&ALL);
    provider.on("GET user /v26.0/me/accounts").answer(200, &json!({"data": [page("8", &["MESSAGING"]), page(PAGE, &["MESSAGING"])]}));
    debug_user(&provider, &[]);
    finishes(&provider);
    assert_eq!(connected(run(Step::Start, None, &json!({"page_id": PAGE}))).external_id, PAGE);
}

#[test]
fn a_page_of_a_business_portfolio_is_found_by_the_tokens_targets() {
    let provider = authorized(&ALL);
    provider.on("GET user /v26.0/me/accounts").answer(200, &json!({"data": []}));
    debug_user(&provider, &[PAGE]);
    provider.on("GET user /v26.0/").answer(200, &json!({PAGE: {"id": PAGE, "name": "Shop"}}));
    finishes(&provider);
    assert_eq!(connected(run(Step::Start, None, &json!({}))).external_id, PAGE);
    assert!(provider.requests().iter().any(|request| request.query.iter().any(|field| field.name == "ids" && field.value == PAGE)));
}

#[test]
fn a_page_is_found_by_the_businesses_at_last() {
    let provider = authorized(&ALL);
    provider.on("GET user /v26.0/me/accounts").answer(200, &json!({"data": []}));
    debug_user(&provider, &[]);
    provider.on("GET user /v26.0/me/businesses").answer(200, &json!({"data": [{"id": "5"}]}));
    provider.on("GET user /v26.0/5/owned_pages").answer(200, &json!({"data": [{"id": PAGE, "name": "Shop"}]}));
    provider.on("GET user /v26.0/5/client_pages").answer(403, &refusal(200, 0));
    finishes(&provider);
    assert_eq!(connected(run(Step::Start, None, &json!({}))).external_id, PAGE);
}

#[test]
fn a_permission_that_was_unticked_is_named() {
    let _provider = authorized(&[("pages_show_list", "granted"), ("pages_messaging", "declined"), ("pages_manage_metadata", "granted")]);
    let Err(Failure::Forbidden(detail)) = run(Step::Start, None, &json!({})) else { panic!("not forbidden") };
    assert!(detail.message.contains("pages_messaging") && !detail.message.contains("pages_show_list"));
}

#[test]
fn a_person_without_pages_is_told_so() {
    let provider = authorized(&ALL);
    provider.on("GET user /v26.0/me/accounts").answer(200, &json!({"data": []}));
    debug_user(&provider, &[]);
    provider.on("GET user /v26.0/me/businesses").answer(200, &json!({"data": []}));
    assert!(matches!(run(Step::Start, None, &json!({})), Err(Failure::Forbidden(detail)) if detail.code == "no_page"));
}

#[test]
fn a_token_that_does_not_end_needs_no_exchange() {
    let provider = Provider::new();
    provider.secret("access_token", "SYSTEM");
    provider.on("GET exchange /v26.0/oauth/access_token").answer(400, &refusal(100, 0));
    provider
        .on("GET debug_user /v26.0/debug_token")
        .answer(200, &json!({"data": {"is_valid": true, "type": "SYSTEM_USER", "expires_at": 0}}));
    provider.on("GET user /v26.0/me").answer(200, &json!({"id": "218471"}));
    provider.on("GET user /v26.0/me/permissions").answer(200, &json!({"data": []}));
    assert!(matches!(run(Step::Start, None, &json!({})), Err(Failure::Forbidden(detail)) if detail.code == "permissions_missing"));
}

#[test]
fn a_typed_token_tells_its_page() {
    let provider = Provider::new();
    provider.secret("page_token", "PT");
    provider.on("GET page /v26.0/me").answer(200, &json!({"id": PAGE, "name": "Shop"}));
    subscribes(&provider);
    subscribed(&provider, &fields());
    page_token(&provider);
    assert_eq!(connected(run(Step::Start, None, &json!({"page_id": PAGE}))).routes, ["user:218471"]);
    provider.on("GET page /v26.0/me").answer(200, &json!({"id": "9", "name": "Other"}));
    let Err(Failure::Invalid(problems)) = run(Step::Start, None, &json!({"page_id": PAGE})) else { panic!("not invalid") };
    assert_eq!(problems[0].pointer, "/page_id");
}

#[test]
fn without_a_token_somebody_has_to_authorise() {
    let _provider = Provider::new();
    assert_eq!(run(Step::Start, None, &json!({})).map_err(|failure| code(&failure).to_owned()).err().as_deref(), Some("not_authorized"));
}

#[test]
fn a_subscription_that_does_not_stand_is_no_connection() {
    let provider = Provider::new();
    provider.secret("page_token", "PT");
    provider.on("GET page /v26.0/me").answer(200, &json!({"id": PAGE, "name": "Shop"}));
    subscribes(&provider);
    subscribed(&provider, &json!(["messages"]));
    assert!(matches!(run(Step::Start, None, &json!({})), Err(Failure::Unavailable(retry)) if retry.detail.message.contains("standby")));
}

#[test]
fn disconnecting_ends_the_subscription_and_a_dead_token_does_not_stop_it() {
    let provider = Provider::new();
    provider.secret("page_token", "PT");
    let route = format!("DELETE page /v26.0/{PAGE}/subscribed_apps");
    provider.on(&route).answer(200, &json!({"success": true}));
    provider.on(&route).answer(401, &refusal(190, 460));
    provider.on(&route).answer(503, &json!({}));
    let end = || run(Step::Disconnect, None, &json!({"page_id": PAGE}));
    assert!(end().is_ok() && end().is_ok());
    assert!(matches!(end(), Err(Failure::Unavailable(_))));
}
