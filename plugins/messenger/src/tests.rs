//! Connecting, health, sending and receiving, against a scripted provider.

mod connecting;
mod health;
mod receiving;
mod sending;

use patchbay_plugin::testing::{self, Provider};
use patchbay_plugin::{Call, Failure, Field};
use serde_json::{Value, json};

const PAGE: &str = "100000000000001";
const PERSON: &str = "200000000000001";
const NOW_MS: f64 = 1_790_000_000_000.0;

/// A call for the account with an app.
fn call(external_id: Option<&str>, settings: &Value) -> Call {
    let mut call = testing::call(external_id, settings);
    call.extras = vec![Field::new("app.client_id", "1"), Field::new("now_ms", format!("{NOW_MS}"))];
    call
}

fn refusal(code: i64, subcode: i64) -> Value {
    json!({"error": {"message": "no", "type": "OAuthException", "code": code, "error_subcode": subcode, "fbtrace_id": "A"}})
}

fn fields() -> Value {
    json!(crate::settings::Settings::default().subscribed_fields)
}

fn page_token(provider: &Provider) {
    let data = json!({"app_id": "1", "type": "PAGE", "is_valid": true, "expires_at": 0, "user_id": "218471",
        "scopes": ["pages_messaging", "pages_manage_metadata"]});
    provider.on("GET debug_page /v26.0/debug_token").answer(200, &json!({"data": data}));
}

fn subscribed(provider: &Provider, fields: &Value) {
    let route = format!("GET page /v26.0/{PAGE}/subscribed_apps");
    provider.on(&route).answer(200, &json!({"data": [{"id": "1", "name": "App", "subscribed_fields": fields}]}));
}

fn subscribes(provider: &Provider) {
    provider.on(&format!("POST page /v26.0/{PAGE}/subscribed_apps")).answer(200, &json!({"success": true}));
}

fn code(failure: &Failure) -> &str {
    failure.detail().map_or("invalid", |detail| &detail.code)
}
