//! What Telegram knows against the account. It isn't told the time, so "recent" is what the gateway makes of `last_error_date`.

use patchbay_plugin::failure::Detail;
use patchbay_plugin::hooks::Check;
use patchbay_plugin::{Call, Failure, Fields as _};
use serde_json::Value;

use crate::api::{self, parameters};
use crate::json::Json as _;
use crate::settings::{Mode, Settings};

/// Updates that wait although the webhook is called at once: somebody doesn't take them.
const PENDING_MAX: i64 = 100;

pub(crate) fn checks(call: &Call) -> Result<Vec<Check>, Failure> {
    let settings: Settings = call.settings()?;
    let bot = api::repeat("getMe", &parameters! {})?;
    let info = api::repeat("getWebhookInfo", &parameters! {})?;
    let mut checks = vec![Check::ok("token"), identity(call, &bot), webhook(settings.mode, call.extras.value("webhook_url"), &info)];
    if settings.mode == Mode::Webhook {
        checks.push(delivery(&info));
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

/// Telegram keeps the last error for ever; one with nothing waiting behind it is over.
fn delivery(info: &Value) -> Check {
    let (Some(date), waiting) = (info.id("last_error_date"), info.whole("pending_update_count").unwrap_or_default()) else {
        return Check::ok("delivery");
    };
    let detail = Detail::new("last_error", info.text("last_error_message").unwrap_or("Telegram could not deliver"))
        .with("last_error_date", date)
        .with("pending_update_count", waiting.to_string());
    Check { name: "delivery".into(), ok: waiting == 0, detail: Some(detail) }
}

fn pending(info: &Value) -> Check {
    let waiting = info.whole("pending_update_count").unwrap_or_default();
    if waiting <= PENDING_MAX {
        return Check::ok("pending");
    }
    Check::failed(
        "pending",
        Detail::new("pending_updates", format!("{waiting} updates wait at Telegram")).with("count", waiting.to_string()),
    )
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
