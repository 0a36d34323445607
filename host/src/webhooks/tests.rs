//! The door with a real database and a type that is declared and runs nothing: what is let in is kept as failed, which shows what
//! was kept. What plugins make of it is the end-to-end suite's.

use serde_json::json;

use super::*;
use crate::{
    accounts,
    boot::Gateway,
    config::{Config, Overrides},
    manifest::Manifest,
    secrets::Secret,
    store::{
        Page,
        webhooks::{Filter, Kept},
    },
};

struct World {
    app: Arc<App>,
    _gateway: Gateway,
    _folder: tempfile::TempDir,
}

const TOKEN: &str = "a-token-of-its-own";

async fn world(webhook: &Value) -> World {
    let folder = tempfile::tempdir().unwrap();
    let overrides = Overrides { data: Some(folder.path().to_owned()), bind: Some("127.0.0.1:0".parse().unwrap()) };
    let mut config = Config::load(None, &overrides).unwrap();
    config.http.public_url = "https://gw.example".to_owned();
    let gateway = Gateway::build(config).await.unwrap();
    let app = Arc::clone(&gateway.app);
    let manifest = json!({
        "id": "test", "type": "TEST", "version": "1.0.0", "name": "Test", "contract": "1.0.0",
        "settings": {"type": "object", "properties": {"key": {"type": "string", "writeOnly": true}}},
        "secrets": {"key": {"title": "Key", "from": "typed"}},
        "webhook": webhook, "capabilities": {},
    });
    app.plugins.know(Manifest::from_json(manifest.to_string().as_bytes()).unwrap());
    let now = app.clock.now();
    let (data_key, _) = app.keyring.new_data_key("account").unwrap();
    let account = Account { webhook_token: Some(WebhookToken(TOKEN.to_owned())), ..Account::for_tests("account", data_key, now) };
    let mut tx = app.db.begin().await.unwrap();
    store::organizations::ensure(&mut tx, "org", now).await.unwrap();
    store::accounts::insert(&mut tx, &account).await.unwrap();
    tx.commit().await.unwrap();
    World { app, _gateway: gateway, _folder: folder }
}

impl World {
    async fn account(&self) -> Account {
        store::accounts::find(&self.app.db, "account").await.unwrap().unwrap()
    }

    /// A status and a body.
    async fn asked(&self, method: Method, token: Option<&str>, query: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let uri = format!("/webhooks/account{}?{query}", token.map(|token| format!("/{token}")).unwrap_or_default());
        self.asked_of("account", method, token, &uri, headers).await
    }

    async fn asked_of(&self, id: &str, method: Method, token: Option<&str>, uri: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let by_post = method == Method::POST;
        let mut request = HttpRequest::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(if by_post { "{}" } else { "" })).unwrap();
        let address = Path(Address { account: id.to_owned(), token: token.map(str::to_owned) });
        let state = State(Arc::clone(&self.app));
        let answer = if by_post { receive(state, address, request).await } else { ask(state, address, request).await };
        let answer = answer.into_response();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), 65_536).await.unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    /// What is kept for the account, oldest first.
    async fn kept(&self) -> Vec<Kept> {
        let filter = Filter { account_id: Some("account".to_owned()), ..Filter::default() };
        let mut kept = Vec::new();
        for delivery in store::webhooks::list(&self.app.db, &filter, &Page { limit: 100, offset: 0 }).await.unwrap() {
            kept.extend(store::webhooks::find(&self.app.db, &delivery.id).await.unwrap());
        }
        kept.reverse();
        kept
    }

    async fn set_key(&self, key: &str) {
        let account = self.account().await;
        let mut tx = self.app.db.begin_ordered().await.unwrap();
        accounts::seal(&self.app, &mut tx, &account, &[("key".to_owned(), Secret::from(key))], self.app.clock.now()).await.unwrap();
        accounts::commit(&self.app, tx, "account").await.unwrap();
    }
}

/// The plugin runs nothing: what is let in is kept, and the provider asked to come again.
const TAKEN: u16 = 503;

#[tokio::test]
async fn an_address_with_a_wrong_token_is_nobodys() {
    let world = world(&json!({"scope": "account", "path_token": true, "verify": {"kind": "none"}})).await;
    let account = world.account().await;
    assert_eq!(world.app.webhook_url(&account), format!("https://gw.example/webhooks/account/{TOKEN}"));
    let (status, unknown) = world.asked_of("nobody", Method::POST, Some(TOKEN), "/webhooks/nobody/x", &[]).await;
    assert_eq!(status, 404);
    for token in [None, Some(""), Some("another"), Some(&TOKEN[1..]), Some("A-TOKEN-OF-ITS-OWN")] {
        for method in [Method::POST, Method::GET] {
            let (status, body) = world.asked(method, token, "", &[]).await;
            assert_eq!((status, body), (404, unknown.replace("nobody", "account")), "{token:?}");
        }
    }
    assert!(world.kept().await.is_empty());
    let called = format!("/webhooks/account/{TOKEN}");
    assert_eq!(world.asked(Method::POST, Some(TOKEN), "", &[("x-original-uri", &called), ("x-own", "a")]).await.0, TAKEN);
    let kept = world.kept().await;
    assert_eq!(kept[0].request.headers, [("x-own".to_owned(), "a".to_owned())]);
    assert_eq!((kept[0].request.path.as_str(), kept[0].delivery.verified_by.as_deref()), ("/webhooks/account", Some("path-token")));

    // What came without a token is kept for the operator, who may see where to.
    inbox::flush_turned_away(&world.app).await;
    let strays = store::webhooks::list(&world.app.db, &Filter::default(), &Page { limit: 100, offset: 0 }).await.unwrap();
    assert!(strays.len() > 5 && strays.iter().all(|stray| !stray.path.contains("token") && !stray.path.contains("another")), "{strays:?}");
}

