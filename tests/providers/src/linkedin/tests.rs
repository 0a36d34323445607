//! The server as its users meet it: over HTTP.

mod hooks;
mod login;
mod publishing;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::{Router, routing};
use parking_lot::Mutex;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use super::*;

const ACME: &str = "urn:li:organization:5590506";
const ALL: &[&str] =
    &["openid", "profile", "email", "w_member_social", "w_organization_social", "r_organization_social", "rw_organization_admin"];

/// A client with a token that writes every header.
struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    fn of(linkedin: &LinkedIn, token: &str) -> Self {
        // Where the whole workspace is built, reqwest has TLS without a provider of its own.
        rustls::crypto::ring::default_provider().install_default().ok();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, base: linkedin.url(), token: token.into() }
    }

    fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let request = self.http.request(method, url);
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).header("linkedin-version", "202401").header("x-restli-protocol-version", "2.0.0")
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        answer(self.request(Method::POST, path).json(body)).await
    }

    async fn form(&self, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        answer(self.bare(Method::POST, path).form(fields)).await
    }

    /// The id of what was made.
    async fn create(&self, path: &str, body: &Value) -> String {
        let response = self.request(Method::POST, path).json(body).send().await.unwrap();
        assert_eq!(response.status(), 201);
        id(&response)
    }
}

fn id(response: &Response) -> String {
    response.headers()["x-restli-id"].to_str().unwrap().to_owned()
}

/// Status and body; null where there is none.
async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
}

fn code((status, body): &(u16, Value)) -> (u16, &str) {
    (*status, body["code"].as_str().unwrap_or_default())
}

fn post(commentary: &str) -> Value {
    json!({"author": ACME, "commentary": commentary, "visibility": "PUBLIC", "lifecycleState": "PUBLISHED",
        "distribution": {"feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": []},
        "isReshareDisabledByAuthor": false})
}

/// What a webhook got, and what it answers next; nothing planned is 200.
#[derive(Default)]
struct Hook {
    got: Mutex<Vec<(HeaderMap, String)>>,
    answers: Mutex<Vec<u16>>,
    /// It answers challenges wrongly.
    wrong: Mutex<bool>,
}

async fn hook() -> (String, Arc<Hook>) {
    async fn receive(
        State(hook): State<Arc<Hook>>,
        RawQuery(query): RawQuery,
        method: Method,
        headers: HeaderMap,
        body: String,
    ) -> (StatusCode, [(&'static str, &'static str); 1], String) {
        let json = [("content-type", "application/json")];
        if method == Method::GET {
            let query = query.unwrap_or_default();
            let pairs: std::collections::HashMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            let secret = if *hook.wrong.lock() { "another" } else { "li_client_secret" };
            let code = &pairs["challengeCode"];
            let answer = json!({"challengeCode": code, "challengeResponse": challenge_response(secret, code)});
            return (StatusCode::OK, json, answer.to_string());
        }
        hook.got.lock().push((headers, body));
        let mut answers = hook.answers.lock();
        let status = if answers.is_empty() { 200 } else { answers.remove(0) };
        (StatusCode::from_u16(status).unwrap(), json, String::new())
    }
    let hook = Arc::new(Hook::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(routing::any(receive)).with_state(Arc::clone(&hook));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/webhooks/apps/1"), hook)
}
