//! `/_standin`: the server's strings, for people with curl.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::failures::Failure;
use crate::linkedin::answer::with_json;
use crate::linkedin::pusher;
use crate::linkedin::server::{Knobs, Server};
use crate::linkedin::world::{Member, Organization};
use crate::recorded::Recording;

type Shared = State<Arc<Server>>;
/// What a person did wrong, with what to do instead.
struct Misuse(u16, String);
type Answer = Result<Json<Value>, Misuse>;

impl IntoResponse for Misuse {
    fn into_response(self) -> Response {
        with_json(self.0, Some(&json!({"error": self.1})))
    }
}

pub(crate) fn router() -> Router<Arc<Server>> {
    Router::new()
        .route("/_standin", get(overview))
        .route("/_standin/requests", get(requests).delete(clear_requests))
        .route("/_standin/failures", get(failures).post(plan_failure).delete(clear_failures))
        .route("/_standin/knobs", get(knobs).post(set_knobs))
        .route("/_standin/settings", post(set_settings))
        .route("/_standin/tokens", post(mint))
        .route("/_standin/revoke", post(revoke))
        .route("/_standin/organizations", post(add_organization))
        .route("/_standin/members", post(add_member))
        .route("/_standin/webhook", post(set_webhook))
        .route("/_standin/validate", post(validate))
        .route("/_standin/posts", get(posts))
        .route("/_standin/comments", get(comments))
        .route("/_standin/messages", get(messages))
        .route("/_standin/say", post(say))
        .route("/_standin/act", post(act))
        .route("/_standin/push", post(push))
        .route("/_standin/samples", get(list_samples))
        .route("/_standin/samples/{name}", post(push_sample))
}

async fn overview(State(server): Shared) -> Json<Value> {
    let world = server.world.lock();
    Json(json!({"provider": "linkedin", "requests": server.recorder.count(), "app": world.app, "me": world.me, "members": world.members,
        "organizations": world.organizations, "webhook": world.webhook, "subscriptions": world.subscriptions,
        "endpoints": ["GET|DELETE /_standin/requests?call=", "GET|POST|DELETE /_standin/failures", "GET|POST /_standin/knobs",
            "POST /_standin/settings", "POST /_standin/tokens", "POST /_standin/revoke", "POST /_standin/organizations",
            "POST /_standin/members", "POST /_standin/webhook", "POST /_standin/validate", "GET /_standin/posts", "GET /_standin/comments",
            "GET /_standin/messages", "POST /_standin/say", "POST /_standin/act", "POST /_standin/push", "GET /_standin/samples",
            "POST /_standin/samples/{name}"]}))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    call: Option<String>,
}

async fn requests(State(server): Shared, Query(asked): Query<Asked>) -> Json<Value> {
    Json(json!({"requests": server.recorder.list(asked.call.as_deref(), None)}))
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
    Ok(Json(json!({"now_ms": server.now_ms(), "recording": server.recorder.recording()})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    scopes: Vec<String>,
    #[serde(default = "two_months")]
    lives_s: u64,
}

fn two_months() -> u64 {
    5_184_000
}

async fn mint(State(server): Shared, body: String) -> Answer {
    let wanted = read::<Wanted>(&body)?;
    Ok(Json(json!({"access_token": server.mint(wanted.scopes, wanted.lives_s)})))
}

async fn revoke(State(server): Shared) -> Json<Value> {
    server.world.lock().revoke();
    Json(json!({"revoked": true}))
}

async fn add_organization(State(server): Shared, body: String) -> Answer {
    let organization = read::<Organization>(&body)?;
    server.world.lock().organizations.push(organization);
    Ok(overview(State(server)).await)
}

async fn add_member(State(server): Shared, body: String) -> Answer {
    let member = read::<Member>(&body)?;
    server.world.lock().members.push(member);
    Ok(overview(State(server)).await)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Callback {
    url: String,
}

async fn set_webhook(State(server): Shared, body: String) -> Answer {
    let wanted = read::<Callback>(&body)?;
    pusher::register(&server, &wanted.url).await.map_err(|words| Misuse(400, words))?;
    Ok(Json(json!({"success": true})))
}

async fn validate(State(server): Shared) -> Json<Value> {
    Json(json!({"failed": pusher::validate(&server).await}))
}

async fn posts(State(server): Shared) -> Json<Value> {
    Json(json!({"posts": server.world.lock().posts}))
}

async fn comments(State(server): Shared) -> Json<Value> {
    Json(json!({"comments": server.world.lock().comments}))
}

async fn messages(State(server): Shared) -> Json<Value> {
    Json(json!({"messages": server.world.lock().messages}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    /// The organisation, or the member, whose mail it is.
    #[serde(default = "acme")]
    to: String,
    #[serde(default = "sara")]
    from: String,
    text: String,
}

fn acme() -> String {
    "urn:li:organization:5590506".into()
}

fn sara() -> String {
    "urn:li:person:abc".into()
}

async fn say(State(server): Shared, body: String) -> Answer {
    let said = read::<Said>(&body)?;
    let payload = server.message_created(&said.to, &said.from, &said.text);
    Ok(Json(json!(pusher::push(&server, &payload).await)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    /// `LIKE`, `COMMENT`, `SHARE`, `SHARE_MENTION`, `COMMENT_EDIT`, `COMMENT_DELETE`.
    action: String,
    post: String,
    #[serde(default = "acme")]
    organization: String,
    #[serde(default = "sara")]
    from: String,
    #[serde(default)]
    text: String,
}

async fn act(State(server): Shared, body: String) -> Answer {
    let act = read::<Act>(&body)?;
    let number = server.next_number();
    let activity = act.post.replace(":share:", ":activity:").replace(":ugcPost:", ":activity:");
    let generated = match act.action.as_str() {
        "LIKE" => format!("urn:li:like:({},{activity})", act.from),
        _ => format!("urn:li:comment:({activity},{number})"),
    };
    let mut notification = json!({"notificationId": number % 1_000_000_000, "organizationalEntity": act.organization, "action": act.action,
        "sourcePost": act.post, "generatedActivity": generated, "lastModifiedAt": server.now_ms(), "subscriber": server.world.lock().me_urn()});
    if act.action != "LIKE" {
        notification["decoratedGeneratedActivity"] = json!({"comment": {"entity": generated, "owner": act.from, "text": act.text}});
    }
    let payload = json!({"type": "ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS", "notifications": [notification]});
    Ok(Json(json!(pusher::push(&server, &payload).await)))
}

async fn push(State(server): Shared, body: String) -> Answer {
    Ok(Json(json!(pusher::push(&server, &read::<Value>(&body)?).await)))
}

/// The documents' webhooks, by name.
pub(crate) fn samples() -> BTreeMap<String, Value> {
    serde_json::from_str(include_str!("samples.json")).unwrap_or_default()
}

async fn list_samples() -> Json<Value> {
    Json(json!(samples()))
}

async fn push_sample(State(server): Shared, Path(name): Path<String>) -> Answer {
    let samples = samples();
    let known = || samples.keys().cloned().collect::<Vec<_>>().join(", ");
    let payload = samples.get(&name).ok_or_else(|| Misuse(404, format!("no sample {name:?}; there are: {}", known())))?;
    Ok(Json(json!(pusher::push(&server, payload).await)))
}

fn read<T: for<'de> Deserialize<'de>>(body: &str) -> Result<T, Misuse> {
    serde_json::from_str(body).map_err(|error| Misuse(400, format!("the body: {error}")))
}
