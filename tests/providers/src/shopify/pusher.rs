//! Webhooks on their way: signed as Shopify signs them, with its headers, again and again until they are taken.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ring::hmac::{self, Key};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::shopify::server::Server;

/// Connecting and answering together.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const VERSION: &str = "2026-07";

/// How the first attempt went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delivery {
    /// The shop's domain.
    pub shop: String,
    /// What it was about: `inbox/message_created`.
    pub topic: String,
    /// Where it was posted to; empty where nobody wants it.
    pub url: String,
    /// Whether it was taken (2xx).
    pub delivered: bool,
    /// What was answered.
    pub status: Option<u16>,
    /// Why there is no answer.
    pub note: Option<String>,
    /// `X-Shopify-Webhook-Id`.
    pub webhook_id: String,
}

/// The value of `X-Shopify-Hmac-Sha256`: base64 of HMAC-SHA256.
#[must_use]
pub fn signature(secret: &str, body: &[u8]) -> String {
    STANDARD.encode(hmac::sign(&Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body))
}

/// Everything of one webhook: every attempt has the same ids.
struct Parcel {
    shop: String,
    topic: String,
    url: String,
    /// The subscription that is dropped where it is never taken.
    subscription: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    webhook_id: String,
    body: Bytes,
}

/// Pushes to whoever wants it. Of several subscriptions the last one's delivery is told.
pub(crate) async fn push(server: &Arc<Server>, shop: &str, topic: &str, payload: &Value) -> Delivery {
    learn(server, shop, topic, payload);
    let mut delivery = Delivery {
        shop: shop.to_owned(),
        topic: topic.to_owned(),
        url: String::new(),
        delivered: false,
        status: None,
        note: Some("nobody wants it: subscribe to the topic, or set the chat's webhook".into()),
        webhook_id: String::new(),
    };
    for (url, subscription) in places(server, shop, topic) {
        let parcel = parcel(server, shop, topic, &url, subscription, payload);
        delivery = attempt(server, &parcel).await;
        if !delivery.delivered && server.options.webhook_retries > 0 {
            let again = Arc::clone(server);
            tokio::spawn(async move {
                let stop = again.stop.clone();
                stop.run_until_cancelled(retry(&again, &parcel)).await
            });
        }
    }
    delivery
}

/// The app is taken out. Its subscriptions go with it, after the last word.
pub(crate) async fn uninstall(server: &Arc<Server>, shop: &str) -> Delivery {
    let id = server.world.lock().shop(shop).map(|shop| shop.id).unwrap_or_default();
    let delivery = push(server, shop, "app/uninstalled", &json!({"id": id, "myshopify_domain": shop, "domain": shop})).await;
    let mut world = server.world.lock();
    world.drop_subscriptions(shop);
    world.minted.retain(|_, minted| minted.shop != shop);
    if let Some(shop) = world.shop_mut(shop) {
        shop.admin_token = None;
    }
    delivery
}

/// What is told of conversations is true for this server from then on.
fn learn(server: &Server, shop: &str, topic: &str, payload: &Value) {
    let Some(id) = payload["conversation"]["id"].as_str() else { return };
    let place = (shop.to_owned(), id.to_owned());
    let mut world = server.world.lock();
    match topic {
        "inbox/message_created" => {
            world.closed.remove(&place);
            world.known.insert(place);
        }
        "inbox/conversation_closed" => {
            world.closed.insert(place);
        }
        _ => {}
    }
}

/// Addresses, with the subscription where there is one.
fn places(server: &Server, shop: &str, topic: &str) -> Vec<(String, Option<String>)> {
    let world = server.world.lock();
    let own = world.subscriptions.iter().filter(|subscription| subscription.shop == shop);
    if topic.starts_with("inbox/") {
        // It isn't Shopify that sends these, so there is no subscription of them.
        let set = world.webhooks.get(shop).cloned().or_else(|| own.map(|subscription| subscription.uri.clone()).next());
        return set.into_iter().map(|url| (url, None)).collect();
    }
    let word = topic.replace('/', "_").to_uppercase();
    let found: Vec<_> = own.filter(|subscription| subscription.topic == word).map(|one| (one.uri.clone(), Some(one.id.clone()))).collect();
    // Those that the law asks for are set in the app, not subscribed to.
    if found.is_empty() && matches!(topic, "customers/data_request" | "customers/redact" | "shop/redact") {
        return world.webhooks.get(shop).map(|url| (url.clone(), None)).into_iter().collect();
    }
    found
}

fn parcel(server: &Server, shop: &str, topic: &str, url: &str, subscription: Option<String>, payload: &Value) -> Parcel {
    let body = payload.to_string();
    let knobs = server.knobs();
    let secret = server.world.lock().shop(shop).map(|shop| match &shop.previous_secret {
        Some(previous) if knobs.old_secret => previous.clone(),
        _ => shop.client_secret.clone(),
    });
    let webhook_id = format!("wh-{:x}-{:x}", server.now_ms(), server.next_number());
    let told = [
        ("topic", topic.to_owned()),
        ("hmac-sha256", signature(&secret.unwrap_or_default(), body.as_bytes())),
        ("shop-domain", shop.to_owned()),
        ("api-version", VERSION.to_owned()),
        ("webhook-id", webhook_id.clone()),
        ("event-id", format!("ev-{:x}", server.next_number())),
        ("triggered-at", server.now_text()),
    ];
    let prefix = if knobs.bare_headers { "shopify-" } else { "x-shopify-" };
    let mut headers = vec![
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::USER_AGENT, HeaderValue::from_static("Shopify-Captain-Hook")),
    ];
    for (name, value) in told {
        headers.extend(HeaderName::try_from(format!("{prefix}{name}")).ok().zip(HeaderValue::from_str(&value).ok()));
    }
    Parcel {
        shop: shop.to_owned(),
        topic: topic.to_owned(),
        url: url.to_owned(),
        subscription,
        headers,
        webhook_id,
        body: Bytes::from(body),
    }
}

async fn attempt(server: &Server, parcel: &Parcel) -> Delivery {
    let answer = server.poster.send(Method::POST, &parcel.url, &parcel.headers, parcel.body.clone(), ANSWER_WITHIN).await;
    let (status, note) = match answer {
        Ok(posted) => (Some(posted.status.as_u16()), None),
        Err(error) => (None, Some(error)),
    };
    Delivery {
        shop: parcel.shop.clone(),
        topic: parcel.topic.clone(),
        url: parcel.url.clone(),
        delivered: status.is_some_and(|status| (200..300).contains(&status)),
        status,
        note,
        webhook_id: parcel.webhook_id.clone(),
    }
}

async fn retry(server: &Server, parcel: &Parcel) {
    for attempts in 0..server.options.webhook_retries {
        sleep(server.options.webhook_gap.saturating_mul(2_u32.saturating_pow(attempts))).await;
        if attempt(server, parcel).await.delivered {
            return;
        }
    }
    // Never taken: Shopify ends the subscription.
    if let Some(id) = &parcel.subscription {
        server.world.lock().subscriptions.retain(|known| known.id != *id);
    }
}
