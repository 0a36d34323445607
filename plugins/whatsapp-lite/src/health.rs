//! Whether the phone is linked, whose it is, and what it may still send today.

use patchbay_plugin::failure::Detail;
use patchbay_plugin::hooks::{Check, Report};
use patchbay_plugin::{Call, Failure, Field};

use crate::session::{self, Session, Status};
use crate::settings::{Pairing, Settings};

pub(crate) fn report(call: &Call) -> Result<Report, Failure> {
    let settings: Settings = call.settings()?;
    let session = match session::read(&settings.notify()?) {
        // The session API is a proposal: where it isn't there the key has still been taken.
        Err(trouble) if session::is_unknown(&trouble) && settings.pairing == Pairing::Credentials => {
            return Ok(Report { checks: vec![Check::ok("api_key")], facts: vec![Field::new("session_status", "not told")] });
        }
        Err(trouble) if session::is_unknown(&trouble) => {
            return Err(Failure::logged_out("Appgain has no session of this project: connect the account again and scan the code"));
        }
        told => told?,
    };
    let standing = match &session.status {
        Status::Working => Check::ok("session"),
        Status::Failed | Status::Stopped | Status::ScanQrCode => return Err(unlinked(&session, settings.pairing)),
        Status::Other(word) => {
            let words = format!("the session is {word}: messages wait until it works");
            Check::failed("session", Detail::new("connecting", words))
        }
    };
    compare(&settings, &session)?;
    let checks = vec![Check::ok("api_key"), standing, Check::ok("number"), quota(&settings, &session)];
    Ok(Report { checks, facts: session.facts() })
}

fn unlinked(session: &Session, pairing: Pairing) -> Failure {
    let way_out = match pairing {
        Pairing::Qr => "connect the account again and scan the code",
        Pairing::Credentials => "link the phone at Appgain's dashboard, then connect the account again",
    };
    let reason = if session.reason.is_empty() { String::new() } else { format!(" ({})", session.reason) };
    Failure::logged_out(format!("no phone is linked, the session is {}{reason}: {way_out}", session.status.word()))
}

/// From another number nothing may go out: the queue waits until the right phone is linked.
fn compare(settings: &Settings, session: &Session) -> Result<(), Failure> {
    let wanted = settings.number()?;
    match &session.number {
        Some(number) if *number != wanted => Err(Failure::logged_out(format!(
            "the phone that is linked has the number +{number}, and the account is for +{wanted}: connect it again with the right phone"
        ))),
        _ => Ok(()),
    }
}

fn quota(settings: &Settings, session: &Session) -> Check {
    let advised = i64::from(settings.daily_limit);
    let limit = session.quota.limit.map_or(advised, |limit| limit.min(advised));
    match session.quota.used {
        Some(used) if used >= limit => {
            let until = session.quota.resets_at.as_deref().unwrap_or("midnight");
            let words = format!("{used} messages went out today, and {limit} are the limit: it starts again at {until}");
            Check::failed("quota", Detail::new("quota", words).with("used", used.to_string()).with("limit", limit.to_string()))
        }
        _ => Check::ok("quota"),
    }
}
