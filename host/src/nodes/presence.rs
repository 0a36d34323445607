//! The heartbeat: each node's row says that it is there and what it runs.

use std::{sync::Arc, time::Duration};

use anyhow::Context;

use super::{running, time};
use crate::{
    app::App,
    clock::At,
    domain::node::{Running, SeenNode},
    store,
};

const BEAT: Duration = Duration::from_secs(5);
/// A node that wasn't seen for so long is gone.
const GONE_AFTER: Duration = Duration::from_secs(30);
/// And nobody asks for it after so long.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60 * 60);
/// In the data folder, which belongs to one process: the id of the one that used it last.
const ID_FILE: &str = "node.id";

/// Whether the node is gone, as far as this one can tell; it knows of itself that it isn't.
pub fn is_gone(app: &App, node: &SeenNode, now: At) -> bool {
    node.node.id != app.node.id && now.since(node.seen_at).is_some_and(|since| since > GONE_AFTER)
}

/// What this data folder's last process was examining is free for whoever takes it up; of SQLite, which one process has to itself, all.
///
/// # Errors
/// The database failed.
pub async fn let_examinations_go(app: &App) -> store::Result<()> {
    let mut tx = app.db.begin().await?;
    if app.db.is_postgres() {
        if let Ok(last) = std::fs::read_to_string(app.config.data.join(ID_FILE)) {
            store::plugins::examinations::expire_leases_of(&mut tx, last.trim()).await?;
        }
    } else {
        store::plugins::examinations::expire_leases(&mut tx).await?;
    }
    tx.commit().await
}

/// Tells that this node is there, before anything asks for it, and takes up what its data folder's last process was doing.
///
/// # Errors
/// The database failed, or the data folder can't be written.
pub async fn enter(app: &App) -> anyhow::Result<()> {
    let file = app.config.data.join(ID_FILE);
    // None on the first start.
    let last = std::fs::read_to_string(&file).ok();
    let mut tx = app.db.begin().await?;
    if let Some(last) = last.as_deref().map(str::trim) {
        store::jobs::expire_leases_of(&mut tx, last).await?;
        store::nodes::leave(&mut tx, last).await?;
    }
    tx.commit().await?;
    std::fs::write(&file, &app.node.id).with_context(|| file.display().to_string())?;
    Ok(beat(app, &running(&app.plugins)).await?)
}

/// Beats until the gateway stops, and at once when what runs here has changed.
pub async fn run(app: Arc<App>) {
    let mut checked = app.clock.now();
    loop {
        tokio::select! {
            // With SQLite nobody looks whether this process is there, and an idle gateway mustn't write.
            () = tokio::time::sleep(BEAT), if app.db.is_postgres() => {}
            () = app.plugins.changed() => {}
            () = app.tasks.stopping() => break,
        }
        if let Err(error) = beat(&app, &running(&app.plugins)).await {
            tracing::warn!(%error, "a heartbeat could not be written");
        }
        let now = app.clock.now();
        if now.since(checked).is_none_or(|since| since >= time::CHECK_EVERY) {
            checked = now;
            time::warn_of_skew(&app).await;
        }
    }
    if let Err(error) = leave(&app).await {
        tracing::warn!(%error, "this node will be listed until it is found to be gone");
    }
}

async fn beat(app: &App, plugins: &[Running]) -> store::Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    store::nodes::see(&mut tx, &app.node, plugins, now).await?;
    store::nodes::forget(&mut tx, now.minus(FORGOTTEN_AFTER)).await?;
    tx.commit().await
}

async fn leave(app: &App) -> store::Result<()> {
    let mut tx = app.db.begin().await?;
    store::nodes::leave(&mut tx, &app.node.id).await?;
    tx.commit().await
}
