//! Requests as types, with errors that name the field.

use std::{collections::BTreeMap, str::FromStr};

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Query, Request, rejection::BytesRejection},
    http::{StatusCode, header, request::Parts},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{clock::At, error::ApiError, store::Page};

/// Rows of a list unless asked otherwise, and at most.
const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 1000;

/// A JSON body.
pub(super) struct Json<T>(pub T);

/// A body that isn't read yet, with its type.
pub(super) struct Payload {
    pub(super) bytes: Bytes,
    pub(super) content_type: String,
}

impl<S: Send + Sync> FromRequest<S> for Payload {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Payload, ApiError> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| unread(&rejection))?;
        Ok(Payload { bytes, content_type })
    }
}

impl Payload {
    /// Reads the body as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        read_json(&self.bytes)
    }
}

/// Reads a row of a body.
pub(super) fn read_row<T: DeserializeOwned>(row: Map<String, Value>) -> Result<T, ApiError> {
    serde_path_to_error::deserialize(Value::Object(row)).map_err(|error| misfit(&error))
}

fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // Nothing at all is an object with nothing in it: `POST …/connect` needs no body.
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| misfit(&error))?;
    json.end().map_err(|error| ApiError::bad_request("not_json", format!("The body has something after its JSON: {error}.")))?;
    Ok(value)
}

impl<S, T> FromRequest<S> for Json<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Json<T>, ApiError> {
        let body = Bytes::from_request(request, state).await.map_err(|rejection| unread(&rejection))?;
        read_json(&body).map(Json)
    }
}

fn unread(rejection: &BytesRejection) -> ApiError {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large("The body is too large.")
            .hint("http.max_body_kb bounds requests, media.max_mb uploads of media, plugins.max_size_mb those of plugins."),
        status => ApiError::new(status, "unread", rejection.body_text()),
    }
}

fn misfit(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let inner = error.inner();
    if inner.is_syntax() || inner.is_eof() {
        return ApiError::bad_request("not_json", format!("The body is no JSON: {inner}."));
    }
    let path: String = error
        .path()
        .iter()
        .map(|segment| match segment {
            serde_path_to_error::Segment::Seq { index } => format!("/{index}"),
            serde_path_to_error::Segment::Map { key } => format!("/{key}"),
            serde_path_to_error::Segment::Enum { .. } | serde_path_to_error::Segment::Unknown => String::new(),
        })
        .collect();
    let text = inner.to_string();
    let text = text.split(" at line ").next().unwrap_or(&text);
    // “missing field `name`” stands at the object that lacks it: the pointer names the field itself.
    let field = text.strip_prefix("missing field `").or(text.strip_prefix("unknown field `")).and_then(|rest| rest.split('`').next());
    match field {
        Some(field) if text.starts_with("missing") => ApiError::invalid_field(format!("{path}/{field}"), "is required"),
        Some(field) => {
            let expected = text.split_once(", expected ").map_or("", |(_, expected)| expected);
            let path = path.strip_suffix(&format!("/{field}")).unwrap_or(&path);
            ApiError::invalid_field(format!("{path}/{field}"), format!("is unknown; there are: {}", expected.trim_start_matches("one of ")))
        }
        None => ApiError::invalid_field(path, text),
    }
}

/// The filters of a list, `limit` and `offset`. A value may be written `eq.value`, as PostgREST's clients do.
pub(super) struct ListQuery {
    filters: BTreeMap<String, String>,
    pub page: Page,
}

impl<S: Send + Sync> FromRequestParts<S> for ListQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<ListQuery, ApiError> {
        let Query(mut given) = Query::<BTreeMap<String, String>>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| ApiError::bad_request("bad_query", rejection.body_text()))?;
        let mut number = |name: &str, default: u32, most: u32| match given.remove(name) {
            None => Ok(default),
            Some(text) => text
                .parse::<u32>()
                .map(|number| number.min(most))
                .map_err(|_| ApiError::bad_request("bad_query", format!("{name}: “{text}” is no number from 0 to {most}."))),
        };
        let page = Page { limit: number("limit", LIMIT, LIMIT_MAX)?, offset: number("offset", 0, u32::MAX)? };
        let filters = given
            .into_iter()
            .map(|(name, value)| {
                let value = value.strip_prefix("eq.").map(str::to_owned).unwrap_or(value);
                (name, value)
            })
            .collect();
        Ok(ListQuery { filters, page })
    }
}

impl ListQuery {
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.filters.remove(name)
    }

    pub(super) fn take_time(&mut self, name: &str) -> Result<Option<At>, ApiError> {
        let Some(text) = self.take(name) else { return Ok(None) };
        let time = serde_json::from_value(Value::String(text));
        time.map(Some).map_err(|error| ApiError::bad_request("bad_query", format!("{name}: {error}.")))
    }

    /// One of an enum's words.
    pub(super) fn take_word<T: FromStr>(&mut self, name: &str, words: &[&str]) -> Result<Option<T>, ApiError> {
        let Some(text) = self.take(name) else { return Ok(None) };
        let unknown = || ApiError::bad_request("bad_query", format!("{name}: “{text}” is none of {}.", words.join(", ")));
        text.parse().map(Some).map_err(|_| unknown())
    }

    /// # Errors
    /// 400 names a filter that nobody took: a typing error must not widen a list.
    pub(super) fn finish(self, known: &str) -> Result<Page, ApiError> {
        match self.filters.keys().next() {
            None => Ok(self.page),
            Some(unknown) => Err(ApiError::bad_request("unknown_filter", format!("There is no filter “{unknown}”."))
                .hint(format!("There are: {known}, limit, offset."))),
        }
    }
}
