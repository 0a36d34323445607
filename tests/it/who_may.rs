//! Who may do what: keys, tokens, limits, the audit log, pages in browsers; and a matrix of every route that there is.

mod audit;
mod doors;
mod keys;
mod matrix;
mod routes;
mod theirs;
mod tokens;

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Method, RequestBuilder, header::HeaderMap};
use ring::hmac;
use serde_json::{Value, json};

use crate::harness::Gateway;

/// What a token is signed with, where a test lets tokens in.
const SECRET: &str = "the secret of the identity provider of these tests";

/// An answer as it came.
#[derive(Debug)]
struct Told {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Told {
    async fn of(request: RequestBuilder) -> Told {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Told { status, headers, text: response.text().await.unwrap() }
    }

    fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| json!(self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// That status, and the four keys that every error has; its code.
    fn refused(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        let body = self.body();
        for name in ["code", "message", "details", "hint"] {
            assert!(body.get(name).is_some(), "an error has {name}: {self:?}");
        }
        body["code"].as_str().unwrap().to_owned()
    }
}

/// A request with whatever headers the test gives it.
fn ask(gateway: &Gateway, method: Method, path: &str) -> RequestBuilder {
    gateway.bare_request(method, path)
}

fn now_s() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// A token that is good for an hour unless the claims say otherwise.
fn token(claims: &Value) -> String {
    token_by(claims, SECRET)
}

fn token_by(claims: &Value, secret: &str) -> String {
    let mut whole = json!({"sub": "user-1", "exp": now_s() + 3600});
    whole.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let text = format!("{}.{}", encoded(&json!({"alg": "HS256", "typ": "JWT"})), encoded(&whole));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

impl Gateway {
    /// A key that the operator makes over REST; its text and itself.
    async fn make_key(&self, new: Value) -> (String, Value) {
        let made = self.post("/rest/v1/api_keys", new).await.expect_status(201);
        (made["key"].as_str().unwrap().to_owned(), made)
    }

    /// The status of a list with that key.
    async fn opens(&self, key: &str) -> u16 {
        self.ask_as(Some(key), Method::GET, "/rest/v1/channel_accounts").await.status
    }
}
