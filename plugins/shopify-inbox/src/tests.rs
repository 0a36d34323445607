//! Connecting and health, against a scripted provider.

use patchbay_plugin::hooks::{Connecting, Outcome, Progress, Report, Step};
use patchbay_plugin::testing::{self, Provider};
use patchbay_plugin::{Call, Channel as _, Failure, Field, Fields as _};
use serde_json::{Value, json};

use crate::ShopifyInbox;

const URL: &str = "https://gateway.example/webhooks/a1";
const GRAPHQL: &str = "POST admin /admin/api/2026-07/graphql.json";

fn call(settings: &Value) -> Call {
    let mut all = json!({"shop_domain": "acme.myshopify.com", "auth_mode": "admin_token"});
    all.as_object_mut().unwrap().extend(settings.as_object().cloned().unwrap_or_default());
    let mut call = testing::call(Some("acme.myshopify.com"), &all);
    call.extras = vec![Field::new("webhook_url", URL), Field::new("now_ms", "1790000000000")];
    call
}

fn provider() -> Provider {
    let provider = Provider::new();
    provider.secret("admin_token", "shpat_1");
    provider.secret("webhook_secret", "w");
    provider
}

fn run(step: Step, settings: &Value) -> Result<Outcome, Failure> {
    ShopifyInbox::connect(&call(settings), Connecting { step, webhook_url: URL.into(), state: None })
}

fn shop(provider: &Provider, domain: &str) {
    let shop = json!({"id": "gid://shopify/Shop/1", "name": "Acme", "myshopifyDomain": domain});
    let scopes = json!([{"handle": "read_customers"}, {"handle": "read_orders"}]);
    provider.on(GRAPHQL).answer(200, &json!({"data": {"shop": shop, "currentAppInstallation": {"accessScopes": scopes}}}));
}

fn subscriptions(provider: &Provider, nodes: &Value) {
    provider.on(GRAPHQL).answer(200, &json!({"data": {"webhookSubscriptions": {"nodes": nodes}}}));
}

fn ours() -> Value {
    json!([{"id": "gid://shopify/WebhookSubscription/5", "topic": "APP_UNINSTALLED", "uri": URL}])
}

fn creates(provider: &Provider, errors: &Value) {
    let created = json!({"webhookSubscription": null, "userErrors": errors});
    provider.on(GRAPHQL).answer(200, &json!({"data": {"webhookSubscriptionCreate": created}}));
}

fn health(settings: &Value) -> Result<Report, Failure> {
    ShopifyInbox::health(&call(settings))
}

#[test]
fn connecting_compares_the_shop_and_subscribes() {
    let provider = provider();
    shop(&provider, "acme.myshopify.com");
    subscriptions(&provider, &json!([{"id": "x", "topic": "APP_UNINSTALLED", "uri": "https://else.example"}]));
    creates(&provider, &json!([]));
    let Ok(Outcome { progress: Progress::Connected(connected), .. }) = run(Step::Start, &json!({})) else { panic!("not connected") };
    assert_eq!((connected.external_id.as_str(), connected.display_name.as_str()), ("acme.myshopify.com", "Acme"));
    assert_eq!(connected.facts.value("scopes"), Some("read_customers,read_orders"));
    assert_eq!(connected.facts.value("api_version"), Some("2026-07"));
    let created = provider.requests().remove(2).json();
    assert_eq!(created["variables"], json!({"topic": "APP_UNINSTALLED", "to": {"uri": URL, "format": "JSON"}}));
}

#[test]
fn a_subscription_that_stands_is_left() {
    let provider = provider();
    shop(&provider, "ACME.myshopify.com");
    subscriptions(&provider, &ours());
    assert!(run(Step::Start, &json!({})).is_ok());
    assert_eq!(provider.requests().len(), 2);
}

#[test]
fn older_versions_call_the_address_otherwise() {
    let provider = provider();
    let route = "POST admin /admin/api/2025-07/graphql.json";
    let shop = json!({"id": "1", "name": "Acme", "myshopifyDomain": "acme.myshopify.com"});
    provider.on(route).answer(200, &json!({"data": {"shop": shop, "currentAppInstallation": null}}));
    provider.on(route).answer(200, &json!({"data": {"webhookSubscriptions": {"nodes": []}}}));
    provider.on(route).answer(200, &json!({"data": {"webhookSubscriptionCreate": {"userErrors": []}}}));
    assert!(run(Step::Start, &json!({"api_version": "2025-07"})).is_ok());
    assert_eq!(provider.requests()[2].json()["variables"]["to"]["callbackUrl"], URL);
}

