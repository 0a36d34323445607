//! What is known against the account. Subscriptions that Shopify has dropped are made again.

use patchbay_plugin::failure::Detail;
use patchbay_plugin::hooks::{Check, Report};
use patchbay_plugin::{Call, Failure, Fields as _};

use crate::access::Access;
use crate::admin;
use crate::connect;
use crate::webhooks;

pub(crate) fn report(call: &Call) -> Result<Report, Failure> {
    let access = Access::open(call)?;
    let standing = admin::standing(&access)?;
    let told = standing.shop.myshopify_domain.to_ascii_lowercase();
    let mut checks = vec![Check::ok("token"), shop(&access.settings.shop_domain, &told)];
    if let Some(url) = call.extras.value("webhook_url") {
        checks.push(webhook(&access, url)?);
    }
    checks.push(replies(access.settings.inbox_base_url.is_some()));
    Ok(Report { checks, facts: connect::facts(&access, &standing) })
}

fn shop(ours: &str, told: &str) -> Check {
    if ours == told {
        return Check::ok("shop");
    }
    Check::failed("shop", Detail::new("other_shop", format!("the token is of {told}, and the account of {ours}: connect it again")))
}

/// Shopify takes a subscription away once its calls have failed for four hours.
fn webhook(access: &Access<'_>, url: &str) -> Result<Check, Failure> {
    Ok(match webhooks::ensure(access, url) {
        Ok(made) if made.is_empty() => Check::ok("webhook"),
        Ok(made) => {
            let words = format!("Shopify had dropped these subscriptions, and they were made again: {}", made.join(", "));
            Check { name: "webhook".into(), ok: true, detail: Some(Detail::new("subscription_renewed", words)) }
        }
        // The token lives: it is this that it may not.
        Err(Failure::Forbidden(detail) | Failure::Rejected(detail)) => Check::failed("webhook", detail),
        Err(Failure::Invalid(problems)) => {
            let words: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
            Check::failed("webhook", Detail::new("webhook_refused", words.join("; ")))
        }
        Err(failure) => return Err(failure),
    })
}

/// Receiving works without.
fn replies(can: bool) -> Check {
    let words = "nothing can be sent: set inbox_base_url to the address of the app that owns the chat";
    Check { name: "replies".into(), ok: true, detail: (!can).then(|| Detail::new("receive_only", words)) }
}
