//! Is the account well? The plugin's named checks, kept on the account; what they tell changes its standing.

use std::sync::Arc;

use super::{
    change::running,
    standing::{commit, stand},
};
use crate::{
    app::App,
    domain::{
        account::{Account, Connection, HealthCheck, HealthReport, Standing},
        failure::{Failure, FailureClass},
    },
    error::ApiError,
    plugins::convert,
    store::{self, people::Owner},
    wake::Topic,
};

/// Runs the checks; answers them.
pub async fn check(app: &Arc<App>, account: &Account) -> Result<HealthReport, ApiError> {
    let version = running(app, &account.channel_type)?;
    let (checks, standing) = match version.health(app, account).await? {
        Ok(Ok(checks)) => {
            let checks: Vec<HealthCheck> = checks.into_iter().map(convert::check_in).collect();
            let standing = standing_of(&checks);
            (checks, Some(standing))
        }
        Ok(Err(failure)) => failed(convert::failure_in(failure)),
        Err(fault) => failed(Failure::new(FailureClass::Fault, "plugin_fault", fault.to_string())),
    };
    let now = app.clock.now();
    let report = HealthReport { ok: checks.iter().all(|check| check.ok), checks };
    let mut tx = app.db.begin_ordered().await?;
    store::accounts::set_health(&mut tx, &account.id, &report, now).await?;
    // A check tells of accounts that are connected, or would be again; the first connect is the user's.
    let stood = store::accounts::find(&mut tx, &account.id).await?.map(|account| account.standing);
    let settled = stood.as_ref().is_some_and(|stood| stood.connection.is_connected() || stood.connection == Connection::NeedsReauth);
    let changes = settled && standing.is_some() && standing != stood;
    if let Some(standing) = standing.filter(|_| settled) {
        let owner = Owner { organization_id: &account.organization_id, account_id: &account.id };
        stand(app, &mut tx, owner, &standing, now).await?;
    }
    if changes {
        commit(app, tx, &account.id).await?;
    } else {
        // Most checks find what stood before: nobody has to forget the account for that.
        tx.commit().await?;
        app.wake.tell(Topic::Outbox);
    }
    Ok(report)
}

fn standing_of(checks: &[HealthCheck]) -> Standing {
    let Some(failed) = checks.iter().find(|check| !check.ok) else { return Standing::plain(Connection::Connected) };
    let code = failed.code.clone().unwrap_or_else(|| failed.name.clone());
    let message = failed.message.clone().unwrap_or_else(|| format!("The check “{}” failed.", failed.name));
    Standing::because(Connection::Degraded, code, message, "Look at the account's health; connect it again if that doesn't pass.")
}

fn failed(failure: Failure) -> (Vec<HealthCheck>, Option<Standing>) {
    let check =
        HealthCheck { name: "provider".to_owned(), ok: false, code: Some(failure.code.clone()), message: Some(failure.message.clone()) };
    let connection = match failure.class {
        FailureClass::Unauthorized => Some(Connection::NeedsReauth),
        FailureClass::Forbidden | FailureClass::Fault => Some(Connection::Degraded),
        // The provider is away for now: it says nothing of the account.
        _ => None,
    };
    let standing = connection.map(|connection| Standing::because(connection, failure.code, failure.message, failure.way_out));
    (vec![check], standing)
}
