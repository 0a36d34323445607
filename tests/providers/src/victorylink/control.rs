//! `/_standin`: the server's strings, for people with curl.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::desk::{Misuse, Pulled, read};
use crate::victorylink::account::User;
use crate::victorylink::codes;
use crate::victorylink::receipts;
use crate::victorylink::server::{Knobs, Server};

type Shared = State<Arc<Server>>;

pub(crate) fn router() -> Router<Arc<Server>> {
    Router::new()
        .route("/_standin", get(overview))
        .route("/_standin/users", post(set_user))
        .route("/_standin/knobs", get(knobs).post(set_knobs))
        .route("/_standin/sent", get(sent))
        .route("/_standin/codes", get(list_codes))
        .route("/_standin/receipt", post(receipt))
}

async fn overview(State(server): Shared) -> Json<Value> {
    let accounts = server.accounts.lock();
    Json(json!({"provider": "victorylink", "requests": server.desk.recorder.count(), "users": accounts.users, "sent": accounts.sent.len(),
        "endpoints": [
        "GET|DELETE /_standin/requests?call=&account=", "GET|POST|DELETE /_standin/failures", "GET|POST /_standin/settings",
        "GET|POST /_standin/knobs", "POST /_standin/users", "GET /_standin/sent", "GET /_standin/codes", "POST /_standin/receipt",
    ]}))
}

async fn set_user(State(server): Shared, body: String) -> Pulled {
    server.accounts.lock().set(read::<User>(&body)?);
    Ok(overview(State(server)).await)
}

async fn knobs(State(server): Shared) -> Json<Value> {
    Json(json!(server.knobs()))
}

/// Only those that are named change.
async fn set_knobs(State(server): Shared, body: String) -> Pulled {
    let mut all = json!(server.knobs());
    for (name, value) in read::<Map<String, Value>>(&body)? {
        all[name] = value;
    }
    let changed: Knobs = read(&all.to_string())?;
    *server.knobs.lock() = changed;
    Ok(knobs(State(server)).await)
}

async fn sent(State(server): Shared) -> Json<Value> {
    Json(json!({"sent": server.accounts.lock().sent}))
}

/// The numbers that bring each code about.
async fn list_codes() -> Json<Value> {
    let numbers: Map<String, Value> =
        codes::ALL.iter().map(|code| (code.to_string(), format!("20100000{:04}", 9000 - code).into())).collect();
    Json(Value::Object(numbers))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Receipt {
    id: String,
    status: String,
}

async fn receipt(State(server): Shared, body: String) -> Pulled {
    let told = read::<Receipt>(&body)?;
    let delivery = receipts::tell(&server, &told.id, &told.status).await;
    if delivery.url.is_empty() {
        return Err(Misuse(404, delivery.note.unwrap_or_default()));
    }
    Ok(Json(json!(delivery)))
}
