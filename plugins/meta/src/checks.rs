//! Checks that Messenger and Instagram share.

use patchbay_plugin::failure::Detail;
use patchbay_plugin::hooks::Check;
use patchbay_plugin::{Call, Failure, Field, Fields as _};

use crate::graph::Graph;
use crate::refusal::Refusal;
use crate::subscription::{self, Found};
use crate::token::{self, Token};

const DAY_MS: f64 = 24.0 * 60.0 * 60.0 * 1000.0;
/// Days before a token's end from which it is a fault.
const WARN_DAYS: f64 = 7.0;

/// The gateway's clock, in milliseconds since 1970.
#[must_use]
pub fn now_ms(call: &Call) -> Option<f64> {
    call.extras.value("now_ms")?.parse().ok().filter(|now: &f64| now.is_finite())
}

/// Whether a token has long to live; those of Pages mostly don't end.
#[must_use]
pub fn expiry(token: &Token, now_ms: Option<f64>) -> Check {
    let ends = [token.expires_ms, token.data_access_expires_ms].into_iter().flatten().reduce(f64::min);
    match (ends, now_ms) {
        (Some(ends), Some(now)) if ends - now < WARN_DAYS * DAY_MS => {
            let days = ((ends - now) / DAY_MS).max(0.0).floor();
            Check::failed(
                "token_expiry",
                Detail::new("token_expires", format!("the access ends in {days} days: connect the account again")),
            )
        }
        _ => Check::ok("token_expiry"),
    }
}

/// A token's times as facts.
#[must_use]
pub fn token_facts(token: &Token) -> Vec<Field> {
    let when = |at: Option<f64>| at.map_or_else(|| "never".to_owned(), |at| format!("{at:.0}"));
    let mut facts = vec![Field::new("token_expires_ms", when(token.expires_ms))];
    facts.extend(token.data_access_expires_ms.map(|at| Field::new("data_access_expires_ms", when(Some(at)))));
    facts
}

/// Whether everything needed is granted still: a person can take one permission away.
#[must_use]
pub fn permissions(scopes: &[String], needed: &[&str]) -> Check {
    let missing = token::missing(scopes, needed);
    // A token that tells no scopes says nothing.
    if scopes.is_empty() || missing.is_empty() {
        return Check::ok("permissions");
    }
    Check::failed("permissions", Detail::new("permissions_missing", format!("not granted any more: {}. Connect again", missing.join(", "))))
}

/// Whether webhooks come. What is missing is mended, and said.
///
/// # Errors
/// Where the token is dead, or Meta doesn't answer.
pub fn subscription(graph: &Graph<'_>, node: &str, app_id: Option<&str>, fields: &[&str]) -> Result<Check, Failure> {
    Ok(match subscription::mend(graph, node, app_id, fields) {
        Ok(Found::Whole) => Check::ok("subscription"),
        Ok(Found::Mended(missing)) => {
            let words = format!("webhooks had been turned off, and are on again: {}", missing.join(", "));
            Check { name: "subscription".into(), ok: true, detail: Some(Detail::new("subscription_mended", words)) }
        }
        Ok(Found::Lacking(missing)) => {
            let words = format!("Meta doesn't deliver: {}. Tick these fields in the app's webhook settings", missing.join(", "));
            Check::failed("subscription", Detail::new("subscription_missing", words))
        }
        Err(trouble) => match Failure::from(trouble) {
            // The token lives: it is this that it may not.
            Failure::Forbidden(detail) | Failure::Rejected(detail) => Check::failed("subscription", detail),
            other => return Err(other),
        },
    })
}

/// A refusal as a check, where the token lives; else it is the failure of all.
///
/// # Errors
/// Where the token is dead.
pub fn refused(name: &str, refusal: &Refusal) -> Result<Check, Failure> {
    match refusal.failure() {
        Failure::Unauthorized(detail) => Err(Failure::Unauthorized(detail)),
        other => {
            Ok(Check::failed(name, other.detail().cloned().unwrap_or_else(|| Detail::new(refusal.code_words(), refusal.message.clone()))))
        }
    }
}
