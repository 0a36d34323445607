//! Which versions run for each channel type, and which of them for an account: a snapshot that is swapped whole. A call holds an
//! `Arc` of its version, so old code ends with its last call.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use patchbay_sandbox::Plugin;
use tokio::sync::Notify;

use super::{InstallError, Version, breaker::Breakers, compiler, digest_of, faults::Ended, trust};
use crate::{
    app::App,
    clock::At,
    domain::{
        account::Account,
        canary::Canary,
        plugin::{Source, VersionState},
    },
    manifest::Manifest,
    store::{self, plugins::Active},
};

/// A version that couldn't be loaded is tried again after so long: a node short of memory or time fails once.
const TRIED_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Why a type's active version, or its canary, can't run here.
#[derive(Debug, Clone)]
pub struct LoadProblem {
    pub digest: String,
    pub reason: String,
    pub tried_at: At,
}

/// A place for a version: it runs, or says why it doesn't.
#[derive(Clone, Default)]
struct Place {
    /// What runs: while the desired one can't, the one before it goes on.
    version: Option<Arc<Version>>,
    /// Of what runs; where nothing does, of what is to run: a webhook is verified by the manifest although no code can run.
    manifest: Option<Arc<Manifest>>,
    problem: Option<LoadProblem>,
}

impl Place {
    fn of(version: Arc<Version>) -> Place {
        Place { manifest: Some(Arc::clone(&version.manifest)), version: Some(version), problem: None }
    }

    fn digest(&self) -> Option<&str> {
        self.version.as_ref().map(|version| version.digest.as_str())
    }
}

/// What runs for one type.
#[derive(Clone, Default)]
struct Runs {
    /// The generation of the desired state that this is.
    generation: i64,
    active: Place,
    canary: Option<(Canary, Place)>,
    /// Until when the active version is watched.
    watch_until: Option<At>,
}

impl Runs {
    /// Where the account's version is. One whose canary can't run here stays with the active version.
    fn place_of(&self, account_id: &str) -> &Place {
        match &self.canary {
            Some((canary, place)) if place.version.is_some() && canary.takes(account_id) => place,
            _ => &self.active,
        }
    }

    /// A version that runs here already, in whatever place.
    fn loaded(&self, digest: &str) -> Option<Arc<Version>> {
        let canary = self.canary.as_ref().and_then(|(_, place)| place.version.as_ref());
        [self.active.version.as_ref(), canary].into_iter().flatten().find(|version| version.digest == digest).cloned()
    }
}

/// By channel type.
type Snapshot = BTreeMap<String, Arc<Runs>>;

#[derive(Default)]
pub struct Registry {
    snapshot: ArcSwap<Snapshot>,
    /// One switch at a time: from reading what is active to publishing what is to be.
    switching: tokio::sync::Mutex<()>,
    changed: Notify,
    ended: Ended,
    /// Of the accounts for which a version gives no answers.
    pub(super) breakers: Breakers,
}

impl Registry {
    fn runs(&self, channel_type: &str) -> Option<Arc<Runs>> {
        self.snapshot.load().get(channel_type).cloned()
    }

    /// The version that runs for the type, whatever the account: for what is of no account.
    pub fn get(&self, channel_type: &str) -> Option<Arc<Version>> {
        self.snapshot.load().get(channel_type)?.active.version.clone()
    }

    /// The version that runs for the account: its type's canary where that takes it, else the active one.
    pub fn for_account(&self, account: &Account) -> Option<Arc<Version>> {
        self.snapshot.load().get(&account.channel_type)?.place_of(&account.id).version.clone()
    }

    /// What the type's active version declares, whether it can run or not.
    pub fn manifest(&self, channel_type: &str) -> Option<Arc<Manifest>> {
        self.snapshot.load().get(channel_type)?.active.manifest.clone()
    }

    /// What the account's version declares.
    pub fn manifest_for(&self, account: &Account) -> Option<Arc<Manifest>> {
        self.manifest_of(&account.channel_type, &account.id)
    }

    /// The same where the account is known by its type and id.
    pub fn manifest_of(&self, channel_type: &str, account_id: &str) -> Option<Arc<Manifest>> {
        self.snapshot.load().get(channel_type)?.place_of(account_id).manifest.clone()
    }

