//! What a channel type runs, and how that changes. Desired state first, then this node's snapshot: a crash in between is mended by the
//! next start.

use std::sync::Arc;

use serde_json::json;

use super::{InstallError, Installed, Version, moves, registry::load_stored};
use crate::{
    accounts::RELEASE,
    app::App,
    audit::{self, Deed},
    domain::{
        actor::Actor,
        plugin::{Rollout, RolloutKind, Standing, VersionState},
    },
    store::{self, StoreError},
    wake::Topic,
};

/// Why what runs was not changed.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    #[error("what {0} runs was changed meanwhile: look at it and try again")]
    Overtaken(String),
    #[error("there is no earlier version of {0} to go back to")]
    NothingBefore(String),
    #[error("no plugin for {0} is installed")]
    UnknownType(String),
    #[error("that version can't run: it is {state}{}", .reason.as_ref().map_or(String::new(), |reason| format!(": {reason}")))]
    NotReady { state: VersionState, reason: Option<String> },
    /// One that is ready, and can't be loaded.
    #[error("that version can't run here: {0}")]
    Unloadable(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whose word it is.
#[derive(Debug, Clone)]
pub struct Order {
    pub actor: Actor,
    pub reason: String,
}

impl Order {
    pub fn of(actor: Actor, reason: impl Into<String>) -> Order {
        Order { actor, reason: reason.into() }
    }
}

/// Starts a version that is ready as whoever brought it asked.
///
/// # Errors
/// [`RolloutError`]; nothing is changed then.
pub async fn begin(app: &App, digest: &str, rollout: &Rollout, actor: Actor, reason: &str) -> Result<Installed, RolloutError> {
    match rollout.kind {
        RolloutKind::Active | RolloutKind::Canary => activate(app, digest, Order::of(actor, reason)).await,
        RolloutKind::Hold => {
            let version = load(app, digest).await?;
            Ok(installed(&version, false))
        }
    }
}

/// Makes a version what its type runs.
///
/// # Errors
/// [`RolloutError`]; nothing is changed then.
pub async fn activate(app: &App, digest: &str, order: Order) -> Result<Installed, RolloutError> {
    let version = load(app, digest).await?;
    let _switching = app.plugins.switch().await;
    let channel_type = version.manifest.channel_type.clone();
    let standing = store::plugins::active(&app.db, &channel_type).await?;
    let mut changed = standing.as_ref().is_none_or(|active| active.digest != digest);
    if changed {
        let generation = standing.as_ref().map_or(0, |active| active.generation);
        let mut tx = app.db.begin().await?;
        if store::plugins::activate(&mut tx, &channel_type, digest, generation, &order.reason, app.clock.now()).await? {
            let moved = |digest, from, to| moves::Change {
                channel_type: Some(&channel_type),
                digest,
                from: Some(from),
                to,
                reason: &order.reason,
                detail: json!({"generation": generation + 1}),
            };
            if let Some(former) = &standing {
                let retired = moved(&former.digest, Standing::Active.as_str(), Standing::Retired.as_str());
                moves::record(app, &mut tx, &order.actor, retired).await?;
            }
            let active = moved(digest, VersionState::Ready.as_str(), Standing::Active.as_str());
            moves::record(app, &mut tx, &order.actor, active).await?;
            let detail = json!({"digest": digest, "generation": generation + 1, "reason": order.reason});
            let deed = Deed { action: "plugin.activate", subject_kind: "plugin", subject_id: &channel_type, organization_id: None, detail };
            audit::record(app, &mut tx, &order.actor, deed).await?;
            // What an earlier version couldn't read, this one may.
            for account in store::webhooks::accounts_waiting(&mut tx, &channel_type).await? {
                store::jobs::schedule(&mut tx, &account, RELEASE, app.clock.now()).await?;
            }
            tx.commit().await?;
            tracing::info!(plugin.type = %channel_type, plugin.version = %version.manifest.version, plugin.digest = %digest, reason = %order.reason, "plugin activated");
        } else {
            // Another node was faster; it may have found the same component in the folder that they share.
            let standing = store::plugins::active(&mut tx, &channel_type).await?;
            if standing.is_none_or(|active| active.digest != digest) {
                return Err(RolloutError::Overtaken(channel_type));
            }
            changed = false;
        }
    }
    let done = installed(&version, changed);
    app.plugins.publish(Arc::new(version));
    app.wake.tell(Topic::Plugins);
    app.wake.tell(Topic::Jobs);
    Ok(done)
}

/// Goes back to the version that ran before the active one.
///
/// # Errors
/// [`RolloutError`]; nothing is changed then.
pub async fn roll_back(app: &App, channel_type: &str, order: Order) -> Result<Installed, RolloutError> {
    let active = store::plugins::active(&app.db, channel_type).await?.ok_or_else(|| RolloutError::UnknownType(channel_type.to_owned()))?;
    let previous = active.previous_digest.ok_or_else(|| RolloutError::NothingBefore(channel_type.to_owned()))?;
    activate(app, &previous, order).await
}

/// A version that is ready, loaded.
async fn load(app: &App, digest: &str) -> Result<Version, RolloutError> {
    let known = store::plugins::find(&app.db, digest).await?;
    let Some(known) = known else { return Err(RolloutError::Unloadable(format!("the database has no component {digest}"))) };
    if known.state != VersionState::Ready {
        return Err(RolloutError::NotReady { state: known.state, reason: known.reason });
    }
    match load_stored(app, digest).await {
        Ok(version) => Ok(version),
        Err(InstallError::Store(error)) => Err(error.into()),
        Err(error) => Err(RolloutError::Unloadable(error.to_string())),
    }
}

fn installed(version: &Version, changed: bool) -> Installed {
    Installed {
        digest: version.digest.clone(),
        channel_type: version.manifest.channel_type.clone(),
        version: version.manifest.version.clone(),
        changed,
    }
}
