//! `/_standin`: the server's strings, for people with curl.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::server::{self, Server};
use crate::desk::{Pulled, read};

type Shared = State<Arc<Server>>;

pub(crate) fn router() -> Router<Arc<Server>> {
    Router::new()
        .route("/_standin", get(overview))
        .route("/_standin/sent", get(sent))
        .route("/_standin/say", post(say))
        .route("/_standin/push", post(push))
}

async fn overview(State(server): Shared) -> Json<Value> {
    let world = server.world.lock();
    let url = world.webhook.as_ref().map(|(url, _)| url);
    Json(json!({"provider": "acme", "requests": server.desk.recorder.count(), "webhook_url": url, "sent": world.sent.len(), "endpoints": [
        "GET|DELETE /_standin/requests?call=", "GET|POST|DELETE /_standin/failures", "GET|POST /_standin/settings",
        "GET /_standin/sent", "POST /_standin/say", "POST /_standin/push",
    ]}))
}

async fn sent(State(server): Shared) -> Json<Value> {
    Json(json!({"sent": server.world.lock().sent}))
}

/// What a person writes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Say {
    from: String,
    name: Option<String>,
    text: String,
}

async fn say(State(server): Shared, body: String) -> Pulled {
    let Say { from, name, text } = read(&body)?;
    let id = server.next_id("in");
    let event = json!({"type": "message", "message": {"id": id, "from": {"id": from, "name": name}, "text": text}});
    Ok(Json(json!({"id": id, "delivery": server::push(&server, vec![event]).await})))
}

/// A list of events.
async fn push(State(server): Shared, body: String) -> Pulled {
    Ok(Json(json!({"delivery": server::push(&server, read(&body)?).await})))
}
