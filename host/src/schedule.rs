//! What happens by the clock: jobs of accounts (polling, health, dialogues that wait), claimed with a lease so that one node does
//! each; and the sweeping of what has expired.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use patchbay_sandbox::contract::messages::Event;
use serde_json::Value;

use crate::{
    accounts::{self, CONNECT, ConnectStep, HEALTH, OAUTH_EXPIRE, OAUTH_REFRESH, POLL, RECONNECT, RELEASE, REPLAY},
    app::App,
    clock::At,
    domain::{
        account::{Account, Connection},
        failure::{Failure, FailureClass},
    },
    inbox::{self, Ingest, Progress, Source},
    logbook, oauth, outbox,
    plugins::{self, CallBlobs, Standing, Told, Version, convert},
    retention,
    store::{self, jobs::DueJob},
};

/// Jobs claimed at a time.
const CLAIM_MAX: u32 = 32;
/// How long a node holds a job before another may take it: longer than any hook may run.
const LEASE: Duration = Duration::from_secs(90);
const IDLE: Duration = Duration::from_secs(1);
const SWEEP_EVERY: Duration = Duration::from_secs(15);
/// The wait for a plugin that this node is still loading, and for a new access token.
const SOON: Duration = Duration::from_secs(2);
/// The wait after a job that failed.
const PAUSE: Duration = Duration::from_secs(15);

/// How many polls of each account ended in a fault, one after another: on this node, since it started.
#[derive(Default)]
struct PollFaults(Mutex<HashMap<String, u32>>);

impl PollFaults {
    /// The number of the account's next attempt.
    fn attempt(&self, account_id: &str) -> u32 {
        let faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        faults.get(account_id).copied().unwrap_or_default().saturating_add(1)
    }

