//! Webhooks on their way: the challenge before, signed, again and again until they are taken.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use bytes::Bytes;
use ring::hmac::{self, Key};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::linkedin::posts::text;
use crate::linkedin::server::Server;
use crate::linkedin::world::World;

const SIGNATURE: HeaderName = HeaderName::from_static("x-li-signature");
/// Part of what is signed, and of the header only where a knob says so.
const PREFIX: &str = "hmacsha256=";
const CHALLENGE_WITHIN: Duration = Duration::from_secs(3);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const BATCH_MAX: usize = 10;
/// So many challenges that fail one after the other block a URL.
const FAILURES_MAX: u32 = 3;

/// How the first attempt went; of several posts the first that wasn't taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Delivery {
    /// Empty where nobody has subscribed.
    pub url: String,
    /// Whether all was taken (2xx).
    pub delivered: bool,
    /// What was answered.
    pub status: Option<u16>,
    /// Why there is no answer.
    pub note: Option<String>,
    /// POSTs: each has ten notifications at most.
    pub posts: usize,
}

fn hmac_hex(secret: &str, message: &[u8]) -> String {
    hex::encode(hmac::sign(&Key::new(hmac::HMAC_SHA256, secret.as_bytes()), message))
}

/// The value of `X-LI-Signature` for this body.
#[must_use]
pub fn signature(client_secret: &str, body: &[u8]) -> String {
    hmac_hex(client_secret, &[PREFIX.as_bytes(), body].concat())
}

/// What the challenge has to be answered with.
#[must_use]
pub fn challenge_response(client_secret: &str, code: &str) -> String {
    hmac_hex(client_secret, code.as_bytes())
}

/// Takes a URL as the app's own webhook, where it answers.
pub(crate) async fn register(server: &Server, url: &str) -> Result<(), String> {
    validated(server, url).await?;
    server.world.lock().webhook = Some(url.to_owned());
    Ok(())
}

/// Whether the URL answers the challenge, within three seconds.
pub(crate) async fn validated(server: &Server, url: &str) -> Result<(), String> {
    let Ok(mut target) = url::Url::parse(url) else { return Err(format!("{url:?} is no URL")) };
    let loopback = target.host_str().is_some_and(|host| host == "localhost" || host.starts_with("127."));
    if target.scheme() != "https" && !loopback {
        return Err("Webhook URL has to be https".into());
    }
    let (secret, client_id) = {
        let world = server.world.lock();
        (world.app.client_secret.clone(), world.app.client_id.clone())
    };
    let code = code(server.next_number());
    target.query_pairs_mut().append_pair("challengeCode", &code).append_pair("applicationId", &client_id);
    let answer = server.poster.send(Method::GET, target.as_str(), &[], Bytes::new(), CHALLENGE_WITHIN).await;
    let posted = answer.map_err(|error| format!("Webhook validation failed: {error}"))?;
    let json = posted
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/json"));
    let told: Value = serde_json::from_slice(&posted.body).unwrap_or_default();
    let right = text(&told, "challengeCode") == code && text(&told, "challengeResponse") == challenge_response(&secret, &code);
    if posted.status.as_u16() == 200 && json && right {
        return Ok(());
    }
    Err(format!(
        "Webhook validation failed: HTTP {}, content type application/json: {json}, challengeResponse right: {right}",
        posted.status.as_u16()
    ))
}

/// Looks like a UUID.
fn code(number: u64) -> String {
    let digits = format!("{number:032x}");
    let cut = |from: usize, to: usize| digits.get(from..to).unwrap_or_default().to_owned();
    [cut(0, 8), cut(8, 12), cut(12, 16), cut(16, 20), cut(20, 32)].join("-")
}

/// The challenge of every two hours. Answers what failed.
pub(crate) async fn validate(server: &Server) -> Vec<String> {
    let urls = {
        let world = server.world.lock();
        let mut urls: Vec<String> = world.webhook.iter().chain(world.subscriptions.values()).cloned().collect();
        urls.sort();
        urls.dedup();
        urls
    };
    let mut failed = Vec::new();
    for url in urls {
        let right = validated(server, &url).await.is_ok();
        let mut world = server.world.lock();
        let count = world.challenges_failed.entry(url.clone()).or_default();
        *count = if right { 0 } else { *count + 1 };
        if !right {
            failed.push(url);
        }
    }
    failed
}

