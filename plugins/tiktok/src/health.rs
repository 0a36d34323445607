//! What TikTok knows against the account.

use patchbay_plugin::failure::Detail;
use patchbay_plugin::hooks::{Check, Report};
use patchbay_plugin::{Call, Failure, Field, Fields as _};

use crate::connect::{profile, profile_facts};
use crate::settings::business_id;
use crate::token::{self, Token};
use crate::{clock, webhook};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Days before the refresh token's end from which it is a fault: only a person can get a new one.
const WARN_DAYS: i64 = 14;

pub(crate) fn report(call: &Call) -> Result<Report, Failure> {
    let business_id = business_id(call)?;
    let token = token::read(call)?;
    let profile = profile(business_id)?;
    let mut facts = profile_facts(&profile);
    facts.extend(token.facts());
    for name in ["token_expires_ms", "refresh_expires_ms"] {
        facts.extend(call.extras.value(name).map(|at| Field::new(name, at)));
    }
    let mut checks = vec![owner(&token, business_id), permissions(&token), Check::ok("profile"), expiry(call)];
    if let Some(url) = call.extras.value("webhook_url").filter(|url| !url.is_empty()) {
        checks.push(match webhook::read(call) {
            Ok(registered) => delivered_to(registered.as_deref(), url),
            // Connecting has set it; that it can't be read says nothing against it.
            Err(Failure::Rejected(detail)) => Check { name: "webhook".into(), ok: true, detail: Some(detail) },
            Err(failure) => return Err(failure),
        });
    }
    Ok(Report { checks, facts })
}

fn owner(token: &Token, business_id: &str) -> Check {
    match token.business_id.as_deref() {
        Some(other) if other != business_id => {
            Check::failed("token", Detail::new("other_account", format!("the token is of account {other}: connect the account again")))
        }
        _ => Check::ok("token"),
    }
}

fn permissions(token: &Token) -> Check {
    let missing = token.missing();
    if missing.is_empty() {
        return Check::ok("permissions");
    }
    let words = format!("not granted any more: {}. Connect again and leave every box ticked", missing.join(", "));
    Check::failed("permissions", Detail::new("permissions_missing", words))
}

fn expiry(call: &Call) -> Check {
    let ends = call.extras.value("refresh_expires_ms").and_then(clock::whole);
    match (ends, clock::now_ms(call)) {
        (Some(ends), Some(now)) if ends.saturating_sub(now) < WARN_DAYS * DAY_MS => {
            let days = (ends.saturating_sub(now) / DAY_MS).max(0);
            Check::failed(
                "token_expiry",
                Detail::new("token_expires", format!("the access ends in {days} days: connect the account again")),
            )
        }
        _ => Check::ok("token_expiry"),
    }
}

fn delivered_to(registered: Option<&str>, url: &str) -> Check {
    let words = match registered {
        Some(registered) if registered == url => return Check::ok("webhook"),
        Some(registered) => format!("TikTok delivers this app's messages to {registered}: connect the account again to have them here"),
        None => "TikTok delivers this app's messages nowhere: connect the account again".to_owned(),
    };
    Check::failed("webhook", Detail::new("webhook_elsewhere", words))
}
