//! Which version runs for each channel type: a snapshot that is swapped whole. A call holds an `Arc` of its version, so
//! old code ends with its last call.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use patchbay_sandbox::Plugin;
use tokio::sync::Notify;

use super::{InstallError, Version, compiler, digest_of, trust};
use crate::{
    app::App,
    clock::At,
    domain::plugin::{Source, VersionState},
    manifest::Manifest,
    store::{self, plugins::Active},
};

/// A version that couldn't be loaded is tried again after so long: a node short of memory or time fails once.
const TRIED_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Why a type's active version can't run here.
#[derive(Debug, Clone)]
pub struct LoadProblem {
    pub digest: String,
    pub reason: String,
    pub tried_at: At,
}

#[derive(Default)]
struct Snapshot {
    versions: HashMap<String, Arc<Version>>,
    /// Of every active version, loaded or not: a webhook is verified by the manifest although no code can run.
    manifests: BTreeMap<String, Arc<Manifest>>,
    problems: HashMap<String, LoadProblem>,
}

#[derive(Default)]
pub struct Registry {
    snapshot: ArcSwap<Snapshot>,
    /// One switch at a time: from reading what is active to publishing what is to be.
    switching: tokio::sync::Mutex<()>,
    changed: Notify,
}

impl Registry {
    /// The version that runs for the type.
    pub fn get(&self, channel_type: &str) -> Option<Arc<Version>> {
        self.snapshot.load().versions.get(channel_type).cloned()
    }

    /// What the type's active version declares, whether it can run or not.
    pub fn manifest(&self, channel_type: &str) -> Option<Arc<Manifest>> {
        self.snapshot.load().manifests.get(channel_type).cloned()
    }

    /// Every channel type, sorted.
    pub fn manifests(&self) -> Vec<Arc<Manifest>> {
        self.snapshot.load().manifests.values().cloned().collect()
    }

    /// Why the type's active version can't run.
    pub fn problem(&self, channel_type: &str) -> Option<LoadProblem> {
        self.snapshot.load().problems.get(channel_type).cloned()
    }

    pub fn type_names(&self) -> Vec<String> {
        self.snapshot.load().manifests.keys().cloned().collect()
    }

    /// Ends when something else runs, or fails to run, than before. For one waiter.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Keeps others from switching until it is dropped.
    pub(super) async fn switch(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.switching.lock().await
    }

    /// Makes a loaded version the one that runs. Only with [`Registry::switch`] held.
    pub(super) fn publish(&self, version: Arc<Version>) {
        self.change(|snapshot| {
            let channel_type = version.manifest.channel_type.clone();
            snapshot.problems.remove(&channel_type);
            snapshot.manifests.insert(channel_type.clone(), Arc::clone(&version.manifest));
            snapshot.versions.insert(channel_type, version);
        });
    }

    /// Lists why the active version can't run. One that runs in its place goes on.
    fn fail(&self, manifest: Option<Manifest>, channel_type: &str, problem: LoadProblem) {
        self.change(|snapshot| {
            if let Some(manifest) = manifest {
                snapshot.manifests.entry(channel_type.to_owned()).or_insert_with(|| Arc::new(manifest));
            }
            snapshot.problems.insert(channel_type.to_owned(), problem);
        });
    }

    /// Knows what a type declares, though nothing runs for it.
    #[cfg(test)]
    pub(crate) fn know(&self, manifest: Manifest) {
        self.change(|snapshot| {
            snapshot.manifests.insert(manifest.channel_type.clone(), Arc::new(manifest));
        });
    }

    fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        let standing = self.snapshot.load();
        let mut next =
            Snapshot { versions: standing.versions.clone(), manifests: standing.manifests.clone(), problems: standing.problems.clone() };
        change(&mut next);
        self.snapshot.store(Arc::new(next));
        self.changed.notify_one();
    }
}

/// Brings this node to the desired state in the database: every active version that doesn't run here is loaded. One that
/// can't be is listed with its reason; the others run.
///
/// # Errors
/// The database failed: what ran goes on.
pub async fn sync(app: &App) -> store::Result<()> {
    let _switching = app.plugins.switch().await;
    let unfit = store::plugins::unfit(&app.db).await?;
    for active in store::plugins::actives(&app.db).await? {
        let now = app.clock.now();
        if unfit.iter().any(|unfit| unfit.digest == active.digest) {
            stop(app, &active, now).await?;
            continue;
        }
        let problem = app.plugins.problem(&active.channel_type).filter(|problem| problem.digest == active.digest);
        match problem {
            Some(problem) if now.since(problem.tried_at).is_some_and(|since| since < TRIED_AGAIN_AFTER) => continue,
            None if app.plugins.get(&active.channel_type).is_some_and(|version| version.digest == active.digest) => continue,
            _ => {}
        }
        match load_stored(app, &active.digest).await {
            Ok(version) => {
                tracing::info!(plugin.type = %active.channel_type, plugin.version = %version.manifest.version, plugin.digest = %active.digest, "plugin loaded");
                app.plugins.publish(Arc::new(version));
            }
            Err(InstallError::Store(error)) => return Err(error),
            Err(error) => {
                let reason = error.to_string();
                tracing::error!(plugin.type = %active.channel_type, plugin.digest = %active.digest, %reason, "plugin can't be loaded");
                let manifest = stored_manifest(app, &active.digest).await?;
                app.plugins.fail(manifest, &active.channel_type, LoadProblem { digest: active.digest, reason, tried_at: now });
            }
        }
    }
    Ok(())
}

