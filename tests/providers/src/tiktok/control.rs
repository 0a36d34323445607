//! `/_standin`: the server's strings, for people with curl.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::failures::Failure;
use crate::recorded::Recording;
use crate::tiktok::accounts::{App, Business, Person};
use crate::tiktok::answer::json_response;
use crate::tiktok::events;
use crate::tiktok::pusher;
use crate::tiktok::server::{Knobs, Server};

type Shared = State<Arc<Server>>;
/// What a person did wrong, with what to do instead.
struct Misuse(u16, String);
type Answer = Result<Json<Value>, Misuse>;

impl IntoResponse for Misuse {
    fn into_response(self) -> Response {
        json_response(self.0, &json!({"error": self.1}))
    }
}

pub(crate) fn router() -> Router<Arc<Server>> {
    Router::new()
        .route("/_standin", get(overview))
        .route("/_standin/requests", get(requests).delete(clear_requests))
        .route("/_standin/failures", get(failures).post(plan_failure).delete(clear_failures))
        .route("/_standin/knobs", get(knobs).post(set_knobs))
        .route("/_standin/settings", post(set_settings))
        .route("/_standin/apps", post(add_app))
        .route("/_standin/businesses", post(add_business))
        .route("/_standin/people", post(add_person))
        .route("/_standin/tokens", post(mint))
        .route("/_standin/expire", post(expire))
        .route("/_standin/withdraw", post(withdraw))
        .route("/_standin/webhook", post(set_webhook))
        .route("/_standin/messages", get(messages))
        .route("/_standin/say", post(say))
        .route("/_standin/write", post(write))
        .route("/_standin/read", post(read_mark))
        .route("/_standin/push", post(push))
        .route("/_standin/samples", get(samples))
        .route("/_standin/samples/{name}", post(push_sample))
}

async fn overview(State(server): Shared) -> Json<Value> {
    let world = server.world.lock();
    let conversations: Vec<Value> = world
        .conversations
        .iter()
        .map(|one| json!({"id": one.id, "business_id": one.business_id, "person_id": one.person_id, "opened_ms": one.opened_ms, "used": one.used}))
        .collect();
    let webhooks: Vec<Value> =
        world.webhooks.iter().map(|((app, event_type), url)| json!({"app_id": app, "event_type": event_type, "url": url})).collect();
    Json(json!({"provider": "tiktok", "requests": server.recorder.count(), "clock_ahead_ms": server.clock_ahead_ms(),
        "apps": world.apps.iter().map(|app| &app.id).collect::<Vec<_>>(), "businesses": world.businesses, "people": world.people,
        "conversations": conversations, "webhooks": webhooks,
        "endpoints": ["GET|DELETE /_standin/requests?call=&business_id=", "GET|POST|DELETE /_standin/failures", "GET|POST /_standin/knobs",
            "POST /_standin/settings", "POST /_standin/apps", "POST /_standin/businesses", "POST /_standin/people", "POST /_standin/tokens",
            "POST /_standin/expire", "POST /_standin/withdraw", "POST /_standin/webhook", "GET /_standin/messages?business_id=",
            "POST /_standin/say", "POST /_standin/write", "POST /_standin/read", "POST /_standin/push", "GET /_standin/samples",
            "POST /_standin/samples/{name}"]}))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    call: Option<String>,
    business_id: Option<String>,
}

async fn requests(State(server): Shared, Query(asked): Query<Asked>) -> Json<Value> {
    Json(json!({"requests": server.recorder.list(asked.call.as_deref(), asked.business_id.as_deref())}))
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

async fn add_app(State(server): Shared, body: String) -> Answer {
    server.world.lock().add_app(read::<App>(&body)?);
    Ok(overview(State(server)).await)
}

async fn add_business(State(server): Shared, body: String) -> Answer {
    server.world.lock().add_business(read::<Business>(&body)?);
    Ok(overview(State(server)).await)
}

async fn add_person(State(server): Shared, body: String) -> Answer {
    server.world.lock().add_person(read::<Person>(&body)?);
    Ok(overview(State(server)).await)
}

/// Whose something is: the first of each where nobody says.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Whose {
    app_id: Option<String>,
    business_id: Option<String>,
    scopes: Vec<String>,
}

impl Whose {
    fn app(&self, server: &Server) -> Result<String, Misuse> {
        let first = || server.world.lock().apps.first().map(|app| app.id.clone());
        self.app_id.clone().or_else(first).ok_or_else(|| Misuse(400, "app_id: there is none".into()))
    }

