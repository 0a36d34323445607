//! A gateway with the hostile plugin and a healthy one, and the hostile one's provider.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::stream;
use serde_json::{Value, json};

use crate::harness::{Answer, BOT, Bench, Database, MONA, Settings, eventually};

/// Long enough to be looked for in what a plugin tells.
pub(super) const SECRET: &str = "zoo-secret-8f3a61c7d2";
pub(super) const TOKEN: &str = "zoo-token-04b1c95e77aa";
const GIB: usize = 1024 * 1024 * 1024;
const CHUNK: usize = 64 * 1024;

/// The hostile plugin's provider, which is no better.
#[derive(Clone, Default)]
pub(super) struct Keeper {
    asked: Arc<Mutex<Vec<String>>>,
}

impl Keeper {
    async fn start() -> (Keeper, String) {
        let keeper = Keeper::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(keeper.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (keeper, url)
    }

    /// The paths that were asked for, with their queries.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(State(keeper): State<Keeper>, request: Request) -> Response {
    let path = request.uri().path_and_query().unwrap().to_string();
    keeper.asked.lock().unwrap().push(path.clone());
    match path.rsplit_once('/').map(|(_, last)| last) {
        // A gigabyte that doesn't tell its size.
        Some("big") => {
            let piece = Bytes::from(vec![b'x'; CHUNK]);
            Body::from_stream(stream::iter((0..GIB / CHUNK).map(move |_| Ok::<_, Infallible>(piece.clone())))).into_response()
        }
        Some("told") => {
            let piece = Bytes::from(vec![b'x'; CHUNK]);
            let body = Body::from_stream(stream::iter((0..GIB / CHUNK).map(move |_| Ok::<_, Infallible>(piece.clone()))));
            ([(header::CONTENT_LENGTH, GIB.to_string())], body).into_response()
        }
        // A byte now and then, for ever.
        Some("drip") => {
            let drops = stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Some((Ok::<_, Infallible>(Bytes::from_static(b".")), ()))
            });
            Body::from_stream(drops).into_response()
        }
        Some("never") => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            StatusCode::OK.into_response()
        }
        Some("to-metadata") => (StatusCode::FOUND, [(header::LOCATION, "https://169.254.169.254/latest/meta-data")]).into_response(),
        Some("to-private") => (StatusCode::FOUND, [(header::LOCATION, "https://10.0.0.1/admin")]).into_response(),
        Some("to-name") => (StatusCode::FOUND, [(header::LOCATION, "https://localhost/admin")]).into_response(),
        Some("echo") => TOKEN.into_response(),
        _ => "{}".into_response(),
    }
}

/// All of it.
pub(super) struct Cage {
    pub(super) bench: Bench,
    pub(super) keeper: Keeper,
    /// The account of the hostile plugin that most tests use.
    pub(super) account: String,
    updates: AtomicI64,
}

impl Cage {
    pub(super) async fn open(database: Database) -> Cage {
        Cage::with(database, Settings::default()).await
    }

    pub(super) async fn with(database: Database, settings: Settings) -> Cage {
        let (keeper, url) = Keeper::start().await;
        let settings = settings.channel("zoo").redirecting("api.zoo.example", &url).line("outbox.retry_s = [1]");
        let bench = Bench::with(database, json!({}), settings).await;
        let mut cage = Cage { bench, keeper, account: String::new(), updates: AtomicI64::new(1) };
        cage.account = cage.connected("cage", json!({})).await;
        cage
    }

    /// Another account of the hostile plugin, connected.
    pub(super) async fn connected(&self, external_id: &str, settings: Value) -> String {
        let account = self.made("org-1", external_id, settings).await.expect_status(201)["id"].as_str().unwrap().to_owned();
        let account_now = self.bench.gateway.connect(&account, json!({})).await;
        assert_eq!(account_now["connection"], "connected", "{account_now}");
        account
    }

