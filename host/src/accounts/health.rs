//! Is the account well? The plugin's named checks, kept on the account; what they tell changes its standing.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value, json};

use super::{
    change::running_for,
    standing::{commit, stand},
    vault,
};
use crate::{
    app::App,
    clock::At,
    domain::{
        account::{Account, Connection, HealthCheck, HealthReport, Standing},
        failure::{Failure, FailureClass},
        log::{LogKind, LogLevel, Note},
    },
    error::ApiError,
    oauth,
    plugins::convert,
    store::{self, Tx, people::Owner},
    wake::Topic,
};

/// How old the last record of the history may grow while nothing changes.
const RECORD_EVERY: Duration = Duration::from_secs(60 * 60);

/// Runs the checks; answers them.
pub async fn check(app: &Arc<App>, account: &Account) -> Result<HealthReport, ApiError> {
    let version = running_for(app, account)?;
    let (answer, captured) = version.health(app, account).await?;
    let mut facts = Map::new();
    let mut refused = None;
    let (checks, standing, failure) = match answer {
        Ok(Ok(report)) => {
            facts = convert::facts_in(report.facts);
            let checks: Vec<HealthCheck> = report.checks.into_iter().map(convert::check_in).collect();
            let standing = standing_of(&checks);
            (checks, Some(standing), None)
        }
        Ok(Err(failure)) => failed(refused.insert(convert::failure_in(failure)).clone()),
        Err(fault) => failed(Failure::new(FailureClass::Fault, "plugin_fault", fault.to_string())),
    };
    let now = app.clock.now();
    let report = HealthReport { ok: checks.iter().all(|check| check.ok), checks, failure };
    let mut tx = app.db.begin_ordered().await?;
    let Some(before) = store::accounts::find(&mut tx, &account.id).await? else { return Ok(report) };
    // A check may have renewed a token.
    let lifted = captured.take();
    vault::seal_lifted(app, &mut tx, account, &lifted, now).await?;
    store::accounts::put_facts(&mut tx, &account.id, &facts, now).await?;
    store::accounts::set_health(&mut tx, &account.id, &report, now).await?;
    remember(app, &mut tx, &before, &report, &version.digest, now).await?;
    // A check tells of accounts that are connected, or would be again; the first connect is the user's.
    let stood = &before.standing;
    let renews = match &refused {
        Some(failure) => oauth::renew_early(app, &mut tx, account, failure, now).await?,
        None => false,
    };
    let standing = match standing {
        // A new token is looked at anew.
        _ if renews => None,
        _ if report.is_unreached() => unreached(&before, &report),
        standing => standing,
    };
    let settled = stood.connection.is_connected() || stood.connection == Connection::NeedsReauth;
    let changes = settled && standing.as_ref().is_some_and(|standing| standing != stood);
    if let Some(standing) = standing.filter(|_| settled) {
        let owner = Owner { organization_id: &account.organization_id, account_id: &account.id };
        stand(app, &mut tx, owner, &standing, now).await?;
    }
    if changes || renews || !lifted.is_empty() {
        commit(app, tx, &account.id).await?;
    } else {
        // Most checks find what stood before: nobody has to forget the account for that.
        tx.commit().await?;
        app.wake.tell(Topic::Outbox);
    }
    Ok(report)
}

/// Keeps the result in the history where it is another than the last one there, or the last one is an hour old; and logs it
/// where it changed.
async fn remember(app: &App, tx: &mut Tx, account: &Account, report: &HealthReport, digest: &str, now: At) -> store::Result<()> {
    let last = store::account_health::last(&mut *tx, &account.id).await?;
    let changed = last.as_ref().is_none_or(|last| failing(&last.checks) != failing(&report.checks));
    let is_due = last.as_ref().is_none_or(|last| now.since(last.at).is_none_or(|since| since >= RECORD_EVERY));
    if changed || is_due {
        store::account_health::insert(tx, &app.ids.next(now), &account.id, report.ok, &report.checks, now).await?;
    }
    // That the first look found nothing is no news.
    if changed && !(last.is_none() && report.ok) {
        let failed: Vec<Value> = report.checks.iter().filter(|check| !check.ok).map(|check| json!(check)).collect();
        let note = match report.checks.iter().find(|check| !check.ok) {
            None => Note::new(account, LogKind::Health, LogLevel::Info, "healthy", "Every check passes again."),
            Some(check) => {
                let (code, message) = told(check);
                Note::new(account, LogKind::Health, LogLevel::Warn, code, format!("The check “{}” fails: {message}", check.name))
            }
        };
        app.logbook.note_in(tx, note.by_plugin(digest).detail("failed", failed)).await?;
    }
    Ok(())
}

/// What fails, by name and code: the words and the numbers in them change with every look.
fn failing(checks: &[HealthCheck]) -> Vec<(&str, Option<&str>)> {
    checks.iter().filter(|check| !check.ok).map(|check| (check.name.as_str(), check.code.as_deref())).collect()
}

/// The provider can't be asked. Once says nothing; twice in a row is told, of an account that nothing worse is known of.
fn unreached(before: &Account, report: &HealthReport) -> Option<Standing> {
    let again = before.health.as_ref().is_some_and(HealthReport::is_unreached);
    if !again || before.standing.connection != Connection::Connected {
        return None;
    }
    let (code, message) = report.checks.iter().find(|check| !check.ok).map(told)?;
    let action = "Nothing for now: messages wait and the gateway looks again by itself. Look at the provider's status if it lasts.";
    Some(Standing::because(Connection::Degraded, code, message, action))
}

/// The code and the words of a check that failed.
fn told(check: &HealthCheck) -> (String, String) {
    let code = check.code.clone().unwrap_or_else(|| check.name.clone());
    let message = check.message.clone().unwrap_or_else(|| format!("The check “{}” failed.", check.name));
    (code, message)
}

fn standing_of(checks: &[HealthCheck]) -> Standing {
    let Some(failed) = checks.iter().find(|check| !check.ok) else { return Standing::plain(Connection::Connected) };
    let (code, message) = told(failed);
    Standing::because(Connection::Degraded, code, message, "Look at the account's health; connect it again if that doesn't pass.")
}

fn failed(failure: Failure) -> (Vec<HealthCheck>, Option<Standing>, Option<FailureClass>) {
    let check =
        HealthCheck { name: "provider".to_owned(), ok: false, code: Some(failure.code.clone()), message: Some(failure.message.clone()) };
    let connection = match failure.class {
        FailureClass::Unauthorized if failure.ended_session() => Some(Connection::LoggedOut),
        FailureClass::Unauthorized => Some(Connection::NeedsReauth),
        FailureClass::Forbidden | FailureClass::Fault => Some(Connection::Degraded),
        // The provider is away for now: it says nothing of the account.
        _ => None,
    };
    let standing = connection.map(|connection| Standing::because(connection, failure.code, failure.message, failure.way_out));
    (vec![check], standing, Some(failure.class))
}
