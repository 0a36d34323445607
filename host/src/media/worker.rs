//! Claims files that messages brought and fetches them, as many at a time as the configuration says.

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use super::{
    fetch::{LEASE, attempt},
    sweep::{sweep, sweep_orphans},
};
use crate::{app::App, clock::At, store};

/// Claimed in one transaction at most.
const CLAIM_MAX: usize = 32;
/// How long a worker sleeps at most when nothing wakes it.
const IDLE: Duration = Duration::from_secs(1);
/// How often files that nobody needs any more are looked for; also at the start.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How often blobs that nobody knows of are looked for, which lists all there are; also at the start, since a crash leaves them.
const ORPHANS_EVERY: Duration = Duration::from_secs(86_400);

/// Runs until the gateway stops; what is being fetched then is finished.
pub async fn run(app: Arc<App>) {
    let slots = Arc::new(Semaphore::new(app.config.media.workers as usize));
    let (mut swept, mut listed): (Option<At>, Option<At>) = (None, None);
    while !app.tasks.is_stopping() {
        let now = app.clock.now();
        if swept.is_none_or(|swept| now.since(swept).is_none_or(|since| since >= SWEEP_EVERY)) {
            swept = Some(now);
            if let Err(error) = sweep(&app, now).await {
                tracing::error!(%error, "files that nobody needs any more could not be looked for");
            }
        }
        if listed.is_none_or(|listed| now.since(listed).is_none_or(|since| since >= ORPHANS_EVERY)) {
            listed = Some(now);
            let sweeper = Arc::clone(&app);
            app.tasks.spawn(async move {
                if let Err(error) = sweep_orphans(&sweeper, now).await {
                    tracing::error!(%error, "blobs that nobody knows of could not be looked for");
                }
            });
        }
        let wait = match claim(&app, &slots).await {
            Ok(true) => continue,
            Ok(false) => until_next_due(&app).await,
            Err(error) => {
                tracing::error!(%error, "the files to fetch could not be read");
                IDLE
            }
        };
        tokio::select! {
            () = app.wake.media.notified() => {}
            () = tokio::time::sleep(wait) => {}
            () = app.tasks.stopping() => {}
        }
    }
}

/// Claims what the free slots can take; answers whether anything was claimed.
async fn claim(app: &Arc<App>, slots: &Arc<Semaphore>) -> store::Result<bool> {
    // At least one slot before anything is claimed: a claimed file must not wait for one while its lease runs.
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
    if store::media::next_due(&app.db).await?.is_none_or(|due| due > now) {
        return Ok(false);
    }
    let mut tx = app.db.begin().await?;
    let claims = store::media::claim(&mut tx, now, now.plus(LEASE), u32::try_from(permits.len()).unwrap_or(1)).await?;
    tx.commit().await?;
    let any = !claims.is_empty();
    for (claim, permit) in claims.into_iter().zip(permits) {
        let fetcher = Arc::clone(app);
        app.tasks.spawn(async move {
            if let Err(error) = attempt(&fetcher, &claim).await {
                tracing::error!(%error, message.id = %claim.file.message_id, "a file could not be settled; its lease will run out");
            }
            drop(permit);
        });
    }
    Ok(any)
}

async fn until_next_due(app: &App) -> Duration {
    match store::media::next_due(&app.db).await {
        Ok(Some(due)) => due.since(app.clock.now()).unwrap_or(IDLE).clamp(Duration::from_millis(10), IDLE),
        _ => IDLE,
    }
}

/// At a start: with SQLite nobody else can hold a claim, so every one is of a process that is gone.
///
/// # Errors
/// The database failed.
pub async fn recover(app: &App) -> store::Result<()> {
    if app.db.is_postgres() {
        return Ok(());
    }
    let mut tx = app.db.begin().await?;
    store::media::expire_leases(&mut tx).await?;
    tx.commit().await
}
