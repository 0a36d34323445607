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
use crate::shopify::answer::Answer as Reply;
use crate::shopify::server::{Knobs, Server};
use crate::shopify::shops::Shop;
use crate::shopify::{inbox, pusher};

const SAMPLES: &str = include_str!("samples.json");

type Shared = State<Arc<Server>>;
/// What a person did wrong, with what to do instead.
struct Misuse(u16, String);
type Answer = Result<Json<Value>, Misuse>;

impl IntoResponse for Misuse {
    fn into_response(self) -> Response {
        Reply::of(self.0, json!({"error": self.1})).response()
    }
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    call: Option<String>,
    shop: Option<String>,
}

pub(crate) fn router() -> Router<Arc<Server>> {
    Router::new()
        .route("/_standin", get(overview))
        .route("/_standin/requests", get(requests).delete(clear_requests))
        .route("/_standin/failures", get(failures).post(plan_failure).delete(clear_failures))
        .route("/_standin/knobs", get(knobs).post(set_knobs))
        .route("/_standin/settings", post(set_settings))
        .route("/_standin/shops", get(shops).post(set_shop))
        .route("/_standin/drop", post(drop_subscriptions))
        .route("/_standin/expire", post(expire))
        .route("/_standin/webhook", post(set_webhook))
        .route("/_standin/messages", get(messages))
        .route("/_standin/say", post(say))
        .route("/_standin/status", post(status))
        .route("/_standin/close", post(close))
        .route("/_standin/uninstall", post(uninstall))
        .route("/_standin/push", post(push))
        .route("/_standin/samples", get(samples))
        .route("/_standin/samples/{name}", post(push_sample))
}

/// A sample's topic and body.
pub(crate) fn sample(name: &str) -> Option<(String, Value)> {
    let samples: Value = serde_json::from_str(SAMPLES).ok()?;
    let sample = samples.get(name)?;
    Some((sample["topic"].as_str()?.to_owned(), sample["payload"].clone()))
}

async fn overview(State(server): Shared) -> Json<Value> {
    let world = server.world.lock();
    Json(json!({"provider": "shopify", "requests": server.recorder.count(), "now": server.now_text(),
        "shops": world.shops().iter().map(|shop| &shop.domain).collect::<Vec<_>>(), "subscriptions": world.subscriptions, "webhooks": world.webhooks,
        "endpoints": ["GET|DELETE /_standin/requests?call=&shop=", "GET|POST|DELETE /_standin/failures", "GET|POST /_standin/knobs", "POST /_standin/settings",
            "GET|POST /_standin/shops", "POST /_standin/drop", "POST /_standin/expire", "POST /_standin/webhook", "GET /_standin/messages?shop=",
            "POST /_standin/say", "POST /_standin/status", "POST /_standin/close", "POST /_standin/uninstall", "POST /_standin/push",
            "GET /_standin/samples", "POST /_standin/samples/{name}?shop="]}))
}

async fn requests(State(server): Shared, Query(asked): Query<Asked>) -> Json<Value> {
    Json(json!({"requests": server.recorder.list(asked.call.as_deref(), asked.shop.as_deref())}))
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
    Ok(Json(json!({"latency_ms": server.latency_ms(), "recording": server.recorder.recording(), "now": server.now_text()})))
}

async fn shops(State(server): Shared) -> Json<Value> {
    Json(json!({"shops": server.world.lock().shops()}))
}

