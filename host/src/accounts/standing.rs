//! The account's standing changes: with its queue, its jobs and an event, in the caller's transaction.

use std::time::Duration;

use serde_json::json;

use super::{HEALTH, OAUTH_REFRESH, POLL, pairing};
use crate::{
    app::App,
    clock::At,
    domain::{
        account::{Account, Connection, Standing},
        event::{Event, EventType},
        failure::{Failure, FailureClass},
        log::{LogKind, LogLevel, Note},
    },
    oauth,
    store::{self, Tx, people::Owner},
    wake::Topic,
};

/// Writes the new standing. Connected, the queue goes on and the account's jobs are due; not connected, both wait. Tells of it
/// where it is another than before.
pub async fn stand(app: &App, tx: &mut Tx, owner: Owner<'_>, standing: &Standing, now: At) -> store::Result<()> {
    let Some(account) = store::accounts::find(&mut *tx, owner.account_id).await? else { return Ok(()) };
    store::accounts::set_standing(tx, &account.id, standing, now).await?;
    pairing::follow(tx, &account, standing.connection).await?;
    let connected = standing.connection.is_connected();
    if connected {
        if account.is_active {
            // While something is wrong, what a missing permission parked would only be refused again.
            let but = (standing.connection != Connection::Connected).then_some(FailureClass::Forbidden.as_str());
            store::outbox::unpark(tx, &account.id, but).await?;
        }
        schedule_jobs(app, tx, &account, now).await?;
    } else {
        store::outbox::park(tx, &account.id, "not_connected").await?;
        store::jobs::cancel(tx, &account.id, POLL).await?;
    }
    // The words may change while the matter stays: that is no news.
    let is_news = account.standing.connection != standing.connection || account.standing.reason_code != standing.reason_code;
    if !is_news {
        return Ok(());
    }
    app.logbook.note_in(tx, note(&account, standing)).await?;
    tracing::info!(
        account.id = %account.id, from = %account.standing.connection, to = %standing.connection,
        reason = standing.reason.as_deref().unwrap_or_default(), "connection changed"
    );
    let event = Event {
        id: app.ids.next(now),
        event_type: EventType::AccountConnection,
        version: 1,
        organization_id: account.organization_id.clone(),
        channel_account_id: account.id.clone(),
        conversation_id: None,
        message_id: None,
        occurred_at: now,
        data: json!({"before": account.standing.connection, "account": {"id": account.id, "name": account.name, "type": account.channel_type}, "standing": standing}),
        seq: 0,
    };
    store::events::append(tx, &event, None, now).await
}

fn note(account: &Account, to: &Standing) -> Note {
    let from = account.standing.connection;
    let level = match to.connection {
        Connection::Error | Connection::NeedsReauth => LogLevel::Error,
        Connection::Degraded => LogLevel::Warn,
        _ => LogLevel::Info,
    };
    let text = match &to.reason {
        Some(reason) => format!("The connection went from {from} to {}: {reason}", to.connection),
        None => format!("The connection went from {from} to {}.", to.connection),
    };
    let code = to.reason_code.clone().unwrap_or_else(|| to.connection.as_str().to_owned());
    Note::new(account, LogKind::Connection, level, code, text)
        .detail("from", from.as_str())
        .detail("to", to.connection.as_str())
        .detail("user_action", to.user_action.clone())
}

async fn schedule_jobs(app: &App, tx: &mut Tx, account: &Account, now: At) -> store::Result<()> {
    let Some(version) = app.plugins.for_account(account) else { return Ok(()) };
    let health = Duration::from_secs(u64::from(version.manifest.health.interval_s));
    store::jobs::ensure(tx, &account.id, HEALTH, now.plus(health)).await?;
    if let Some(due_at) = oauth::refresh_due(&version.manifest, account) {
        store::jobs::ensure(tx, &account.id, OAUTH_REFRESH, due_at).await?;
    }
    let settings = serde_json::Value::Object(account.settings.clone());
    let polls = version.polls() && version.manifest.polling.as_ref().is_some_and(|polling| polling.applies(&settings));
    if polls { store::jobs::ensure(tx, &account.id, POLL, now).await } else { store::jobs::cancel(tx, &account.id, POLL).await }
}