    fn note(&self, account_id: &str) {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = faults.entry(account_id.to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    fn forget(&self, account_id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(account_id);
    }
}

/// Runs until the gateway stops.
pub async fn run(app: Arc<App>) {
    let faults = Arc::new(PollFaults::default());
    app.tasks.spawn(retention::run(Arc::clone(&app)));
    let mut swept: Option<At> = None;
    while !app.tasks.is_stopping() {
        if let Err(error) = start_due(&app, &faults).await {
            tracing::error!(%error, "jobs could not be read");
        }
        let now = app.clock.now();
        if swept.and_then(|swept| now.since(swept)).is_none_or(|since| since >= SWEEP_EVERY) {
            swept = Some(now);
            if let Err(error) = sweep(&app, now).await {
                tracing::error!(%error, "what has expired could not be swept");
            }
        }
        tokio::select! {
            () = app.wake.jobs.notified() => {}
            () = tokio::time::sleep(IDLE) => {}
            () = app.tasks.stopping() => {}
        }
    }
}

async fn sweep(app: &App, now: At) -> store::Result<()> {
    let mut tx = app.db.begin().await?;
    store::kv::sweep(&mut tx, now).await?;
    store::pairings::drop_expired_codes(&mut tx, now).await?;
    store::threads::sweep(&mut tx, now).await?;
    tx.commit().await?;
    inbox::tell_overdue(app).await?;
    inbox::release_apps(app).await?;
    logbook::sweep(app, now).await?;
    oauth::sweep(app, now).await?;
    outbox::forget(app, now).await
}

async fn start_due(app: &Arc<App>, faults: &Arc<PollFaults>) -> store::Result<()> {
    let now = app.clock.now();
    if !store::jobs::is_any_due(&app.db, now).await? {
        return Ok(());
    }
    let mut tx = app.db.begin().await?;
    let due = store::jobs::claim(&mut tx, &app.node.id, now, now.plus(LEASE), CLAIM_MAX).await?;
    tx.commit().await?;
    for job in due {
        let (doing, faults) = (Arc::clone(app), Arc::clone(faults));
        app.tasks.spawn(async move {
            let stopping = doing.tasks.clone();
            let next = tokio::select! {
                next = run_job(&doing, &job, &faults) => next,
                // A long poll that is cut loses nothing: its cursor moves with what was stored. Other work is finished.
                () = stopping.stopping(), if job.job == POLL => Some(Duration::ZERO),
            };
            if let Err(error) = settle(&doing, &job, next).await {
                tracing::error!(%error, account.id = %job.account_id, job = %job.job, "a job could not be settled; its lease will run out");
            }
            doing.wake.jobs.notify_one();
        });
    }
    Ok(())
}

async fn settle(app: &App, job: &DueJob, next: Option<Duration>) -> store::Result<()> {
    let mut tx = app.db.begin().await?;
    match next {
        Some(wait) => {
            store::jobs::settle(&mut tx, job, app.clock.now().plus(wait)).await?;
        }
        None => store::jobs::finish(&mut tx, job).await?,
    }
    tx.commit().await
}

/// Does the job; answers when it is due again, none for never.
async fn run_job(app: &Arc<App>, job: &DueJob, faults: &PollFaults) -> Option<Duration> {
    let account = match store::accounts::find(&app.db, &job.account_id).await {
        Ok(account) => account?,
        Err(error) => {
            tracing::error!(%error, "an account could not be read");
            return Some(PAUSE);
        }
    };
    match job.job.as_str() {
        POLL => Some(poll(app, &account, job, faults).await),
        HEALTH => Some(health(app, &account).await),
        RELEASE => release(app, &account).await,
        REPLAY => replay(app, &account).await,
        CONNECT => accounts::go_on_waiting(app, &account, job).await,
        RECONNECT => reconnect(app, &account).await,
        OAUTH_REFRESH => oauth::refresh(app, &account, job).await,
        OAUTH_EXPIRE => oauth::expire(app, &account).await,
        other => {
            tracing::error!(job = %other, "there is no such job");
            None
        }
    }
}

/// Connects again. A provider that is away is asked again later.
async fn reconnect(app: &Arc<App>, account: &Account) -> Option<Duration> {
    let error = accounts::go_on(app, account, ConnectStep::START).await.err()?;
    tracing::warn!(account.id = %account.id, error = %error.body.message, "a connect dialogue went wrong");
    error.status.is_server_error().then_some(PAUSE)
}

async fn release(app: &Arc<App>, account: &Account) -> Option<Duration> {
    if !account.is_active {
        return None;
    }
    match plugins::standing(app, account).await {
        Ok(Standing::Runs(_)) => {}
        // A version that is being replaced would only fail again on what its successor can read.
        Ok(Standing::Comes) => return Some(SOON),
        Ok(Standing::Fails(_)) => return Some(PAUSE),
        Err(error) => {
            tracing::error!(account.id = %account.id, %error, "the active plugin could not be read");
            return Some(PAUSE);
        }
    }
    next_step(account, inbox::release(app, account).await)
}

async fn replay(app: &Arc<App>, account: &Account) -> Option<Duration> {
    if !account.is_active {
        return Some(PAUSE);
    }
    next_step(account, inbox::replay_many(app, account).await)
}

fn next_step(account: &Account, progress: store::Result<Progress>) -> Option<Duration> {
    match progress {
        Ok(Progress::Done) => None,
        Ok(Progress::More) => Some(Duration::ZERO),
        Ok(Progress::Waits) => Some(PAUSE),
        Err(error) => {
            tracing::error!(account.id = %account.id, %error, "webhooks that wait could not be processed");
            Some(PAUSE)
        }
    }
}

async fn health(app: &Arc<App>, account: &Account) -> Duration {
    let interval = app.plugins.manifest_for(account).map_or(PAUSE, |manifest| Duration::from_secs(u64::from(manifest.health.interval_s)));
    if let Err(error) = accounts::check(app, account).await {
        tracing::warn!(account.id = %account.id, error = %error.body.message, "an account's health could not be checked");
    }
    interval
}

/// Reads one page; an inactive account isn't polled, the provider keeps what comes in.
async fn poll(app: &Arc<App>, account: &Account, job: &DueJob, faults: &PollFaults) -> Duration {
    let Some(version) = app.plugins.for_account(account) else { return PAUSE };
    let Some(polling) = version.manifest.polling.as_ref() else { return PAUSE };
    let mut settings = Value::Object(account.settings.clone());
    version.manifest.fill_defaults(&mut settings);
    let interval = polling.interval(&settings);
    app.mail.end_watch(&account.id).await;
    if !account.is_active {
        return PAUSE.min(interval.max(IDLE));
    }
    let (answer, blobs) = match version.poll(app, account, faults.attempt(&account.id)).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::error!(account.id = %account.id, %error, "a poll could not begin");
            return PAUSE;
        }
    };
    let page = match answer {
        Ok(Ok(page)) => page,
        Ok(Err(failure)) => return after_failed_poll(app, account, convert::failure_in(failure), faults).await,
        Err(fault) => {
            // Where there was no place for the call the plugin had no part in it.
            if !fault.is_unrun() {
                faults.note(&account.id);
            }
            tracing::error!(account.id = %account.id, %fault, "a poll failed");
            return PAUSE;
        }
    };
    let (cursor, more) = (page.cursor, page.more);
    let told = match told(app, account, &version, &blobs, page.events).await {
        Ok(told) => told,
        Err(failure) => return after_failed_poll(app, account, failure, faults).await,
    };
    faults.forget(&account.id);
    // What an earlier poll found wrong is over; the checks say what else there is.
    if account.standing.connection == Connection::Degraded
        && let Err(error) = accounts::check(app, account).await
    {
        tracing::warn!(account.id = %account.id, error = %error.body.message, "an account's health could not be checked");
    }
    let source = Source::Poll { cursor, job: job.clone(), plugin_digest: version.digest.clone() };
    if let Err(error) = app.inbox.commit(Ingest::of(account, source, told.facts).with_files(told.files)).await {
        tracing::error!(account.id = %account.id, %error, "a polled page could not be stored; it is read again");
        return PAUSE;
    }
    if more {
        return Duration::ZERO;
    }
    app.mail.watch(app, &account.id, interval);
    interval
}

