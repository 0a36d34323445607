use patchbay_plugin::Channel as _;
use patchbay_plugin::Fields as _;
use patchbay_plugin::hooks::{Parsed, Webhook};
use patchbay_plugin::messages::{Happening, InteractionKind};
use patchbay_plugin::testing::fixtures;

use super::*;
use crate::{WebPush, token};

fn calling(method: &str, path: &str, body: &Value) -> Webhook {
    let account = testing::account(None, &settings());
    Webhook { method: method.into(), path: path.into(), verified_by: None, ..testing::webhook(account, body.to_string()) }
}

fn told(method: &str, path: &str, body: &Value) -> Result<Parsed, Failure> {
    WebPush::parse_inbound(calling(method, path, body))
}

fn subscribing(endpoint: &str) -> Value {
    json!({"subscription": {"endpoint": endpoint, "expirationTime": null, "keys": {"p256dh": browser::PUBLIC, "auth": browser::AUTH}}})
}

/// Status and body of the answer.
fn answer(parsed: &Parsed) -> (u16, Value) {
    let reply = parsed.reply.as_ref().unwrap();
    (reply.status, serde_json::from_slice(&reply.body).unwrap_or_default())
}

/// Scheme and value of each id of the device's user.
fn identities(parsed: &Parsed) -> Vec<(&str, &str)> {
    let actor = parsed.events[0].actor.as_ref().unwrap();
    actor.identities.iter().map(|identity| (identity.scheme.as_str(), identity.value.as_str())).collect()
}

#[test]
fn the_fixtures_are_read_as_expected() {
    let _world = world();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
    assert_eq!(fixtures::check::<WebPush>(folder, &testing::account(None, &settings())).unwrap(), 9);
}

#[test]
fn a_subscription_is_answered_with_its_id() {
    let _world = world();
    let made = told("POST", "subscriptions", &subscribing(CHROME)).unwrap();
    assert_eq!(answer(&made), (201, json!({"id": endpoint::id(CHROME)})));
    assert_eq!(identities(&made), [("web_push", endpoint::id(CHROME).as_str())]);
    let mut again = subscribing(CHROME);
    again["at"] = json!(1_764_000_000_000_u64);
    again["contact"] = json!({"external_id": "u1", "email": "mona@example.com", "phone": ""});
    let second = told("POST", "subscriptions", &again).unwrap();
    assert_eq!(identities(&second), [("external_id", "u1"), ("email", "mona@example.com")]);
    assert_ne!(second.events[0].dedupe_key, made.events[0].dedupe_key, "each visit heals");
    assert_eq!(told("POST", "/subscriptions/", &again).unwrap(), second, "the same call again is the same");
}

#[test]
fn a_new_address_takes_over_from_the_old_one() {
    let _world = world();
    let mut body = subscribing(FIREFOX);
    body["old_endpoint"] = CHROME.into();
    let parsed = told("PUT", "subscriptions", &body).unwrap();
    assert_eq!(answer(&parsed), (200, json!({"id": endpoint::id(FIREFOX)})));
    let [Happening::Subscription(new), Happening::Subscription(old)] = [&parsed.events[0].what, &parsed.events[1].what] else { panic!() };
    assert_eq!((new.active, new.endpoint.as_str(), new.extras.value("replaces")), (true, FIREFOX, Some(endpoint::id(CHROME).as_str())));
    assert_eq!((old.active, old.id.as_str(), old.keys.len()), (false, endpoint::id(CHROME).as_str(), 0));
    assert_eq!(parsed.events[0].actor, None, "whoever had the old one has the new one");
    body["contact"] = json!({"external_id": "u1"});
    assert_eq!(identities(&told("PUT", "subscriptions", &body).unwrap()), [("external_id", "u1")]);
    body["old_endpoint"] = FIREFOX.into();
    assert_eq!(told("PUT", "subscriptions", &body).unwrap().events.len(), 1, "one isn't replaced by itself");
}

#[test]
fn what_no_browser_makes_is_refused_with_its_field() {
    let _world = world();
    let cases = [
        ("/subscription/endpoint", json!("https://evil.example/x"), "/subscription/endpoint"),
        ("/subscription/endpoint", json!("https://169.254.169.254/latest"), "/subscription/endpoint"),
        ("/subscription/endpoint", json!("http://fcm.googleapis.com/x"), "/subscription/endpoint"),
        ("/subscription/keys/p256dh", json!(browser::AUTH), "/subscription/keys/p256dh"),
        ("/subscription/keys/p256dh", json!("A".repeat(87)), "/subscription/keys/p256dh"),
        ("/subscription/keys/auth", json!("AAAA"), "/subscription/keys/auth"),
        ("/subscription/keys", json!({"auth": browser::AUTH}), ""),
        ("/subscription", json!(null), ""),
        ("/contact", json!({"email": "no address"}), "/contact/email"),
        ("/contact", json!({"external_id": "x".repeat(201)}), "/contact/external_id"),
        ("/contact", json!({"external_id": "a\nb"}), "/contact/external_id"),
    ];
    for (pointer, value, expected) in cases {
        let mut body = subscribing(CHROME);
        body["contact"] = json!({"external_id": "u1"});
        *body.pointer_mut(pointer).unwrap() = value;
        assert_eq!(pointers(&told("POST", "subscriptions", &body).unwrap_err()), [expected], "{body}");
    }
    assert_eq!(pointers(&told("DELETE", "subscriptions", &json!({})).unwrap_err()), [""]);
    for (method, path) in [("GET", "subscriptions"), ("PUT", "events"), ("POST", "elsewhere"), ("POST", "subscriptions/x"), ("POST", "")] {
        assert_eq!(code(&told(method, path, &subscribing(CHROME)).unwrap_err()), "unknown_call", "{method} {path}");
    }
}

