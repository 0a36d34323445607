//! Connecting, health, sending, receiving and files, against a scripted provider.

mod connecting;
mod health;
mod media;
mod receiving;
mod sending;

use patchbay_plugin::testing::{self, Provider};
use patchbay_plugin::{Call, Failure, Field};
use serde_json::{Value, json};

const SESSION: &str = "/5db9/uowhatsapp/session";

fn settings() -> Value {
    json!({
        "suit_id": "5db9",
        "sender_id": "sales",
        "phone_number": "+201220000000",
        "templates": [
            {"name": "ready", "language": "en", "text": "Hello {{name}}, order {{1}} is ready."},
            {"name": "ready", "language": "ar", "text": "مرحبا {{name}}"},
        ],
    })
}

/// The settings with others in their place.
fn with(changed: &Value) -> Value {
    let mut settings = settings();
    for (name, value) in changed.as_object().into_iter().flatten() {
        settings[name] = value.clone();
    }
    settings
}

fn call(settings: &Value) -> Call {
    let mut call = testing::call(Some("201220000000"), settings);
    call.extras.push(Field::new("now_ms", "1764000000000"));
    call
}

fn session(provider: &Provider, status: &str, me: Option<&str>) {
    let told = json!({"session": "s_1", "status": status, "me": me.map(|id| json!({"id": id, "pushName": "Shop"})),
        "quota": {"limit": 300, "used": 12, "resets_at": "2025-11-25T00:00:00Z"}});
    provider.on(&format!("GET api {SESSION}")).answer(200, &told);
}

/// The class of a failure, and its code.
fn class(failure: &Failure) -> (&'static str, &str) {
    let code = failure.detail().map_or("", |detail| detail.code.as_str());
    let class = match failure {
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
    };
    (class, code)
}
