//! The server as its users meet it: over HTTP.

mod hooks;
mod login;
mod pages;
mod whatsapp;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method};
use axum::response::IntoResponse;
use axum::{Router, routing};
use parking_lot::Mutex;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::*;

const APP: &str = "300000000000001";
const NUMBER: &str = "900000000000001";
const WABA: &str = "800000000000001";
const PAGE: &str = "100000000000001";
const INSTAGRAM: &str = "17841400000000001";
const WHATSAPP_SCOPES: &[&str] = &["whatsapp_business_management", "whatsapp_business_messaging"];
const PAGE_SCOPES: &[&str] = &["pages_show_list", "pages_messaging", "pages_manage_metadata", "instagram_manage_messages"];
const INSTAGRAM_SCOPES: &[&str] = &["instagram_business_basic", "instagram_business_manage_messages"];

/// A client with a token.
struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    fn of(meta: &Meta, token: &str) -> Self {
        // Where the whole workspace is built, reqwest has TLS without a provider of its own.
        rustls::crypto::ring::default_provider().install_default().ok();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, base: meta.url(), token: token.into() }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        answer(self.request(Method::POST, path).json(&body)).await
    }

    async fn delete(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::DELETE, path)).await
    }

    /// Status, code and subcode of a refusal.
    async fn refusal(&self, path: &str, body: Value) -> (u16, u64, u64) {
        refused(self.post(path, body).await)
    }
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    assert!(response.headers().contains_key("facebook-api-version"));
    (status, response.json().await.unwrap())
}

fn refused((status, answer): (u16, Value)) -> (u16, u64, u64) {
    let error = &answer["error"];
    assert!(error["fbtrace_id"].is_string(), "{answer}");
    (status, error["code"].as_u64().unwrap(), error["error_subcode"].as_u64().unwrap_or_default())
}

/// What a webhook got, and what it answers next; nothing planned is 200.
#[derive(Default)]
struct Hook {
    got: Mutex<Vec<(HeaderMap, String)>>,
    answers: Mutex<Vec<u16>>,
}

impl Hook {
    fn payloads(&self) -> Vec<Value> {
        self.got.lock().iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect()
    }
}

/// A webhook whose verify token is `vt`.
async fn hook() -> (String, Arc<Hook>) {
    async fn receive(
        State(hook): State<Arc<Hook>>,
        RawQuery(query): RawQuery,
        method: Method,
        headers: HeaderMap,
        body: String,
    ) -> impl IntoResponse {
        if method == Method::GET {
            let query = query.unwrap_or_default();
            let pairs: std::collections::HashMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            let right = pairs["hub.mode"] == "subscribe" && pairs["hub.verify_token"] == "vt";
            return if right { (200, pairs["hub.challenge"].clone()) } else { (403, String::new()) }.into_status();
        }
        hook.got.lock().push((headers, body));
        let mut answers = hook.answers.lock();
        (if answers.is_empty() { 200 } else { answers.remove(0) }, String::new()).into_status()
    }
    let hook = Arc::new(Hook::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(routing::any(receive)).with_state(Arc::clone(&hook));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/webhooks/apps/1"), hook)
}

trait IntoStatus {
    fn into_status(self) -> (axum::http::StatusCode, String);
}

impl IntoStatus for (u16, String) {
    fn into_status(self) -> (axum::http::StatusCode, String) {
        (axum::http::StatusCode::from_u16(self.0).unwrap(), self.1)
    }
}
