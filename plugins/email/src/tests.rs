//! Connecting, health, settings, previews and sending, against a scripted mail server.

mod configuring;
mod connecting;
mod sending;

use patchbay_plugin::testing;
use patchbay_plugin::{Call, Failure, Field};
use serde_json::{Value, json};

/// The id of every message of the SDK's, and its letter's.
const OURS: &str = "019a0000-0000-7000-8000-0000000000aa";
const LETTER: &str = "019a0000-0000-7000-8000-0000000000aa@acme.test";

/// As `configure` leaves them.
fn settings() -> Value {
    json!({
        "email_address": "support@acme.test", "display_name": "Acme Support",
        "smtp_host": "smtp.acme.test", "smtp_port": 587, "smtp_auth": "plain",
        "imap_host": "imap.acme.test", "imap_port": 993, "imap_auth": "plain",
        "max_attachment_bytes": 18_874_368,
    })
}

fn call(settings: &Value) -> Call {
    Call { extras: vec![Field::new("now_ms", "1795334400000")], ..testing::call(Some("support@acme.test"), settings) }
}

/// Each wrong field, in order.
fn pointers(failure: &Failure) -> Vec<&str> {
    match failure {
        Failure::Invalid(problems) => problems.iter().map(|problem| problem.pointer.as_str()).collect(),
        other => panic!("not invalid: {other:?}"),
    }
}
