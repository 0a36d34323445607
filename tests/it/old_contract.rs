//! A plugin that was built when the contract was 0.1.0 (`tests/it/pager-0.1.0`), through the whole gateway of today: it is the
//! component of then, and not its source built again.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, extract::State, routing::get};
use serde_json::{Value, json};

use crate::harness::{Database, Gateway, Settings, both, eventually};

const KEY: &str = "key-of-the-pager-0123456789";

/// Its provider: what was paged, and what waits to be asked for.
#[derive(Clone, Default)]
struct Pager(Arc<Mutex<Vec<Value>>>);

impl Pager {
    async fn start() -> (Pager, String) {
        let pager = Pager::default();
        let waiting = || async { Json(json!({"next": "9", "pages": [{"kind": "page", "id": "9", "from": "7", "text": "Polled"}]})) };
        let router = Router::new()
            .route("/v1/me", get(|| async { Json(json!({"id": "42"})) }))
            .route("/v1/pages/{after}", get(waiting))
            .route("/v1/pages", axum::routing::post(take))
            .with_state(pager.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (pager, url)
    }
}

/// Takes a page, and tells besides that its recipient wants no more.
async fn take(State(pager): State<Pager>, Json(page): Json<Value>) -> Json<Value> {
    pager.0.lock().unwrap().push(page);
    Json(json!({"id": "p1", "pages": [{"kind": "stop", "id": "s1", "from": "7"}]}))
}

async fn connected(database: Database, mode: &str) -> (Gateway, Pager, String) {
    let (pager, url) = Pager::start().await;
    let gateway = Gateway::start(database, Settings::default().without_plugin().redirecting("pager.example", &url)).await;
    let component = include_bytes!("pager-0.1.0/pager.wasm").to_vec();
    gateway.upload("/admin/v1/plugins", "application/wasm", component).await.expect_status(201);
    let account = gateway.create("PAGER", json!({"key": KEY, "mode": mode})).await;
    assert_eq!(gateway.connect(&account, json!({})).await["external_id"], "42");
    (gateway, pager, account)
}

async fn what_it_reads_and_sends_is_todays(database: Database) {
    let (gateway, pager, account) = connected(database, "webhook").await;
    let mut listener = gateway.listen(None).await;
    let body = json!({"pages": [{"kind": "page", "id": "1", "from": "7", "text": "Hi"}, {"kind": "battery", "id": "2", "from": "7"}]});
    let hook = gateway.account(&account).await["webhook_url"].as_str().unwrap().to_owned();
    let pushed = reqwest::Client::new().post(hook).header("x-pager-key", KEY).json(&body).send().await.unwrap();
    assert_eq!(pushed.status(), 200);
    let received = gateway.received(&account).await;
    assert_eq!((received.len(), &received[0]["content"][0]["text"]), (1, &json!("Hi")));
    assert_eq!(listener.next_of("account.status").await["data"]["code"], "battery");

    gateway.send(&account, "7", json!({"type": "text", "text": "Hello"}), "sent").await;
    assert_eq!(*pager.0.lock().unwrap(), [json!({"to": "7", "text": "Hello"})]);
    // An event of the old kind in the answer to a send.
    assert_eq!(listener.next_of("contact.opted_out").await["data"]["code"], "stop");
}

async fn what_it_polls_is_todays(database: Database) {
    let (gateway, _pager, account) = connected(database, "polling").await;
    let polled = eventually("a page was polled", || async { gateway.received(&account).await.pop() }).await;
    assert_eq!(polled["content"][0]["text"], "Polled");
}

both! {
    what_it_reads_and_sends_is_todays,
    what_it_polls_is_todays,
}
