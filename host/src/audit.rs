//! The audit log: who did what. Called in the transaction of what was done, so that neither is without the other.

use serde_json::Value;

use crate::{
    app::App,
    clock::At,
    domain::actor::Actor,
    ids::Ids,
    store::{self, Tx, audit::Entry},
};

/// What somebody did, and to what.
#[derive(Debug, Clone)]
pub struct Deed<'a> {
    /// Like `plugin.approve`: the kind of thing, then the verb.
    pub action: &'a str,
    pub subject_kind: &'a str,
    pub subject_id: &'a str,
    /// None: the operator's.
    pub organization_id: Option<&'a str>,
    pub detail: Value,
}

/// Notes a deed.
///
/// # Errors
/// The database failed: what was done is undone with its transaction.
pub async fn record(app: &App, tx: &mut Tx, actor: &Actor, deed: Deed<'_>) -> store::Result<()> {
    store::audit::record(tx, &entry(&app.ids, app.clock.now(), actor, deed)).await
}

/// Notes a deed that has no transaction of its own, like a question to a provider: before it is done.
///
/// # Errors
/// The database failed: then it isn't to be done.
pub async fn note(app: &App, actor: &Actor, deed: Deed<'_>) -> store::Result<()> {
    let mut tx = app.db.begin().await?;
    record(app, &mut tx, actor, deed).await?;
    tx.commit().await
}

/// A deed as it is kept.
pub fn entry(ids: &Ids, now: At, actor: &Actor, deed: Deed<'_>) -> Entry {
    Entry {
        id: ids.next(now),
        at: now,
        actor: actor.clone(),
        action: deed.action.to_owned(),
        subject_kind: deed.subject_kind.to_owned(),
        subject_id: deed.subject_id.to_owned(),
        organization_id: deed.organization_id.map(str::to_owned),
        detail: deed.detail,
    }
}
