//! The envelope: errors come with HTTP 200 and a code.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: u32,
    pub(crate) message: String,
    /// 200 but for the few that aren't.
    pub(crate) status: u16,
}

impl Refusal {
    pub(crate) fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), status: 200 }
    }

    /// A code with its usual words.
    pub(crate) fn of(code: u32) -> Self {
        Self::new(code, words(code))
    }

    /// Parameters are wrong.
    pub(crate) fn parameter(message: impl Into<String>) -> Self {
        Self::new(40_002, message)
    }
}

pub(crate) fn words(code: u32) -> &'static str {
    match code {
        40_001 => "No permission to operate this account: the scope isn't granted.",
        40_002 => "Invalid parameter.",
        40_007 => "The object doesn't exist.",
        40_064 => "The message can't be sent because of the direct message rules of the conversation.",
        40_100 => "Too many requests. Please try again later.",
        40_105 => "Access token is incorrect or has been revoked.",
        40_908 => "The file type isn't supported.",
        51_065 => "Internal service error. Please try again.",
        _ => "Internal error.",
    }
}

/// What a call comes to.
#[derive(Debug)]
pub(crate) enum Reply {
    /// `data` of the envelope.
    Data(Value),
    /// A browser is sent on.
    Redirect(String),
    /// A page, with its status.
    Page(u16, String),
    /// A file with its type.
    File(&'static str, Vec<u8>),
}

pub(crate) type Outcome = Result<Reply, Refusal>;

pub(crate) fn respond(outcome: Outcome, request_id: &str) -> Response {
    match outcome {
        Ok(Reply::Data(data)) => json_response(200, &json!({"code": 0, "message": "OK", "request_id": request_id, "data": data})),
        Ok(Reply::Redirect(location)) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::FOUND;
            if let Ok(location) = HeaderValue::from_str(&location) {
                response.headers_mut().insert(header::LOCATION, location);
            }
            response
        }
        Ok(Reply::Page(status, words)) => typed(status, "text/html; charset=utf-8", format!("<!DOCTYPE html><h1>{words}</h1>\n").into()),
        Ok(Reply::File(mime_type, bytes)) => typed(200, mime_type, bytes.into()),
        Err(refusal) => {
            let body = json!({"code": refusal.code, "message": refusal.message, "request_id": request_id, "data": {}});
            json_response(refusal.status, &body)
        }
    }
}

pub(crate) fn json_response(status: u16, body: &Value) -> Response {
    typed(status, "application/json", body.to_string().into())
}

pub(crate) fn typed(status: u16, mime_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(mime_type));
    response
}
