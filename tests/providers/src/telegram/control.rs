//! `/_standin`: the server's strings, for people with curl.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::failures::Failure;
use crate::recorded::Recording;
use crate::telegram::answer::json_response;
use crate::telegram::bots::Bot;
use crate::telegram::chats::ChatState;
use crate::telegram::delivery;
use crate::telegram::samples;
use crate::telegram::scene::{self, Press, Say};
use crate::telegram::server::Server;
use crate::telegram::updates::Delivery;

type Shared = State<Arc<Server>>;
/// What a person did wrong, with what to do instead.
struct Misuse(u16, String);
type Answer = Result<Json<Value>, Misuse>;

impl axum::response::IntoResponse for Misuse {
    fn into_response(self) -> Response {
        json_response(self.0, json!({"error": self.1}).to_string().into_bytes())
    }
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    method: Option<String>,
    /// A bot's id or token; left out where there is only one.
    bot: Option<String>,
    chat: Option<i64>,
}

pub(crate) fn router() -> Router<Arc<Server>> {
    Router::new()
        .route("/_standin", get(overview))
        .route("/_standin/requests", get(requests).delete(clear_requests))
        .route("/_standin/failures", get(failures).post(plan_failure).delete(clear_failures))
        .route("/_standin/chats/{id}", get(chat).post(set_chat))
        .route("/_standin/bots", get(bots).post(register))
        .route("/_standin/bots/{id}", post(set_bot))
        .route("/_standin/messages", get(messages))
        .route("/_standin/settings", get(settings).post(set_settings))
        .route("/_standin/updates", post(push))
        .route("/_standin/say", post(say))
        .route("/_standin/press", post(press))
        .route("/_standin/samples", get(list_samples))
        .route("/_standin/samples/{name}", post(push_sample))
}

async fn overview(State(server): Shared) -> Json<Value> {
    let bots: Vec<_> = server.bots.list().iter().map(|bot| bot.id).collect();
    Json(json!({"provider": "telegram", "bots": bots, "requests": server.recorder.count(), "mistakes": server.mistakes(), "endpoints": [
        "GET|DELETE /_standin/requests?method=&bot=", "GET|POST|DELETE /_standin/failures", "GET|POST /_standin/chats/{id}",
        "GET|POST /_standin/bots", "POST /_standin/bots/{id}", "GET /_standin/messages?bot=&chat=", "GET|POST /_standin/settings",
        "POST /_standin/updates?bot=", "POST /_standin/say?bot=", "POST /_standin/press?bot=", "GET /_standin/samples",
        "POST /_standin/samples/{name}?bot=",
    ]}))
}

