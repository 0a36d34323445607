//! The door of the way in: whatever brings a component, it is stored before anything is looked at, examined ([`examination`]), and then
//! runs, waits for an approval, or is listed as failed with its reason. The version that ran goes on until another one may.

use std::time::Duration;

use ring::digest;
use serde_json::json;

use super::{RolloutError, examination, moves, rollout, sync, trust};
use crate::{
    app::App,
    audit::{self, Deed},
    domain::{
        actor::Actor,
        plugin::{Rollout, RolloutKind, Source, VersionState},
    },
    store::{
        self, StoreError,
        plugins::{
            PluginVersion,
            examinations::{self, Claim},
        },
    },
};

/// How often it is looked whether another one has come to an end with a version.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Why a component was not installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The component is at fault.
    #[error("{0}")]
    Refused(String),
    /// It is ready; what should have become of it didn't.
    #[error(transparent)]
    Rollout(RolloutError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<RolloutError> for InstallError {
    fn from(error: RolloutError) -> InstallError {
        match error {
            RolloutError::Store(error) => InstallError::Store(error),
            other => InstallError::Rollout(other),
        }
    }
}

/// A component that somebody brings.
#[derive(Debug)]
pub struct Brought {
    pub component: Vec<u8>,
    pub source: Source,
    pub actor: Actor,
    /// None: as the configuration says.
    pub rollout: Option<Rollout>,
}

/// What a version that was rolled out is.
#[derive(Debug, Clone)]
pub struct Installed {
    pub digest: String,
    pub channel_type: String,
    pub version: String,
    /// False where what runs is what ran before.
    pub changed: bool,
}

/// What became of a component.
#[derive(Debug)]
pub struct Arrived {
    pub version: PluginVersion,
    /// Whether something else runs now than before.
    pub changed: bool,
}

/// A component that is stored.
#[derive(Debug)]
pub struct Stored {
    pub digest: String,
    /// To be examined by whoever has this; none where it was known, or another one is at it.
    claim: Option<(Claim, Vec<u8>)>,
    rollout: Rollout,
    source: Source,
    actor: Actor,
}

/// SHA-256 in hex: a component's name.
pub fn digest_of(component: &[u8]) -> String {
    digest::digest(&digest::SHA256, component).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Brings a component in, to the end.
///
/// # Errors
/// The reason, which is kept with the digest too.
pub async fn install(app: &App, brought: Brought) -> Result<Arrived, InstallError> {
    let stored = keep(app, brought).await?;
    go_on(app, stored).await
}

/// Stores a component that is new, or failed before. Whatever happens from here on, its examination will be done.
///
/// # Errors
/// The database failed.
pub async fn keep(app: &App, brought: Brought) -> store::Result<Stored> {
    let Brought { component, source, actor, rollout } = brought;
    let digest = digest_of(&component);
    let asked = rollout.is_some();
    let rollout = rollout.unwrap_or_else(|| Rollout::of(app.config.plugins.rollout));
    let now = app.clock.now();
    let size = i64::try_from(component.len()).unwrap_or(i64::MAX);
    let version = PluginVersion::brought(digest.clone(), size, source.to_string(), actor.clone(), rollout.clone(), now);
    let known = store::plugins::find(&app.db, &digest).await?.map(|known| known.state);
    let mut claim = None;
    if known.is_none_or(|state| state == VersionState::Failed) {
        let mut tx = app.db.begin().await?;
        // What is too large fails at once, and isn't kept.
        let kept: &[u8] = if component.len() > examination::size_max(app) { &[] } else { &component };
        if examinations::bring(&mut tx, &version, kept).await? {
            let (reason, from) = (format!("brought by {source}"), known.map(VersionState::as_str));
            let to = VersionState::Examining.as_str();
            let change = moves::Change { channel_type: None, digest: &digest, from, to, reason: &reason, detail: json!({}) };
            moves::record(app, &mut tx, &actor, change).await?;
            let detail = json!({"source": source.to_string(), "rollout": asked.then_some(&rollout)});
            let deed =
                Deed { action: "plugin.install", subject_kind: "plugin_version", subject_id: &digest, organization_id: None, detail };
            audit::record(app, &mut tx, &actor, deed).await?;
            claim = examinations::claim(&mut tx, &digest, &app.node.id, now, now.plus(examination::LEASE)).await?;
        }
        tx.commit().await?;
    }
    Ok(Stored { digest, claim: claim.map(|claim| (claim, component)), rollout, source, actor })
}

/// Examines a stored component, or waits for whoever does, and has it run as was asked.
///
/// # Errors
/// The reason, which is kept with the digest too.
pub async fn go_on(app: &App, stored: Stored) -> Result<Arrived, InstallError> {
    let Stored { digest, claim, rollout, source, actor } = stored;
    let new = claim.is_some();
    if let Some((claim, component)) = claim {
        examination::examine(app, &claim, &component).await?;
    }
    let mut version = attend(app, &digest).await?;
    if !new && version.state == VersionState::Ready && version.rollout.is_none() {
        return come_again(app, version, &source, &actor, &rollout).await;
    }
    let mut changed = false;
    if version.state == VersionState::Ready {
        changed = begin_pending(app, &version).await?.is_some_and(|installed| installed.changed);
        // Another node may have begun it.
        sync(app).await?;
        version = find(app, &digest).await?;
    }
    arrived(version, changed)
}

/// A version that was let in before is brought again: it runs as was asked, if it may come this way at all.
async fn come_again(app: &App, version: PluginVersion, source: &Source, actor: &Actor, rollout: &Rollout) -> Result<Arrived, InstallError> {
    let component = store::plugins::component(&app.db, &version.digest).await?.unwrap_or_default();
    trust::judge(app, &component, source.kind).await?.map_err(InstallError::Refused)?;
    let reason = format!("brought again by {source}");
    let installed = rollout::begin(app, &version.digest, rollout, actor.clone(), &reason).await?;
    arrived(version, installed.changed)
}

fn arrived(version: PluginVersion, changed: bool) -> Result<Arrived, InstallError> {
    let reason = || version.reason.clone().unwrap_or_default();
    match version.state {
        VersionState::Examining | VersionState::AwaitingApproval | VersionState::Ready => Ok(Arrived { version, changed }),
        VersionState::Failed => Err(InstallError::Refused(reason())),
        VersionState::Rejected => {
            let way_out = format!("`patchbay plugin approve {}` lets it in all the same", version.digest);
            Err(InstallError::Refused(format!("it was rejected ({}): {way_out}", reason())))
        }
        VersionState::Revoked => {
            Err(InstallError::Refused(format!("it was revoked ({}): another build, or another signature, is another version", reason())))
        }
    }
}

/// Waits until a version's examination has come to an end; takes it up where nobody is at it.
async fn attend(app: &App, digest: &str) -> Result<PluginVersion, InstallError> {
    loop {
        let version = find(app, digest).await?;
        if version.state != VersionState::Examining {
            return Ok(version);
        }
        if !examination::take_up(app, digest).await? {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

async fn find(app: &App, digest: &str) -> Result<PluginVersion, InstallError> {
    let found = store::plugins::find(&app.db, digest).await?;
    found.ok_or_else(|| InstallError::Refused(format!("the database has no component {digest}")))
}

/// Begins what was asked for a version that has just become ready: once, however many look, and whenever one crashed in between.
///
/// # Errors
/// What was asked can't be done: it isn't tried again. Or the database failed: it is.
pub(super) async fn begin_pending(app: &App, version: &PluginVersion) -> Result<Option<Installed>, InstallError> {
    let Some(rollout) = &version.rollout else { return Ok(None) };
    let actor = version.judgement.as_ref().map(|judgement| &judgement.by).or(version.actor.as_ref()).cloned();
    let reason = match &version.judgement {
        Some(judgement) => format!("approved: {}", judgement.reason),
        None => format!("brought by {}", version.source),
    };
    let begun = if rollout.kind != RolloutKind::Hold && store::plugins::was_begun(&app.db, &version.digest).await? {
        Ok(None)
    } else {
        rollout::begin(app, &version.digest, rollout, actor.unwrap_or_else(Actor::system), &reason).await.map(Some)
    };
    if let Err(RolloutError::Store(error)) = begun {
        return Err(error.into());
    }
    let mut tx = app.db.begin().await?;
    store::plugins::clear_rollout(&mut tx, &version.digest).await?;
    tx.commit().await?;
    Ok(begun?)
}
