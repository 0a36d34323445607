//! Where the gateway is and what time it is, as a call tells it.

use patchbay_plugin::{Call, Failure, Fields as _};

/// Where pages in browsers find this account: `<public url>/push/<account>`.
pub(crate) fn base(call: &Call) -> Result<String, Failure> {
    let webhook_url = call.extras.value("webhook_url").unwrap_or_default();
    base_beside(webhook_url, &call.account.id)
}

/// Webhooks go to the same gateway.
pub(crate) fn base_beside(webhook_url: &str, account: &str) -> Result<String, Failure> {
    let (gateway, _) =
        webhook_url.rsplit_once("/webhooks/").ok_or_else(|| Failure::fault("webhook_url", "the gateway doesn't say where it is"))?;
    Ok(format!("{gateway}/push/{account}"))
}

/// Milliseconds since 1970.
pub(crate) fn now_ms(call: &Call) -> Result<f64, Failure> {
    let now = call.extras.value("now_ms").and_then(|now| now.parse().ok());
    now.ok_or_else(|| Failure::fault("now_ms", "the gateway doesn't say what time it is"))
}
