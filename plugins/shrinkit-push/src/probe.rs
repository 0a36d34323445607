//! Whether the key is taken: Notify can only be asked by sending, so another place of Appgain's is.

use patchbay_appgain::Refusal;
use patchbay_plugin::Failure;
use patchbay_plugin::http::Request;

use crate::settings::{API, PROBE, Settings};

/// Where the manifest's target for pushes goes by itself; the key is tried elsewhere then.
const NOTIFY: &str = "https://notify.appgain.io";

/// Tries the key. Answers the status: whatever it is, the key wasn't refused.
pub(crate) fn status(settings: &Settings) -> Result<u16, Failure> {
    // Where one address is set for everything, it is the one.
    let is_moved = settings.base_url.as_deref().is_some_and(|base| base != NOTIFY);
    let target = if is_moved && settings.probe_base_url.is_none() { API } else { PROBE };
    let path = settings.probe_path.replace("{suit_id}", &settings.suit_id);
    let response = Request::get(target, path).send()?;
    if response.is_success() {
        return Ok(response.status());
    }
    match Refusal::of(&response).failure() {
        refused @ Failure::Unauthorized(_) => Err(refused),
        _ => Ok(response.status()),
    }
}