/// What a failure means for the account; none where it says nothing of it.
pub fn standing_after(failure: &Failure) -> Option<Standing> {
    let connection = match failure.class {
        FailureClass::Unauthorized if failure.ended_session() => Connection::LoggedOut,
        FailureClass::Unauthorized => Connection::NeedsReauth,
        FailureClass::Forbidden => Connection::Degraded,
        _ => return None,
    };
    Some(Standing::because(connection, failure.code.clone(), failure.message.clone(), failure.way_out.clone()))
}

/// Writes what a failure means for the account. What was under way when somebody took the account out of service, or began to
/// connect it anew, says nothing of it.
pub async fn worsen(app: &App, tx: &mut Tx, owner: Owner<'_>, standing: &Standing, now: At) -> store::Result<()> {
    match store::accounts::find(&mut *tx, owner.account_id).await? {
        Some(account) if account.standing.connection.is_connected() => stand(app, tx, owner, standing, now).await,
        _ => Ok(()),
    }
}

/// Writes what a failure means for the account, as it was read before the provider was asked. True where a new access token is on
/// its way instead.
pub async fn stand_after(app: &App, account: &Account, failure: &Failure) -> store::Result<bool> {
    let Some(standing) = standing_after(failure) else { return Ok(false) };
    let now = app.clock.now();
    let mut tx = app.db.begin_ordered().await?;
    let is_renewed = oauth::renew_early(app, &mut tx, account, failure, now).await?;
    if !is_renewed {
        let owner = Owner { organization_id: &account.organization_id, account_id: &account.id };
        worsen(app, &mut tx, owner, &standing, now).await?;
    }
    commit(app, tx, &account.id).await?;
    Ok(is_renewed)
}

/// Whether a new access token is on its way, so that the failure says nothing of the account yet. `account` is as it was read before
/// the provider was asked.
pub async fn is_renewed(app: &App, account: &Account, failure: &Failure) -> store::Result<bool> {
    if failure.class != FailureClass::Unauthorized {
        return Ok(false);
    }
    let mut tx = app.db.begin_ordered().await?;
    let is_renewed = oauth::renew_early(app, &mut tx, account, failure, app.clock.now()).await?;
    commit(app, tx, &account.id).await?;
    Ok(is_renewed)
}

/// Commits what was changed of an account, its secrets or its standing, and tells every node: the one way to do so, because what
/// a node remembers of the account is valid until it hears.
pub async fn commit(app: &App, tx: Tx, account_id: &str) -> store::Result<()> {
    tx.commit().await?;
    announce(app, account_id);
    Ok(())
}

/// Wakes whoever has to look at the account, after its change was stored.
pub(super) fn announce(app: &App, account_id: &str) {
    app.wake.account_changed(account_id);
    for topic in [Topic::Events, Topic::Outbox, Topic::Jobs] {
        app.wake.tell(topic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::tests::world_with;

    #[tokio::test]
    async fn what_was_under_way_says_nothing_of_an_account_that_is_connected_anew() {
        let world = world_with(&json!({})).await;
        for code in ["token_expired", "logged_out"] {
            let failure = Failure::new(FailureClass::Unauthorized, code, "The session is over.");
            for connection in [Connection::Pairing, Connection::Authorizing, Connection::LoggedOut] {
                world.has(&[], &Standing::plain(connection)).await;
                stand_after(&world.app, &world.account().await, &failure).await.unwrap();
                assert_eq!(world.account().await.standing.connection, connection, "{code}");
            }
            world.has(&[], &Standing::plain(Connection::Degraded)).await;
            stand_after(&world.app, &world.account().await, &failure).await.unwrap();
            assert!(!world.account().await.standing.connection.is_connected(), "{code}");
        }
    }
}
