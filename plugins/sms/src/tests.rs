//! Connecting, health, sending and receiving, against a scripted provider.

mod configuring;
mod connecting;
mod health;
mod previewing;
mod receiving;
mod sending;

use patchbay_plugin::messages::{Command, Content, Outbound, Text};
use patchbay_plugin::testing::{self, Provider};
use patchbay_plugin::{Call, Failure, Field};
use serde_json::{Value, json};

/// The id of every message of the SDK's.
const OURS: &str = "019a0000-0000-7000-8000-0000000000aa";
const WEBHOOK: &str = "https://gw.example/webhooks/a1/k9";
const NUMBER: &str = "+201001383533";

const SEND: &str = "POST victorylink /NewSendingAPI/api/SMSSender/SendSMS";
const SEND_WITH_RECEIPTS: &str = "POST victorylink /NewSendingAPI/api/SMSSender/SendSMSWithDLR";
const CREDIT: &str = "POST victorylink /CheckCreditApi/api/CheckCredit";
const NOTIFY: &str = "POST notify /5db9/send";
const PROBE: &str = "GET probe /user_log_event/5db9/__probe";

fn victorylink() -> Value {
    json!({"provider": "victorylink", "username": "acme", "sender_id": "ACME"})
}

fn appgain() -> Value {
    json!({"provider": "appgain_notify", "suit_id": "5db9"})
}

fn call(settings: &Value) -> Call {
    Call { extras: vec![Field::new("webhook_url", WEBHOOK)], ..testing::call(Some("acme/ACME"), settings) }
}

fn message(to: &str, text: &str) -> Outbound {
    testing::outbound(to, Command::Message(vec![Content::Text(Text::plain(text))]))
}

/// An answer of VictoryLink's.
fn answers(provider: &Provider, route: &str, bodies: &[&str]) {
    for body in bodies {
        provider.on(route).answer_bytes(200, "application/json", *body);
    }
}

/// The quirk of Notify's: a key that it doesn't know.
fn wrong_key() -> Value {
    json!({"exception": "'NoneType' object has no attribute 'api_key'", "message": "something went wrong", "status": "Failed"})
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