/// A new shop, or changes of one that is there: only what the body names.
async fn set_shop(State(server): Shared, body: String) -> Answer {
    let given: Value = read(&body)?;
    let domain =
        given["domain"].as_str().filter(|domain| !domain.is_empty()).ok_or_else(|| Misuse(400, "name the shop's `domain`".into()))?;
    let mut wanted = json!(server.world.lock().shop(domain).cloned().unwrap_or_default());
    if let (Some(wanted), Value::Object(given)) = (wanted.as_object_mut(), given.clone()) {
        wanted.extend(given);
    }
    let shop = read::<Shop>(&wanted.to_string())?;
    server.world.lock().set_shop(shop.clone());
    Ok(Json(json!(shop)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Of {
    /// The first one where it is left out.
    shop: Option<String>,
}

fn shop_of(server: &Server, named: Option<String>) -> Result<String, Misuse> {
    let world = server.world.lock();
    match named {
        Some(domain) if world.shop(&domain).is_some() => Ok(domain),
        Some(domain) => Err(Misuse(404, format!("there is no shop {domain}: add it at /_standin/shops"))),
        None => world
            .shops()
            .first()
            .map(|shop| shop.domain.clone())
            .ok_or_else(|| Misuse(404, "there is no shop: add one at /_standin/shops".into())),
    }
}

async fn drop_subscriptions(State(server): Shared, body: String) -> Answer {
    let shop = shop_of(&server, read::<Of>(&body)?.shop)?;
    let dropped = server.world.lock().drop_subscriptions(&shop);
    Ok(Json(json!({"shop": shop, "dropped": dropped})))
}

async fn expire(State(server): Shared) -> Json<Value> {
    let mut world = server.world.lock();
    let expired = world.minted.len();
    world.minted.clear();
    Json(json!({"expired": expired}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hook {
    shop: Option<String>,
    url: String,
}

async fn set_webhook(State(server): Shared, body: String) -> Answer {
    let wanted = read::<Hook>(&body)?;
    let shop = shop_of(&server, wanted.shop)?;
    server.world.lock().webhooks.insert(shop.clone(), wanted.url.clone());
    Ok(Json(json!({"shop": shop, "url": wanted.url})))
}

async fn messages(State(server): Shared, Query(asked): Query<Asked>) -> Json<Value> {
    let world = server.world.lock();
    let of_shop = |shop: &str| asked.shop.as_deref().is_none_or(|wanted| wanted == shop);
    Json(json!({"messages": world.sent.iter().filter(|sent| of_shop(&sent.shop)).collect::<Vec<_>>()}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Say {
    shop: Option<String>,
    #[serde(default = "conversation")]
    conversation: String,
    #[serde(default = "customer")]
    customer: u64,
    #[serde(default)]
    name: String,
    text: String,
}

fn conversation() -> String {
    "conv_9".into()
}

fn customer() -> u64 {
    7001
}

async fn say(State(server): Shared, body: String) -> Answer {
    let wanted = read::<Say>(&body)?;
    let shop = shop_of(&server, wanted.shop)?;
    let payload = inbox::said(&server, &wanted.conversation, wanted.customer, &wanted.name, &wanted.text);
    Ok(Json(json!(pusher::push(&server, &shop, "inbox/message_created", &payload).await)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Status {
    shop: Option<String>,
    #[serde(default = "conversation")]
    conversation: String,
    id: String,
    status: String,
}

async fn status(State(server): Shared, body: String) -> Answer {
    let wanted = read::<Status>(&body)?;
    let shop = shop_of(&server, wanted.shop)?;
    let payload = inbox::status(&server, &wanted.conversation, &wanted.id, &wanted.status);
    Ok(Json(json!(pusher::push(&server, &shop, "inbox/message_status", &payload).await)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Close {
    shop: Option<String>,
    #[serde(default = "conversation")]
    conversation: String,
}

async fn close(State(server): Shared, body: String) -> Answer {
    let wanted = read::<Close>(&body)?;
    let shop = shop_of(&server, wanted.shop)?;
    let payload = json!({"conversation": {"id": wanted.conversation, "status": "closed"}, "closed_at": server.now_text()});
    Ok(Json(json!(pusher::push(&server, &shop, "inbox/conversation_closed", &payload).await)))
}

async fn uninstall(State(server): Shared, body: String) -> Answer {
    let shop = shop_of(&server, read::<Of>(&body)?.shop)?;
    Ok(Json(json!(pusher::uninstall(&server, &shop).await)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Push {
    shop: Option<String>,
    topic: String,
    payload: Value,
}

async fn push(State(server): Shared, body: String) -> Answer {
    let wanted = read::<Push>(&body)?;
    let shop = shop_of(&server, wanted.shop)?;
    Ok(Json(json!(pusher::push(&server, &shop, &wanted.topic, &wanted.payload).await)))
}

async fn samples() -> Json<Value> {
    Json(serde_json::from_str(SAMPLES).unwrap_or_default())
}

async fn push_sample(State(server): Shared, Path(name): Path<String>, Query(asked): Query<Asked>) -> Answer {
    let shop = shop_of(&server, asked.shop)?;
    let (topic, payload) =
        sample(&name).ok_or_else(|| Misuse(404, format!("there is no sample {name}: GET /_standin/samples lists them")))?;
    Ok(Json(json!(pusher::push(&server, &shop, &topic, &payload).await)))
}

/// An empty body is an empty object.
fn read<T: for<'de> Deserialize<'de>>(body: &str) -> Result<T, Misuse> {
    let body = if body.trim().is_empty() { "{}" } else { body };
    serde_json::from_str(body).map_err(|error| Misuse(400, format!("the body: {error}")))
}
