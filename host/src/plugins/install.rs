//! The way in of a component: size → digest → manifest → compiled in a child → linked against the contract → a first call →
//! stored and made active in one transaction → swapped. What fails on the way is listed with its reason, and the version
//! that ran goes on.

use std::time::Duration;

use patchbay_sandbox::contract::types::Failure;
use ring::digest;
use serde_json::{Value, json};

use super::{
    CallServices, Version,
    registry::load_compiled,
    rollout,
};
use crate::{
    app::App,
    domain::{
        actor::Actor,
        plugin::{Rollout, RolloutKind, VersionState},
    },
    manifest::Manifest,
    store::{
        self, StoreError,
        plugins::{
            PluginVersion,
            examinations::{self, Outcome},
        },
    },
};

/// How long an examination is its node's.
const LEASE: Duration = Duration::from_secs(600);

/// Why a component was not installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The component is at fault.
    #[error("{0}")]
    Refused(String),
    /// Somebody else activated another version meanwhile.
    #[error("another version was activated meanwhile: look at it and try again")]
    Overtaken,
    #[error("there is no earlier version of {0} to go back to")]
    NothingBefore(String),
    #[error("no plugin for {0} is installed")]
    UnknownType(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was installed.
#[derive(Debug, Clone)]
pub struct Installed {
    pub digest: String,
    pub channel_type: String,
    pub version: String,
    /// False where exactly this component ran already.
    pub changed: bool,
}

/// SHA-256 in hex: a component's name.
pub fn digest_of(component: &[u8]) -> String {
    digest::digest(&digest::SHA256, component).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Checks a component, stores it and makes it what its channel type runs. `source` says where it came from.
///
/// # Errors
/// The reason, which is kept with the digest too.
pub async fn install(app: &App, component: Vec<u8>, source: &str) -> Result<Installed, InstallError> {
    let digest = digest_of(&component);
    if let Some(known) = store::plugins::find(&app.db, &digest).await?
        && known.state == VersionState::Ready
    {
        let reason = format!("installed again from {source}");
        return Ok(rollout::begin(app, &digest, &Rollout::of(RolloutKind::Active), Actor::system(), &reason).await?);
    }
    let now = app.clock.now();
    let size = i64::try_from(component.len()).unwrap_or(i64::MAX);
    let rollout = Rollout::of(RolloutKind::Active);
    let brought = PluginVersion::brought(digest.clone(), size, source.to_owned(), Actor::system(), rollout, now);
    let mut tx = app.db.begin().await?;
    examinations::bring(&mut tx, &brought, &component).await?;
    let claim = examinations::claim(&mut tx, &digest, &app.node.id, now, now.plus(LEASE)).await?.ok_or(InstallError::Overtaken)?;
    tx.commit().await?;
    let examined = examine(app, &digest, &component).await;
    let mut outcome = Outcome::of(VersionState::Ready, None);
    match &examined {
        Ok((version, manifest)) => {
            outcome.channel_type = Some(version.manifest.channel_type.clone());
            outcome.version = Some(version.manifest.version.clone());
            outcome.manifest = Some(manifest.clone());
        }
        Err(refusal) => {
            outcome.state = VersionState::Failed;
            outcome.reason = Some(refusal.reason.clone());
            outcome.channel_type = refusal.manifest.as_ref().map(|manifest| manifest.channel_type.clone());
            outcome.version = refusal.manifest.as_ref().map(|manifest| manifest.version.clone());
        }
    }
    let mut tx = app.db.begin().await?;
    examinations::settle(&mut tx, &claim, &outcome, app.clock.now()).await?;
    tx.commit().await?;
    match examined {
        Ok(_) => {
            let (rollout, reason) = (Rollout::of(RolloutKind::Active), format!("installed from {source}"));
            Ok(rollout::begin(app, &claim.digest, &rollout, Actor::system(), &reason).await?)
        }
        Err(refusal) => {
            tracing::error!(plugin.digest = %claim.digest, %source, reason = %refusal.reason, "a plugin was refused");
            Err(InstallError::Refused(refusal.reason))
        }
    }
}

struct Refusal {
    reason: String,
    manifest: Option<Manifest>,
}

/// Everything that is checked before a component may run.
async fn examine(app: &App, digest: &str, component: &[u8]) -> Result<(Version, Value), Refusal> {
    let most = app.config.plugins.max_size_mb.saturating_mul(1024 * 1024);
    if component.len() > most {
        let reason = format!("it has {} bytes; plugins.max_size_mb = {} is the most", component.len(), app.config.plugins.max_size_mb);
        return Err(Refusal { reason, manifest: None });
    }
    let manifest = Manifest::from_component(component).map_err(|error| Refusal { reason: error.to_string(), manifest: None })?;
    let refused = |reason: String| Refusal { reason, manifest: Some(manifest.clone()) };
    let plugin = load_compiled(app, digest, component).await.map_err(refused)?;
    let version = Version::new(digest.to_owned(), manifest.clone(), plugin, &app.config);
    probe(app, &version).await.map_err(refused)?;
    let shown = serde_json::to_value(&manifest).map_err(|error| refused(error.to_string()))?;
    Ok((version, shown))
}

/// The first call: whatever `configure` says of empty settings, it has to say something.
async fn probe(app: &App, version: &Version) -> Result<(), String> {
    let mut settings = json!({});
    version.manifest.fill_defaults(&mut settings);
    match version.configure(CallServices::detached(app, version), &settings).await {
        Ok(Ok(_) | Err(Failure::Invalid(_))) => Ok(()),
        Ok(Err(failure)) => {
            Err(format!("its configure, asked about empty settings, answered {failure:?}: expected is the settings or invalid"))
        }
        Err(fault) => Err(format!("its configure failed: {fault}")),
    }
}
