//! Claims what is due and sends it, as many at a time as the configuration says.

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use super::{attempt::attempt, sweep::sweep};
use crate::{
    app::App,
    store::{self, StoreError},
};

/// Claimed in one transaction at most.
const CLAIM_MAX: usize = 32;
/// How long a worker sleeps where something is due that it can't claim.
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
                app.wake.idle()
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
    let mut tx = app.db.begin().await?;
    let claims = match store::outbox::claim(&mut tx, now, leased_until, u32::try_from(permits.len()).unwrap_or(1)).await {
        // Another node was faster in one of the lanes, which is seen to be taken from here on.
        Err(StoreError::Conflict(_)) => return Ok(true),
        claims => claims?,
    };
    tx.commit().await?;
    let any = !claims.is_empty();
    for (claim, permit) in claims.into_iter().zip(permits) {
        let sender = Arc::clone(app);
        app.tasks.spawn(async move {
            attempt(&sender, claim).await;
            drop(permit);
            // The next of its lane may go.
            sender.wake.outbox.notify_one();
        });
    }
    Ok(any)
}

async fn until_next_due(app: &App) -> Duration {
    match store::outbox::next_due(&app.db).await {
        Ok(Some(due)) => due.since(app.clock.now()).unwrap_or(IDLE).clamp(Duration::from_millis(10), app.wake.idle()),
        _ => app.wake.idle(),
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