    fn business(&self, server: &Server) -> Result<String, Misuse> {
        business(server, self.business_id.clone())
    }
}

fn business(server: &Server, named: Option<String>) -> Result<String, Misuse> {
    let world = server.world.lock();
    let id = named.or_else(|| world.businesses.first().map(|business| business.id.clone())).unwrap_or_default();
    if world.business(&id).is_some() { Ok(id) } else { Err(Misuse(404, format!("business_id: there is no {id:?}"))) }
}

async fn mint(State(server): Shared, body: String) -> Answer {
    let whose = read::<Whose>(&body)?;
    let (app_id, business_id) = (whose.app(&server)?, whose.business(&server)?);
    Ok(Json(json!(server.mint(&app_id, &business_id, whose.scopes))))
}

async fn expire(State(server): Shared, body: String) -> Answer {
    let business_id = read::<Whose>(&body)?.business(&server)?;
    server.tokens.lock().expire(&business_id);
    Ok(Json(json!({"business_id": business_id})))
}

async fn withdraw(State(server): Shared, body: String) -> Answer {
    let business_id = read::<Whose>(&body)?.business(&server)?;
    server.tokens.lock().withdraw(&business_id);
    Ok(Json(json!({"business_id": business_id})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Callback {
    app_id: Option<String>,
    url: String,
}

async fn set_webhook(State(server): Shared, body: String) -> Answer {
    let wanted = read::<Callback>(&body)?;
    let app_id = Whose { app_id: wanted.app_id, ..Whose::default() }.app(&server)?;
    server.world.lock().set_webhook(&app_id, "DIRECT_MESSAGE", &wanted.url);
    Ok(Json(json!({"app_id": app_id, "url": wanted.url})))
}

async fn messages(State(server): Shared, Query(asked): Query<Asked>) -> Json<Value> {
    let world = server.world.lock();
    let of = |id: &String| asked.business_id.as_ref().is_none_or(|business| business == id);
    Json(json!({"messages": world.sent.iter().filter(|sent| of(&sent.business_id)).collect::<Vec<_>>()}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    business_id: Option<String>,
    from: String,
    text: Option<String>,
    /// Instead of text: `image`, `video`, `share_post`, `sticker`, `emoji`.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// What stands under the type's name.
    #[serde(default)]
    value: Value,
}

async fn say(State(server): Shared, body: String) -> Answer {
    let said = read::<Said>(&body)?;
    let business_id = business(&server, said.business_id)?;
    let (kind, value) = match (said.text, said.kind) {
        (Some(text), None) => ("text".to_owned(), json!({"body": text})),
        (None, Some(kind)) => (kind, said.value),
        _ => return Err(Misuse(400, "one of text, type".into())),
    };
    Ok(Json(json!(events::message(&server, &business_id, &said.from, &kind, value).await)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    business_id: Option<String>,
    to: String,
    text: String,
}

async fn write(State(server): Shared, body: String) -> Answer {
    let written = read::<Written>(&body)?;
    let business_id = business(&server, written.business_id)?;
    Ok(Json(json!(events::written_in_app(&server, &business_id, &written.to, &written.text).await)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadMark {
    business_id: Option<String>,
    from: String,
    /// Left out is now.
    up_to_ms: Option<u64>,
}

async fn read_mark(State(server): Shared, body: String) -> Answer {
    let mark = read::<ReadMark>(&body)?;
    let business_id = business(&server, mark.business_id)?;
    let up_to_ms = mark.up_to_ms.unwrap_or_else(|| server.now_ms());
    Ok(Json(json!(events::read(&server, &business_id, &mark.from, up_to_ms).await)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    event: String,
    business_id: String,
    content: Value,
}

async fn push(State(server): Shared, body: String) -> Answer {
    let raw = read::<Raw>(&body)?;
    Ok(Json(json!(pusher::push(&server, &raw.event, &raw.business_id, &raw.content).await)))
}

async fn samples() -> Json<Value> {
    Json(json!(events::samples()))
}

async fn push_sample(State(server): Shared, Path(name): Path<String>) -> Answer {
    if !events::samples().contains_key(&name) {
        return Err(Misuse(404, format!("no sample {name:?}: GET /_standin/samples lists them")));
    }
    Ok(Json(json!(events::deliver(&server, &name).await)))
}

fn read<T: for<'de> Deserialize<'de>>(body: &str) -> Result<T, Misuse> {
    let body = if body.trim().is_empty() { "{}" } else { body };
    serde_json::from_str(body).map_err(|error| Misuse(400, format!("the body: {error}")))
}
