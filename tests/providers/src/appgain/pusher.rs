//! Events on their way: enveloped, signed where a secret is set, posted again and again until they are taken.

use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, Method, header};
use bytes::Bytes;
use ring::hmac;
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use crate::appgain::server::Server;
use crate::appgain::world::Kind;
use crate::clock;
use crate::desk::{Delivery, gap, uuid};

const EVENT: HeaderName = HeaderName::from_static("x-appgain-event");
const TIMESTAMP: HeaderName = HeaderName::from_static("x-appgain-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("x-appgain-signature");
const DELIVERY: HeaderName = HeaderName::from_static("x-appgain-delivery");

/// `sha256=` and the hex HMAC-SHA256 of the timestamp, a full stop and the body.
#[must_use]
pub fn signature(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let mut signed = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()));
    signed.update(timestamp.as_bytes());
    signed.update(b".");
    signed.update(body);
    format!("sha256={}", hex::encode(signed.sign()))
}

/// Pushes an event of a project.
pub(crate) async fn push(server: &Arc<Server>, suit_id: &str, event: &str, payload: Value) -> Delivery {
    let mut envelope = Map::new();
    envelope.insert("event".into(), event.into());
    envelope.insert("payload".into(), payload);
    push_envelope(server, suit_id, envelope).await
}

/// Pushes an envelope: what it doesn't say of its id, its time and where it belongs is said for it.
pub(crate) async fn push_envelope(server: &Arc<Server>, suit_id: &str, mut envelope: Map<String, Value>) -> Delivery {
    let event = envelope.get("event").and_then(Value::as_str).unwrap_or_default().to_owned();
    let kind = Kind::of(&event);
    let (hook, session) = {
        let world = server.world.lock();
        let hook = world.projects.get(suit_id).map(|project| project.hook(kind)).unwrap_or_default();
        (hook, world.session(suit_id).map(|session| session.id.clone()))
    };
    envelope.entry("id").or_insert_with(|| format!("evt_{}", uuid()).into());
    envelope.entry("timestamp").or_insert_with(|| clock::now_s().into());
    envelope.entry("suit_id").or_insert_with(|| suit_id.into());
    if let (Kind::WhatsApp, Some(session)) = (kind, session) {
        envelope.entry("session").or_insert_with(|| session.into());
    }
    let Some(url) = hook.url else {
        return Delivery::nowhere("no webhook: a session's comes with it, SMS's and push's are set by set_webhook or /_standin/webhook");
    };
    let parcel =
        Parcel { event, delivery: uuid(), url, secret: hook.secret.unwrap_or_default(), body: Value::Object(envelope).to_string() };
    let delivery = attempt(server, &parcel).await;
    if !delivery.delivered {
        let again = Arc::clone(server);
        tokio::spawn(async move {
            let stop = again.desk.stop.clone();
            stop.run_until_cancelled(retry(&again, &parcel)).await
        });
    }
    delivery
}

struct Parcel {
    event: String,
    /// The same in every attempt.
    delivery: String,
    url: String,
    secret: String,
    body: String,
}

async fn retry(server: &Server, parcel: &Parcel) {
    for failed in 0..server.options.webhook_retries {
        sleep(gap(server.options.webhook_gap, failed)).await;
        if attempt(server, parcel).await.delivered {
            return;
        }
    }
}

/// Signed with the time of the attempt, so that a late one isn't taken for a replay.
async fn attempt(server: &Server, parcel: &Parcel) -> Delivery {
    let timestamp = clock::now_s().to_string();
    let mut headers = vec![(header::USER_AGENT, "appgain-webhooks/1.0".to_owned())];
    headers.extend([(EVENT, parcel.event.clone()), (TIMESTAMP, timestamp.clone()), (DELIVERY, parcel.delivery.clone())]);
    if !parcel.secret.is_empty() {
        headers.push((SIGNATURE, signature(&parcel.secret, &timestamp, parcel.body.as_bytes())));
    }
    headers.push((header::CONTENT_TYPE, "application/json".to_owned()));
    let headers: Vec<_> =
        headers.into_iter().filter_map(|(name, value)| HeaderValue::from_str(&value).ok().map(|value| (name, value))).collect();
    server.desk.knock(Method::POST, &parcel.url, &headers, Bytes::from(parcel.body.clone())).await
}

/// Several events of one send, after each other, once its answer is out.
pub(crate) fn push_later(server: &Arc<Server>, suit_id: &str, event: &'static str, payloads: Vec<Value>) {
    if payloads.is_empty() {
        return;
    }
    let delay_ms = server.knobs.lock().event_delay_ms;
    let (server, suit_id) = (Arc::clone(server), suit_id.to_owned());
    tokio::spawn(async move {
        crate::desk::pause(delay_ms).await;
        for payload in payloads {
            push(&server, &suit_id, event, payload).await;
        }
    });
}

/// An ack of a message that the session sent.
pub(crate) fn ack(id: &str, client_ref: Option<&str>, ack: i64) -> Value {
    let name = match ack {
        ..0 => "ERROR",
        0 => "PENDING",
        1 => "SERVER",
        2 => "DEVICE",
        3 => "READ",
        _ => "PLAYED",
    };
    let mut payload = json!({"id": id, "ack": ack, "ackName": name});
    if let Some(client_ref) = client_ref {
        payload["client_ref"] = client_ref.into();
    }
    payload
}

/// A receipt of an SMS.
pub(crate) fn sms_status(client_ref: Option<&str>, number: &str, status: &str) -> Value {
    let code = if matches!(status, "DELIVRD" | "ENROUTE" | "ACCEPTD") { "000" } else { "001" };
    let mut payload = json!({"mobileNum": number, "status": status, "code": code});
    if let Some(client_ref) = client_ref {
        payload["client_ref"] = client_ref.into();
    }
    payload
}

/// What a device tells of a push, and what Appgain tells where none can be reached (`failed`, with a reason).
pub(crate) fn push_status(client_ref: Option<&str>, user: &str, action: &str, value: &str, campaign: Option<&str>) -> Value {
    let mut payload = json!({"channel": "apppush", "action": {"name": action, "value": value}, "userId": user});
    if let Some(client_ref) = client_ref {
        payload["client_ref"] = client_ref.into();
    }
    if let Some(campaign) = campaign {
        payload["campaign_id"] = format!("c-{campaign}").into();
        payload["campaign_name"] = campaign.into();
    }
    payload
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[test]
    fn the_golden_vector_of_the_contract() {
        let body = br#"{"event":"message","session":"s_1","id":"evt_1"}"#;
        let told = "sha256=2b113333d41345df321f028ba9e7db2313f0fa231fa6cd11a5000b5dce6c0fed";
        assert_eq!(signature("whsec_demo", "1764000000", body), told);
    }
}
