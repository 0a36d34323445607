//! Connecting by both doors, health with its renewal, sending and receiving, against a scripted provider.

mod connecting;
mod health;
mod receiving;
mod sending;

use patchbay_plugin::testing::{self, Provider};
use patchbay_plugin::{Call, Failure, Field};
use serde_json::{Value, json};

const ACCOUNT: &str = "17841400000000001";
const PAGE: &str = "100000000000001";
const PERSON: &str = "300000000000077";
const NOW_MS: f64 = 1_790_000_000_000.0;
const DAY_MS: f64 = 86_400_000.0;

/// A call for the account with an app, at that time.
fn call_at(external_id: Option<&str>, settings: &Value, now_ms: f64) -> Call {
    let mut call = testing::call(external_id, settings);
    call.extras = vec![Field::new("app.client_id", "1"), Field::new("now_ms", format!("{now_ms}"))];
    call
}

fn call(external_id: Option<&str>, settings: &Value) -> Call {
    call_at(external_id, settings, NOW_MS)
}

fn refusal(code: i64, subcode: i64) -> Value {
    json!({"error": {"message": "no", "type": "IGApiException", "code": code, "error_subcode": subcode}})
}

/// By Instagram's own door.
fn own() -> Value {
    json!({"login_type": "instagram"})
}

const FIELDS: [&str; 7] =
    ["messages", "messaging_postbacks", "messaging_seen", "message_reactions", "message_edit", "messaging_referral", "standby"];

/// The account's subscription stands.
fn subscribed(provider: &Provider) {
    let route = format!("GET instagram /v26.0/{ACCOUNT}/subscribed_apps");
    provider.on(&route).answer(200, &json!({"data": [{"app_id": "1", "subscribed_fields": FIELDS}]}));
}

/// The Page's subscription stands, for Messenger as well.
fn page_subscribed(provider: &Provider) {
    let fields = ["messages", "messaging_postbacks", "message_reactions", "messaging_referrals", "message_reads"];
    provider
        .on(&format!("GET page /v26.0/{PAGE}/subscribed_apps"))
        .answer(200, &json!({"data": [{"id": "1", "subscribed_fields": fields}]}));
}

fn page_token(provider: &Provider) {
    let data = json!({"is_valid": true, "expires_at": 0, "user_id": "218471", "scopes": ["instagram_basic", "instagram_manage_messages"]});
    provider.on("GET debug_page /v26.0/debug_token").answer(200, &json!({"data": data}));
}