    /// Every channel type, sorted.
    pub fn manifests(&self) -> Vec<Arc<Manifest>> {
        self.snapshot.load().values().filter_map(|runs| runs.active.manifest.clone()).collect()
    }

    /// Why the type's active version can't run.
    pub fn problem(&self, channel_type: &str) -> Option<LoadProblem> {
        self.snapshot.load().get(channel_type)?.active.problem.clone()
    }

    /// The type's canary where it runs here.
    pub fn canary(&self, channel_type: &str) -> Option<Arc<Version>> {
        self.snapshot.load().get(channel_type)?.canary.as_ref()?.1.version.clone()
    }

    /// Why the type's canary can't run here.
    pub fn canary_problem(&self, channel_type: &str) -> Option<LoadProblem> {
        self.snapshot.load().get(channel_type)?.canary.as_ref()?.1.problem.clone()
    }

    pub fn type_names(&self) -> Vec<String> {
        self.snapshot.load().iter().filter(|(_, runs)| runs.active.manifest.is_some()).map(|(name, _)| name.clone()).collect()
    }

    /// Types that have a canary, or an active version that is new.
    pub(super) fn watched(&self, now: At) -> Vec<String> {
        let is_watched = |runs: &Runs| runs.canary.is_some() || runs.watch_until.is_some_and(|until| until > now);
        self.snapshot.load().iter().filter(|(_, runs)| is_watched(runs)).map(|(name, _)| name.clone()).collect()
    }

    /// How calls ended that aren't in the database yet.
    pub(super) fn ended(&self) -> &Ended {
        &self.ended
    }

    /// Counts how a call of a version ended.
    pub(super) fn count(&self, version: &Version, outcome: &'static str) {
        let channel_type = &version.manifest.channel_type;
        let generation = self.snapshot.load().get(channel_type).map_or(0, |runs| runs.generation);
        self.ended.count(channel_type, &version.digest, generation, outcome);
    }

    /// Ends when something else runs, or fails to run, than before. For one waiter.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Keeps others from switching until it is dropped.
    pub(super) async fn switch(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.switching.lock().await
    }

    /// Only with [`Registry::switch`] held.
    fn put(&self, channel_type: &str, runs: Runs) {
        let mut next = Snapshot::clone(&self.snapshot.load());
        next.insert(channel_type.to_owned(), Arc::new(runs));
        self.snapshot.store(Arc::new(next));
        self.changed.notify_one();
    }

    /// Knows what a type declares, though nothing runs for it.
    #[cfg(test)]
    pub(crate) fn know(&self, manifest: Manifest) {
        let channel_type = manifest.channel_type.clone();
        let active = Place { manifest: Some(Arc::new(manifest)), ..Place::default() };
        self.put(&channel_type, Runs { active, ..Runs::default() });
    }
}

/// Brings this node to the desired state in the database: every version that is to run and doesn't run here is loaded. One that can't
/// be is listed with its reason; the others run.
///
/// # Errors
/// The database failed: what ran goes on.
pub async fn sync(app: &App) -> store::Result<()> {
    let _switching = app.plugins.switch().await;
    let unfit = store::plugins::actives::unfit(&app.db).await?;
    for active in store::plugins::actives(&app.db).await? {
        bring_from(app, active, None, &unfit).await?;
    }
    Ok(())
}

/// Brings this node to one type's desired state. `loaded` is a version that somebody has loaded for it already. Only with
/// [`Registry::switch`] held.
///
/// # Errors
/// The database failed: what ran goes on.
pub(super) async fn bring(app: &App, desired: Active, loaded: Option<Arc<Version>>) -> store::Result<()> {
    let unfit = store::plugins::actives::unfit(&app.db).await?;
    bring_from(app, desired, loaded, &unfit).await
}

