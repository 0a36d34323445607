//! Claims what is due and sends it, as many at a time as the configuration says.

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use tracing::Instrument as _;

use super::{attempt::attempt, sweep::sweep};
use crate::{app::App, store, traces};

/// Claimed in one transaction at most.
const CLAIM_MAX: usize = 32;
/// How long a worker sleeps at most when nothing wakes it.
const IDLE: Duration = Duration::from_secs(1);
/// How often claims of workers that are gone are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// Runs until the gateway stops; what is being sent then is finished.
pub async fn run(app: Arc<App>) {
    let slots = Arc::new(Semaphore::new(app.config.outbox.workers as usize));
    let mut swept = app.clock.now();
    while !app.tasks.is_stopping() {
        let now = app.clock.now();
        if now.since(swept).is_none_or(|since| since >= SWEEP_EVERY) {
            swept = now;
            if let Err(error) = sweep(&app).await {
                tracing::error!(%error, "claims of workers that are gone could not be looked for");
            }
        }
        let wait = match claim(&app, &slots).await {
            Ok(true) => continue,
            Ok(false) => until_next_due(&app).await,
            Err(error) => {
                tracing::error!(%error, "the outbox could not be read");
                IDLE
            }
        };
        tokio::select! {
            () = app.wake.outbox.notified() => {}
            () = tokio::time::sleep(wait) => {}
            () = app.tasks.stopping() => {}
        }
    }
}

/// Claims what the free slots can take; answers whether anything was claimed.
async fn claim(app: &Arc<App>, slots: &Arc<Semaphore>) -> store::Result<bool> {
    // At least one slot before anything is claimed: a claimed message must not wait for one while its lease runs.
    let Ok(first) = Arc::clone(slots).acquire_owned().await else { return Ok(false) };
    let mut permits = vec![first];
    while permits.len() < CLAIM_MAX {
        match Arc::clone(slots).try_acquire_owned() {
            Ok(permit) => permits.push(permit),
            Err(_) => break,
        }
    }
    // A look without the writer first: an idle gateway must not write.
    let now = app.clock.now();
    if store::outbox::next_due(&app.db).await?.is_none_or(|due| due > now) {
        return Ok(false);
    }
    let leased_until = now.plus(Duration::from_secs(app.config.outbox.lease_s));
    let span = traces::span!("claim", claims = tracing::field::Empty);
    let claims = async {
        let mut tx = app.db.begin().await?;
        let claims = store::outbox::claim(&mut tx, now, leased_until, u32::try_from(permits.len()).unwrap_or(1)).await?;
        tx.commit().await?;
        store::Result::Ok(claims)
    };
    let claims = claims.instrument(span.clone()).await?;
    span.record("claims", claims.len());
    let any = !claims.is_empty();
    for (claim, permit) in claims.into_iter().zip(permits) {
        let (sender, span) = (Arc::clone(app), span.clone());
        app.tasks.spawn(async move {
            attempt(&sender, claim, &span).await;
            drop(permit);
            // The next of its lane may go.
            sender.wake.outbox.notify_one();
        });
    }
    Ok(any)
}

async fn until_next_due(app: &App) -> Duration {
    match store::outbox::next_due(&app.db).await {
        Ok(Some(due)) => due.since(app.clock.now()).unwrap_or(IDLE).clamp(Duration::from_millis(10), IDLE),
        _ => IDLE,
    }
}

/// At a start: with SQLite nobody else can hold a claim, so every one is of a process that is gone.
pub async fn recover(app: &App) -> store::Result<()> {
    if app.db.is_postgres() {
        return Ok(());
    }
    let mut tx = app.db.begin().await?;
    store::outbox::expire_leases(&mut tx, app.clock.now()).await?;
    store::jobs::expire_leases(&mut tx).await?;
    tx.commit().await?;
    sweep(app).await
}
