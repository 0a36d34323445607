//! Whether both servers take the login.

use patchbay_plugin::failure::{Detail, Words};
use patchbay_plugin::hooks::{Check, Report};
use patchbay_plugin::{Call, Failure, mail};

use crate::server::{IN, OUT, failed};
use crate::settings::Settings;

/// A dead credential is a failure of the account's; everything else is a check that fails.
pub(crate) fn report(call: &Call) -> Result<Report, Failure> {
    let settings: Settings = call.settings()?;
    let mut targets = vec![("smtp", OUT)];
    if settings.receives() {
        targets.push(("imap", IN));
    }
    let mut checks = Vec::new();
    for (name, target) in targets {
        checks.push(match mail::probe(target).map_err(|failure| failed(&settings, target, failure)) {
            Ok(_) => Check::ok(name),
            Err(failure @ (Failure::Unauthorized(_) | Failure::Fault(_))) => return Err(failure),
            Err(failure) => Check::failed(name, detail(&failure)),
        });
    }
    Ok(Report::checks(checks))
}

fn detail(failure: &Failure) -> Detail {
    failure.detail().cloned().unwrap_or_else(|| Detail::new("invalid", Words(failure).to_string()))
}
