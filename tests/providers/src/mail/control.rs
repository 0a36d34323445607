//! `/_standin`: the server's strings, for people with curl.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::desk::{Misuse, Pulled, read};
use crate::mail::letter::{self, Say};
use crate::mail::server::{Knobs, Server};
use crate::mail::{SHOP, magic, oauth};

type Shared = State<Arc<Server>>;

pub(crate) fn router(server: &Arc<Server>) -> Router {
    let strings = Router::new()
        .route("/_standin", get(overview))
        .route("/_standin/say", post(say))
        .route("/_standin/letters", get(letters).post(put).delete(remove))
        .route("/_standin/sent", get(sent))
        .route("/_standin/bounce", post(bounce))
        .route("/_standin/renumber", post(renumber))
        .route("/_standin/cut", post(cut))
        .route("/_standin/passwords", post(set_password))
        .route("/_standin/expire", post(expire))
        .route("/_standin/magic", get(list_magic))
        .route("/_standin/knobs", get(knobs).post(set_knobs));
    crate::desk::strings::<Server>().merge(strings).merge(oauth::router()).with_state(Arc::clone(server))
}

async fn overview(State(server): Shared) -> Json<Value> {
    let world = server.world.lock();
    Json(
        json!({"provider": "mail", "requests": server.desk.recorder.count(), "mailboxes": world.told(), "sent": world.sent.len(), "endpoints": [
            "POST /_standin/say", "GET|POST|DELETE /_standin/letters?address=&folder=&uid=", "GET /_standin/sent", "POST /_standin/bounce",
            "POST /_standin/renumber?address=&folder=", "POST /_standin/cut", "POST /_standin/passwords", "POST /_standin/expire",
            "GET /_standin/magic", "GET|POST /_standin/knobs", "GET|DELETE /_standin/requests?call=&account=",
            "GET|POST|DELETE /_standin/failures", "GET|POST /_standin/settings",
        ]}),
    )
}

async fn say(State(server): Shared, body: String) -> Pulled {
    let said: Say = read(&body)?;
    Ok(Json(json!({"message_id": letter::say(&server, &said)})))
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Place {
    address: String,
    folder: String,
    uid: u32,
}

impl Default for Place {
    fn default() -> Self {
        Self { address: SHOP.into(), folder: "INBOX".into(), uid: 0 }
    }
}

async fn letters(State(server): Shared, Query(place): Query<Place>) -> Json<Value> {
    let mut world = server.world.lock();
    let folder = world.folder(&place.address, &place.folder);
    let told: Vec<Value> = folder.letters.iter().map(super::world::Letter::told).collect();
    Json(json!({"validity": folder.validity, "next_uid": folder.next_uid, "letters": told}))
}

/// A raw letter; its lines may end as a shell writes them.
async fn put(State(server): Shared, Query(place): Query<Place>, body: String) -> Json<Value> {
    let letter = body.replace("\r\n", "\n").replace('\n', "\r\n");
    Json(json!({"uid": server.put(&place.address, &place.folder, letter.into())}))
}

async fn remove(State(server): Shared, Query(place): Query<Place>) -> Pulled {
    if server.remove(&place.address, &place.folder, place.uid) {
        return Ok(letters(State(server), Query(place)).await);
    }
    Err(Misuse(
        404,
        format!("{} has no letter {} in {}: GET /_standin/letters tells which there are", place.address, place.uid, place.folder),
    ))
}

async fn sent(State(server): Shared) -> Json<Value> {
    Json(json!({"sent": server.world.lock().sent}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounce {
    recipient: String,
    #[serde(default = "gone")]
    status: String,
}

fn gone() -> String {
    "5.1.1".into()
}

async fn bounce(State(server): Shared, body: String) -> Pulled {
    let told: Bounce = read(&body)?;
    if letter::bounce(&server, &told.recipient, &told.status) {
        return Ok(overview(State(server)).await);
    }
    Err(Misuse(404, "no letter was sent yet, so that none can come back".into()))
}

async fn renumber(State(server): Shared, Query(place): Query<Place>) -> Json<Value> {
    Json(json!({"validity": server.renumber(&place.address, &place.folder)}))
}

async fn cut(State(server): Shared) -> Json<Value> {
    server.cut();
    Json(json!({}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Password {
    address: String,
    password: String,
}

async fn set_password(State(server): Shared, body: String) -> Pulled {
    let given: Password = read(&body)?;
    server.world.lock().set_password(&given.address, &given.password);
    Ok(overview(State(server)).await)
}

async fn expire(State(server): Shared) -> Json<Value> {
    server.world.lock().tokens.clear();
    Json(json!({}))
}

/// The recipients whose letters meet something.
async fn list_magic() -> Json<Value> {
    Json(Value::Object(magic::NAMES.iter().map(|(name, fate)| ((*name).to_owned(), (*fate).into())).collect()))
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
