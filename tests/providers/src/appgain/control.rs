//! `/_standin`: the server's strings, for people with curl.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::appgain::phone;
use crate::appgain::pusher::{ack, push, push_envelope, push_status, sms_status};
use crate::appgain::scene::{self, Say};
use crate::appgain::server::{Knobs, Server};
use crate::appgain::session::FAILED;
use crate::appgain::world::{Hook, Kind, Project};
use crate::clock;
use crate::desk::{Misuse, Pulled, read};

type Shared = State<Arc<Server>>;

/// `?suit=` may be left out while there is one project.
#[derive(Debug, Default, Deserialize)]
struct Of {
    suit: Option<String>,
}

pub(crate) fn router() -> Router<Arc<Server>> {
    Router::new()
        .route("/_standin", get(overview))
        .route("/_standin/projects", post(add_project))
        .route("/_standin/webhook", post(set_webhook))
        .route("/_standin/knobs", get(knobs).post(set_knobs))
        .route("/_standin/sent", get(sent))
        .route("/_standin/phone", post(use_phone))
        .route("/_standin/quota", post(set_quota))
        .route("/_standin/say", post(say))
        .route("/_standin/ack", post(push_ack))
        .route("/_standin/sms-status", post(push_sms_status))
        .route("/_standin/sms-inbound", post(push_sms_inbound))
        .route("/_standin/push-status", post(push_push_status))
        .route("/_standin/push", post(push_any))
        .route("/_standin/samples", get(samples))
        .route("/_standin/samples/{name}", post(push_sample))
}

async fn overview(State(server): Shared) -> Json<Value> {
    let world = server.world.lock();
    let projects: Map<String, Value> = world
        .projects
        .iter()
        .map(|(suit_id, project)| {
            let used = project.used(clock::now_ms());
            (
                suit_id.clone(),
                json!({"session": project.session, "hooks": project.hooks, "used": used, "unsubscribed": project.unsubscribed}),
            )
        })
        .collect();
    let everybody = world.sent.iter().filter(|sent| sent.everybody).count();
    Json(json!({"provider": "appgain", "requests": server.desk.recorder.count(), "projects": projects, "sent": world.sent.len(),
        "sent_to_everybody": everybody, "endpoints": [
        "GET|DELETE /_standin/requests?call=&account=", "GET|POST|DELETE /_standin/failures", "GET|POST /_standin/settings",
        "GET|POST /_standin/knobs", "POST /_standin/projects", "POST /_standin/webhook?suit=", "GET /_standin/sent?suit=",
        "POST /_standin/phone?suit=", "POST /_standin/quota?suit=", "POST /_standin/say?suit=", "POST /_standin/ack?suit=",
        "POST /_standin/sms-status?suit=", "POST /_standin/sms-inbound?suit=", "POST /_standin/push-status?suit=",
        "POST /_standin/push?suit=", "GET /_standin/samples", "POST /_standin/samples/{name}",
    ]}))
}