/// Posts the notifications to where their entities' events go, ten at a time.
pub(crate) async fn push(server: &Arc<Server>, payload: &Value) -> Delivery {
    let parcels = {
        let mut world = server.world.lock();
        learn(&mut world, payload);
        pack(&world, payload)
    };
    if parcels.is_empty() {
        let note = "nobody is subscribed: POST /_standin/webhook, or PUT /rest/eventSubscriptions/…, and a payload with notifications";
        return Delivery { note: Some(note.into()), ..Delivery::default() };
    }
    let posts = parcels.len();
    let mut told: Option<Delivery> = None;
    for (url, notifications) in parcels {
        let body = json!({"type": payload["type"], "notifications": notifications}).to_string();
        let delivery = attempt(server, &url, &body).await;
        if !delivery.delivered && delivery.status.is_some() | delivery.note.is_some() && server.options.webhook_retries > 0 {
            let again = Arc::clone(server);
            tokio::spawn(async move {
                let stop = again.stop.clone();
                stop.run_until_cancelled(retry(&again, &url, &body)).await
            });
        }
        if told.as_ref().is_none_or(|told| told.delivered) {
            told = Some(delivery);
        }
    }
    Delivery { posts, ..told.unwrap_or_default() }
}

async fn retry(server: &Server, url: &str, body: &str) {
    for _ in 0..server.options.webhook_retries {
        sleep(server.options.webhook_gap).await;
        if attempt(server, url, body).await.delivered {
            return;
        }
    }
}

async fn attempt(server: &Server, url: &str, body: &str) -> Delivery {
    let (secret, blocked) = {
        let world = server.world.lock();
        (world.app.client_secret.clone(), world.challenges_failed.get(url).is_some_and(|count| *count >= FAILURES_MAX))
    };
    let told =
        |delivered: bool, status: Option<u16>, note: Option<String>| Delivery { url: url.to_owned(), delivered, status, note, posts: 1 };
    if blocked {
        return told(false, None, Some("the endpoint is blocked: three challenges failed".into()));
    }
    let prefix = if server.knobs().prefixed_signature { PREFIX } else { "" };
    let signature = HeaderValue::from_str(&format!("{prefix}{}", signature(&secret, body.as_bytes())));
    let headers: Vec<_> = signature.ok().map(|value| (SIGNATURE, value)).into_iter().collect();
    match server.poster.post(url, &headers, Bytes::from(body.to_owned()), ANSWER_WITHIN).await {
        Ok(posted) => told(posted.status.is_success(), Some(posted.status.as_u16()), None),
        Err(error) => told(false, None, Some(error)),
    }
}

fn pack(world: &World, payload: &Value) -> Vec<(String, Vec<Value>)> {
    let mut parcels: Vec<(String, Vec<Value>)> = Vec::new();
    for notification in payload["notifications"].as_array().into_iter().flatten() {
        let entity =
            ["organizationalEntity", "owner", "subscriber"].into_iter().map(|name| text(notification, name)).find(|urn| !urn.is_empty());
        let Some(url) = entity.and_then(|entity| world.subscriptions.get(entity)).or(world.webhook.as_ref()) else { continue };
        match parcels.iter_mut().find(|(known, batch)| known == url && batch.len() < BATCH_MAX) {
            Some((_, batch)) => batch.push(notification.clone()),
            None => parcels.push((url.clone(), vec![notification.clone()])),
        }
    }
    parcels
}

/// What a webhook speaks of is there from then on: posts can be commented, threads answered.
fn learn(world: &mut World, value: &Value) {
    match value {
        Value::String(text) if text.starts_with("urn:li:") => {
            world.seen.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| learn(world, item)),
        Value::Object(fields) => fields.values().for_each(|field| learn(world, field)),
        _ => {}
    }
}
