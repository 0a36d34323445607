//! `/_standin`: the server's strings, for people with curl.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::routing::{delete, get};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::server::Server;
use super::subscriptions::{New, Subscription};
use crate::desk::{Misuse, Pulled, read};

type Shared = State<Arc<Server>>;

pub(crate) fn router() -> Router<Arc<Server>> {
    Router::new()
        .route("/_standin", get(overview))
        .route("/_standin/subscriptions", get(list).post(subscribe))
        .route("/_standin/subscriptions/{id}", delete(unsubscribe))
        .route("/_standin/received", get(received).delete(forget))
}

async fn overview(State(server): Shared) -> Json<Value> {
    Json(json!({"provider": "push", "requests": server.desk.recorder.count(), "subscriptions": server.subscriptions().len(),
        "received": server.received.lock().len(), "endpoints": [
        "GET|DELETE /_standin/requests?call=&account=", "GET|POST|DELETE /_standin/failures", "GET|POST /_standin/settings",
        "GET|POST /_standin/subscriptions", "DELETE /_standin/subscriptions/{id}", "GET|DELETE /_standin/received?subscription=",
    ]}))
}

/// As a browser has it, to be handed on, with what only it knows beside.
fn tell(subscription: &Subscription) -> Value {
    let mut told = json!(subscription);
    told["subscription"] = subscription.to_json();
    told
}

async fn list(State(server): Shared) -> Json<Value> {
    Json(json!({"subscriptions": server.subscriptions().iter().map(tell).collect::<Vec<_>>()}))
}

/// An empty body makes one with everything made up.
async fn subscribe(State(server): Shared, body: String) -> Pulled {
    let new = if body.trim().is_empty() { New::default() } else { read(&body)? };
    server.subscribe(new).map(|made| Json(tell(&made))).map_err(|why| Misuse(400, why))
}

/// What the browser's user does: it stays known as gone.
async fn unsubscribe(State(server): Shared, Path(id): Path<String>) -> Pulled {
    if !server.change(&id, |subscription| subscription.gone = true) {
        return Err(Misuse(404, format!("there is no subscription {id}: GET /_standin/subscriptions lists them")));
    }
    Ok(list(State(server)).await)
}

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    subscription: Option<String>,
}

async fn received(State(server): Shared, Query(wanted): Query<Wanted>) -> Json<Value> {
    let received = server.received.lock();
    let of_it = received.iter().filter(|received| wanted.subscription.as_ref().is_none_or(|id| *id == received.subscription));
    Json(json!({"received": of_it.collect::<Vec<_>>()}))
}

async fn forget(State(server): Shared) -> Json<Value> {
    server.received.lock().clear();
    Json(json!({"received": []}))
}
