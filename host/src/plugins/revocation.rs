//! Taking back what was let in: a version by itself, or all that one key alone vouched for. What runs of it goes back to the version
//! before; where there is none, the type stops, and its webhooks are kept until it runs again.

use std::collections::BTreeSet;

use serde_json::json;

use super::{
    approval::{JudgementError, find},
    moves,
    rollout::{self, Order, RolloutError},
    sync,
};
use crate::{
    app::App,
    audit::{self, Deed},
    clock::At,
    domain::{actor::Actor, plugin::VersionState},
    store::{
        self, Tx,
        plugins::{
            PluginVersion,
            examinations::{self, StateChange},
            keys::PluginKey,
        },
    },
    wake::Topic,
};

/// Takes a version back.
///
/// # Errors
/// [`JudgementError`]
pub async fn revoke(app: &App, digest: &str, actor: &Actor, reason: &str) -> Result<(), JudgementError> {
    let version = find(app, digest).await?;
    if !is_in(version.state) {
        let wanted = "one that is ready, or waits, can be revoked";
        return Err(JudgementError::State { state: version.state, wanted });
    }
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if !take_back(app, &mut tx, &version, actor, reason, now).await? {
        return Err(JudgementError::Overtaken);
    }
    let deed = Deed {
        action: "plugin.revoke",
        subject_kind: "plugin_version",
        subject_id: &version.digest,
        organization_id: None,
        detail: json!({"type": version.channel_type, "version": version.version, "reason": reason}),
    };
    audit::record(app, &mut tx, actor, deed).await?;
    tx.commit().await?;
    tracing::warn!(plugin.digest = %digest, %reason, by = %actor.name, "a plugin was revoked");
    Ok(withdraw_now(app).await?)
}

/// Makes a key's signatures worthless. `configured` is the key where the configuration alone has it: it is kept as revoked. Answers the
/// digests that were taken back with it.
///
/// # Errors
/// The database failed.
pub async fn revoke_key(
    app: &App,
    id: &str,
    configured: Option<&PluginKey>,
    actor: &Actor,
    reason: &str,
) -> store::Result<Option<Vec<String>>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if let Some(key) = configured {
        store::plugins::keys::insert(&mut tx, key).await?;
    }
    if !store::plugins::keys::revoke(&mut tx, id, actor, reason, now).await? {
        return Ok(None);
    }
    let told = format!("its key {id} was revoked: {reason}");
    let mut taken = Vec::new();
    for version in store::plugins::list(&mut tx).await? {
        if is_in(version.state)
            && vouched_by(&version) == BTreeSet::from([id])
            && take_back(app, &mut tx, &version, actor, &told, now).await?
        {
            taken.push(version.digest);
        }
    }
    let detail = json!({"reason": reason, "versions": taken});
    let deed = Deed { action: "plugin_key.revoke", subject_kind: "plugin_key", subject_id: id, organization_id: None, detail };
    audit::record(app, &mut tx, actor, deed).await?;
    tx.commit().await?;
    tracing::warn!(key = %id, %reason, versions = taken.len(), by = %actor.name, "a key for plugins was revoked");
    withdraw_now(app).await?;
    Ok(Some(taken))
}

/// It runs, or could with a word.
fn is_in(state: VersionState) -> bool {
    matches!(state, VersionState::Ready | VersionState::AwaitingApproval | VersionState::Rejected)
}

/// Whose signatures let it in.
fn vouched_by(version: &PluginVersion) -> BTreeSet<&str> {
    version.signatures.iter().flatten().filter(|signature| signature.trusted).map(|signature| signature.key_id.as_str()).collect()
}

async fn take_back(app: &App, tx: &mut Tx, version: &PluginVersion, actor: &Actor, reason: &str, now: At) -> store::Result<bool> {
    let made = StateChange { to: VersionState::Revoked, reason: Some(reason), judgement: None };
    if !examinations::change_state(tx, &version.digest, version.state, &made, now).await? {
        return Ok(false);
    }
    let change = moves::Change {
        channel_type: version.channel_type.as_deref(),
        digest: &version.digest,
        from: Some(version.state.as_str()),
        to: VersionState::Revoked.as_str(),
        reason,
        detail: json!({}),
    };
    moves::record(app, tx, actor, change).await?;
    Ok(true)
}

/// Has no type run a version that was taken back: whatever crashed in between, looking again mends it.
///
/// # Errors
/// The database failed.
pub(super) async fn withdraw(app: &App) -> store::Result<()> {
    let taken_back = store::plugins::actives::unfit(&app.db).await?;
    if taken_back.is_empty() {
        return Ok(());
    }
    for active in store::plugins::actives(&app.db).await? {
        if active.canary.is_some_and(|canary| taken_back.contains(&canary.digest)) {
            let order = Order::of(Actor::system(), "the canary was revoked");
            // Else somebody was faster, or it is looked at again.
            if let Err(RolloutError::Store(error)) = rollout::stop_canary(app, &active.channel_type, order).await {
                return Err(error);
            }
        }
    }
    // Without a version to go back to a type stops: see `sync`.
    for unfit in store::plugins::unfit(&app.db).await?.iter().filter(|unfit| unfit.former.is_some()) {
        let order = Order::of(Actor::system(), "the version that ran was revoked");
        match rollout::roll_back(app, &unfit.channel_type, order).await {
            Err(RolloutError::Store(error)) => return Err(error),
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, plugin.type = %unfit.channel_type, "a revoked plugin can't go back to the version before: its type stops");
            }
        }
    }
    Ok(())
}

/// The same at once, here and on the other nodes: types that have nothing to go back to stop.
async fn withdraw_now(app: &App) -> store::Result<()> {
    withdraw(app).await?;
    sync(app).await?;
    app.wake.tell(Topic::Plugins);
    Ok(())
}
