//! Files that nobody needs any more.

use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _};

use crate::{
    app::App,
    clock::At,
    store::{self, media::Keep},
};

/// Files that one round takes; what is left waits for the next.
const ROUND: u32 = 200;

/// How old a blob is that nobody has noted and nobody will: what makes one is over within minutes.
const ORPHANED: Duration = Duration::from_secs(86_400);

/// Removes blobs that nobody knows of: a crash came between their bytes and the row that notes them.
///
/// # Errors
/// The database or the blob store failed.
pub(super) async fn sweep_orphans(app: &App, now: At) -> anyhow::Result<()> {
    let mut old = app.blobs.older_than(now.minus(ORPHANED)).try_chunks(ROUND as usize);
    while let Some(ids) = old.next().await {
        if app.tasks.is_stopping() {
            return Ok(());
        }
        let ids: BTreeSet<String> = ids?.into_iter().collect();
        let known = store::media::known(&app.db, &ids).await?;
        for id in ids.difference(&known) {
            app.blobs.delete(id).await?;
            tracing::info!(blob.id = %id, "a blob that nobody knew of was removed");
        }
    }
    Ok(())
}

/// Removes uploads that no message uses after `media.unused_days`, and files of messages after `retention.media_days`: first from
/// sight, then their bytes, then their row, so that a crash leaves nothing behind for ever.
///
/// # Errors
/// The database failed. A blob that can't be removed is tried again with the next sweep.
pub(super) async fn sweep(app: &App, now: At) -> store::Result<()> {
    let days = |days: u64| now.minus(Duration::from_secs(days.saturating_mul(86_400)));
    let keep = Keep {
        unused_since: days(app.config.media.unused_days),
        used_before: Some(app.config.retention.media_days).filter(|kept| *kept > 0).map(days),
    };
    let mut tx = app.db.begin().await?;
    let ids = store::media::mark_removed(&mut tx, &keep, now, ROUND).await?;
    tx.commit().await?;
    for id in ids {
        if let Err(error) = app.blobs.delete(&id).await {
            tracing::warn!(%error, media.id = %id, "a file could not be removed; the next sweep tries again");
            continue;
        }
        let mut tx = app.db.begin().await?;
        store::media::forget(&mut tx, &id).await?;
        tx.commit().await?;
    }
    Ok(())
}
