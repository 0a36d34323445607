//! Configuring, connecting, previews, sending and receiving, against scripted push services and a browser that decrypts.

mod browser;
mod configuring;
mod connecting;
mod previewing;
mod receiving;
mod sending;

use patchbay_plugin::messages::{Command, Content, Notification, Outbound, Row, Subscription};
use patchbay_plugin::testing::{self, Provider};
use patchbay_plugin::{Call, Failure, Field};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

use crate::endpoint;

/// The id of every message of the SDK's.
const OURS: &str = "019a0000-0000-7000-8000-0000000000aa";
const ACCOUNT: &str = "019a0000-0000-7000-8000-000000000001";
const NOW_S: u64 = 1_764_000_000;

const CHROME: &str = "https://fcm.googleapis.com/fcm/send/c1";
const CHROME_TOO: &str = "https://fcm.googleapis.com/fcm/send/c2";
const FIREFOX: &str = "https://updates.push.services.mozilla.com/wpush/v2/f1";

fn settings() -> Value {
    json!({"vapid_subject": "mailto:push@example.com", "site_origins": ["https://www.example.com"]})
}

/// A world with the account's secrets.
fn world() -> Provider {
    let world = Provider::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    world.secret("vapid_private_key", key.as_ref());
    world.secret("track_key", "track-key");
    world
}

fn call(settings: &Value) -> Call {
    let extras =
        vec![Field::new("webhook_url", format!("https://gw.example/webhooks/{ACCOUNT}")), Field::new("now_ms", (NOW_S * 1000).to_string())];
    Call { extras, ..testing::call(None, settings) }
}

fn notification() -> Notification {
    Notification {
        title: "Order 7".into(),
        body: "It is on its way".into(),
        icon: None,
        image: None,
        badge: None,
        url: None,
        actions: Vec::new(),
        data: None,
        ttl_s: None,
        urgency: None,
        topic: None,
    }
}

fn row(id: &str, title: &str, url: Option<&str>) -> Row {
    Row { id: id.into(), title: title.into(), description: url.map(str::to_owned) }
}

/// A message to the devices with these endpoints, all of which have the keys of RFC 8291's example.
fn message(notification: Notification, endpoints: &[&str]) -> Outbound {
    let subscriptions = endpoints.iter().map(|endpoint| subscription(endpoint)).collect();
    let command = Command::Message(vec![Content::Notification(notification)]);
    Outbound { subscriptions, ..testing::outbound("mona", command) }
}

fn subscription(endpoint: &str) -> Subscription {
    Subscription {
        id: endpoint::id(endpoint),
        endpoint: endpoint.to_owned(),
        keys: vec![Field::new("p256dh", browser::PUBLIC), Field::new("auth", browser::AUTH)],
        active: true,
        extras: Vec::new(),
    }
}

/// Where a push to the endpoint goes.
fn push(endpoint: &str) -> String {
    format!("POST push {endpoint}")
}

fn class(failure: &Failure) -> &'static str {
    match failure {
        Failure::Invalid(_) => "invalid",
        Failure::Unauthorized(_) => "unauthorized",
        Failure::Forbidden(_) => "forbidden",
        Failure::Limited(_) => "limited",
        Failure::Unavailable(_) => "unavailable",
        Failure::Uncertain(_) => "uncertain",
        Failure::Recipient(_) => "recipient",
        Failure::WindowClosed(_) => "window_closed",
        Failure::Rejected(_) => "rejected",
        Failure::Unsupported(_) => "unsupported",
        Failure::Fault(_) => "fault",
    }
}

fn code(failure: &Failure) -> &str {
    failure.detail().map_or("", |detail| &detail.code)
}

/// Each wrong field, in order.
fn pointers(failure: &Failure) -> Vec<&str> {
    match failure {
        Failure::Invalid(problems) => problems.iter().map(|problem| problem.pointer.as_str()).collect(),
        other => panic!("not invalid: {other:?}"),
    }
}
