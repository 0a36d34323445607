//! Somebody's word on a version that asks for more than its type was granted. It belongs to the digest: another build is asked for anew.

use serde_json::json;

use super::{
    install::{InstallError, Installed, begin_pending},
    moves,
};
use crate::{
    app::App,
    audit::{self, Deed},
    domain::{
        actor::Actor,
        plugin::{Judgement, VersionState},
    },
    store::{
        self, StoreError,
        plugins::{
            PluginVersion,
            examinations::{self, StateChange},
        },
    },
};

/// Why a version's state was not changed.
#[derive(Debug, thiserror::Error)]
pub enum JudgementError {
    #[error("there is no version {0}")]
    Unknown(String),
    /// What it is, and what it would have to be.
    #[error("the version is {state}; {wanted}")]
    State { state: VersionState, wanted: &'static str },
    #[error("the version was changed meanwhile: look at it and try again")]
    Overtaken,
    /// It is approved; what should have become of it didn't.
    #[error(transparent)]
    Begin(InstallError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Lets a version in that waits, or was rejected before, and has it run as was asked when it was brought.
///
/// # Errors
/// [`JudgementError`]
pub async fn approve(app: &App, digest: &str, actor: &Actor, reason: &str) -> Result<Option<Installed>, JudgementError> {
    let version = find(app, digest).await?;
    if !matches!(version.state, VersionState::AwaitingApproval | VersionState::Rejected) {
        let wanted = "one that waits for an approval, or was rejected, can be approved";
        return Err(JudgementError::State { state: version.state, wanted });
    }
    change(app, &version, VersionState::Ready, true, actor, reason).await?;
    let ready = find(app, digest).await?;
    begin_pending(app, &ready).await.map_err(JudgementError::Begin)
}

/// Keeps a version out that waits.
///
/// # Errors
/// [`JudgementError`]
pub async fn reject(app: &App, digest: &str, actor: &Actor, reason: &str) -> Result<(), JudgementError> {
    let version = find(app, digest).await?;
    if version.state != VersionState::AwaitingApproval {
        let wanted = "one that waits for an approval can be rejected; one that is ready is revoked";
        return Err(JudgementError::State { state: version.state, wanted });
    }
    change(app, &version, VersionState::Rejected, false, actor, reason).await
}

async fn change(
    app: &App,
    version: &PluginVersion,
    to: VersionState,
    approved: bool,
    actor: &Actor,
    reason: &str,
) -> Result<(), JudgementError> {
    let now = app.clock.now();
    let judgement = Judgement { approved, by: actor.clone(), at: now, reason: reason.to_owned() };
    let told = (!approved).then_some(reason);
    let mut tx = app.db.begin().await?;
    let made = StateChange { to, reason: told, judgement: Some(&judgement) };
    if !examinations::change_state(&mut tx, &version.digest, version.state, &made, now).await? {
        return Err(JudgementError::Overtaken);
    }
    let change = moves::Change {
        channel_type: version.channel_type.as_deref(),
        digest: &version.digest,
        from: Some(version.state.as_str()),
        to: to.as_str(),
        reason,
        detail: json!({"widens": version.widens}),
    };
    moves::record(app, &mut tx, actor, change).await?;
    let deed = Deed {
        action: if approved { "plugin.approve" } else { "plugin.reject" },
        subject_kind: "plugin_version",
        subject_id: &version.digest,
        organization_id: None,
        detail: json!({"type": version.channel_type, "version": version.version, "reason": reason}),
    };
    audit::record(app, &mut tx, actor, deed).await?;
    tx.commit().await?;
    tracing::info!(plugin.digest = %version.digest, state = %to, %reason, by = %actor.name, "a plugin was judged");
    Ok(())
}

pub(super) async fn find(app: &App, digest: &str) -> Result<PluginVersion, JudgementError> {
    store::plugins::find(&app.db, digest).await?.ok_or_else(|| JudgementError::Unknown(digest.to_owned()))
}