async fn requests(State(server): Shared, Query(asked): Query<Asked>) -> Json<Value> {
    let account = asked.bot.as_deref().map(|bot| bot.split(':').next().unwrap_or_default());
    Json(json!({"requests": server.recorder.list(asked.method.as_deref(), account)}))
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

async fn chat(State(server): Shared, Path(id): Path<i64>) -> Json<Value> {
    let chat = server.chats.find(&id.to_string()).map(|chat| chat.json).unwrap_or_default();
    Json(json!({"chat": chat, "writable": server.chats.state(id)}))
}

/// `{"state":"blocked"}`, or facts of the chat (`title`, `type`, `username`, `is_forum`…), or both.
async fn set_chat(State(server): Shared, Path(id): Path<i64>, body: String) -> Answer {
    let mut facts = read::<Map<String, Value>>(&body)?;
    if let Some(state) = facts.remove("state") {
        let state = json!({"state": state, "migrate_to_chat_id": facts.remove("migrate_to_chat_id")});
        let state: ChatState = serde_json::from_value(state).map_err(|error| Misuse(400, format!("state: {error}")))?;
        server.chats.set_state(id, state);
    }
    if !facts.is_empty() {
        facts.insert("id".into(), id.into());
        server.chats.learn(&facts);
    }
    Ok(chat(State(server), Path(id)).await)
}

async fn bots(State(server): Shared) -> Json<Value> {
    let bots: Vec<_> = server.bots.list().iter().map(|bot| json!({"bot": bot.me(), "webhook": bot.feed.info()})).collect();
    Json(json!({"bots": bots}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Registered {
    token: String,
    username: Option<String>,
    first_name: Option<String>,
}

async fn register(State(server): Shared, body: String) -> Answer {
    let wanted = read::<Registered>(&body)?;
    let bot = server.bots.register(&wanted.token, wanted.username.as_deref(), wanted.first_name.as_deref());
    let bot = bot.ok_or_else(|| Misuse(400, "token: six digits or more, a colon, thirty or more of A-Za-z0-9_-".into()))?;
    Ok(Json(json!({"bot": bot.me()})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revocation {
    revoked: bool,
}

async fn set_bot(State(server): Shared, Path(id): Path<i64>, body: String) -> Answer {
    let Revocation { revoked } = read(&body)?;
    server.bots.set_revoked(id, revoked);
    Ok(Json(json!({"bot": id, "revoked": revoked})))
}

async fn messages(State(server): Shared, Query(asked): Query<Asked>) -> Answer {
    let bot = bot(&server, &asked)?;
    let chat = asked.chat.ok_or_else(|| Misuse(400, "chat: which one? ?chat=70010001".into()))?;
    Ok(Json(json!({"messages": server.chats.with(bot.id, chat, |conversation| conversation.messages())})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    latency_ms: Option<u64>,
    recording: Option<Recording>,
}

async fn settings(State(server): Shared) -> Json<Value> {
    Json(json!({"latency_ms": server.latency_ms(), "recording": server.recorder.recording()}))
}

async fn set_settings(State(server): Shared, body: String) -> Answer {
    let wanted = read::<Settings>(&body)?;
    if let Some(latency_ms) = wanted.latency_ms {
        server.set_latency(Duration::from_millis(latency_ms));
    }
    if let Some(recording) = wanted.recording {
        server.recorder.set(recording);
    }
    Ok(settings(State(server)).await)
}

async fn push(State(server): Shared, Query(asked): Query<Asked>, body: String) -> Answer {
    let bot = bot(&server, &asked)?;
    let update = read::<Map<String, Value>>(&body)?;
    Ok(told(&delivery::push(&server, &bot, update).await))
}

async fn say(State(server): Shared, Query(asked): Query<Asked>, body: String) -> Answer {
    let bot = bot(&server, &asked)?;
    let update = scene::say(&server, &bot, &read::<Say>(&body)?);
    Ok(told(&delivery::push(&server, &bot, update).await))
}

async fn press(State(server): Shared, Query(asked): Query<Asked>, body: String) -> Answer {
    let bot = bot(&server, &asked)?;
    let update = scene::press(&server, &bot, &read::<Press>(&body)?);
    Ok(told(&delivery::push(&server, &bot, update).await))
}

async fn list_samples() -> Json<Value> {
    Json(samples::list())
}

async fn push_sample(State(server): Shared, Path(name): Path<String>, Query(asked): Query<Asked>) -> Answer {
    let bot = bot(&server, &asked)?;
    let updates = samples::updates(&server, &bot, &name)
        .ok_or_else(|| Misuse(404, format!("no sample {name:?}; there are: {}", samples::names().join(", "))))?;
    let mut deliveries = Vec::with_capacity(updates.len());
    for update in updates {
        deliveries.push(delivery::push(&server, &bot, update).await);
    }
    Ok(Json(json!(deliveries)))
}

fn told(delivery: &Delivery) -> Json<Value> {
    Json(json!(delivery))
}

fn read<T: for<'de> Deserialize<'de>>(body: &str) -> Result<T, Misuse> {
    serde_json::from_str(body).map_err(|error| Misuse(400, format!("the body: {error}")))
}

/// The bot named, or the only one.
fn bot(server: &Server, asked: &Asked) -> Result<Arc<Bot>, Misuse> {
    if let Some(named) = &asked.bot {
        let id = named.split(':').next().and_then(|id| id.parse().ok());
        return id.map(|id| server.bots.bot(id)).ok_or_else(|| Misuse(400, "bot: its id, the digits before the token's colon".into()));
    }
    match server.bots.list().as_slice() {
        [only] => Ok(Arc::clone(only)),
        [] => Err(Misuse(400, "no bot has called yet: name one with ?bot=<id>".into())),
        several => Err(Misuse(400, format!("which bot? ?bot= one of {:?}", several.iter().map(|bot| bot.id).collect::<Vec<_>>()))),
    }
}
