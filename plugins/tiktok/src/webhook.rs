//! The app's webhook: one address for all of its accounts.

use patchbay_plugin::http::Request;
use patchbay_plugin::{Call, Failure, log};
use serde_json::{Value, json};

use crate::api::{self, Trouble};
use crate::json::Json as _;
use crate::refusal::Class;
use crate::settings::app_id;

const EVENTS: &str = "DIRECT_MESSAGE";

/// Where TikTok delivers now. The app's secret goes along in the query: the gateway adds it, and writes it down nowhere.
pub(crate) fn read(call: &Call) -> Result<Option<String>, Failure> {
    let ask = Request::get("webhooks", "/business/webhook/list/").query("app_id", app_id(call)?).query("event_type", EVENTS);
    let told = match api::ask(ask) {
        // There is none.
        Err(Trouble::Refused(refusal)) if refusal.code != 0 && refusal.class() == Class::Recipient => return Ok(None),
        told => told?,
    };
    let listed = ["webhooks", "list"].into_iter().flat_map(|name| told.list(name));
    Ok(std::iter::once(&told).chain(listed).find_map(of_messages))
}

fn of_messages(told: &Value) -> Option<String> {
    let other = told.text("event_type").is_some_and(|kind| kind != EVENTS);
    told.text("callback_url").filter(|_| !other).map(str::to_owned)
}

/// Sets it only where it is another: connecting a second account changes nothing.
pub(crate) fn register(call: &Call, url: &str) -> Result<(), Failure> {
    let registered = match read(call) {
        // What can't be read can be set all the same.
        Err(Failure::Rejected(detail)) => {
            log::info("TikTok doesn't tell where it delivers this app's messages", &[("code", &detail.code)]);
            None
        }
        registered => registered?,
    };
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