/// `unfit`: the digests that must not run, although they are to.
async fn bring_from(app: &App, desired: Active, loaded: Option<Arc<Version>>, unfit: &BTreeSet<String>) -> store::Result<()> {
    let standing = app.plugins.runs(&desired.channel_type);
    let now = app.clock.now();
    let is_due = |problem: &LoadProblem| now.since(problem.tried_at).is_none_or(|since| since >= TRIED_AGAIN_AFTER);
    let runs_unfit = |place: &Place| place.digest().is_some_and(|digest| unfit.contains(digest));
    let is_to_change = |place: &Place| place.problem.as_ref().is_some_and(is_due) || runs_unfit(place);
    if let Some(standing) = &standing
        && standing.generation == desired.generation
        && !is_to_change(&standing.active)
        && !standing.canary.as_ref().is_some_and(|(_, place)| is_to_change(place))
    {
        return Ok(());
    }
    let standing = standing.unwrap_or_default();
    let available = |digest: &str| {
        let found = standing.loaded(digest).or_else(|| loaded.clone().filter(|version| version.digest == digest));
        found.filter(|_| !unfit.contains(digest))
    };
    // What was taken back doesn't go on in the place of what can't be loaded.
    let mut before = standing.active.clone();
    if runs_unfit(&before) {
        before = Place { manifest: before.manifest, ..Place::default() };
    }
    let active = place(app, &desired.channel_type, &desired.digest, available(&desired.digest), &before).await?;
    let canary = match desired.canary {
        Some(canary) => {
            // Unlike the active one, it has nothing that goes on in its place: its accounts are the active version's then.
            let before = standing.canary.as_ref().map(|(_, place)| place).filter(|place| place.version.is_none());
            let before = before.cloned().unwrap_or_default();
            let place = place(app, &desired.channel_type, &canary.digest, available(&canary.digest), &before).await?;
            Some((canary, place))
        }
        None => None,
    };
    let runs = Runs { generation: desired.generation, active, canary, watch_until: desired.watch_until };
    app.plugins.put(&desired.channel_type, runs);
    Ok(())
}

/// The place of a version that is to run, loaded if need be.
async fn place(app: &App, channel_type: &str, digest: &str, available: Option<Arc<Version>>, standing: &Place) -> store::Result<Place> {
    if let Some(version) = available {
        return Ok(Place::of(version));
    }
    let now = app.clock.now();
    let problem = standing.problem.as_ref().filter(|problem| problem.digest == digest);
    if problem.is_some_and(|problem| now.since(problem.tried_at).is_some_and(|since| since < TRIED_AGAIN_AFTER)) {
        return Ok(standing.clone());
    }
    match load_stored(app, digest).await {
        Ok(version) => {
            tracing::info!(plugin.type = %channel_type, plugin.version = %version.manifest.version, plugin.digest = %digest, "plugin loaded");
            Ok(Place::of(Arc::new(version)))
        }
        Err(InstallError::Store(error)) => Err(error),
        Err(error) => {
            let reason = error.to_string();
            tracing::error!(plugin.type = %channel_type, plugin.digest = %digest, %reason, "plugin can't be loaded");
            let manifest = match &standing.manifest {
                Some(manifest) => Some(Arc::clone(manifest)),
                None => stored_manifest(app, digest).await?.map(Arc::new),
            };
            let problem = LoadProblem { digest: digest.to_owned(), reason, tried_at: now };
            Ok(Place { version: standing.version.clone(), manifest, problem: Some(problem) })
        }
    }
}

/// How far this node is with what is to run for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It runs here: its digest.
    Runs(String),
    /// It is being loaded.
    Comes,
    /// It can't run here; the digest of what runs in its place.
    Fails(Option<String>),
}

/// What runs here for the account, against what is to run; another node may have moved it to a version that is still compiled here.
///
/// # Errors
/// The database failed.
pub async fn standing(app: &App, account: &Account) -> store::Result<Standing> {
    let desired = store::plugins::active(&app.db, &account.channel_type).await?;
    let runs = app.plugins.runs(&account.channel_type);
    let running = runs.as_ref().and_then(|runs| runs.place_of(&account.id).digest().map(str::to_owned));
    let Some(desired) = desired else {
        return Ok(running.map_or(Standing::Fails(None), Standing::Runs));
    };
    let digest = desired.digest_for(&account.id);
    if running.as_deref() == Some(digest) {
        return Ok(Standing::Runs(digest.to_owned()));
    }
    let problems = runs.iter().flat_map(|runs| [Some(&runs.active), runs.canary.as_ref().map(|(_, place)| place)]).flatten();
    let fails = problems.filter_map(|place| place.problem.as_ref()).any(|problem| problem.digest == digest);
    Ok(if fails { Standing::Fails(running) } else { Standing::Comes })
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