#[test]
fn an_address_that_has_another_name_is_told_by_that() {
    let provider = provider();
    let unknown = |name: &str| json!({"errors": [{"message": format!("Field '{name}' doesn't exist on type"), "extensions": {"code": "undefinedField"}}]});
    shop(&provider, "acme.myshopify.com");
    provider.on(GRAPHQL).answer(200, &unknown("uri"));
    subscriptions(&provider, &json!([]));
    provider.on(GRAPHQL).answer(200, &unknown("uri"));
    creates(&provider, &Value::Null);
    assert!(run(Step::Start, &json!({})).is_ok());
    let requests = provider.requests();
    assert_eq!((requests.len(), requests[4].json()["variables"]["to"]["callbackUrl"].as_str()), (5, Some(URL)));
    shop(&provider, "acme.myshopify.com");
    provider.on(GRAPHQL).answer(200, &json!({"errors": [{"message": "security"}]}));
    creates(&provider, &json!([]));
    assert!(run(Step::Start, &json!({})).is_ok(), "what can't be listed is made all the same");
}

#[test]
fn what_shopify_does_not_tell_is_no_fault() {
    let provider = provider();
    let bare = json!({"data": {"shop": {"myshopifyDomain": "acme.myshopify.com", "id": 1}}});
    provider.on(GRAPHQL).answer(200, &bare).answer(200, &bare);
    creates(&provider, &json!([]));
    let Ok(Outcome { progress: Progress::Connected(connected), .. }) = run(Step::Start, &json!({})) else { panic!("not connected") };
    assert_eq!((connected.display_name.as_str(), connected.facts.value("shop_id")), ("acme.myshopify.com", Some("1")));
    provider.on(GRAPHQL).answer(200, &bare).answer(200, &bare);
    assert!(health(&json!({})).unwrap().checks.iter().all(|check| check.ok), "and nothing is made again and again");
    provider.on(GRAPHQL).answer(200, &json!({"data": {"shop": {"name": "Acme"}}}));
    assert!(matches!(run(Step::Start, &json!({})), Err(Failure::Unavailable(_))));
}

#[test]
fn client_credentials_are_proven_by_a_new_token() {
    let provider = Provider::new();
    provider.secret("client_secret", "s");
    provider.secret("admin_token", "old");
    provider.on("POST token /admin/oauth/access_token").answer(200, &json!({"access_token": "new", "scope": "", "expires_in": 86399}));
    shop(&provider, "acme.myshopify.com");
    subscriptions(&provider, &ours());
    let settings = json!({"auth_mode": "client_credentials", "client_id": "c"});
    let Ok(Outcome { progress: Progress::Connected(connected), .. }) = run(Step::Start, &settings) else { panic!("not connected") };
    assert_eq!(connected.facts.value("token_expires_ms"), Some("1790086399000"));
    assert_eq!(provider.secret_value("admin_token"), Some(b"new".to_vec()));
}

#[test]
fn what_is_wrong_is_named_by_its_field() {
    let pointer = |result: Result<Outcome, Failure>| match result {
        Err(Failure::Invalid(problems)) => problems[0].pointer.clone(),
        other => panic!("{other:?}"),
    };
    let provider = Provider::new();
    assert_eq!(pointer(run(Step::Start, &json!({}))), "/admin_token");
    provider.secret("admin_token", "shpat_1");
    assert_eq!(pointer(run(Step::Start, &json!({}))), "/webhook_secret");
    provider.secret("webhook_secret", "w");
    shop(&provider, "other.myshopify.com");
    assert_eq!(pointer(run(Step::Start, &json!({}))), "/shop_domain");
    shop(&provider, "acme.myshopify.com");
    subscriptions(&provider, &json!([]));
    creates(&provider, &json!([{"field": ["webhookSubscription", "uri"], "message": "Address is not allowed"}]));
    assert_eq!(pointer(run(Step::Start, &json!({}))), "/public_url");
}

