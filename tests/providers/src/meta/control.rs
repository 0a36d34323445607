//! `/_standin`: the server's strings, for people with curl.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::failures::Failure;
use crate::meta::OBJECTS;
use crate::meta::accounts::Consent;
use crate::meta::answer::json_response;
use crate::meta::pusher;
use crate::meta::scene;
use crate::meta::server::{Knobs, Server};
use crate::meta::sign;
use crate::meta::tokens::{LONG_S, Token, TokenKind};
use crate::meta::world::{Subscription, Webhook};
use crate::recorded::Recording;

type Shared = State<Arc<Server>>;
/// What a person did wrong, with what to do instead.
struct Misuse(u16, String);
type Answer = Result<Json<Value>, Misuse>;

impl axum::response::IntoResponse for Misuse {
    fn into_response(self) -> Response {
        json_response(self.0, &json!({"error": self.1}))
    }
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    call: Option<String>,
    account: Option<String>,
}

pub(crate) fn router() -> Router<Arc<Server>> {
    Router::new()
        .route("/_standin", get(overview))
        .route("/_standin/requests", get(requests).delete(clear_requests))
        .route("/_standin/failures", get(failures).post(plan_failure).delete(clear_failures))
        .route("/_standin/knobs", get(knobs).post(set_knobs))
        .route("/_standin/settings", post(set_settings))
        .route("/_standin/consent", get(consent).post(set_consent))
        .route("/_standin/tokens", post(mint))
        .route("/_standin/webhook", post(set_webhook))
        .route("/_standin/subscribe", post(subscribe))
        .route("/_standin/messages", get(messages))
        .route("/_standin/say", post(say))
        .route("/_standin/status", post(status))
        .route("/_standin/push", post(push))
        .route("/_standin/samples", get(samples))
        .route("/_standin/samples/{name}", post(push_sample))
        .route("/_standin/signed_request", post(signed_request))
}

async fn overview(State(server): Shared) -> Json<Value> {
    let world = server.world.lock();
    let ids = |ids: Vec<&String>| json!(ids);
    Json(json!({"provider": "meta", "requests": server.recorder.count(), "clock_ahead_ms": server.clock_ahead_ms(),
        "apps": ids(world.apps.iter().map(|app| &app.id).collect()),
        "numbers": ids(world.wabas.iter().flat_map(|waba| &waba.numbers).map(|number| &number.id).collect()),
        "wabas": ids(world.wabas.iter().map(|waba| &waba.id).collect()), "pages": ids(world.pages.iter().map(|page| &page.id).collect()),
        "instagrams": ids(world.instagrams.iter().map(|instagram| &instagram.id).collect()),
        "subscriptions": world.subscriptions.iter().map(|((account, app), own)| json!({"account": account, "app": app, "fields": own.fields, "url": own.url})).collect::<Vec<_>>(),
        "webhooks": world.webhooks.iter().map(|((app, object), own)| json!({"app": app, "object": object, "url": own.url, "verify_token": own.verify_token})).collect::<Vec<_>>(),
        "endpoints": ["GET|DELETE /_standin/requests?call=&account=", "GET|POST|DELETE /_standin/failures", "GET|POST /_standin/knobs",
            "POST /_standin/settings", "GET|POST /_standin/consent", "POST /_standin/tokens", "POST /_standin/webhook",
            "POST /_standin/subscribe", "GET /_standin/messages?account=", "POST /_standin/say", "POST /_standin/status",
            "POST /_standin/push", "GET /_standin/samples", "POST /_standin/samples/{name}", "POST /_standin/signed_request"]}))
}

async fn requests(State(server): Shared, Query(asked): Query<Asked>) -> Json<Value> {
    Json(json!({"requests": server.recorder.list(asked.call.as_deref(), asked.account.as_deref())}))
}

async fn clear_requests(State(server): Shared) -> Json<Value> {
    server.recorder.clear();
    Json(json!({"requests": []}))
}

async fn failures(State(server): Shared) -> Json<Value> {
    Json(json!({"failures": server.failures.list()}))
}

