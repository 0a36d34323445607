//! Requests in, answers out; and events to where the workspace's webhook is.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use bytes::Bytes;
use parking_lot::Mutex;
use ring::hmac;
use serde_json::{Value, json};

use super::{Options, TOKEN, WORKSPACE, control};
use crate::clock;
use crate::desk::{Asked, Delivery, Desk};

const BODY_MAX: usize = 256 * 1024;
const SIGNATURE: HeaderName = HeaderName::from_static("x-acme-signature");

/// What the workspace has.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// Where events go, and the secret that signs them.
    pub(crate) webhook: Option<(String, String)>,
    pub(crate) sent: Vec<Value>,
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) desk: Desk,
    pub(crate) world: Mutex<World>,
}

impl AsRef<Desk> for Server {
    fn as_ref(&self) -> &Desk {
        &self.desk
    }
}

impl Server {
    pub(crate) fn new(options: &Options) -> Self {
        Self { desk: Desk::new(options.recording, options.latency, options.deliver_to.clone()), world: Mutex::default() }
    }

    pub(crate) fn next_id(&self, prefix: &str) -> String {
        format!("{prefix}_{}", self.desk.next_number())
    }
}

pub(crate) fn router(server: &Arc<Server>) -> Router {
    crate::desk::strings::<Server>().merge(control::router()).fallback(answer).with_state(Arc::clone(server))
}

/// An error of the provider.
fn refused(status: u16, code: &str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(json!({"error": {"code": code, "message": message}}))).into_response()
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let call = format!("{} {}", parts.method, parts.uri.path());
    let token =
        parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Bearer "));
    let known = token == Some(TOKEN);
    let body = match to_bytes(body, BODY_MAX).await {
        Ok(bytes) if bytes.is_empty() => json!({}),
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        Err(_) => Value::Null,
    };
    let asked = Asked {
        call: call.clone(),
        account: if known { WORKSPACE.to_owned() } else { String::new() },
        recipient: body["to"].as_str().unwrap_or_default().to_owned(),
    };
    let recorded = body.clone();
    let act = async {
        if !known {
            return refused(401, "invalid_token", "the token isn't valid");
        }
        match (&parts.method, parts.uri.path()) {
            (&Method::GET, "/v1/me") => {
                let url = server.world.lock().webhook.as_ref().map(|(url, _)| url.clone());
                Json(json!({"id": WORKSPACE, "name": "Acme Shop", "plan": "team", "webhook_url": url})).into_response()
            }
            (&Method::PUT, "/v1/webhook") => set_webhook(&server, &body),
            (&Method::DELETE, "/v1/webhook") => {
                server.world.lock().webhook = None;
                Json(json!({"ok": true})).into_response()
            }
            (&Method::POST, "/v1/messages") => send(&server, body),
            _ => refused(404, "unknown_call", "there is no such call"),
        }
    };
    let refuse = |failure: &crate::Failure| {
        let status = failure.error_code.and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
        let code = failure.description.as_deref().unwrap_or("internal");
        let mut response = refused(status, code, "as planned");
        let wait = failure.parameters.as_ref().and_then(|parameters| parameters["retry_after"].as_u64());
        if let Some(seconds) = wait {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    };
    server.desk.serve(&asked, || recorded, refuse, act).await
}

fn set_webhook(server: &Server, body: &Value) -> Response {
    match (body["url"].as_str(), body["secret"].as_str()) {
        (Some(url), Some(secret)) if url.starts_with("http") && !secret.is_empty() => {
            server.world.lock().webhook = Some((url.to_owned(), secret.to_owned()));
            Json(json!({"ok": true})).into_response()
        }
        _ => refused(422, "invalid_field", "url and secret are needed"),
    }
}

/// People whose ids begin in a certain way can't be written to.
fn send(server: &Server, mut message: Value) -> Response {
    let to = message["to"].as_str().unwrap_or_default().to_owned();
    let empty = message["text"].as_str().is_none_or(str::is_empty) && message["media"].is_null();
    match to.as_str() {
        "" => return refused(422, "invalid_field", "to is needed"),
        to if to.starts_with("unknown") => return refused(404, "unknown_recipient", "there is nobody of that id"),
        to if to.starts_with("blocked") => return refused(403, "blocked", "the person has blocked you"),
        to if to.starts_with("silent") => return refused(409, "window_closed", "the last message is older than 24 hours"),
        _ if empty => return refused(400, "empty", "there is nothing to send"),
        _ => {}
    }
    let id = server.next_id("msg");
    message["id"] = json!(id);
    server.world.lock().sent.push(message);
    (StatusCode::CREATED, Json(json!({"id": id}))).into_response()
}

/// The hex HMAC-SHA256 of a body.
#[must_use]
pub fn signature(secret: &str, body: &[u8]) -> String {
    hex::encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body))
}

pub(crate) async fn push(server: &Server, mut events: Vec<Value>) -> Delivery {
    for event in &mut events {
        if event["id"].is_null() {
            event["id"] = json!(server.next_id("evt"));
        }
        if event["at"].is_null() {
            event["at"] = json!(clock::now_ms());
        }
    }
    post(server, json!({"events": events}).to_string()).await
}

pub(crate) async fn post(server: &Server, body: String) -> Delivery {
    let Some((url, secret)) = server.world.lock().webhook.clone() else {
        return Delivery::nowhere("no webhook is set: connect an account");
    };
    let Ok(signed) = HeaderValue::from_str(&signature(&secret, body.as_bytes())) else {
        return Delivery::nowhere("the signature is no header");
    };
    let json = HeaderValue::from_static("application/json");
    server.desk.knock(Method::POST, &url, &[(SIGNATURE, signed), (header::CONTENT_TYPE, json)], Bytes::from(body)).await
}
