//! The door over a real connection, with a type that is declared and runs nothing: what it would answer is the end-to-end suite's.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::{
    accounts,
    boot::Gateway,
    config::{Config, Overrides},
    domain::{account::Account, failure::FieldProblem, webhook::WebhookState},
    egress::operators_client,
    plugins::es256,
    store::{Page, webhooks::Filter},
};

const SITE: &str = "https://shop.example.com";

struct World {
    app: Arc<App>,
    base: String,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

async fn world(calls_per_min: u32) -> World {
    let folder = tempfile::tempdir().unwrap();
    let overrides = Overrides { data: Some(folder.path().to_owned()), bind: Some("127.0.0.1:0".parse().unwrap()) };
    let mut config = Config::load(None, &overrides).unwrap();
    config.http.public_url = "https://gw.example".to_owned();
    config.http.browser_calls_per_min = calls_per_min;
    let gateway = Gateway::build(config).await.unwrap();
    let app = Arc::clone(&gateway.app);
    for (channel_type, browser) in [("TEST", browser()), ("PLAIN", Value::Null)] {
        let mut manifest = json!({
            "id": channel_type.to_lowercase(), "type": channel_type, "version": "1.0.0", "name": "Test", "contract": "1.0.0",
            "settings": {"type": "object", "properties": {"origins": {"type": "array"}, "icon": {"type": "string"}}},
            "secrets": {"signing_key": {"title": "Key", "from": "generated", "kind": "es256"}},
            "capabilities": {},
        });
        if !browser.is_null() {
            manifest["browser"] = browser;
        }
        app.plugins.know(Manifest::from_json(manifest.to_string().as_bytes()).unwrap());
    }
    let base = format!("http://{}", gateway.address().unwrap());
    app.tasks.spawn(async move {
        gateway.run(std::future::pending()).await.unwrap();
    });
    let world = World { app, base, client: operators_client(Duration::from_secs(20)).unwrap(), _folder: folder };
    world.add("account", "TEST", true).await;
    world.add("asleep", "TEST", false).await;
    world.add("plain", "PLAIN", true).await;
    world
}

fn browser() -> Value {
    json!({"origins": "origins", "calls": ["subscriptions"], "private": ["tok", "keys"], "files": {"client.js": {
        "type": "text/javascript", "headers": {"service-worker-allowed": "/"},
        "file": "a('{{account}}', '{{base}}', '{{public_key:signing_key}}', {{setting:icon}}, {{setting:origins}});"}}})
}

impl World {
    async fn add(&self, id: &str, channel_type: &str, is_active: bool) {
        let now = self.app.clock.now();
        let (data_key, _) = self.app.keyring.new_data_key(id).unwrap();
        let account = Account {
            channel_type: channel_type.to_owned(),
            settings: json!({"origins": [format!("{SITE}/"), "http://localhost:3000"]}).as_object().cloned().unwrap(),
            is_active,
            ..Account::for_tests(id, data_key, now)
        };
        let mut tx = self.app.db.begin().await.unwrap();
        store::organizations::ensure(&mut tx, "org", now).await.unwrap();
        store::accounts::insert(&mut tx, &account).await.unwrap();
        let key = [("signing_key".to_owned(), es256::generate().unwrap())];
        accounts::seal(&self.app, &mut tx, &account, &key, now).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> reqwest::Response {
        let mut request = self.client.request(method, format!("{}/push/{path}", self.base)).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    async fn call(&self, path: &str, headers: &[(&str, &str)], body: &str) -> reqwest::Response {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.ask(Method::POST, path, &headers, body).await
    }
}

fn header_of<'a>(response: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

fn allowed(response: &reqwest::Response) -> Option<&str> {
    header_of(response, "access-control-allow-origin")
}

#[tokio::test]
async fn a_file_is_filled_with_what_the_account_is_and_asked_for_once() {
    let world = world(600).await;
    let response = world.ask(Method::GET, "account/client.js", &[("origin", SITE)], "").await;
    assert_eq!(response.status(), 200);
    for (name, value) in [
        ("content-type", "text/javascript; charset=utf-8"),
        ("cache-control", "no-cache"),
        ("service-worker-allowed", "/"),
        ("access-control-allow-origin", SITE),
    ] {
        assert_eq!(header_of(&response, name), Some(value), "{name}");
    }
    let tag = header_of(&response, "etag").unwrap().to_owned();
    let text = response.text().await.unwrap();
    let (before, after) = text.split_once("push/account', '").unwrap();
    assert_eq!(before, "a('account', 'https://gw.example/");
    let (key, settings) = after.split_once('\'').unwrap();
    assert!(key.len() == 87 && key.starts_with('B'), "an uncompressed point of P-256: {key}");
    assert_eq!(settings, format!(", null, [\"{SITE}/\",\"http://localhost:3000\"]);"));
    for asked in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
        let again = world.ask(Method::GET, "account/client.js", &[("if-none-match", &asked)], "").await;
        assert_eq!((again.status().as_u16(), header_of(&again, "etag")), (304, Some(tag.as_str())), "{asked}");
        assert!(again.bytes().await.unwrap().is_empty());
    }
    let other = world.ask(Method::GET, "account/client.js", &[("if-none-match", "\"x\"")], "").await;
    assert_eq!(other.status(), 200);
    let head = world.ask(Method::HEAD, "account/client.js", &[], "").await;
    assert_eq!((head.status().as_u16(), header_of(&head, "etag")), (200, Some(tag.as_str())));
    for nobodys in ["account/other.js", "nobody/client.js", "plain/client.js", "account/subscriptions"] {
        assert_eq!(world.ask(Method::GET, nobodys, &[], "").await.status(), 404, "{nobodys}");
    }
    assert_eq!(world.ask(Method::GET, "asleep/client.js", &[], "").await.status(), 200, "an inactive account holds calls alone");
}

#[tokio::test]
async fn a_call_is_kept_whatever_becomes_of_it_and_shown_without_what_opens_something() {
    let world = world(600).await;
    let body = json!({"tok": "s3cret", "list": [{"keys": {"auth": "s3cret"}, "seen": 1}]}).to_string();
    let response = world.call("account/subscriptions?a=b", &[("origin", SITE), ("x-other", "x"), ("cookie", "c=d")], &body).await;
    assert_eq!((response.status().as_u16(), allowed(&response)), (503, Some(SITE)), "no plugin runs");
    assert!(response.headers().contains_key("retry-after"));
    let held = world.call("asleep/subscriptions", &[], "{}").await;
    assert_eq!(held.status(), 202);
    let page = Page { limit: 10, offset: 0 };
    let kept = store::webhooks::list(&world.app.db, &Filter::default(), &page).await.unwrap();
    let states: Vec<WebhookState> = kept.iter().map(|kept| kept.state).collect();
    assert_eq!(states, [WebhookState::Held, WebhookState::Failed]);
    let kept = store::webhooks::find(&world.app.db, &kept[1].id).await.unwrap().unwrap();
    assert_eq!(call_of("account", &kept.delivery.path), Some("subscriptions"));
    assert_eq!(kept.delivery.verified_by, None);
    let names: Vec<&str> = kept.request.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"origin") && !names.contains(&"x-other") && !names.contains(&"cookie"), "{names:?}");
    assert_eq!(String::from_utf8_lossy(&kept.request.body), body, "a replay needs all of it");
    let shown = shown(&world.app, "account", kept.request.body).await.unwrap();
    let shown: Value = serde_json::from_slice(&shown).unwrap();
    assert_eq!(shown, json!({"tok": HIDDEN, "list": [{"keys": HIDDEN, "seen": 1}]}));
    assert!(super::shown(&world.app, "nobody", b"{}".to_vec()).await.unwrap().is_empty(), "nobody knows what opens something");
}

