//! Acme Chat's API: its answers, and what its refusals mean to the gateway.

use patchbay_plugin::http::{Request, Response};
use patchbay_plugin::{Call, Failure, Fields as _};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// `GET /me`.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) plan: String,
    /// Where it sends what comes in.
    #[serde(default)]
    pub(crate) webhook_url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Envelope {
    #[serde(default)]
    error: Refusal,
}

#[derive(Debug, Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    /// Which field of the request is wrong.
    field: Option<String>,
}

pub(crate) fn me() -> Result<Workspace, Failure> {
    ask(Request::get("api", "/me"))
}

/// The address that this account's webhooks have to go to.
pub(crate) fn webhook_url(call: &Call) -> Option<&str> {
    call.extras.value("webhook_url")
}

/// Sends a request; the answer is a success that could be read, or a failure.
pub(crate) fn ask<T: DeserializeOwned>(request: Request) -> Result<T, Failure> {
    let response = request.send()?;
    if response.is_success() { Ok(response.json()?) } else { Err(failure(&response)) }
}

/// Each of the provider's refusals in the words of the gateway: the case says what happens next.
pub(crate) fn failure(response: &Response) -> Failure {
    // What a proxy answers is no JSON.
    let Refusal { code, message, field } = response.json::<Envelope>().unwrap_or_default().error;
    let status = response.status();
    let code = if code.is_empty() { status.to_string() } else { code };
    match (status, code.as_str()) {
        (401, _) => Failure::unauthorized(code, format!("{message}: make a new token in the workspace's settings")),
        (_, "blocked" | "unknown_recipient") => Failure::recipient(code, message),
        (_, "window_closed") => Failure::window_closed(code, format!("{message}: the person has to write first")),
        (403, _) => Failure::forbidden(code, format!("{message}: give the token that right in the workspace's settings")),
        (429, _) => Failure::limited(response.retry_after_ms(), code, message),
        (422, _) if field.as_deref() == Some("to") => Failure::invalid("/to", message),
        // A whole answer, though of 5xx, is the server's word that it did nothing.
        (500.., _) => Failure::unavailable(code, message),
        _ => Failure::rejected(code, message),
    }
}
