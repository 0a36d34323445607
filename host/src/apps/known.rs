//! Apps with their secrets as the webhook door last saw them: what each request would read again.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Map, Value};

use super::vault;
use crate::{
    app::App,
    clock::At,
    domain::provider_app::ProviderApp,
    manifest::{Manifest, SecretSource},
    secrets::Secret,
    store::{self, Result},
};

/// A change is told to every node at once. This is for one that wasn't heard.
const FRESH: Duration = Duration::from_secs(1);
/// More are forgotten all together: it costs a read each. An operator has a handful.
const KEPT_MAX: usize = 1_000;

/// An app and everything that the gateway keeps for it, opened.
pub struct KnownApp {
    provider_app: ProviderApp,
    secrets: BTreeMap<String, Secret>,
    read_at: At,
    generation: u64,
}

impl KnownApp {
    /// The channel types that it serves.
    pub fn types(&self) -> &[String] {
        &self.provider_app.types
    }

    /// What the operator set, by name.
    pub fn settings(&self) -> &Map<String, Value> {
        &self.provider_app.settings
    }

    /// The app's secrets that a manifest asks for, by the manifest's names.
    pub fn secrets_of(&self, manifest: &Manifest) -> BTreeMap<String, Secret> {
        let of_app = manifest.secrets.iter().filter(|(_, spec)| spec.from == SecretSource::App);
        of_app.filter_map(|(name, spec)| Some((name.clone(), vault::field(&self.secrets, spec.field.as_deref()?)?.clone()))).collect()
    }
}

#[derive(Default)]
pub struct KnownApps {
    kept: Mutex<HashMap<String, Arc<KnownApp>>>,
}

impl KnownApps {
    /// The app, as it stood a second ago at most; none where there is none.
    pub async fn find(&self, app: &App, id: &str) -> Result<Option<Arc<KnownApp>>> {
        let now = app.clock.now();
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        // An app that changes is told as all of its accounts.
        let is_fresh = |known: &Arc<KnownApp>| {
            now.since(known.read_at).is_some_and(|age| age < FRESH) && app.wake.account_generation(id) == Some(known.generation)
        };
        match kept.filter(is_fresh) {
            Some(known) => Ok(Some(known)),
            None => self.read(app, id).await,
        }
    }

    /// The app as it stands now.
    pub async fn read(&self, app: &App, id: &str) -> Result<Option<Arc<KnownApp>>> {
        // Before the reading: what changes during it isn't kept.
        let generation = app.wake.account_generation(id);
        let read_at = app.clock.now();
        let Some(provider_app) = store::apps::find(&app.db, id).await? else { return Ok(None) };
        let secrets = vault::open_secrets(app, &provider_app).await?;
        let known = Arc::new(KnownApp { provider_app, secrets, read_at, generation: generation.unwrap_or_default() });
        if generation.is_some() {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= KEPT_MAX {
                kept.clear();
            }
            kept.insert(id.to_owned(), Arc::clone(&known));
        }
        Ok(Some(known))
    }
}
