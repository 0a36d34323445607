//! Is the token alive, and do webhooks still come here?

use patchbay_plugin::failure::Detail;
use patchbay_plugin::hooks::{Check, Report};
use patchbay_plugin::{Call, Failure, Field};

use crate::provider;

pub(crate) fn report(call: &Call) -> Result<Report, Failure> {
    let workspace = provider::me()?;
    let webhook = if workspace.webhook_url.as_deref() == provider::webhook_url(call) {
        Check::ok("webhook")
    } else {
        let detail = Detail::new("webhook_elsewhere", "Acme Chat sends what comes in to another address: connect the account again");
        Check::failed("webhook", detail)
    };
    Ok(Report { checks: vec![Check::ok("token"), webhook], facts: vec![Field::new("plan", workspace.plan)] })
}