#[test]
fn with_an_identity_key_a_page_proves_whom_it_speaks_of() {
    let world = world();
    world.secret("identity_key", "site-server-key");
    let mut body = subscribing(CHROME);
    assert!(told("POST", "subscriptions", &body).is_ok(), "nobody is claimed");
    body["contact"] = json!({"external_id": "u1", "email": "mona@example.com"});
    assert_eq!(code(&told("POST", "subscriptions", &body).unwrap_err()), "forbidden_token");
    // printf 'u1\nmona@example.com\n' | openssl dgst -sha256 -hmac site-server-key
    body["contact"]["proof"] = "22bfff26253d70ae4a97cded94ea24763dc46210fd58eddfbbbc534929e2a668".into();
    assert_eq!(identities(&told("POST", "subscriptions", &body).unwrap()), [("external_id", "u1"), ("email", "mona@example.com")]);
    body["contact"]["external_id"] = "u2".into();
    assert_eq!(code(&told("POST", "subscriptions", &body).unwrap_err()), "forbidden_token", "it proves nobody else");
}

#[test]
fn what_a_device_tells_of_itself_is_bounded() {
    let _world = world();
    let mut body = subscribing(CHROME);
    body["meta"] =
        json!({"platform": "x".repeat(1000), "n": 7, "on": true, "deep": {"a": 1}, "replaces": "somebody", "user_agent": "liar"});
    let meta = body["meta"].as_object_mut().unwrap();
    meta.extend((0..40).map(|n| (format!("more{n}"), json!("x"))));
    let mut webhook = calling("POST", "subscriptions", &body);
    webhook.headers.push(Field::new("User-Agent", "Firefox"));
    let parsed = WebPush::parse_inbound(webhook).unwrap();
    let Happening::Subscription(subscription) = &parsed.events[0].what else { panic!() };
    assert!(subscription.extras.len() <= 21, "{}", subscription.extras.len());
    assert!(subscription.extras.iter().all(|field| field.value.len() <= 300));
    assert_eq!(subscription.extras.value("user_agent"), Some("Firefox"));
    assert_eq!((subscription.extras.value("replaces"), subscription.extras.value("deep")), (None, None));
}

fn event(what: &str, more: &Value) -> Value {
    let sub = endpoint::id(CHROME);
    let mut event = json!({"type": what, "message_id": OURS, "subscription_id": sub, "tok": token::of(OURS, &sub).unwrap(),
        "ts": 1_764_000_000_000_u64});
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

#[test]
fn a_click_is_read_and_opened_and_counted_for_each_button() {
    let _world = world();
    let keys = |body: &Value| told("POST", "events", body).unwrap().events.into_iter().map(|event| event.dedupe_key).collect::<Vec<_>>();
    let part = format!("{OURS}:{}", endpoint::id(CHROME));
    assert_eq!(keys(&event("delivered", &json!({}))), [format!("{part}:delivered")]);
    assert_eq!(keys(&event("dismiss", &json!({}))), [format!("{part}:dismiss")]);
    assert_eq!(keys(&event("click", &json!({}))), [format!("{part}:read"), format!("{part}:click:")]);
    let bought = event("click", &json!({"action": "buy", "url": "https://www.example.com/buy"}));
    assert_eq!(keys(&bought), [format!("{part}:read"), format!("{part}:click:buy")]);
    let parsed = told("POST", "events", &bought).unwrap();
    assert_eq!(parsed.reply.as_ref().map(|reply| (reply.status, reply.body.len())), Some((204, 0)));
    let Happening::Interacted(opened) = &parsed.events[1].what else { panic!() };
    assert_eq!((opened.target.as_str(), opened.kind), (part.as_str(), InteractionKind::Opened));
    assert_eq!((opened.action.as_deref(), opened.url.as_deref()), (Some("buy"), Some("https://www.example.com/buy")));
    let late = told("POST", "events", &event("dismiss", &json!({"ts": 1e300}))).unwrap();
    assert_eq!(
        (parsed.events[1].at_ms, late.events[0].at_ms),
        (Some(1_764_000_000_000.0), None),
        "a clock that tells no time isn't believed"
    );
    let strange = told("POST", "events", &event("click", &json!({"action": "", "url": "javascript:alert(1)"}))).unwrap();
    let Happening::Interacted(opened) = &strange.events[1].what else { panic!() };
    assert_eq!((&opened.action, &opened.url), (&None, &None));
}

#[test]
fn nobody_tells_of_anothers_notification() {
    let _world = world();
    let right = event("click", &json!({}));
    let changes = [
        ("tok", json!("0".repeat(32))),
        ("tok", json!("")),
        ("tok", json!(right["tok"].as_str().unwrap().to_uppercase())),
        ("tok", json!(format!("{}0", right["tok"].as_str().unwrap()))),
        ("message_id", json!("019a0000-0000-7000-8000-0000000000ab")),
        ("subscription_id", json!(endpoint::id(FIREFOX))),
    ];
    for (field, value) in changes {
        let mut wrong = right.clone();
        wrong[field] = value;
        let failure = told("POST", "events", &wrong).unwrap_err();
        assert_eq!((class(&failure), code(&failure)), ("rejected", "forbidden_token"), "{wrong}");
    }
    for (field, value) in
        [("type", json!("seen")), ("tok", json!(null)), ("message_id", json!("")), ("subscription_id", json!("x".repeat(101)))]
    {
        let mut wrong = right.clone();
        wrong[field] = value;
        assert_eq!(class(&told("POST", "events", &wrong).unwrap_err()), "invalid", "{wrong}");
    }
}