#[tokio::test]
async fn what_is_no_call_is_refused_and_not_kept() {
    let world = world(600).await;
    for (path, status) in [("account/other", 404), ("nobody/subscriptions", 404), ("plain/subscriptions", 404), ("account/client.js", 404)]
    {
        assert_eq!(world.call(path, &[], "{}").await.status().as_u16(), status, "{path}");
    }
    assert_eq!(world.call("account/subscriptions", &[], "{").await.status(), 400);
    assert_eq!(world.call("account/subscriptions", &[], &format!("\"{}\"", "x".repeat(BODY_MAX))).await.status(), 413);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
        let response = world.ask(Method::POST, "account/subscriptions", &[("content-type", kind)], "{}").await;
        assert_eq!(response.status(), 415, "{kind}");
    }
    assert_eq!(world.ask(Method::PATCH, "account/subscriptions", &[], "{}").await.status(), 405);
    let page = Page { limit: 10, offset: 0 };
    assert!(store::webhooks::list(&world.app.db, &Filter::default(), &page).await.unwrap().is_empty());
}

#[tokio::test]
async fn pages_of_listed_origins_alone_may_call() {
    let world = world(600).await;
    for (origin, status) in [
        (SITE, 503),
        ("http://localhost:3000", 503),
        ("https://gw.example", 503),
        ("https://shop.example.com.evil.example", 403),
        ("http://shop.example.com", 403),
        ("https://shop.example.com:8443", 403),
        ("null", 403),
    ] {
        let response = world.call("account/subscriptions", &[("origin", origin)], "{}").await;
        assert_eq!(response.status().as_u16(), status, "{origin}");
        assert_eq!(allowed(&response), (status == 503).then_some(origin), "{origin}");
    }
    let asks = [("access-control-request-method", "DELETE"), ("access-control-request-headers", "content-type")];
    let preflight = world.ask(Method::OPTIONS, "account/subscriptions", &[&asks[..], &[("origin", SITE)]].concat(), "").await;
    assert!(preflight.status().is_success() && allowed(&preflight) == Some(SITE), "{preflight:?}");
    assert!(header_of(&preflight, "access-control-allow-methods").unwrap().contains("DELETE"));
    assert_eq!(header_of(&preflight, "access-control-allow-headers"), Some("content-type"));
    for (path, origin) in [("account/subscriptions", "https://evil.example"), ("nobody/subscriptions", SITE), ("plain/x", SITE)] {
        let preflight = world.ask(Method::OPTIONS, path, &[&asks[..], &[("origin", origin)]].concat(), "").await;
        assert_eq!(allowed(&preflight), None, "{path} {origin}");
    }
}

