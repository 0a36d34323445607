//! The token of Instagram's own login: it lives an hour, is exchanged for one of 60 days, and that is renewed while it lives. There
//! is nobody to ask about it, so the store keeps which token is known and when it is due, the token named by a keyed hash.

use patchbay_meta::{Graph, Trouble};
use patchbay_plugin::crypto::{self, HashAlgorithm};
use patchbay_plugin::failure::Detail;
use patchbay_plugin::hooks::Check;
use patchbay_plugin::{Failure, kv, log};
use serde::{Deserialize, Serialize};

use crate::settings::Settings;

const KEY: &str = "token";
const SECRET: &str = "access_token";
const HOUR_MS: f64 = 60.0 * 60.0 * 1000.0;
/// A token of 60 days is renewed after so many.
const RENEW_AFTER_MS: f64 = 50.0 * 24.0 * HOUR_MS;
/// A token can be renewed once it is a day old.
const FIRST_RENEWAL_MS: f64 = 25.0 * HOUR_MS;
const NEXT_TRY_MS: f64 = 6.0 * HOUR_MS;
/// Where a captured token stands: some answers are wrapped in a list.
const PLACES: [&str; 2] = ["/access_token", "/data/0/access_token"];

#[derive(Debug, Serialize, Deserialize)]
struct Known {
    /// Which token.
    name: String,
    /// When it is to be renewed, in milliseconds since 1970.
    due_ms: f64,
}

/// The token's name: a hash of nothing, keyed by it.
fn name() -> Option<String> {
    let hash = crypto::hmac(SECRET, HashAlgorithm::Sha256, b"which token").ok()?;
    Some(hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}

fn known() -> Option<Known> {
    let name = name()?;
    kv::get_json::<Known>(KEY).filter(|known| known.name == name)
}

fn remember(due_ms: f64) {
    let Some(name) = name() else { return };
    if let Err(failure) = kv::set_json(KEY, &Known { name, due_ms }, None) {
        log::warn("when the token is due could not be kept", &[("failure", &failure.to_string())]);
    }
}

/// Makes a token that is new here a long one. One that was typed in is long already, and refused.
pub(crate) fn exchange(settings: &Settings, now_ms: f64) -> Result<(), Failure> {
    if known().is_some() || !crypto::has("app_secret") {
        return Ok(());
    }
    let ask = |version: &str| {
        let ask = Graph::new("ig_exchange", version).get("access_token").query("grant_type", "ig_exchange_token");
        PLACES.iter().fold(ask, |ask, place| ask.capture(place, SECRET)).send()
    };
    // Now and then the address without a version answers "unsupported request".
    let answer = match ask("") {
        Err(Trouble::Refused(refusal)) if matches!(refusal.failure(), Failure::Rejected(_)) => ask(&settings.graph_version),
        other => other,
    };
    match answer {
        Ok(_) => remember(now_ms + RENEW_AFTER_MS),
        Err(Trouble::Refused(refusal)) if matches!(refusal.failure(), Failure::Rejected(_)) => {
            log::warn("the token could not be exchanged: it is taken for a long one", &[("code", &refusal.code_words())]);
            remember(now_ms + FIRST_RENEWAL_MS);
        }
        Err(trouble) => return Err(trouble.into()),
    }
    Ok(())
}

/// Renews a token that is due.
///
/// # Errors
/// Where the token is dead.
pub(crate) fn check(now_ms: Option<f64>) -> Result<Check, Failure> {
    let Some(now) = now_ms else { return Ok(Check::ok("token_renewal")) };
    match known() {
        // Typed in, or from before the store was emptied: it is renewed once it may be.
        None => {
            remember(now + FIRST_RENEWAL_MS);
            return Ok(Check::ok("token_renewal"));
        }
        Some(known) if now < known.due_ms => return Ok(Check::ok("token_renewal")),
        Some(_) => {}
    }
    let ask = Graph::new("ig_refresh", "").get("refresh_access_token").query("grant_type", "ig_refresh_token");
    let answer = PLACES.iter().fold(ask, |ask, place| ask.capture(place, SECRET)).repeatable().send();
    match answer.map_err(Failure::from) {
        Ok(_) => {
            remember(now + RENEW_AFTER_MS);
            let words = "the token was renewed: it lives 60 days from now";
            Ok(Check { name: "token_renewal".into(), ok: true, detail: Some(Detail::new("token_renewed", words)) })
        }
        Err(Failure::Unauthorized(detail)) => Err(Failure::Unauthorized(detail)),
        Err(failure) => {
            remember(now + NEXT_TRY_MS);
            let words = failure.detail().map_or_else(String::new, |detail| detail.message.clone());
            Ok(Check::failed("token_renewal", Detail::new("token_not_renewed", format!("the token could not be renewed: {words}"))))
        }
    }
}