fn suit(server: &Server, of: &Of) -> Result<String, Misuse> {
    let world = server.world.lock();
    match &of.suit {
        Some(suit) if world.projects.contains_key(suit) => Ok(suit.clone()),
        Some(suit) => Err(Misuse(404, format!("no project {suit:?}: POST /_standin/projects"))),
        None if world.projects.len() > 1 => Err(Misuse(400, "suit: which one? ?suit=5db9".into())),
        None => world.projects.keys().next().cloned().ok_or_else(|| Misuse(404, "there is no project".into())),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewProject {
    suit_id: String,
    api_key: String,
}

/// Also changes the key of one that is there.
async fn add_project(State(server): Shared, body: String) -> Pulled {
    let wanted = read::<NewProject>(&body)?;
    server.world.lock().projects.entry(wanted.suit_id).or_insert_with(Project::default).api_key = wanted.api_key;
    Ok(overview(State(server)).await)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewHook {
    kind: Kind,
    url: Option<String>,
    secret: Option<String>,
}

async fn set_webhook(State(server): Shared, Query(of): Query<Of>, body: String) -> Pulled {
    let suit = suit(&server, &of)?;
    let NewHook { kind, url, secret } = read(&body)?;
    if let Some(project) = server.world.lock().projects.get_mut(&suit) {
        project.hooks.insert(kind, Hook { url, secret });
    }
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

async fn sent(State(server): Shared, Query(of): Query<Of>) -> Json<Value> {
    let world = server.world.lock();
    let sent: Vec<_> = world.sent.iter().filter(|sent| of.suit.as_ref().is_none_or(|suit| *suit == sent.suit_id)).collect();
    Json(json!({ "sent": sent }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Act {
    Scan { number: String, name: Option<String> },
    Unlink,
    Ban,
    Status { status: String },
}

/// `{"scan":{"number":"201220000000"}}`, `"unlink"`, `"ban"`, `{"status":{"status":"PASSKEY_REQUIRED"}}`.
async fn use_phone(State(server): Shared, Query(of): Query<Of>, body: String) -> Pulled {
    let suit = suit(&server, &of)?;
    let done = match read::<Act>(&body)? {
        Act::Scan { number, name } => phone::scan(&server, &suit, &number, name.as_deref().unwrap_or("Shop")),
        Act::Unlink => phone::end(&server, &suit, FAILED, Some("LOGGED_OUT")),
        Act::Ban => phone::end(&server, &suit, FAILED, Some("BANNED")),
        Act::Status { status } => phone::set_status(&server, &suit, &status),
    };
    if !done {
        return Err(Misuse(409, "there is no session, or it shows no code".into()));
    }
    let world = server.world.lock();
    Ok(Json(json!({"session": world.session(&suit)})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Used {
    used: u64,
}

async fn set_quota(State(server): Shared, Query(of): Query<Of>, body: String) -> Pulled {
    let suit = suit(&server, &of)?;
    let Used { used } = read(&body)?;
    if let Some(project) = server.world.lock().projects.get_mut(&suit) {
        project.set_used(used, clock::now_ms());
    }
    Ok(Json(json!({"used": used})))
}

async fn say(State(server): Shared, Query(of): Query<Of>, body: String) -> Pulled {
    let suit = suit(&server, &of)?;
    let said = read::<Say>(&body)?;
    let payload = scene::message(&server, &suit, &said).map_err(|error| Misuse(400, error))?;
    let delivery = push(&server, &suit, "message", payload.clone()).await;
    Ok(Json(json!({"delivery": delivery, "payload": payload})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ack {
    id: String,
    client_ref: Option<String>,
    ack: i64,
}

async fn push_ack(State(server): Shared, Query(of): Query<Of>, body: String) -> Pulled {
    let suit = suit(&server, &of)?;
    let told = read::<Ack>(&body)?;
    Ok(Json(json!(push(&server, &suit, "message.ack", ack(&told.id, told.client_ref.as_deref(), told.ack)).await)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SmsStatus {
    client_ref: Option<String>,
    number: String,
    status: String,
}

async fn push_sms_status(State(server): Shared, Query(of): Query<Of>, body: String) -> Pulled {
    let suit = suit(&server, &of)?;
    let told = read::<SmsStatus>(&body)?;
    let payload = sms_status(told.client_ref.as_deref(), &told.number, &told.status);
    Ok(Json(json!(push(&server, &suit, "sms.status", payload).await)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SmsInbound {
    number: String,
    text: String,
}

async fn push_sms_inbound(State(server): Shared, Query(of): Query<Of>, body: String) -> Pulled {
    let suit = suit(&server, &of)?;
    let told = read::<SmsInbound>(&body)?;
    let payload = sms_inbound(&server, &told.number, &told.text);
    Ok(Json(json!(push(&server, &suit, "sms.inbound", payload).await)))
}

/// An SMS that somebody sends to the project's number.
pub(crate) fn sms_inbound(server: &Server, number: &str, text: &str) -> Value {
    json!({"id": format!("mo-{}", server.desk.next_number()), "mobileNum": number, "message": text})
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PushStatus {
    client_ref: Option<String>,
    user: String,
    /// `received`, `open`, `dismiss`, `failed`…
    action: String,
    value: Option<String>,
    campaign: Option<String>,
}

async fn push_push_status(State(server): Shared, Query(of): Query<Of>, body: String) -> Pulled {
    let suit = suit(&server, &of)?;
    let told = read::<PushStatus>(&body)?;
    let value = told.value.as_deref().unwrap_or("NA");
    let payload = push_status(told.client_ref.as_deref(), &told.user, &told.action, value, told.campaign.as_deref());
    Ok(Json(json!(push(&server, &suit, "push.status", payload).await)))
}

async fn push_any(State(server): Shared, Query(of): Query<Of>, body: String) -> Pulled {
    let suit = suit(&server, &of)?;
    Ok(Json(json!(push_envelope(&server, &suit, read(&body)?).await)))
}

async fn samples() -> Json<Value> {
    Json(json!(scene::samples()))
}

async fn push_sample(State(server): Shared, Path(name): Path<String>, Query(of): Query<Of>) -> Pulled {
    let suit = suit(&server, &of)?;
    let known = || scene::samples().keys().cloned().collect::<Vec<_>>().join(", ");
    let envelope = scene::samples().get(&name).and_then(Value::as_object);
    let envelope = envelope.ok_or_else(|| Misuse(404, format!("no sample {name:?}; there are: {}", known())))?;
    Ok(Json(json!(push_envelope(&server, &suit, envelope.clone()).await)))
}