#[test]
fn refusals_while_connecting_have_their_classes() {
    let provider = provider();
    provider.on(GRAPHQL).answer(401, &json!({"errors": "[API] Invalid API key or access token"}));
    assert!(matches!(run(Step::Start, &json!({})), Err(Failure::Unauthorized(_))));
    provider.on(GRAPHQL).answer(404, &json!({"errors": "Not Found"}));
    assert!(matches!(run(Step::Start, &json!({})), Err(Failure::Rejected(_))));
    let cost = json!({"cost": {"requestedQueryCost": 10, "throttleStatus": {"maximumAvailable": 2000, "currentlyAvailable": 2, "restoreRate": 2}}});
    let throttled = json!({"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}], "extensions": cost});
    provider.on(GRAPHQL).answer(200, &throttled);
    assert!(matches!(run(Step::Start, &json!({})), Err(Failure::Limited(retry)) if retry.after_ms == Some(4000.0)));
    shop(&provider, "acme.myshopify.com");
    subscriptions(&provider, &json!([]));
    creates(&provider, &json!([{"field": null, "message": "Limit reached"}]));
    assert!(matches!(run(Step::Start, &json!({})), Err(Failure::Rejected(detail)) if detail.code == "user_error"));
    provider.on(GRAPHQL).broken("reset");
    assert!(matches!(run(Step::Start, &json!({})), Err(Failure::Unavailable(_))));
}

#[test]
fn another_attempt_that_was_first_is_no_error() {
    let provider = provider();
    shop(&provider, "acme.myshopify.com");
    subscriptions(&provider, &json!([]));
    creates(&provider, &json!([{"field": ["webhookSubscription", "uri"], "message": "Address for this topic has already been taken"}]));
    assert!(run(Step::Start, &json!({})).is_ok());
}

#[test]
fn disconnecting_takes_ours_away_and_a_dead_token_does_not_stop_it() {
    let provider = provider();
    subscriptions(&provider, &json!([{"id": "x", "topic": "APP_UNINSTALLED", "uri": "https://else.example"}, ours()[0]]));
    provider.on(GRAPHQL).answer(200, &json!({"data": {"webhookSubscriptionDelete": {"userErrors": []}}}));
    assert!(run(Step::Disconnect, &json!({})).is_ok());
    assert_eq!(provider.requests()[1].json()["variables"]["id"], "gid://shopify/WebhookSubscription/5");
    provider.on(GRAPHQL).answer(401, &json!({}));
    assert!(run(Step::Disconnect, &json!({})).is_ok());
    provider.on(GRAPHQL).answer(503, &json!({}));
    assert!(run(Step::Disconnect, &json!({})).is_err());
}

#[test]
fn a_dropped_subscription_is_made_again_and_told() {
    let provider = provider();
    shop(&provider, "acme.myshopify.com");
    subscriptions(&provider, &json!([]));
    creates(&provider, &json!([]));
    let report = health(&json!({"inbox_base_url": "https://chat.example"})).unwrap();
    assert!(report.checks.iter().all(|check| check.ok));
    let webhook = report.checks.iter().find(|check| check.name == "webhook").unwrap();
    assert_eq!(webhook.detail.as_ref().map(|detail| detail.code.as_str()), Some("subscription_renewed"));
}

#[test]
fn health_names_what_is_wrong() {
    let provider = provider();
    shop(&provider, "other.myshopify.com");
    subscriptions(&provider, &json!([]));
    creates(&provider, &json!([{"field": null, "message": "Limit reached"}]));
    let report = health(&json!({})).unwrap();
    let failing: Vec<_> = report.checks.iter().filter(|check| !check.ok).map(|check| check.name.as_str()).collect();
    assert_eq!(failing, ["shop", "webhook"]);
    let replies = report.checks.iter().find(|check| check.name == "replies").unwrap();
    assert_eq!(replies.detail.as_ref().map(|detail| detail.code.as_str()), Some("receive_only"));
    provider.on(GRAPHQL).answer(401, &json!({}));
    assert!(matches!(health(&json!({})), Err(Failure::Unauthorized(_))));
}
