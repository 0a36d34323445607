//! How long things are kept: what is older goes, so that the database doesn't grow for ever. In small transactions, so that
//! webhooks needn't wait.

use std::{sync::Arc, time::Duration};

use crate::{
    app::App,
    clock::At,
    store::{self, endpoints, retention},
};

/// Between two prunings.
const EVERY: Duration = Duration::from_secs(3600);
/// Rows that go in one transaction.
const BATCH: u32 = 500;
/// Between two batches: others write too.
const PAUSE: Duration = Duration::from_millis(20);

/// Prunes at the start and every hour, until the gateway stops.
pub async fn run(app: Arc<App>) {
    while !app.tasks.is_stopping() {
        match prune(&app, app.clock.now()).await {
            Ok(0) => {}
            Ok(gone) => tracing::info!(gone, "what is older than its retention was deleted"),
            Err(error) => tracing::error!(%error, "what is older than its retention could not be deleted"),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = app.tasks.stopping() => {}
        }
    }
}

/// How far behind an endpoint may be that events are kept for.
const NEEDED: Duration = Duration::from_secs(7 * 86_400);

/// What grows with the traffic, and with what people do.
#[derive(Clone, Copy)]
enum Kind {
    Webhooks,
    UnprocessedWebhooks,
    Attempts,
    Events,
    Replays,
    Audit,
    PluginMoves,
}

/// Answers how many rows went.
async fn prune(app: &App, now: At) -> store::Result<u64> {
    let kept = &app.config.retention;
    let mut gone = 0;
    for (kind, span) in [
        (Kind::Webhooks, kept.webhooks()),
        (Kind::UnprocessedWebhooks, kept.webhooks_unprocessed()),
        (Kind::Attempts, kept.attempts()),
        (Kind::Events, kept.events()),
        (Kind::Replays, kept.webhooks_unprocessed()),
        (Kind::Audit, kept.audit()),
        (Kind::PluginMoves, kept.plugin_moves()),
    ] {
        gone += drain(app, kind, now.minus(span)).await?;
    }
    Ok(gone)
}

/// Batch by batch until nothing is left.
async fn drain(app: &App, kind: Kind, before: At) -> store::Result<u64> {
    let mut gone = 0;
    while !app.tasks.is_stopping() {
        let mut tx = app.db.begin().await?;
        let went = match kind {
            Kind::Webhooks => retention::prune_webhooks(&mut tx, before, BATCH).await?,
            Kind::UnprocessedWebhooks => retention::prune_unprocessed_webhooks(&mut tx, before, BATCH).await?,
            Kind::Attempts => retention::prune_attempts(&mut tx, before, BATCH).await?,
            Kind::Events => {
                let needed_from = endpoints::lowest_needed_seq(&mut tx, app.clock.now().minus(NEEDED)).await?;
                retention::prune_events(&mut tx, before, needed_from, BATCH).await?
            }
            Kind::Replays => retention::prune_replays(&mut tx, before, BATCH).await?,
            Kind::Audit => retention::prune_audit(&mut tx, before, BATCH).await?,
            Kind::PluginMoves => retention::prune_plugin_moves(&mut tx, before, BATCH).await?,
        };
        tx.commit().await?;
        gone += went;
        if went < u64::from(BATCH) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(gone)
}