/// What a page told; the call may have captured a secret that is another one now.
async fn told(app: &App, account: &Account, version: &Version, blobs: &CallBlobs, events: Vec<Event>) -> Result<Told, Failure> {
    let secrets = accounts::open_secrets(app, account).await;
    let secrets = secrets.map_err(|error| Failure::new(FailureClass::Unavailable, "database", error.to_string()))?;
    plugins::told(app, account, version, &secrets, blobs, events).await
}

/// The wait after a poll that answered why it brought nothing.
async fn after_failed_poll(app: &Arc<App>, account: &Account, failure: Failure, faults: &PollFaults) -> Duration {
    // A server that is away in between says nothing of what the plugin doesn't survive: only a page ends the row.
    if failure.class == FailureClass::Fault {
        faults.note(&account.id);
    }
    tracing::warn!(account.id = %account.id, class = %failure.class, reason = %failure.message, "a poll failed");
    let wait = failure.retry_after_ms.map_or(PAUSE, Duration::from_millis);
    match accounts::stand_after(app, account, &failure).await {
        Ok(true) => SOON,
        Ok(false) => wait,
        Err(error) => {
            tracing::error!(account.id = %account.id, %error, "an account's standing could not be written");
            wait
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_in_a_row_raise_the_attempt_of_their_account() {
        let faults = PollFaults::default();
        faults.note("a");
        faults.note("a");
        assert_eq!((faults.attempt("a"), faults.attempt("b")), (3, 1));
        faults.forget("a");
        assert_eq!(faults.attempt("a"), 1);
    }
}
