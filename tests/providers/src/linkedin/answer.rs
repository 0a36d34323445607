//! Answers in LinkedIn's form.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// An error as LinkedIn writes it: `{"status":403,"serviceErrorCode":100,"code":"ACCESS_DENIED","message":"…"}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refusal {
    /// HTTP status, also in the body.
    pub status: u16,
    /// LinkedIn's number, where it has one.
    pub service_error_code: Option<u32>,
    /// LinkedIn's word.
    pub code: String,
    /// For people.
    pub message: String,
    /// Seconds in the `Retry-After` header; mostly absent.
    pub retry_after_s: Option<u64>,
}

impl Refusal {
    /// A refusal without a number.
    #[must_use]
    pub fn new(status: u16, code: &str, message: &str) -> Self {
        Self { status, code: code.into(), message: message.into(), ..Self::default() }
    }

    /// With LinkedIn's number.
    #[must_use]
    pub fn numbered(mut self, number: u32) -> Self {
        self.service_error_code = Some(number);
        self
    }

    /// What LinkedIn says with a status, for the magic recipients.
    #[must_use]
    pub fn of(status: u16) -> Self {
        match status {
            401 => Self::new(401, "EXPIRED_ACCESS_TOKEN", "The token used in the request has expired").numbered(65_602),
            403 => Self::denied("the resource"),
            404 => Self::new(404, "NOT_FOUND", "Entity not found"),
            409 => Self::new(409, "CONFLICT", "Conflicting write to the same entity"),
            422 => Self::new(422, "UNPROCESSABLE_ENTITY", "The content can't be processed"),
            426 => Self::version("202401"),
            429 => Self::throttled("APPLICATION"),
            500.. => Self::new(status, "INTERNAL_SERVER_ERROR", "Internal Server Error"),
            _ => Self::new(status, "BAD_REQUEST", "Bad Request"),
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "INVALID_PARAMETER", &message.into())
    }

    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(422, "UNPROCESSABLE_ENTITY", &message.into())
    }

    pub(crate) fn denied(what: &str) -> Self {
        Self::new(403, "ACCESS_DENIED", &format!("Not enough permissions to access: {what}")).numbered(100)
    }

    pub(crate) fn version(version: &str) -> Self {
        Self::new(426, "NONEXISTENT_VERSION", &format!("Requested version {version} is not active"))
    }

    pub(crate) fn throttled(level: &str) -> Self {
        let message = format!("Resource level throttle {level} DAY limit for calls to this resource is reached.");
        Self::new(429, "TOO_MANY_REQUESTS", &message).numbered(101)
    }

    fn body(&self) -> Value {
        let mut body = json!({"status": self.status, "message": self.message});
        if !self.code.is_empty() {
            body["code"] = self.code.as_str().into();
        }
        if let Some(number) = self.service_error_code {
            body["serviceErrorCode"] = number.into();
        }
        body
    }
}

/// What a call answers where it isn't refused.
#[derive(Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl Reply {
    pub(crate) fn json(body: Value) -> Self {
        Self { status: 200, headers: Vec::new(), body: Some(body) }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }

    /// 201 without a body: the id is in the headers.
    pub(crate) fn created(id: &str) -> Self {
        Self::status(201).header("x-restli-id", id).header("x-linkedin-id", id)
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self::status(302).header("location", to)
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn with_body(mut self, status: u16, body: Value) -> Self {
        self.status = status;
        self.body = Some(body);
        self
    }
}

pub(crate) type Outcome = Result<Reply, Refusal>;

pub(crate) fn respond(outcome: Outcome) -> Response {
    match outcome {
        Ok(reply) => {
            let mut response = with_json(reply.status, reply.body.as_ref());
            for (name, value) in reply.headers {
                if let Ok(value) = HeaderValue::from_str(&value) {
                    response.headers_mut().insert(HeaderName::from_static(name), value);
                }
            }
            response
        }
        Err(refusal) => {
            let mut response = with_json(refusal.status, Some(&refusal.body()));
            if let Some(seconds) = refusal.retry_after_s {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
    }
}

pub(crate) fn with_json(status: u16, body: Option<&Value>) -> Response {
    let mut response = Response::new(body.map_or_else(Body::empty, |body| Body::from(body.to_string())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if body.is_some() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    headers.insert("x-li-uuid", HeaderValue::from_static("AAYStandIn"));
    response
}
