//! Webhooks on their way: content encoded twice, signed, again and again until they are answered with 200.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use bytes::Bytes;
use ring::hmac::{self, Key};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::tiktok::server::Server;

const SIGNATURE: HeaderName = HeaderName::from_static("tiktok-signature");
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const GAP_MAX: Duration = Duration::from_secs(60);
/// Milliseconds after which TikTok gives up: 72 hours.
const GIVES_UP_MS: u64 = 72 * 3_600_000;

/// How the first attempt of a webhook went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Where it was posted to; empty where no webhook is set.
    pub url: String,
    /// Whether it was taken: 200, and nothing else.
    pub delivered: bool,
    /// What was answered.
    pub status: Option<u16>,
    /// Why there is no answer.
    pub note: Option<String>,
    /// The id of the message in it; empty without one.
    pub message_id: String,
}

/// The value of `Tiktok-Signature` for a body at a time in seconds.
#[must_use]
pub fn signature(app_secret: &str, at_s: u64, body: &str) -> String {
    let key = Key::new(hmac::HMAC_SHA256, app_secret.as_bytes());
    format!("t={at_s},s={}", hex::encode(hmac::sign(&key, format!("{at_s}.{body}").as_bytes())))
}

/// Pushes to every app that has a webhook. The answer is that of the first.
pub(crate) async fn push(server: &Arc<Server>, event: &str, business_id: &str, content: &Value) -> Delivery {
    let targets: Vec<(String, String, String)> = {
        let world = server.world.lock();
        let target = |app: &crate::tiktok::accounts::App| {
            let url = world.webhooks.get(&(app.id.clone(), "DIRECT_MESSAGE".to_owned()))?;
            Some((app.id.clone(), app.secret.clone(), url.clone()))
        };
        world.apps.iter().filter_map(target).collect()
    };
    let message_id = content["message_id"].as_str().unwrap_or_default().to_owned();
    let mut first = None;
    for (app_id, secret, url) in targets {
        let create_time = server.now_ms() / 1000;
        let one = json!({"client_key": app_id, "event": event, "create_time": create_time, "user_openid": business_id, "content": content.to_string()});
        let body = if server.knobs().batched { json!({"events": [one]}) } else { one };
        let mut delivery = post(server, &secret, &url, body.to_string()).await;
        delivery.message_id.clone_from(&message_id);
        first.get_or_insert(delivery);
    }
    let note = "no app has a webhook for DIRECT_MESSAGE: POST /business/webhook/update/";
    first.unwrap_or_else(|| Delivery { note: Some(note.into()), message_id, ..Delivery::default() })
}

async fn post(server: &Arc<Server>, secret: &str, url: &str, body: String) -> Delivery {
    let delivery = attempt(server, secret, url, &body).await;
    if !delivery.delivered {
        let (again, secret, url) = (Arc::clone(server), secret.to_owned(), url.to_owned());
        tokio::spawn(async move {
            let stop = again.stop.clone();
            stop.run_until_cancelled(retry(&again, &secret, &url, &body)).await
        });
    }
    delivery
}

async fn retry(server: &Server, secret: &str, url: &str, body: &str) {
    let ends_ms = server.now_ms() + GIVES_UP_MS;
    let mut gap = server.options.webhook_gap;
    while server.now_ms() < ends_ms {
        sleep(gap).await;
        if attempt(server, secret, url, body).await.delivered {
            return;
        }
        gap = gap.saturating_mul(2).min(GAP_MAX);
    }
}

/// Each attempt is signed with its own time.
async fn attempt(server: &Server, secret: &str, url: &str, body: &str) -> Delivery {
    let at_s = (server.now_ms() / 1000).saturating_add_signed(server.knobs().signature_skew_s);
    let signed = HeaderValue::from_str(&signature(secret, at_s, body)).ok();
    let headers: Vec<_> = signed.map(|value| (SIGNATURE, value)).into_iter().collect();
    let (status, note) = match server.poster.post(url, &headers, Bytes::from(body.to_owned()), ANSWER_WITHIN).await {
        Ok(posted) => (Some(posted.status.as_u16()), None),
        Err(error) => (None, Some(error)),
    };
    Delivery { url: url.to_owned(), delivered: status == Some(200), status, note, message_id: String::new() }
}