#[tokio::test]
async fn one_address_calls_so_often_and_a_page_is_told_when_to_come_back() {
    let world = world(2).await;
    for _ in 0..2 {
        assert_eq!(world.call("account/subscriptions", &[], "{}").await.status(), 503);
    }
    let refused = world.call("account/subscriptions", &[("origin", SITE)], "{}").await;
    assert_eq!((refused.status().as_u16(), allowed(&refused)), (429, Some(SITE)));
    assert!(header_of(&refused, "retry-after").unwrap().parse::<u64>().unwrap() <= 30);
    assert_eq!(header_of(&refused, "access-control-expose-headers"), Some("retry-after"));
    assert_eq!(world.ask(Method::GET, "account/client.js", &[], "").await.status(), 200, "files have no bound");
}

#[test]
fn what_a_plugin_has_against_a_call_is_told_as_http() {
    let wrong = refusal(Failure::new(FailureClass::Rejected, FORBIDDEN, "The token isn't ours."));
    assert_eq!((wrong.status, wrong.body.code), (StatusCode::FORBIDDEN, FORBIDDEN));
    let mut failure = Failure::new(FailureClass::Invalid, "", "");
    failure.fields = vec![FieldProblem::new("/subscription/endpoint", "is no URL")];
    let refused = refusal(failure.clone());
    assert_eq!((refused.status, refused.body.errors), (StatusCode::BAD_REQUEST, failure.fields));
    let refused = refusal(Failure::new(FailureClass::Rejected, "gone", "That is no subscription."));
    assert_eq!((refused.status, refused.body.message.as_str()), (StatusCode::BAD_REQUEST, "That is no subscription."));
}

#[test]
fn of_a_plugins_answer_the_status_the_type_and_the_body_count() {
    let headers = vec![("Content-Type".to_owned(), "text/plain".to_owned()), ("set-cookie".to_owned(), "a=b".to_owned())];
    let told = answer(Reply { status: Some(201), headers, body: b"x".to_vec() });
    assert_eq!((told.status().as_u16(), told.headers()[header::CONTENT_TYPE].to_str().unwrap()), (201, "text/plain"));
    assert!(!told.headers().contains_key(header::SET_COOKIE));
    assert_eq!(answer(Reply::default()).status(), StatusCode::NO_CONTENT);
    assert_eq!(answer(Reply { body: b"{}".to_vec(), ..Reply::default() }).status(), StatusCode::OK);
    assert_eq!(answer(Reply { status: Some(42), ..Reply::default() }).status(), StatusCode::NO_CONTENT, "no such status");
}
