//! What Appgain answers: its envelope, and refusals in it.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::failures::Failure;

/// A call that went well.
#[derive(Debug)]
pub(crate) enum Reply {
    Json(u16, Value),
    File { mime_type: String, bytes: Bytes },
}

/// A call that didn't.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) retry_after_s: Option<u64>,
}

pub(crate) type Outcome = Result<Reply, Refusal>;

impl Refusal {
    /// `{"status":"failed","message":…}`.
    pub(crate) fn new(status: u16, message: &str) -> Self {
        Self { status, body: json!({"status": "failed", "message": message}), retry_after_s: None }
    }

    /// With a code to tell it by: the session's calls and UOWHATSAPP have them.
    pub(crate) fn coded(status: u16, code: &str, why: &str) -> Self {
        let mut refusal = Self::new(status, &format!("{code}: {why}"));
        refusal.body["code"] = code.into();
        refusal
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.body["retry_after"] = seconds.into();
        self.retry_after_s = Some(seconds);
        self
    }

    /// No `appapikey`.
    pub(crate) fn no_key() -> Self {
        Self::new(401, "app API key or user authentication required")
    }

    /// A wrong one, everywhere but at `/send`.
    pub(crate) fn wrong_key() -> Self {
        Self::new(401, "Not Authorized Api Key")
    }

    /// A wrong one at `/send`: the project isn't found, and nobody looked.
    pub(crate) fn quirk() -> Self {
        let body = json!({
            "exception": "'NoneType' object has no attribute 'api_key'",
            "message": "something went wrong",
            "status": "Failed",
        });
        Self { status: 500, body, retry_after_s: None }
    }

    /// Something else that went wrong inside.
    pub(crate) fn inside() -> Self {
        let body = json!({"exception": "division by zero", "message": "something went wrong", "status": "Failed"});
        Self { status: 500, body, retry_after_s: None }
    }

    /// A failure on demand: `error_code` is the HTTP status, `parameters` goes into the body.
    pub(crate) fn planned(failure: &Failure) -> Self {
        let status = failure.error_code.and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
        let mut refusal = Self::new(status, failure.description.as_deref().unwrap_or("Failure on demand"));
        let parameters = failure.parameters.as_ref().and_then(Value::as_object);
        for (name, value) in parameters.unwrap_or(&Map::new()) {
            refusal.body[name] = value.clone();
        }
        refusal.retry_after_s = refusal.body["retry_after"].as_u64();
        refusal
    }
}

pub(crate) fn respond(outcome: Outcome) -> Response {
    match outcome {
        Ok(Reply::Json(status, body)) => (status_of(status), Json(body)).into_response(),
        Ok(Reply::File { mime_type, bytes }) => {
            let mut response = bytes.into_response();
            let kind = HeaderValue::from_str(&mime_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
        Err(refusal) => {
            let mut response = (status_of(refusal.status), Json(refusal.body)).into_response();
            if let Some(seconds) = refusal.retry_after_s {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
    }
}

fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