/// Runs nothing for a type whose active version was taken back: what comes in waits until another one runs.
async fn stop(app: &App, active: &Active, now: At) -> store::Result<()> {
    let known = app.plugins.problem(&active.channel_type).is_some_and(|problem| problem.digest == active.digest);
    if known && app.plugins.get(&active.channel_type).is_none() {
        return Ok(());
    }
    let version = store::plugins::find(&app.db, &active.digest).await?;
    let reason = version.and_then(|version| version.reason).map_or(String::new(), |reason| format!(": {reason}"));
    let problem = LoadProblem { digest: active.digest.clone(), reason: format!("the version was revoked{reason}"), tried_at: now };
    tracing::error!(plugin.type = %active.channel_type, plugin.digest = %active.digest, "a channel type stops: its version was revoked");
    let manifest = stored_manifest(app, &active.digest).await?;
    app.plugins.fail(manifest, &active.channel_type, problem);
    app.plugins.change(|snapshot| {
        snapshot.versions.remove(&active.channel_type);
    });
    Ok(())
}

/// Whether this node runs what the type is to run; another node may have activated a version that is still compiled here.
pub async fn is_current(app: &App, channel_type: &str) -> store::Result<bool> {
    let active = store::plugins::active(&app.db, channel_type).await?;
    let running = app.plugins.get(channel_type);
    Ok(active.map(|active| active.digest) == running.map(|version| version.digest.clone()))
}

async fn stored_manifest(app: &App, digest: &str) -> store::Result<Option<Manifest>> {
    let stored = store::plugins::find(&app.db, digest).await?.and_then(|version| version.manifest);
    Ok(stored.and_then(|manifest| serde_json::from_value(manifest).ok()))
}

/// Loads a version from its artefact, which is made anew where it is missing or another engine's: then its signatures are checked again.
pub(super) async fn load_stored(app: &App, digest: &str) -> Result<Version, InstallError> {
    let unknown = || InstallError::Refused(format!("the database has no component {digest}"));
    let stored = store::plugins::find(&app.db, digest).await?.ok_or_else(unknown)?;
    if stored.state != VersionState::Ready {
        let reason = stored.reason.map_or(String::new(), |reason| format!(": {reason}"));
        return Err(InstallError::Refused(format!("the version is {}{reason}", stored.state)));
    }
    let manifest = stored.manifest.and_then(|manifest| serde_json::from_value(manifest).ok()).ok_or_else(unknown)?;
    let plugin = match load_artefact(app, digest) {
        Some(plugin) => plugin,
        None => {
            let component = store::plugins::component(&app.db, digest).await?.ok_or_else(unknown)?;
            if digest_of(&component) != digest {
                return Err(InstallError::Refused("the database's component isn't the one of its digest".to_owned()));
            }
            trust::judge(app, &component, Source::parse(&stored.source).kind).await?.map_err(InstallError::Refused)?;
            load_compiled(app, digest, &component).await.map_err(|fault| InstallError::Refused(fault.to_string()))?
        }
    };
    Ok(Version::new(digest.to_owned(), manifest, plugin, &app.config))
}

/// Why a component can't be loaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadFault {
    #[error("{0}")]
    Compile(String),
    /// It is compiled, and doesn't fit the host.
    #[error("{0}")]
    Link(String),
}

/// Loads a component from its artefact, or compiles it first.
pub(super) async fn load_compiled(app: &App, digest: &str, component: &[u8]) -> Result<Plugin, LoadFault> {
    if let Some(plugin) = load_artefact(app, digest) {
        return Ok(plugin);
    }
    compiler::compile_in_child(app, digest, component).await.map_err(LoadFault::Compile)?;
    app.sandbox.load(&compiler::artefact_path(app, digest)).map_err(|error| LoadFault::Link(error.to_string()))
}

/// The artefact that is there already, where this engine can run it.
fn load_artefact(app: &App, digest: &str) -> Option<Plugin> {
    let artefact = compiler::artefact_path(app, digest);
    if !artefact.exists() {
        return None;
    }
    app.sandbox.load(&artefact).inspect_err(|error| tracing::warn!(plugin.digest = %digest, %error, "a compiled plugin is made again")).ok()
}
