//! What Telegram knows against the account.

use patchbay_plugin::failure::Detail;
use patchbay_plugin::hooks::Check;
use patchbay_plugin::{Call, Failure, Fields as _, kv, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::{self, parameters};
use crate::json::Json as _;
use crate::receive;
use crate::settings::{Mode, Settings};

/// Updates that wait although the webhook is called at once: somebody doesn't take them.
const PENDING_MAX: i64 = 100;
/// How often in a row the waiting updates may grow before somebody has to look.
const GROWTHS_MAX: u32 = 2;
const PENDING_KEY: &str = "health:pending";
/// Seconds for which a count says something about the next one: a day.
const PENDING_TTL_S: u32 = 24 * 60 * 60;
/// Milliseconds for which an error of a delivery counts: five minutes.
const RECENT_MS: f64 = 300_000.0;

pub(crate) fn checks(call: &Call) -> Result<Vec<Check>, Failure> {
    let settings: Settings = call.settings()?;
    let bot = api::repeat("getMe", &parameters! {})?;
    let info = api::repeat("getWebhookInfo", &parameters! {})?;
    let mut checks = vec![Check::ok("token"), identity(call, &bot), webhook(settings.mode, call.extras.value("webhook_url"), &info)];
    if settings.mode == Mode::Webhook {
        checks.push(delivery(&info, now_ms(call)));
        checks.push(pending(&info));
    }
    Ok(checks)
}

/// Another bot's token makes another account of it.
fn identity(call: &Call, bot: &Value) -> Check {
    match (&call.account.external_id, bot.id("id")) {
        (Some(known), Some(told)) if *known != told => {
            let words = format!("the token is of bot {told}, and the account of bot {known}: connect it again");
            Check::failed("identity", Detail::new("other_bot", words))
        }
        _ => Check::ok("identity"),
    }
}

/// `ours` is where the gateway wants the webhooks.
fn webhook(mode: Mode, ours: Option<&str>, info: &Value) -> Check {
    let url = info.text("url").unwrap_or_default();
    match mode {
        Mode::Webhook if url.is_empty() => {
            Check::failed("webhook", Detail::new("webhook_missing", "no webhook is set: connect the account again"))
        }
        Mode::Polling if !url.is_empty() => {
            let words = "a webhook is set by somebody, so nothing can be polled: connect the account again";
            Check::failed("webhook", Detail::new("webhook_active", words).with("url", url))
        }
        Mode::Webhook if ours.is_some_and(|ours| ours != url) => {
            let words = format!("Telegram sends to {url}, which isn't this gateway's address: connect the account again");
            Check::failed("webhook", Detail::new("webhook_elsewhere", words).with("url", url))
        }
        Mode::Webhook | Mode::Polling => Check::ok("webhook"),
    }
}

/// The gateway's clock, in milliseconds since 1970.
fn now_ms(call: &Call) -> Option<f64> {
    call.extras.value("now_ms")?.parse().ok()
}

/// Telegram keeps the last error for ever: one that isn't recent, with nothing waiting behind it, is over.
fn delivery(info: &Value, now_ms: Option<f64>) -> Check {
    let (Some(date), waiting) = (info.id("last_error_date"), info.whole("pending_update_count").unwrap_or_default()) else {
        return Check::ok("delivery");
    };
    let detail = Detail::new("last_error", info.text("last_error_message").unwrap_or("Telegram could not deliver"))
        .with("last_error_date", date)
        .with("pending_update_count", waiting.to_string());
    let at = receive::time_ms(info.whole("last_error_date"));
    let recent = now_ms.zip(at).is_some_and(|(now, at)| now - at < RECENT_MS);
    Check { name: "delivery".into(), ok: waiting == 0 && !recent, detail: Some(detail) }
}

fn pending(info: &Value) -> Check {
    let waiting = info.whole("pending_update_count").unwrap_or_default();
    let grows = Pending::grown(waiting);
    if waiting <= PENDING_MAX && !grows {
        return Check::ok("pending");
    }
    let words =
        if grows { format!("{waiting} updates wait at Telegram, more each time") } else { format!("{waiting} updates wait at Telegram") };
    Check::failed("pending", Detail::new("pending_updates", words).with("count", waiting.to_string()))
}

/// What the last check saw.
#[derive(Debug, Serialize, Deserialize)]
struct Pending {
    count: i64,
    /// How often in a row it grew.
    streak: u32,
}

impl Pending {
    /// Keeps the count for the next check; whether it has grown too often in a row.
    fn grown(count: i64) -> bool {
        let streak = match kv::get_json::<Self>(PENDING_KEY) {
            Some(last) if count > last.count => last.streak.saturating_add(1),
            _ => 0,
        };
        // Without its memory the check still sees a count that is too high.
        if let Err(failure) = kv::set_json(PENDING_KEY, &Self { count, streak }, Some(PENDING_TTL_S)) {
            log::warn("the count of waiting updates could not be kept", &[("failure", &failure.to_string())]);
        }
        streak >= GROWTHS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchbay_plugin::testing::{self, Provider};
    use serde_json::json;

    fn failing(settings: &Value, info: &Value) -> Vec<String> {
        let provider = Provider::new();
        provider.on("POST api /getMe").answer(200, &json!({"ok": true, "result": {"id": 42, "username": "b"}}));
        provider.on("POST api /getWebhookInfo").answer(200, &json!({"ok": true, "result": info}));
        let checks = checks(&testing::call(Some("42"), settings)).unwrap();
        checks.into_iter().filter(|check| !check.ok).map(|check| check.name).collect()
    }

    #[test]
    fn a_webhook_that_delivers_is_healthy() {
        assert!(failing(&json!({}), &json!({"url": "https://g.example/w", "pending_update_count": 3})).is_empty());
        assert!(failing(&json!({"mode": "polling"}), &json!({"url": "", "pending_update_count": 300})).is_empty());
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(failing(&json!({}), &json!({"url": ""})), ["webhook"]);
        assert_eq!(failing(&json!({"mode": "polling"}), &json!({"url": "https://else.example"})), ["webhook"]);
        let stuck = json!({"url": "https://g.example/w", "pending_update_count": 500, "last_error_date": 1_764_000_000, "last_error_message": "503"});
        assert_eq!(failing(&json!({}), &stuck), ["delivery", "pending"]);
    }

    #[test]
    fn an_error_of_the_last_minutes_counts_even_with_nothing_waiting() {
        let failing = |seconds_ago: i64| {
            let provider = Provider::new();
            provider.on("POST api /getMe").answer(200, &json!({"ok": true, "result": {"id": 42, "username": "b"}}));
            let info = json!({"url": "https://g.example/w", "pending_update_count": 0, "last_error_date": 1_764_000_000 - seconds_ago});
            provider.on("POST api /getWebhookInfo").answer(200, &json!({"ok": true, "result": info}));
            let mut call = testing::call(Some("42"), &json!({}));
            call.extras.push(patchbay_plugin::Field::new("now_ms", "1764000000000"));
            checks(&call).unwrap().iter().any(|check| check.name == "delivery" && !check.ok)
        };
        assert_eq!((failing(299), failing(301)), (true, false));
    }

    #[test]
    fn updates_that_wait_and_grow_twice_in_a_row_are_a_fault() {
        let provider = Provider::new();
        let ok = |waiting: i64| {
            provider.on("POST api /getMe").answer(200, &json!({"ok": true, "result": {"id": 42, "username": "b"}}));
            let info = json!({"url": "https://g.example/w", "pending_update_count": waiting});
            provider.on("POST api /getWebhookInfo").answer(200, &json!({"ok": true, "result": info}));
            checks(&testing::call(Some("42"), &json!({}))).unwrap().iter().all(|check| check.ok)
        };
        assert_eq!([3, 4, 5, 5, 6, 7, 0].map(ok), [true, true, false, true, true, false, true]);
    }

    #[test]
    fn a_webhook_that_somebody_has_moved_is_noticed() {
        let provider = Provider::new();
        provider.on("POST api /getMe").answer(200, &json!({"ok": true, "result": {"id": 42, "username": "b"}}));
        provider.on("POST api /getWebhookInfo").answer(200, &json!({"ok": true, "result": {"url": "https://else.example/w"}}));
        let mut call = testing::call(Some("42"), &json!({}));
        call.extras.push(patchbay_plugin::Field::new("webhook_url", "https://g.example/w"));
        let checks = checks(&call).unwrap();
        let webhook = checks.iter().find(|check| check.name == "webhook").unwrap();
        assert_eq!(webhook.detail.as_ref().map(|detail| detail.code.as_str()), Some("webhook_elsewhere"));
    }

    #[test]
    fn a_dead_token_is_a_failure_and_no_check() {
        let provider = Provider::new();
        provider.on("POST api /getMe").answer(401, &json!({"ok": false, "error_code": 401, "description": "Unauthorized"}));
        assert!(matches!(checks(&testing::call(Some("42"), &json!({}))), Err(Failure::Unauthorized(_))));
    }
}
