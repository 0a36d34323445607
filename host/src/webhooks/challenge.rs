//! A provider asks whether an address is ours before it delivers there: the manifest says how it asks and what it is answered.

use std::collections::BTreeMap;

use axum::{
    Json,
    http::{StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use ring::hmac;

use super::query_fields;
use crate::{
    domain::webhook::Fields,
    error::ApiError,
    manifest::{Challenge, EchoChallenge, HmacChallenge, QueryChallenge},
    secrets::Secret,
    verify,
};

/// Characters of a text that is hashed with our key.
const HASHED_MAX: usize = 128;

/// Whether the query is a challenge, right or wrong.
pub(super) fn is_asked(recipe: &Challenge, uri: &Uri) -> bool {
    let query = query_fields(uri);
    match recipe {
        Challenge::Query(recipe) => missing(recipe, &query).is_none() && value(&query, &recipe.answer).is_some(),
        Challenge::Hmac(recipe) => value(&query, &recipe.parameter).is_some(),
        Challenge::Echo(recipe) => value(&query, &recipe.answer).is_some(),
    }
}

/// Answers the challenge with the account's, or the app's, own secrets.
pub(super) fn answer(recipe: &Challenge, uri: &Uri, secrets: &BTreeMap<String, Secret>) -> Result<Response, ApiError> {
    let query = query_fields(uri);
    match recipe {
        Challenge::Query(recipe) => by_token(recipe, &query, secrets),
        Challenge::Hmac(recipe) => by_hash(recipe, &query, secrets),
        Challenge::Echo(EchoChallenge { answer }) => Ok(text(asked(&query, answer)?)),
    }
}

fn value<'a>(query: &'a Fields, name: &str) -> Option<&'a str> {
    query.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
}

fn asked<'a>(query: &'a Fields, name: &str) -> Result<&'a str, ApiError> {
    value(query, name).ok_or_else(|| ApiError::bad_request("no_challenge", format!("The query has no {name}.")))
}

/// What the query should hold and doesn't.
fn missing<'a>(recipe: &'a QueryChallenge, query: &Fields) -> Option<(&'a String, &'a String)> {
    recipe.expect.iter().find(|(name, expected)| value(query, name) != Some(expected.as_str()))
}

fn by_token(recipe: &QueryChallenge, query: &Fields, secrets: &BTreeMap<String, Secret>) -> Result<Response, ApiError> {
    if let Some((name, expected)) = missing(recipe, query) {
        return Err(ApiError::bad_request("no_challenge", format!("The query has no {name}={expected}."))
            .hint("A GET is the provider's challenge; events come by POST."));
    }
    let told = asked(query, &recipe.answer)?;
    let ours = secrets.get(&recipe.secret).filter(|secret| !secret.expose().is_empty());
    if !ours.is_some_and(|ours| verify::is_same(ours.expose(), value(query, &recipe.token).unwrap_or_default())) {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "wrong_token", format!("{} isn't the token of this address.", recipe.token))
            .hint("Copy the verify token from GET /admin/v1/apps into the provider's settings."));
    }
    Ok(text(told))
}

fn by_hash(recipe: &HmacChallenge, query: &Fields, secrets: &BTreeMap<String, Secret>) -> Result<Response, ApiError> {
    let challenge = asked(query, &recipe.parameter)?;
    // Whoever asks gets a hash by the key that signs events: no event's body may be among what is hashed.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if challenge.is_empty() || challenge.len() > HASHED_MAX || !challenge.chars().all(is_plain) {
        let why = format!("{} isn't 1 to {HASHED_MAX} letters, digits, hyphens and underscores.", recipe.parameter);
        return Err(ApiError::bad_request("wrong_challenge", why));
    }
    let named = std::iter::once(&recipe.secret).chain(&recipe.alternatives);
    let Some(key) = named.filter_map(|name| secrets.get(name)).find(|secret| !secret.expose().is_empty()) else {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "secret_missing", "The secret to answer the challenge with isn't set.")
            .hint("Give the app its client secret (PATCH /admin/v1/apps/{id}), or the account the one that its settings ask for."));
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
    let hashed = hex::encode(hmac::sign(&key, challenge.as_bytes()));
    let filled = |text: &String| text.replace("{hmac}", &hashed).replace("{challenge}", challenge);
    let answer: BTreeMap<&str, String> = recipe.answer.iter().map(|(name, text)| (name.as_str(), filled(text))).collect();
    Ok(Json(answer).into_response())
}

