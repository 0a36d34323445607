//! Connecting, health, sending and receiving, against a scripted provider.

mod connecting;
mod receiving;
mod sending;

use patchbay_plugin::testing::{self, Provider};
use patchbay_plugin::{Failure, Field};
use serde_json::{Value, json};

fn settings() -> Value {
    json!({"suit_id": "5db9"})
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
