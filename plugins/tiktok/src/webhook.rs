//! The app's webhook: one address for all of its accounts.

use patchbay_plugin::http::Request;
use patchbay_plugin::{Call, Failure, log};
use serde_json::{Value, json};

use crate::api;
use crate::json::Json as _;
use crate::settings::app_id;

const EVENTS: &str = "DIRECT_MESSAGE";

/// Where TikTok delivers now. The app's secret goes along in the query: the gateway adds it, and writes it down nowhere.
pub(crate) fn read(call: &Call) -> Result<Option<String>, Failure> {
    let ask = Request::get("webhooks", "/business/webhook/list/").query("app_id", app_id(call)?).query("event_type", EVENTS);
    let told = api::ask(ask)?;
    let listed = ["webhooks", "list"].into_iter().flat_map(|name| told.list(name));
    Ok(std::iter::once(&told).chain(listed).find_map(of_messages))
}

fn of_messages(told: &Value) -> Option<String> {
    let other = told.text("event_type").is_some_and(|kind| kind != EVENTS);
    told.text("callback_url").filter(|_| !other).map(str::to_owned)
}

/// Sets it only where it is another: connecting a second account changes nothing.
pub(crate) fn register(call: &Call, url: &str) -> Result<(), Failure> {
    let registered = read(call)?;
    if registered.as_deref() == Some(url) {
        return Ok(());
    }
    if let Some(before) = registered {
        log::warn("TikTok delivered this app's messages elsewhere", &[("before", &before), ("now", url)]);
    }
    let body = json!({"app_id": app_id(call)?, "event_type": EVENTS, "callback_url": url});
    api::ask(Request::post("webhook", "/business/webhook/update/").json(&body)?.repeatable())?;
    Ok(())
}
