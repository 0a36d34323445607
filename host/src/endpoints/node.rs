//! What this node does for endpoints: it claims those that have something to do, and serves each in a task of its own.

use std::{sync::Arc, time::Duration};

use super::{publish, serve};
use crate::{app::App, clock::At, domain::endpoint::EndpointKind, store};

/// Claimed in one transaction at most.
const CLAIM_MAX: u32 = 32;
/// How long the node sleeps at most when nothing wakes it.
const IDLE: Duration = Duration::from_secs(1);
/// Events come in bursts: one look for several.
const BURST: Duration = Duration::from_millis(20);
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Rows that a sweep removes in one transaction.
const PRUNE_MAX: u32 = 5000;
/// How long a delivery that was given up can be replayed; no event is kept longer.
const FAILED_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How much longer than one delivery a lease lasts.
const LEASE_MARGIN: Duration = Duration::from_secs(10);

/// How long a node holds an endpoint without a sign of life: longer than a delivery may take.
pub(super) fn lease_time(app: &App) -> Duration {
    Duration::from_secs(app.config.endpoints.timeout_s).saturating_add(LEASE_MARGIN)
}

/// Runs until the gateway stops.
pub async fn run(app: Arc<App>) {
    if let Err(error) = recover(&app).await {
        tracing::error!(%error, "leases of endpoints could not be ended");
    }
    let mut swept = app.clock.now();
    while !app.tasks.is_stopping() {
        // Waits from before the look on: what is appended in between wakes.
        let woken = app.wake.events.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let now = app.clock.now();
        match claim(&app, now).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "endpoints could not be claimed"),
        }
        if now.since(swept).is_none_or(|since| since >= SWEEP_EVERY) {
            swept = now;
            if let Err(error) = sweep(&app, now).await {
                tracing::error!(%error, "old deliveries could not be swept");
            }
        }
        tokio::select! {
            () = woken => tokio::time::sleep(BURST).await,
            () = tokio::time::sleep(IDLE) => {}
            () = app.tasks.stopping() => {}
        }
    }
}

/// At a start: with SQLite nobody else can hold a lease, so every one is of a process that is gone.
async fn recover(app: &App) -> store::Result<()> {
    if app.db.is_postgres() {
        return Ok(());
    }
    let mut tx = app.db.begin().await?;
    store::endpoints::expire_leases(&mut tx).await?;
    tx.commit().await
}

/// Answers whether anything was claimed.
async fn claim(app: &Arc<App>, now: At) -> store::Result<bool> {
    // A look without the writer first: an idle gateway must not write.
    if !store::endpoints::is_any_open(&app.db, now).await? {
        return Ok(false);
    }
    let mut tx = app.db.begin().await?;
    let leases = store::endpoints::claim(&mut tx, now, now.plus(lease_time(app)), CLAIM_MAX).await?;
    tx.commit().await?;
    let any = !leases.is_empty();
    for lease in leases {
        let app_of_it = Arc::clone(app);
        match lease.kind {
            EndpointKind::Webhook => app.tasks.spawn(serve::serve(app_of_it, lease)),
            EndpointKind::Nats => app.tasks.spawn(publish::serve(app_of_it, lease)),
        }
    }
    Ok(any)
}

async fn sweep(app: &App, now: At) -> store::Result<()> {
    let delivered_before = now.minus(Duration::from_secs(app.config.endpoints.history_s));
    loop {
        let mut tx = app.db.begin().await?;
        let pruned = store::endpoints::deliveries::prune(&mut tx, delivered_before, now.minus(FAILED_KEPT), PRUNE_MAX).await?;
        tx.commit().await?;
        if pruned < u64::from(PRUNE_MAX) {
            break;
        }
    }
    for id in store::endpoints::deliveries::endpoints_owed_pruned(&app.db).await? {
        tracing::warn!(endpoint.id = %id, "an endpoint was owed events that are no longer kept; they are dropped");
        let mut tx = app.db.begin().await?;
        store::endpoints::lock(&mut tx, &id).await?;
        store::endpoints::deliveries::drop_pruned(&mut tx, &id, now).await?;
        tx.commit().await?;
    }
    Ok(())
}
