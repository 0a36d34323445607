//! Consent and tokens as Google's and Microsoft's servers give them: who logs in consents at once.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use url::Url;

use crate::desk::random;
use crate::mail::SHOP;
use crate::mail::answer::{Command, Verdict};
use crate::mail::server::Server;
use crate::mail::world::mailbox;

type Shared = State<Arc<Server>>;
type Parameters = HashMap<String, String>;

pub(crate) fn router() -> Router<Arc<Server>> {
    Router::new()
        .route("/o/oauth2/v2/auth", get(consent))
        .route("/{tenant}/oauth2/v2.0/authorize", get(consent))
        .route("/token", post(token))
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route("/tokeninfo", get(token_info))
}

/// Sends the browser back with a code.
async fn consent(State(server): Shared, Query(asked): Query<Parameters>) -> Response {
    let command = Command::new(&server, "OAUTH authorize", "", "", || json!(asked));
    command.answered(302);
    let Some(mut back) = asked.get("redirect_uri").and_then(|uri| Url::parse(uri).ok()) else {
        return (StatusCode::BAD_REQUEST, "redirect_uri is missing").into_response();
    };
    let code = format!("4/{}", hex::encode(random::<16>()));
    let address = asked.get("login_hint").map_or(SHOP, String::as_str);
    server.world.lock().codes.insert(code.clone(), (mailbox(address), asked.get("code_challenge").cloned()));
    back.query_pairs_mut().append_pair("code", &code).append_pair("state", asked.get("state").map_or("", String::as_str));
    (StatusCode::FOUND, [(header::LOCATION, back.to_string())]).into_response()
}

async fn token(State(server): Shared, body: String) -> (StatusCode, Json<Value>) {
    let asked: Parameters = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let of = |name: &str| asked.get(name).map_or("", String::as_str);
    let recorded = || json!({"grant_type": of("grant_type"), "client_id": of("client_id"), "scope": of("scope")});
    let command = Command::new(&server, "OAUTH token", of("client_id"), "", recorded);
    if let Verdict::Refused(code, text) = command.verdict(&server).await {
        let status = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST);
        return (status, Json(json!({"error": "invalid_grant", "error_description": text})));
    }
    let life = server.knobs.lock().token_life_s;
    let mut world = server.world.lock();
    let owner = match of("grant_type") {
        "authorization_code" => world
            .codes
            .remove(of("code"))
            .filter(|(_, challenge)| proves(challenge.as_deref(), of("code_verifier")))
            .map(|(owner, _)| owner),
        "refresh_token" => world.refreshes.get(of("refresh_token")).cloned(),
        _ => None,
    };
    let Some(owner) = owner else {
        command.answered(400);
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant", "error_description": "Bad Request"})));
    };
    let (access, refresh) = (format!("ya29.{}", hex::encode(random::<20>())), format!("1//{}", hex::encode(random::<20>())));
    world.tokens.insert(access.clone(), owner.clone());
    world.refreshes.insert(refresh.clone(), owner);
    command.answered(200);
    let scope = if of("scope").is_empty() { "https://mail.google.com/" } else { of("scope") };
    let told = json!({"access_token": access, "refresh_token": refresh, "expires_in": life, "token_type": "Bearer", "scope": scope});
    (StatusCode::OK, Json(told))
}

/// Whether the verifier belongs to the challenge, where one was given (S256).
fn proves(challenge: Option<&str>, verifier: &str) -> bool {
    challenge.is_none_or(|challenge| {
        let digest = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
        URL_SAFE_NO_PAD.encode(digest) == challenge
    })
}

/// For other servers that have to know whether a token is good, like Dovecot.
async fn token_info(State(server): Shared, Query(asked): Query<Parameters>) -> (StatusCode, Json<Value>) {
    let owner = asked.get("access_token").and_then(|token| server.world.lock().tokens.get(token).cloned());
    match owner {
        Some(owner) => (StatusCode::OK, Json(json!({"email": owner, "expires_in": server.knobs.lock().token_life_s}))),
        None => (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_token"}))),
    }
}
