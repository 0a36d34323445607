//! Connecting, health and receiving, against a scripted provider.

mod connecting;
mod receiving;

use patchbay_plugin::testing::{self, Provider};
use patchbay_plugin::{Call, Field};
use serde_json::{Value, json};

const BUSINESS: &str = "biz_open_id_1";
const APP: &str = "7300000000000000001";
const NOW_MS: i64 = 1_764_000_600_000;
const HOOK: &str = "https://g.example/webhooks/apps/a";

fn call(external_id: Option<&str>, settings: &Value) -> Call {
    let mut call = testing::call(external_id, settings);
    call.extras = vec![Field::new("app.client_id", APP), Field::new("now_ms", format!("{NOW_MS}")), Field::new("webhook_url", HOOK)];
    call
}

fn ok(data: &Value) -> Value {
    json!({"code": 0, "message": "OK", "request_id": "r", "data": data})
}

fn no(code: i64) -> Value {
    json!({"code": code, "message": "no", "request_id": "r"})
}

fn token(provider: &Provider, scope: &str) {
    provider.on("POST token /tt_user/token_info/get/").answer(200, &ok(&json!({"app_id": APP, "scope": scope, "creator_id": BUSINESS})));
}

fn profile(provider: &Provider) {
    let data = json!({"username": "acme", "display_name": "Acme Shop", "profile_image": "https://p16.tiktokcdn.com/a.jpg"});
    provider.on("GET api /business/get/").answer(200, &ok(&data));
}

fn registered(provider: &Provider, url: &str) {
    let data = if url.is_empty() { json!({}) } else { json!({"app_id": APP, "event_type": "DIRECT_MESSAGE", "callback_url": url}) };
    provider.on("GET webhooks /business/webhook/list/").answer(200, &ok(&data));
}

const ALL: &str = "user.info.basic,message.list.read,message.list.send,message.list.manage";