/// What a stranger has sent goes back as text, whatever a browser would make of it.
fn text(told: &str) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (headers, told.to_owned()).into_response()
}

pub(super) fn not_asked(channel_type: &str) -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "no_challenge", format!("{channel_type} is asked no challenge: webhooks come by POST."))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn recipe(value: Value) -> Challenge {
        serde_json::from_value(value).unwrap()
    }

    fn secrets(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Secret::from(*value))).collect()
    }

    async fn told(recipe: &Challenge, query: &str, secrets: &BTreeMap<String, Secret>) -> (u16, String, String) {
        let uri: Uri = format!("/webhooks/a?{query}").parse().unwrap();
        let answer = answer(recipe, &uri, secrets).unwrap_or_else(axum::response::IntoResponse::into_response);
        let kind = answer.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), 65_536).await.unwrap();
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_text_is_given_back_with_its_hash() {
        let recipe =
            recipe(json!({"kind": "hmac", "parameter": "challengeCode", "secret": "webhook_secret", "alternatives": ["app_secret"],
            "answer": {"challengeCode": "{challenge}", "challengeResponse": "{hmac}"}}));
        let secrets = secrets(&[("webhook_secret", ""), ("app_secret", "li_client_secret")]);
        let query = "applicationId=7&challengeCode=890e4665-4dfe-4ab1-b689-ed553bceeed0";
        let (status, kind, body) = told(&recipe, query, &secrets).await;
        assert_eq!((status, kind.as_str()), (200, "application/json"));
        let right = json!({"challengeCode": "890e4665-4dfe-4ab1-b689-ed553bceeed0",
            "challengeResponse": "3ceda89cb18cf5471b844e08c4b771bcab6f5bec8ab1b0837ca04ab05c909d8c"});
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), right);
        assert_eq!(told(&recipe, query, &BTreeMap::new()).await.0, 403, "no secret, no answer");
        assert_eq!(told(&recipe, "other=1", &secrets).await.0, 400);
    }

    #[tokio::test]
    async fn nobody_has_an_events_body_hashed_by_a_challenge() {
        let recipe = recipe(json!({"kind": "hmac", "parameter": "code", "secret": "key", "answer": {"response": "{hmac}"}}));
        let secrets = secrets(&[("key", "k")]);
        for body in ["{}", "%7B%22a%22%3A1%7D", "hmacsha256%3D%7B%7D", "a%3Db", "1764000000.5", "a%20b", "", &"a".repeat(129)] {
            let (status, _, text) = told(&recipe, &format!("code={body}"), &secrets).await;
            assert!(status == 400 && text.contains("wrong_challenge"), "{body}: {status} {text}");
        }
        assert_eq!(told(&recipe, &format!("code={}", "a".repeat(128)), &secrets).await.0, 200);
    }

    #[tokio::test]
    async fn an_echo_is_plain_text() {
        let recipe = recipe(json!({"kind": "echo", "answer": "challenge"}));
        let (status, kind, body) = told(&recipe, "challenge=%3Cscript%3E1%3C%2Fscript%3E", &BTreeMap::new()).await;
        assert_eq!((status, kind.as_str(), body.as_str()), (200, "text/plain; charset=utf-8", "<script>1</script>"));
        assert_eq!(told(&recipe, "", &BTreeMap::new()).await.0, 400);
    }

    #[test]
    fn a_query_without_its_parameters_is_no_challenge() {
        let is_asked = |recipe: Value, query: &str| is_asked(&self::recipe(recipe), &format!("/w?{query}").parse().unwrap());
        let by_token = json!({"kind": "query", "expect": {"mode": "subscribe"}, "token": "token", "secret": "s", "answer": "challenge"});
        assert!(is_asked(by_token.clone(), "mode=subscribe&challenge=1"), "a wrong token is a challenge too");
        assert!(!is_asked(by_token.clone(), "mode=other&challenge=1&token=x") && !is_asked(by_token, "mode=subscribe"));
        let by_hash = json!({"kind": "hmac", "parameter": "code", "secret": "s", "answer": {"r": "{hmac}"}});
        assert!(is_asked(by_hash.clone(), "code=") && !is_asked(by_hash, "id=7&status=delivered"));
        let echo = json!({"kind": "echo", "answer": "challenge"});
        assert!(is_asked(echo.clone(), "challenge=1") && !is_asked(echo, ""));
    }
}
