//! A provider asks whether an address is ours before it delivers there: the manifest says how it asks and what it is answered.

use std::collections::BTreeMap;

use axum::{
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use ring::hmac;

use super::query_fields;
use crate::{error::ApiError, manifest::Challenge, secrets::Secret};

/// Answers the challenge where it holds what the recipe expects and the account's, or the app's, own token.
pub(super) fn answer(recipe: &Challenge, parts: &Parts, secrets: &BTreeMap<String, Secret>) -> Result<Response, ApiError> {
    let Challenge::Query(recipe) = recipe;
    let query = query_fields(parts);
    let value = |name: &str| query.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    if let Some((name, expected)) = recipe.expect.iter().find(|(name, expected)| value(name) != Some(expected.as_str())) {
        return Err(ApiError::bad_request("no_challenge", format!("The query has no {name}={expected}."))
            .hint("A GET is the provider's challenge; events come by POST."));
    }
    let Some(told) = value(&recipe.answer) else {
        return Err(ApiError::bad_request("no_challenge", format!("The query has no {}.", recipe.answer)));
    };
    let ours = secrets.get(&recipe.secret).filter(|secret| !secret.expose().is_empty());
    if !ours.is_some_and(|ours| is_same(ours.expose(), value(&recipe.token).unwrap_or_default())) {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "wrong_token", format!("{} isn't the token of this address.", recipe.token))
            .hint("Copy the verify token from GET /admin/v1/apps into the provider's settings."));
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], told.to_owned()).into_response())
}

/// In a time that tells nothing of where they differ.
fn is_same(ours: &str, given: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, ours.as_bytes());
    let wanted = hmac::sign(&key, ours.as_bytes());
    hmac::verify(&key, given.as_bytes(), wanted.as_ref()).is_ok()
}

pub(super) fn not_asked(channel_type: &str) -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "no_challenge", format!("{channel_type} is asked no challenge: webhooks come by POST."))
}