async fn plan_failure(State(server): Shared, body: String) -> Answer {
    server.failures.plan(read::<Failure>(&body)?);
    Ok(failures(State(server)).await)
}

async fn clear_failures(State(server): Shared) -> Json<Value> {
    server.failures.clear();
    failures(State(server)).await
}

async fn knobs(State(server): Shared) -> Json<Value> {
    Json(json!(server.knobs()))
}

/// Only what the body names is changed.
async fn set_knobs(State(server): Shared, body: String) -> Answer {
    let mut wanted = json!(server.knobs());
    if let (Some(wanted), Value::Object(given)) = (wanted.as_object_mut(), read::<Value>(&body)?) {
        wanted.extend(given);
    }
    *server.knobs.lock() = read::<Knobs>(&wanted.to_string())?;
    Ok(knobs(State(server)).await)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    latency_ms: Option<u64>,
    recording: Option<Recording>,
    /// Moves the clock on by so many seconds.
    advance_s: Option<i64>,
}

async fn set_settings(State(server): Shared, body: String) -> Answer {
    let wanted = read::<Settings>(&body)?;
    if let Some(latency_ms) = wanted.latency_ms {
        server.set_latency(Duration::from_millis(latency_ms));
    }
    if let Some(recording) = wanted.recording {
        server.recorder.set(recording);
    }
    server.move_clock(wanted.advance_s.unwrap_or_default().saturating_mul(1000));
    Ok(Json(
        json!({"latency_ms": server.latency_ms(), "recording": server.recorder.recording(), "clock_ahead_ms": server.clock_ahead_ms()}),
    ))
}

async fn consent(State(server): Shared) -> Json<Value> {
    Json(json!(server.world.lock().consent))
}

async fn set_consent(State(server): Shared, body: String) -> Answer {
    server.world.lock().consent = read::<Consent>(&body)?;
    Ok(consent(State(server)).await)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// `user`, `system_user`, `page`, `instagram`.
    kind: String,
    app: Option<String>,
    profile: Option<String>,
    scopes: Vec<String>,
    lives_s: Option<u64>,
}

