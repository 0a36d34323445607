//! What became of versions, each change with its reason and who made it: called in the transaction that makes it.

use serde_json::Value;

use crate::{
    app::App,
    domain::{actor::Actor, plugin::Move},
    store::{self, Tx},
};

/// A change of state of a version.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    pub channel_type: Option<&'a str>,
    pub digest: &'a str,
    /// A word of [`VersionState`](crate::domain::plugin::VersionState) or [`Standing`](crate::domain::plugin::Standing).
    pub from: Option<&'a str>,
    pub to: &'a str,
    pub reason: &'a str,
    pub detail: Value,
}

/// Notes a change.
///
/// # Errors
/// The database failed: the change is undone with its transaction.
pub async fn record(app: &App, tx: &mut Tx, actor: &Actor, change: Change<'_>) -> store::Result<()> {
    let now = app.clock.now();
    let made = Move {
        id: app.ids.next(now),
        at: now,
        channel_type: change.channel_type.map(str::to_owned),
        digest: change.digest.to_owned(),
        from: change.from.map(str::to_owned),
        to: change.to.to_owned(),
        reason: change.reason.to_owned(),
        actor: actor.clone(),
        detail: change.detail,
    };
    store::plugins::moves::record(tx, &made).await
}
