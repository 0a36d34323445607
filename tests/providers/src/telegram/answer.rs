//! What the Bot API answers: results, and refusals with the words of the real server.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};

/// A call that went well. `description` is told by a few methods only.
#[derive(Debug)]
pub(crate) struct Success {
    pub(crate) result: Value,
    pub(crate) description: Option<&'static str>,
}

impl From<Value> for Success {
    fn from(result: Value) -> Self {
        Self { result, description: None }
    }
}

/// The HTTP status is `error_code`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) error_code: u16,
    pub(crate) description: Cow<'static, str>,
    pub(crate) parameters: Option<Value>,
}

pub(crate) type Outcome = Result<Success, Refusal>;

impl Refusal {
    pub(crate) fn new(error_code: u16, description: impl Into<Cow<'static, str>>) -> Self {
        Self { error_code, description: description.into(), parameters: None }
    }

    /// 400, with the prefix that the server puts before every such text. It lowers the first letter unless the
    /// second says that the word is a constant (`BUTTON_DATA_INVALID`).
    pub(crate) fn bad(text: &str) -> Self {
        Self::new(400, prefixed("Bad Request", text))
    }

    pub(crate) fn forbidden(text: &str) -> Self {
        Self::new(403, prefixed("Forbidden", text))
    }

    pub(crate) fn with(mut self, parameters: Value) -> Self {
        self.parameters = Some(parameters);
        self
    }
}

fn prefixed(prefix: &str, text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().unwrap_or_default();
    let constant = letters.clone().next().is_some_and(|second| second == '_' || second.is_ascii_uppercase());
    if constant { format!("{prefix}: {text}") } else { format!("{prefix}: {}{}", first.to_lowercase(), letters.as_str()) }
}

#[derive(Serialize)]
struct Envelope<'a> {
    ok: bool,
    result: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'static str>,
}

/// The envelope around either, with its HTTP status.
pub(crate) fn respond(outcome: &Outcome) -> Response {
    match outcome {
        Ok(Success { result, description }) => {
            let body = serde_json::to_vec(&Envelope { ok: true, result, description: *description });
            body.map_or_else(
                |error| respond(&Err(Refusal::new(500, format!("Internal Server Error: {error}")))),
                |body| json_response(200, body),
            )
        }
        Err(refusal) => {
            let mut body = json!({"ok": false, "error_code": refusal.error_code, "description": refusal.description});
            if let (Some(parameters), Some(body)) = (&refusal.parameters, body.as_object_mut()) {
                body.insert("parameters".into(), parameters.clone());
            }
            json_response(refusal.error_code, body.to_string().into_bytes())
        }
    }
}

pub(crate) fn json_response(status: u16, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sentences_lose_their_capital() {
        assert_eq!(Refusal::bad("Message text is empty").description, "Bad Request: message text is empty");
        assert_eq!(Refusal::bad("BUTTON_DATA_INVALID").description, "Bad Request: BUTTON_DATA_INVALID");
    }
}
