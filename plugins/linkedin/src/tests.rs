//! Connecting and health, against a scripted provider.

use patchbay_plugin::hooks::{Connecting, Outcome, Progress, Step};
use patchbay_plugin::testing::{self, Provider};
use patchbay_plugin::{Call, Channel as _, Failure, Field, Fields as _, kv};
use serde_json::{Value, json};

use crate::{LinkedIn, health};

const ORGANIZATION: &str = "urn:li:organization:5590506";
const MEMBER: &str = "urn:li:person:me";
const HOOK: &str = "https://gateway.example/webhooks/apps/app_1";
const NOW_MS: f64 = 1_790_000_000_000.0;
const DAY_MS: f64 = 86_400_000.0;
const EVENTS: &str = "/rest/eventSubscriptions/(developerApplication:urn%3Ali%3AdeveloperApplication%3A77,user:urn%3Ali%3Aperson%3Ame,entity:urn%3Ali%3Aorganization%3A5590506,eventType:ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS)";

fn call(external_id: Option<&str>, settings: &Value, days: f64) -> Call {
    let mut call = testing::call(external_id, settings);
    call.extras = vec![
        Field::new("app.client_id", "86abc"),
        Field::new("app.application_id", "77"),
        Field::new("now_ms", format!("{NOW_MS}")),
        Field::new("webhook_url", HOOK),
        Field::new("token_expires_ms", format!("{}", NOW_MS + days * DAY_MS)),
    ];
    call
}

fn world() -> Provider {
    let provider = Provider::new();
    provider.secret("access_token", "t");
    provider
}

fn userinfo(provider: &Provider) {
    provider.on("GET api /v2/userinfo").answer(200, &json!({"sub": "me", "name": "Mona", "picture": "https://media.example/m.png"}));
}

fn acls(provider: &Provider, urns: &[&str]) {
    let elements: Vec<Value> = urns.iter().map(|urn| json!({"organization": urn, "role": "ADMINISTRATOR", "state": "APPROVED"})).collect();
    provider.on("GET api /rest/organizationAcls").answer(200, &json!({"elements": elements}));
}

fn organization(provider: &Provider, id: &str) {
    let told =
        json!({"id": id, "localizedName": format!("Org {id}"), "vanityName": "org", "logoV2": {"original": "urn:li:digitalmediaAsset:C4"}});
    provider.on(&format!("GET api /rest/organizations/{id}")).answer(200, &told);
}

fn refused(provider: &Provider, route: &str, status: u16, code: &str) {
    provider.on(route).answer(status, &json!({"status": status, "code": code, "message": "no"}));
}

fn step(call: &Call, step: Step, state: Option<Vec<u8>>) -> Result<Outcome, Failure> {
    LinkedIn::connect(call, Connecting { step, webhook_url: HOOK.into(), state })
}

