//! An app with its secrets, as the webhook door needs both.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::vault;
use crate::{
    app::App,
    domain::provider_app::ProviderApp,
    manifest::{Manifest, SecretSource},
    memory::Remembered,
    secrets::Secret,
    store::{self, Result},
};

/// An app and everything that the gateway keeps for it, opened.
pub struct KnownApp {
    provider_app: ProviderApp,
    secrets: BTreeMap<String, Secret>,
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

impl Remembered for KnownApp {
    async fn read(app: &App, id: &str) -> Result<Option<KnownApp>> {
        let Some(provider_app) = store::apps::find(&app.db, id).await? else { return Ok(None) };
        let secrets = vault::open_secrets(app, &provider_app).await?;
        Ok(Some(KnownApp { provider_app, secrets }))
    }
}