async fn mint(State(server): Shared, body: String) -> Answer {
    let wanted = read::<Wanted>(&body)?;
    let (kind, usual_s) = match wanted.kind.as_str() {
        "user" => (TokenKind::User, LONG_S),
        "system_user" => (TokenKind::SystemUser, 0),
        "page" => (TokenKind::Page, 0),
        "instagram" => (TokenKind::Instagram, LONG_S),
        _ => return Err(Misuse(400, "kind: user, system_user, page or instagram".into())),
    };
    let world = server.world.lock();
    let profile = wanted.profile.unwrap_or_default();
    let needs_profile = matches!(kind, TokenKind::Page | TokenKind::Instagram);
    if needs_profile && world.page(&profile).is_none() && world.instagram(&profile).is_none() {
        return Err(Misuse(400, "profile: the id of the Page or the Instagram account".into()));
    }
    let now = server.now_s();
    let lives_s = wanted.lives_s.unwrap_or(usual_s);
    let token = Token {
        kind,
        app: wanted.app.or_else(|| world.apps.first().map(|app| app.id.clone())).unwrap_or_default(),
        user: world.users.first().map(|user| user.id.clone()).unwrap_or_default(),
        profile,
        scopes: wanted.scopes,
        issued_at: now,
        expires_at: if lives_s == 0 { 0 } else { now + lives_s },
        long: true,
        ..Token::default()
    };
    let token = server.tokens.lock().mint(token);
    Ok(Json(json!({"access_token": token.token, "expires_at": token.expires_at})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Callback {
    app: Option<String>,
    /// Left out is all three.
    object: Option<String>,
    url: String,
    verify_token: String,
}

async fn set_webhook(State(server): Shared, body: String) -> Answer {
    let wanted = read::<Callback>(&body)?;
    let app = first_app(&server, wanted.app)?;
    pusher::challenge(&server, &wanted.url, &wanted.verify_token).await.map_err(|error| Misuse(400, error.message))?;
    for object in OBJECTS.iter().filter(|one| wanted.object.as_deref().is_none_or(|object| object == **one)) {
        let webhook = Webhook { url: wanted.url.clone(), verify_token: wanted.verify_token.clone(), fields: Vec::new() };
        server.world.lock().webhooks.insert((app.clone(), (*object).into()), webhook);
    }
    Ok(Json(json!({"success": true})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscribe {
    app: Option<String>,
    account: String,
    #[serde(default)]
    fields: Vec<String>,
}

async fn subscribe(State(server): Shared, body: String) -> Answer {
    let wanted = read::<Subscribe>(&body)?;
    let app = first_app(&server, wanted.app)?;
    server.world.lock().subscriptions.insert((wanted.account, app), Subscription { fields: wanted.fields, url: None });
    Ok(Json(json!({"success": true})))
}

fn first_app(server: &Server, named: Option<String>) -> Result<String, Misuse> {
    let first = || server.world.lock().apps.first().map(|app| app.id.clone());
    named.or_else(first).ok_or_else(|| Misuse(400, "app: there is none".into()))
}

async fn messages(State(server): Shared, Query(asked): Query<Asked>) -> Json<Value> {
    let world = server.world.lock();
    let sent: Vec<_> = world.sent.iter().filter(|sent| asked.account.as_ref().is_none_or(|account| *account == sent.account)).collect();
    Json(json!({ "messages": sent }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    /// A number's, Page's or Instagram account's id.
    account: String,
    from: String,
    text: Option<String>,
    /// Instead of text: see `Meta::message`.
    message: Option<Value>,
    /// Instead of a message: see `Meta::item`.
    item: Option<Value>,
}

async fn say(State(server): Shared, body: String) -> Answer {
    let said = read::<Said>(&body)?;
    let payload = match (said.text, said.message, said.item) {
        (Some(text), None, None) => scene::text(&server, &said.account, &said.from, &text),
        (None, Some(message), None) => scene::message(&server, &said.account, &said.from, message),
        (None, None, Some(item)) => scene::item(&server, &said.account, &said.from, &item),
        _ => return Err(Misuse(400, "one of text, message, item".into())),
    };
    Ok(Json(json!(pusher::push(&server, &payload).await)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Status {
    number: String,
    id: String,
    status: String,
    code: Option<u32>,
}

async fn status(State(server): Shared, body: String) -> Answer {
    let wanted = read::<Status>(&body)?;
    let payload = scene::status(&server, &wanted.number, &wanted.id, &wanted.status, wanted.code);
    if payload.is_null() {
        return Err(Misuse(404, format!("no number {}", wanted.number)));
    }
    Ok(Json(json!(pusher::push(&server, &payload).await)))
}

async fn push(State(server): Shared, body: String) -> Answer {
    Ok(Json(json!(pusher::push(&server, &read::<Value>(&body)?).await)))
}

async fn samples() -> Json<Value> {
    Json(json!(scene::samples()))
}

async fn push_sample(State(server): Shared, Path(name): Path<String>) -> Answer {
    let known = || scene::samples().keys().cloned().collect::<Vec<_>>().join(", ");
    let payload = scene::samples().get(&name).ok_or_else(|| Misuse(404, format!("no sample {name:?}; there are: {}", known())))?;
    Ok(Json(json!(pusher::push(&server, payload).await)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    user: String,
    app: Option<String>,
}

/// Only makes it: `curl --data-urlencode signed_request=…` posts it.
async fn signed_request(State(server): Shared, body: String) -> Answer {
    let wanted = read::<Signed>(&body)?;
    let app = first_app(&server, wanted.app)?;
    let secret = server.world.lock().app(&app).map(|app| app.secret.clone()).unwrap_or_default();
    Ok(Json(json!({"signed_request": sign::signed_request(&secret, &wanted.user, server.now_s())})))
}

fn read<T: for<'de> Deserialize<'de>>(body: &str) -> Result<T, Misuse> {
    serde_json::from_str(body).map_err(|error| Misuse(400, format!("the body: {error}")))
}
