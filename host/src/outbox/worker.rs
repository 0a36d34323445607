//! Claims what is due and sends it, as many at a time as the configuration says.

use std::{sync::Arc, time::Duration};

use tracing::{Instrument as _, field};

use super::{attempt::attempt, claim::claim, slots::Slots, sweep::sweep};
use crate::{app::App, store, traces};

/// How long a worker sleeps where the database failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How often claims of workers that are gone, and messages whose time is over, are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(2);

/// Runs until the gateway stops; what is being sent then is finished.
pub async fn run(app: Arc<App>) {
    let slots = Slots::new(app.config.outbox.workers, app.config.outbox.workers_per_account);
    let mut swept = app.clock.now();
    while !app.tasks.is_stopping() {
        let now = app.clock.now();
        if now.since(swept).is_none_or(|since| since >= SWEEP_EVERY) {
            swept = now;
            if let Err(error) = sweep(&app).await {
                tracing::error!(%error, "claims of workers that are gone could not be looked for");
            }
        }
        let span = traces::span!("claim", claims = field::Empty);
        let wait = match claim(&app, &slots).instrument(span.clone()).await {
            Ok(claimed) if claimed.claims.is_empty() => claimed.wait,
            Ok(claimed) => {
                span.record("claims", claimed.claims.len());
                for claim in claimed.claims {
                    let slot = slots.take(&claim.account_id, claim.priority);
                    let (sender, span) = (Arc::clone(&app), span.clone());
                    app.tasks.spawn(async move {
                        attempt(&sender, claim, &span).await;
                        drop(slot);
                        // The next of its lane may go.
                        sender.wake.outbox.notify_one();
                    });
                }
                continue;
            }
            Err(error) => {
                tracing::error!(%error, "the outbox could not be read");
                app.wake.idle().min(PAUSE)
            }
        };
        tokio::select! {
            () = app.wake.outbox.notified() => {}
            () = tokio::time::sleep(wait) => {}
            () = app.tasks.stopping() => {}
        }
    }
}

/// At a start: with SQLite nobody else can hold a claim, so every one is of a process that is gone.
pub async fn recover(app: &Arc<App>) -> store::Result<()> {
    if app.db.is_postgres() {
        return Ok(());
    }
    let mut tx = app.db.begin().await?;
    store::outbox::expire_leases(&mut tx, app.clock.now()).await?;
    store::jobs::expire_leases(&mut tx).await?;
    store::idempotency::expire_locks(&mut tx).await?;
    tx.commit().await?;
    sweep(app).await
}
