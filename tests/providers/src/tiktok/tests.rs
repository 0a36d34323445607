//! The server as its users meet it: over HTTP.

mod hooks;
mod login;
mod messages;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::routing::post;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::*;

const APP: &str = "7300000000000000001";
const SECRET: &str = "tt_app_secret";
const BUSINESS: &str = "biz_open_id_1";
const PERSON: &str = "u_77";
const CONVERSATION: &str = "Yx+1Q==";
const SCOPES: &[&str] = &["user.info.basic", "user.info.username", "message.list.read", "message.list.send", "message.list.manage"];

/// A client with an access token.
struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    fn of(tiktok: &TikTok, token: &str) -> Self {
        // Where the whole workspace is built, reqwest has TLS without a provider of its own.
        rustls::crypto::ring::default_provider().install_default().ok();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, url: tiktok.url(), token: token.into() }
    }

    /// A client of the first business, with every scope.
    fn authorized(tiktok: &TikTok) -> Self {
        Self::of(tiktok, &tiktok.mint(APP, BUSINESS, SCOPES).access_token)
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}/open_api/v1.3/{path}", self.url));
        if self.token.is_empty() { request } else { request.header("Access-Token", &self.token) }
    }

    async fn post(&self, path: &str, body: Value) -> (u64, Value) {
        answer(self.request(Method::POST, path).json(&body)).await
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> (u64, Value) {
        answer(self.request(Method::GET, path).query(query)).await
    }

    /// Sends to the first conversation.
    async fn send(&self, kind: &str, member: &str, value: Value) -> (u64, Value) {
        self.post("business/message/send/", message(CONVERSATION, kind, member, &value)).await
    }

    async fn text(&self, text: &str) -> (u64, Value) {
        self.send("TEXT", "text", json!({"body": text})).await
    }
}

fn message(to: &str, kind: &str, member: &str, value: &Value) -> Value {
    json!({"business_id": BUSINESS, "recipient_type": "CONVERSATION", "recipient": to, "message_type": kind, member: value})
}

/// The code and the data. Refusals come with HTTP 200, too.
async fn answer(request: reqwest::RequestBuilder) -> (u64, Value) {
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body: Value = response.json().await.unwrap();
    assert!(body["request_id"].is_string() && body["message"].is_string(), "{body}");
    (body["code"].as_u64().unwrap(), body["data"].take())
}

/// What a webhook got, and what it answers next; nothing planned is 200.
#[derive(Default)]
struct Hook {
    got: Mutex<Vec<(String, String)>>,
    answers: Mutex<Vec<u16>>,
}

impl Hook {
    fn envelopes(&self) -> Vec<Value> {
        self.got.lock().iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect()
    }

    /// The contents, decoded a second time.
    fn contents(&self) -> Vec<Value> {
        self.envelopes().iter().map(|envelope| serde_json::from_str(envelope["content"].as_str().unwrap()).unwrap()).collect()
    }

    async fn wait_for(&self, count: usize) {
        for _ in 0..200 {
            if self.got.lock().len() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{} of {count} webhooks came", self.got.lock().len());
    }
}

async fn hook(tiktok: &TikTok) -> Arc<Hook> {
    async fn receive(State(hook): State<Arc<Hook>>, headers: HeaderMap, body: String) -> StatusCode {
        let signature = headers["tiktok-signature"].to_str().unwrap().to_owned();
        hook.got.lock().push((signature, body));
        let mut answers = hook.answers.lock();
        StatusCode::from_u16(if answers.is_empty() { 200 } else { answers.remove(0) }).unwrap()
    }
    let hook = Arc::new(Hook::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/hook", post(receive)).with_state(Arc::clone(&hook));
    tokio::spawn(async move { axum::serve(listener, router).await });
    tiktok.set_webhook(APP, &format!("http://{address}/hook"));
    hook
}
