//! The plugin folder: every component in it is installed at the start, and whenever one is added or replaced.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use notify::{
    EventKind, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use tokio::sync::mpsc;

use super::install::{Brought, InstallError, digest_of, install};
use crate::{
    app::App,
    domain::{
        actor::Actor,
        plugin::{Source, VersionState},
    },
    store,
};

/// A file is read once it hasn't changed for this long: who copies it isn't done before.
const SETTLED: Duration = Duration::from_millis(300);
/// The folder is looked at anyway now and then: not every file system tells of changes.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A file as it was last seen.
#[derive(Clone, PartialEq, Eq)]
struct Seen {
    modified: Option<SystemTime>,
    length: u64,
}

/// Installs what is new in the folder. A component that the database knows is left alone: whether it runs was decided
/// before, and a rollback survives a restart.
pub async fn load(app: &App) -> store::Result<()> {
    for (path, _) in components(&app.config.plugin_folder()) {
        let Ok(component) = tokio::fs::read(&path).await else { continue };
        let known = store::plugins::find(&app.db, &digest_of(&component)).await?;
        // What failed may pass by now, and what was cut off goes on.
        if known.is_some_and(|known| !matches!(known.state, VersionState::Failed | VersionState::Examining)) {
            continue;
        }
        take(app, &path, component).await;
    }
    Ok(())
}

/// Watches the folder until the gateway stops.
pub async fn watch(app: Arc<App>) {
    let folder = app.config.plugin_folder();
    let (tell, mut told) = mpsc::channel(1);
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Looking at the folder is an access itself, and must not wake the next look.
        if event.is_ok_and(|event| event.kind.is_access() && !matches!(event.kind, EventKind::Access(AccessKind::Close(AccessMode::Write))))
        {
            return;
        }
        // One word is enough: the folder is looked at whole.
        let _ = tell.try_send(());
    });
    let mut watcher = match watcher {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(%error, "the plugin folder can't be watched; it is looked at every {} s", LOOK_EVERY.as_secs());
            None
        }
    };
    if let Some(watcher) = &mut watcher
        && let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive)
    {
        tracing::warn!(%error, folder = %folder.display(), "the plugin folder can't be watched; it is looked at every {} s", LOOK_EVERY.as_secs());
    }
    let mut seen: BTreeMap<PathBuf, Seen> = components(&folder).into_iter().collect();
    loop {
        tokio::select! {
            _ = told.recv(), if watcher.is_some() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = app.tasks.stopping() => return,
        }
        while look(&app, &folder, &mut seen).await {
            tokio::time::sleep(SETTLED).await;
        }
    }
}

/// Installs what changed and has settled; answers whether something is still being written.
async fn look(app: &App, folder: &Path, seen: &mut BTreeMap<PathBuf, Seen>) -> bool {
    let mut unsettled = false;
    for (path, now) in components(folder) {
        if seen.get(&path) == Some(&now) {
            continue;
        }
        tokio::time::sleep(SETTLED).await;
        if components(folder).get(&path) != Some(&now) {
            unsettled = true;
            continue;
        }
        let taken = match tokio::fs::read(&path).await {
            Ok(component) => take(app, &path, component).await,
            Err(_) => false,
        };
        // What could not even be judged is looked at again.
        if taken {
            seen.insert(path, now);
        }
    }
    unsettled
}

/// Installs it; answers whether it was judged, for good or bad.
async fn take(app: &App, path: &Path, component: Vec<u8>) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let brought = Brought { component, source: Source::folder(&name), actor: Actor::folder(&name), rollout: None };
    match install(app, brought).await {
        // A refusal is logged and listed by the examination itself.
        Ok(_) | Err(InstallError::Refused(_)) => true,
        Err(error) => {
            tracing::error!(%error, file = %path.display(), "a plugin could not be installed");
            false
        }
    }
}

fn components(folder: &Path) -> BTreeMap<PathBuf, Seen> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeMap::new() };
    entries
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "wasm"))
        .filter_map(|entry| {
            // Through links: mounted folders are made of them.
            let metadata = std::fs::metadata(entry.path()).ok()?;
            metadata.is_file().then(|| (entry.path(), Seen { modified: metadata.modified().ok(), length: metadata.len() }))
        })
        .collect()
}