    /// Tries to make an account.
    pub(super) async fn made(&self, organization: &str, external_id: &str, settings: Value) -> Answer {
        let mut whole = json!({"token": TOKEN, "webhook_secret": SECRET, "external_id": external_id});
        whole.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let new = json!({"organization_id": organization, "name": external_id, "type": "ZOO", "settings": whole, "is_active": true});
        self.bench.gateway.post("/rest/v1/channel_accounts", new).await
    }

    /// A webhook as the provider posts it.
    pub(super) async fn push_to(&self, account: &str, body: Value) -> Answer {
        let request = self.bench.gateway.webhook_request(account, None, body.to_string()).header("x-zoo-secret", SECRET);
        Answer::of(request.send().await.unwrap()).await
    }

    pub(super) async fn push(&self, body: Value) -> Answer {
        self.push_to(&self.account, body).await
    }

    /// Sends a text over the account; answers the message once it is settled.
    pub(super) async fn send(&self, text: &str) -> Value {
        self.send_over(&self.account, text).await
    }

    pub(super) async fn send_over(&self, account: &str, text: &str) -> Value {
        let request = json!({"channel_account_id": account, "to": "mona", "content": [{"type": "text", "text": text}]});
        let id = self.bench.gateway.post("/rest/v1/messages", request).await.expect_status(202)["id"].as_str().unwrap().to_owned();
        self.bench.settled(&id).await
    }

    /// The texts that came in over the account.
    pub(super) async fn texts(&self, account: &str) -> Vec<String> {
        let messages = self.bench.gateway.received(account).await;
        messages.iter().map(|message| message["content"][0]["text"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub(super) async fn metrics(&self) -> String {
        self.bench.gateway.get("/metrics").await.expect_status(200).as_str().unwrap().to_owned()
    }

    /// How many calls of the hostile plugin's hook ended so.
    pub(super) async fn faults(&self, hook: &str, fault: &str) -> u64 {
        let name = format!("patchbay_plugin_faults_total{{channel_type=\"ZOO\",version=\"0.1.0\",hook=\"{hook}\",fault=\"{fault}\"}} ");
        count(&self.metrics().await, &name)
    }

    /// The healthy plugin beside it takes a webhook and sends a message.
    pub(super) async fn neighbour_goes_on(&self) {
        let n = self.updates.fetch_add(1, Ordering::SeqCst);
        let delivery = self.bench.telegram.push(BOT, update(n)).await;
        assert_eq!(delivery.status, Some(200), "{delivery:?}");
        let sent = self.bench.send(json!({"to": (MONA + n).to_string(), "content": {"type": "text", "text": "Hello"}})).await;
        assert_eq!(sent["state"], "sent", "{sent}");
    }

    /// The same, and a webhook and a message of the hostile plugin's account that ask for no trick.
    pub(super) async fn all_goes_on(&self) {
        self.neighbour_goes_on().await;
        let n = self.updates.fetch_add(1, Ordering::SeqCst);
        self.push(json!({"id": format!("plain-{n}"), "text": "plain"})).await.expect_status(200);
        assert_eq!(self.send("plain").await["state"], "sent");
    }

    /// The account's log, as text.
    pub(super) async fn log(&self) -> Vec<Value> {
        let path = format!("/rest/v1/account_logs?channel_account_id={}&limit=1000", self.account);
        self.bench.gateway.get(&path).await.expect_status(200).as_array().unwrap().clone()
    }

    /// Waits until the account's log has an entry of that code.
    pub(super) async fn logs(&self, code: &str) -> Vec<Value> {
        eventually(&format!("the log has an entry {code}"), || async {
            let entries = self.log().await;
            entries.iter().any(|entry| entry["code"] == code).then_some(entries)
        })
        .await
    }
}

/// The value of the metric whose line begins so.
pub(super) fn count(metrics: &str, name: &str) -> u64 {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name));
    value.map_or(0, |value| value.parse().unwrap())
}

fn update(n: i64) -> Value {
    json!({"update_id": n, "message": {"message_id": n, "from": {"id": MONA, "is_bot": false, "first_name": "Mona"},
           "chat": {"id": MONA, "type": "private"}, "date": 1_764_000_000, "text": format!("message {n}")}})
}
