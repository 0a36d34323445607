//! What Graph answers: JSON, files and redirects, and refusals in its envelope.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::meta::errors;

const API_VERSION: HeaderName = HeaderName::from_static("facebook-api-version");
const BUSINESS_USAGE: HeaderName = HeaderName::from_static("x-business-use-case-usage");
const APP_USAGE: HeaderName = HeaderName::from_static("x-app-usage");

/// A call that went well.
#[derive(Debug)]
pub(crate) enum Reply {
    Json(Value),
    File { mime_type: String, bytes: Bytes },
    Redirect(String),
}

pub(crate) type Outcome = Result<Reply, GraphError>;

impl From<Value> for Reply {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}

/// What many calls answer.
pub(crate) fn success() -> Outcome {
    Ok(json!({"success": true}).into())
}

/// A refusal, with everything the envelope may hold.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GraphError {
    /// The HTTP status; 0 takes the one that goes with the code.
    pub http_status: u16,
    /// Graph's code.
    pub code: u32,
    /// What the code leaves open.
    pub error_subcode: Option<u32>,
    /// The sentence; empty takes the one that goes with the code.
    pub message: String,
    /// `OAuthException`, `GraphMethodException`…; empty takes the one that goes with the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// More, mostly `{"messaging_product","details"}`.
    pub error_data: Option<Value>,
    /// A title for people.
    pub error_user_title: Option<String>,
    /// A sentence for people.
    pub error_user_msg: Option<String>,
    /// Whether trying again may help; left out where nothing is said.
    pub is_transient: Option<bool>,
    /// Minutes until access is regained, told in `X-Business-Use-Case-Usage`.
    pub regain_minutes: Option<u64>,
}

impl GraphError {
    /// The error of this code, with the sentence and the status that go with it.
    #[must_use]
    pub fn of(code: u32) -> Self {
        Self { code, ..Self::default() }.completed()
    }

    /// Code and subcode.
    #[must_use]
    pub fn sub(code: u32, subcode: u32) -> Self {
        Self { code, error_subcode: Some(subcode), ..Self::default() }.completed()
    }

    /// Another sentence than the usual one.
    #[must_use]
    pub fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// Says what is wrong in `error_data.details`, as the WhatsApp edges do.
    #[must_use]
    pub fn details(mut self, details: impl Into<String>) -> Self {
        self.error_data = Some(json!({"messaging_product": "whatsapp", "details": details.into()}));
        self
    }

    /// Another HTTP status than the usual one.
    #[must_use]
    pub fn status(mut self, http_status: u16) -> Self {
        self.http_status = http_status;
        self
    }

    /// Tells when access is regained, as throttled calls do.
    #[must_use]
    pub fn regain(mut self, minutes: u64) -> Self {
        self.regain_minutes = Some(minutes);
        self
    }

    pub(crate) fn kind(mut self, kind: &str) -> Self {
        kind.clone_into(&mut self.kind);
        self
    }

    /// What is left out is what goes with the code.
    pub(crate) fn completed(mut self) -> Self {
        if self.http_status == 0 {
            self.http_status = errors::status(self.code);
        }
        if self.message.is_empty() {
            self.message = errors::message(self.code, self.error_subcode);
        }
        if self.kind.is_empty() {
            self.kind = errors::kind(self.code, self.error_subcode).to_owned();
        }
        if self.regain_minutes.is_none() && errors::throttles(self.code) {
            self.regain_minutes = Some(1);
        }
        self
    }

    pub(crate) fn envelope(&self) -> Value {
        let mut error = Map::new();
        error.insert("message".into(), self.message.clone().into());
        error.insert("type".into(), self.kind.clone().into());
        error.insert("code".into(), self.code.into());
        if let Some(subcode) = self.error_subcode {
            error.insert("error_subcode".into(), subcode.into());
        }
        if let Some(data) = &self.error_data {
            error.insert("error_data".into(), data.clone());
        }
        if let Some(title) = &self.error_user_title {
            error.insert("error_user_title".into(), title.clone().into());
        }
        if let Some(text) = &self.error_user_msg {
            error.insert("error_user_msg".into(), text.clone().into());
        }
        if let Some(transient) = self.is_transient {
            error.insert("is_transient".into(), transient.into());
        }
        error.insert("fbtrace_id".into(), "AStandInTrace0000000001".into());
        json!({ "error": error })
    }
}

/// Either as HTTP. `account` is the one whose usage a throttled call tells.
pub(crate) fn respond(outcome: Outcome, version: &str, account: &str) -> Response {
    let mut response = match outcome {
        Ok(Reply::Json(value)) => json_response(200, &value),
        Ok(Reply::File { mime_type, bytes }) => {
            let mut response = Response::new(Body::from(bytes));
            let mime_type = HeaderValue::from_str(&mime_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
            response.headers_mut().insert(header::CONTENT_TYPE, mime_type);
            return response;
        }
        Ok(Reply::Redirect(location)) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::FOUND;
            if let Ok(location) = HeaderValue::from_str(&location) {
                response.headers_mut().insert(header::LOCATION, location);
            }
            return response;
        }
        Err(error) => {
            let mut response = json_response(error.http_status, &error.envelope());
            if let Some(minutes) = error.regain_minutes {
                let account = if account.is_empty() { "0" } else { account };
                let usage = json!({account: [{"type": "messaging", "call_count": 100, "total_cputime": 25, "total_time": 25,
                    "estimated_time_to_regain_access": minutes}]});
                insert(&mut response, BUSINESS_USAGE, &usage.to_string());
            }
            response
        }
    };
    insert(&mut response, API_VERSION, version);
    insert(&mut response, APP_USAGE, r#"{"call_count":1,"total_time":1,"total_cputime":1}"#);
    response
}

fn insert(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

pub(crate) fn json_response(status: u16, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
    response
}