#[tokio::test]
async fn an_account_without_a_token_takes_nothing_where_one_is_asked_for() {
    let world = world(&json!({"scope": "account", "path_token": true, "verify": {"kind": "none"}})).await;
    let mut account = world.account().await;
    account.id = "bare".to_owned();
    account.webhook_token = None;
    let mut tx = world.app.db.begin().await.unwrap();
    store::accounts::insert(&mut tx, &account).await.unwrap();
    tx.commit().await.unwrap();
    for token in [None, Some(""), Some(TOKEN)] {
        assert_eq!(world.asked_of("bare", Method::POST, token, "/webhooks/bare", &[]).await.0, 404, "{token:?}");
    }
}

#[tokio::test]
async fn an_address_of_a_type_without_tokens_has_none() {
    let world = world(&json!({"scope": "account", "verify": {"kind": "none"}})).await;
    assert_eq!(world.app.webhook_url(&world.account().await), "https://gw.example/webhooks/account");
    assert_eq!(world.asked(Method::POST, Some(TOKEN), "", &[]).await.0, 404);
    assert_eq!(world.asked(Method::POST, None, "", &[]).await.0, TAKEN);
    assert_eq!(world.kept().await[0].delivery.verified_by, None);
    assert_eq!(world.asked(Method::GET, None, "", &[]).await.0, 405, "events come by POST");
}

#[tokio::test]
async fn an_event_may_come_by_get_and_a_challenge_is_none() {
    let webhook = json!({"scope": "account", "methods": ["GET", "POST"], "path_token": true, "verify": {"kind": "none"},
        "challenge": {"kind": "echo", "answer": "challenge"}});
    let world = world(&webhook).await;
    assert_eq!(world.asked(Method::GET, Some(TOKEN), "challenge=abc", &[]).await, (200, "abc".to_owned()));
    assert_eq!(world.asked(Method::HEAD, Some(TOKEN), "id=7", &[]).await.0, 400, "a HEAD changes nothing");
    assert!(world.kept().await.is_empty());
    for query in ["id=7&status=delivered", "id=7&status=delivered", "id=8&status=a%20b&status=c"] {
        assert_eq!(world.asked(Method::GET, Some(TOKEN), query, &[]).await.0, TAKEN);
    }
    let kept = world.kept().await;
    assert_eq!(kept.iter().map(|kept| kept.delivery.deliveries).collect::<Vec<_>>(), [2, 1], "the same one again is counted");
    let request = &kept[1].request;
    assert_eq!((request.method.as_str(), request.path.as_str(), request.body.len()), ("GET", "/webhooks/account", 0));
    assert_eq!(request.query, [("id", "8"), ("status", "a b"), ("status", "c")].map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn a_type_may_take_events_by_get_alone() {
    let world = world(&json!({"scope": "account", "methods": ["GET"], "verify": {"kind": "none"}})).await;
    assert_eq!(world.asked(Method::GET, None, "id=7", &[]).await.0, TAKEN);
    let (status, body) = world.asked(Method::POST, None, "", &[]).await;
    assert!(status == 405 && body.contains("come by GET"), "{status} {body}");
}

#[tokio::test]
async fn a_signature_is_asked_for_as_soon_as_its_secret_is_set() {
    let webhook =
        json!({"scope": "account", "path_token": true, "verify": {"kind": "hmac", "header": "x-sig", "secret": "key", "optional": true}});
    let world = world(&webhook).await;
    assert_eq!(world.asked(Method::POST, Some(TOKEN), "", &[]).await.0, TAKEN);
    world.set_key("k").await;
    assert_eq!(world.asked(Method::POST, Some(TOKEN), "a=1", &[]).await.0, 401);
    assert_eq!(world.asked(Method::POST, None, "a=1", &[]).await.0, 404, "the token comes first");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"k");
    let signature = hex::encode(ring::hmac::sign(&key, b"{}"));
    assert_eq!(world.asked(Method::POST, Some(TOKEN), "a=1", &[("x-sig", &signature)]).await.0, TAKEN);
    let by: Vec<Option<String>> = world.kept().await.into_iter().map(|kept| kept.delivery.verified_by).collect();
    assert_eq!(by, [Some("path-token".to_owned()), Some("hmac".to_owned())]);
}