fn connected(outcome: Outcome) -> patchbay_plugin::hooks::Connected {
    match outcome.progress {
        Progress::Connected(connected) => connected,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_member_chooses_a_page_and_it_is_connected_with_its_events() {
    let provider = world();
    userinfo(&provider);
    acls(&provider, &[ORGANIZATION, "urn:li:organization:6"]);
    organization(&provider, "5590506");
    refused(&provider, "GET api /rest/organizations/6", 403, "ACCESS_DENIED");
    let call = call(None, &json!({}), 60.0);
    let asked = step(&call, Step::Start, None).unwrap();
    let Progress::Ask(questions) = asked.progress else { panic!() };
    let options: Vec<_> = questions[0].options.iter().map(|option| (option.id.as_str(), option.title.as_str())).collect();
    assert_eq!(options, [(ORGANIZATION, "Org 5590506"), ("urn:li:organization:6", "urn:li:organization:6"), (MEMBER, "My own profile")]);

    let other = step(&call, Step::Answers(vec![Field::new("author", "urn:li:organization:7")]), asked.state.clone());
    assert!(matches!(other, Err(Failure::Invalid(problems)) if problems[0].pointer == "/answers/author"));

    organization(&provider, "5590506");
    provider.on(&format!("PUT api {EVENTS}")).answer(200, &json!({}));
    let done = connected(step(&call, Step::Answers(vec![Field::new("author", ORGANIZATION)]), asked.state).unwrap());
    assert_eq!(
        (done.external_id.as_str(), done.display_name.as_str(), done.routes),
        (ORGANIZATION, "Org 5590506", vec![MEMBER.to_owned()])
    );
    let fact = |name: &str| done.facts.value(name).unwrap_or_default();
    assert_eq!((fact("member"), fact("vanity_name"), fact("logo")), ("Mona", "org", "urn:li:digitalmediaAsset:C4"));
    assert_eq!((fact("days_until_reauthorisation"), fact("events")), ("60", "subscribed"));
    let put = provider.requests().pop().unwrap();
    assert_eq!((put.json(), put.headers.header("linkedin-version")), (json!({"webhook": HOOK}), Some("202401")));
    assert_eq!(put.headers.header("x-restli-protocol-version"), Some("2.0.0"));
}

#[test]
fn without_pages_it_is_the_profile() {
    let provider = world();
    userinfo(&provider);
    refused(&provider, "GET api /rest/organizationAcls", 403, "ACCESS_DENIED");
    let done = connected(step(&call(None, &json!({}), 60.0), Step::Start, None).unwrap());
    assert_eq!((done.external_id.as_str(), done.display_name.as_str()), (MEMBER, "Mona"));
}

#[test]
fn nobody_is_no_account() {
    let provider = world();
    provider.on("GET api /v2/userinfo").answer(200, &json!({"name": "Mona"}));
    assert!(matches!(step(&call(None, &json!({}), 60.0), Step::Start, None), Err(Failure::Unavailable(_))));
}

#[test]
fn what_is_set_or_was_connected_isnt_asked_for() {
    for (external_id, settings) in [(None, json!({"organization_urn": ORGANIZATION})), (Some(ORGANIZATION), json!({}))] {
        let provider = world();
        userinfo(&provider);
        acls(&provider, &["urn:li:organization:6", ORGANIZATION]);
        organization(&provider, "5590506");
        refused(&provider, &format!("PUT api {EVENTS}"), 403, "ACCESS_DENIED");
        let done = connected(step(&call(external_id, &settings, 60.0), Step::Start, None).unwrap());
        assert_eq!(done.external_id, ORGANIZATION);
        assert!(done.facts.value("events").unwrap().starts_with("not subscribed: no"));
    }
    let provider = world();
    userinfo(&provider);
    acls(&provider, &[]);
    let refused = step(&call(None, &json!({"organization_urn": ORGANIZATION}), 60.0), Step::Start, None);
    assert!(
        matches!(refused, Err(Failure::Invalid(problems)) if problems[0].pointer == "/organization_urn" && problems[0].message.contains("administrator"))
    );
}

#[test]
fn a_retired_version_degrades_and_names_the_setting() {
    let provider = world();
    userinfo(&provider);
    refused(&provider, "GET api /rest/organizationAcls", 426, "NONEXISTENT_VERSION");
    let Err(Failure::Forbidden(detail)) = step(&call(None, &json!({}), 60.0), Step::Start, None) else { panic!() };
    assert!(detail.code == "NONEXISTENT_VERSION" && detail.message.contains("api_version"), "{}", detail.message);

    userinfo(&provider);
    refused(&provider, "GET api /rest/organizations/5590506", 426, "NONEXISTENT_VERSION");
    let report = LinkedIn::health(&call(Some(ORGANIZATION), &json!({}), 60.0)).unwrap();
    assert_eq!(health::words(&report), json!({"token": true, "member": true, "api_version": false}));
    assert_eq!(kv::get_json::<String>("member").as_deref(), Some(MEMBER));
    let check = report.checks.iter().find(|check| check.name == "api_version").unwrap();
    assert!(check.detail.as_ref().unwrap().message.contains("api_version"));
}

#[test]
fn a_dead_or_missing_token_asks_for_authorisation() {
    let provider = world();
    refused(&provider, "GET api /v2/userinfo", 401, "REVOKED_ACCESS_TOKEN");
    assert!(matches!(step(&call(None, &json!({}), 60.0), Step::Start, None), Err(Failure::Unauthorized(_))));
    drop(provider);
    let _nothing = Provider::new();
    assert!(matches!(step(&call(None, &json!({}), 60.0), Step::Start, None), Err(Failure::Unauthorized(_))));
}

#[test]
fn disconnecting_ends_the_subscription_where_it_can() {
    for status in [204, 404, 401, 403] {
        let provider = world();
        kv::set_json("member", &MEMBER, None).unwrap();
        refused(&provider, &format!("DELETE api {EVENTS}"), status, "X");
        assert!(step(&call(Some(ORGANIZATION), &json!({}), 60.0), Step::Disconnect, None).is_ok(), "{status}");
        assert_eq!(kv::get("member"), None);
    }
    let _provider = world();
    assert!(step(&call(Some(MEMBER), &json!({}), 60.0), Step::Disconnect, None).is_ok());
}

#[test]
fn health_asks_who_the_member_is_once_an_hour_and_mends_the_subscription() {
    let provider = world();
    kv::set_json("member", &MEMBER, None).unwrap();
    userinfo(&provider);
    organization(&provider, "5590506");
    refused(&provider, &format!("GET api {EVENTS}"), 404, "NOT_FOUND");
    provider.on(&format!("PUT api {EVENTS}")).answer(200, &json!({}));
    let account = call(Some(ORGANIZATION), &json!({}), 60.0);
    let report = LinkedIn::health(&account).unwrap();
    assert_eq!(health::words(&report), json!({"token": true, "member": true, "api_version": true, "organization": true, "events": true}));

    organization(&provider, "5590506");
    provider.on(&format!("GET api {EVENTS}")).answer(200, &json!({"webhook": HOOK}));
    let report = LinkedIn::health(&account).unwrap();
    assert_eq!(health::words(&report), json!({"token": true, "api_version": true, "organization": true, "events": true}));
    assert_eq!(report.facts.value("events"), Some("subscribed"));
}

#[test]
fn a_token_is_told_of_seven_days_ahead() {
    for (days, ok) in [(60.0, true), (7.5, true), (6.5, false), (-1.0, false)] {
        let provider = world();
        userinfo(&provider);
        acls(&provider, &[]);
        let report = LinkedIn::health(&call(Some(MEMBER), &json!({}), days)).unwrap();
        assert_eq!(report.checks[0].ok, ok, "{days}");
        if !ok {
            assert!(report.checks[0].detail.as_ref().unwrap().message.contains("authorise"));
        }
    }
    // The gateway renews it: what counts is the refresh token's end.
    let provider = world();
    provider.secret("refresh_token", "r");
    let mut account = call(Some(MEMBER), &json!({}), 1.0);
    for (refresh_days, ok) in [(None, true), (Some(100.0), true), (Some(3.0), false)] {
        account.extras.retain(|field| field.name != "refresh_expires_ms");
        account.extras.extend(refresh_days.map(|days| Field::new("refresh_expires_ms", format!("{}", NOW_MS + days * DAY_MS))));
        kv::delete("userinfo");
        userinfo(&provider);
        acls(&provider, &[]);
        assert_eq!(LinkedIn::health(&account).unwrap().checks[0].ok, ok, "{refresh_days:?}");
    }
}

#[test]
fn a_lost_role_and_another_member_are_told() {
    let provider = world();
    kv::set_json("member", &"urn:li:person:other", None).unwrap();
    userinfo(&provider);
    refused(&provider, "GET api /rest/organizations/5590506", 403, "ACCESS_DENIED");
    refused(&provider, &format!("GET api {}", EVENTS.replace("%3Ame", "%3Aother")), 403, "ACCESS_DENIED");
    let report = LinkedIn::health(&call(Some(ORGANIZATION), &json!({}), 60.0)).unwrap();
    assert_eq!(health::words(&report), json!({"token": true, "member": false, "api_version": true, "organization": false, "events": true}));
}
