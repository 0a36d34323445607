//! What is answered, in Shopify's own forms.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

/// A status, headers and JSON.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn of(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    /// `{"errors": "…"}`.
    pub(crate) fn error(status: u16, words: &str) -> Self {
        Self::of(status, json!({"errors": words}))
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn unauthorized() -> Self {
        Self::error(401, "[API] Invalid API key or access token (unrecognized login or wrong password)")
    }

    /// The words that go with a status.
    pub(crate) fn of_status(status: u16) -> Self {
        match status {
            401 => Self::unauthorized(),
            402 => Self::error(402, "Unavailable Shop"),
            403 => Self::error(403, "[API] This action requires merchant approval for a scope."),
            404 => Self::error(404, "Not Found"),
            422 => Self::error(422, "Unprocessable Entity"),
            423 => Self::error(423, "This shop is currently locked"),
            429 => Self::error(429, "Exceeded 2 calls per second for api client. Reduce request rates to resume uninterrupted service.")
                .with("retry-after", "2.0")
                .with("x-shopify-shop-api-call-limit", "40/40"),
            500..=599 => Self::error(status, "Internal Server Error"),
            _ => Self::error(status, "Bad Request"),
        }
    }

    pub(crate) fn response(self) -> Response {
        let mut response = Response::new(Body::from(self.body.to_string()));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}
