//! The one error that leaves a door: a status and the JSON that PostgREST's clients know (`code`, `message`, `details`,
//! `hint`), with each bad field in `errors`.

use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{domain::failure::FieldProblem, store::StoreError};

/// What a client gets in place of an answer.
#[derive(Debug, Clone)]
pub struct ApiError {
    pub status: StatusCode,
    pub body: ErrorBody,
    pub headers: HeaderMap,
}

/// Why a request wasn't done.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub struct ErrorBody {
    /// A word for programs.
    pub code: &'static str,
    /// What is wrong, for people.
    pub message: String,
    /// More about it.
    pub details: Option<String>,
    /// The way out.
    pub hint: Option<String>,
    /// Each field that is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> ApiError {
        let body = ErrorBody { code, message: message.into(), details: None, hint: None, errors: Vec::new() };
        ApiError { status, body, headers: HeaderMap::new() }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> ApiError {
        self.body.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn details(mut self, details: impl Into<String>) -> ApiError {
        self.body.details = Some(details.into());
        self
    }

    pub fn bad_request(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 404 for a thing of that kind and id.
    pub fn not_found(what: &str, id: &str) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "not_found", format!("There is no {what} “{id}”."))
    }

    pub fn conflict(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::CONFLICT, code, message)
    }

    /// 413. What of the body wasn't read stands in the connection's way, so that it can't be used again: the client is told.
    pub fn too_large(message: impl Into<String>) -> ApiError {
        let mut error = ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message);
        error.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        error
    }

    /// 422 with each field named.
    pub fn invalid(errors: Vec<FieldProblem>) -> ApiError {
        let message = match errors.as_slice() {
            [one] => format!("{}: {}", one.pointer, one.message),
            several => format!("{} fields are wrong.", several.len()),
        };
        let mut error = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message);
        error.body.errors = errors;
        error
    }

    pub fn invalid_field(pointer: impl Into<String>, message: impl Into<String>) -> ApiError {
        ApiError::invalid(vec![FieldProblem::new(pointer, message)])
    }

    pub fn unavailable(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
    }

    /// 500: the cause goes to the log, the client gets none of it.
    pub fn internal(cause: &dyn std::fmt::Display) -> ApiError {
        tracing::error!(%cause, "a request failed");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The gateway failed; its log says why.")
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        match error {
            StoreError::Corrupt { .. } => ApiError::internal(&error),
            StoreError::Conflict(_) => {
                ApiError::conflict("conflict", "Somebody else stored the same at the same time.").hint("Look, and try again.")
            }
            _ => {
                tracing::error!(%error, "the database failed");
                ApiError::unavailable("database", "The database doesn't answer; nothing was stored.").hint("Try again in a moment.")
            }
        }
    }
}

impl From<patchbay_postgrest::Error> for ApiError {
    /// As PostgREST answers it, with the header by which its clients know the error of a HEAD.
    fn from(error: patchbay_postgrest::Error) -> ApiError {
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut answer = ApiError::new(status, error.code, error.message);
        answer.body.details = error.details;
        answer.body.hint = error.hint;
        if let Ok(told) = HeaderValue::try_from(format!("PostgREST; error={}", error.code)) {
            answer.headers.insert(header::HeaderName::from_static("proxy-status"), told);
        }
        answer
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, self.headers, Json(self.body)).into_response()
    }
}
