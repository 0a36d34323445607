//! What every check stands on: the plugin in its sandbox, and the account that its folder describes.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use patchbay_sandbox::{
    CallLimits, Plugin, Sandbox, SandboxSettings, compile,
    contract::{
        messages::Subscription,
        types::{Account, Call, Field},
    },
};
use serde_json::{Map, Value, json};

use super::{
    provider::Provider,
    suite::{AppScript, Script, Scripted, SubscriptionScript, SuiteError},
};
use crate::{
    accounts,
    clock::At,
    domain::provider_app::ProviderApp,
    egress::{Egress, EgressSettings, Scanner},
    manifest::{Manifest, WebhookScope},
    secrets::Secret,
};

/// What a hook that only reads may take: a hundredth of it is usual.
const READING: CallLimits = CallLimits { memory_bytes: 16 * MIB, cpu: Duration::from_millis(50), ..CallLimits::USUAL };
/// What one that talks to the provider may take.
const TALKING: CallLimits = CallLimits { memory_bytes: 32 * MIB, cpu: Duration::from_millis(100), ..CallLimits::USUAL };
const MIB: usize = 1024 * 1024;

/// The time of every call, in milliseconds: the fixtures are of that day.
pub(super) const NOW_MS: i64 = 1_764_000_100_000;
const ACCOUNT_ID: &str = "019a0000-0000-7000-8000-000000000001";

pub(super) struct Bench {
    pub(super) plugin: Plugin,
    pub(super) manifest: Arc<Manifest>,
    pub(super) script: Script,
    /// The account's, with the schema's defaults, as `configure` answered them.
    settings: Value,
    secrets: BTreeMap<String, Secret>,
    provider_app: Option<ProviderApp>,
    egress: Arc<Egress>,
}

/// A component in a sandbox of its own.
pub(super) struct Loaded {
    plugin: Plugin,
    manifest: Arc<Manifest>,
    egress: Arc<Egress>,
    /// It serves the plugin.
    _sandbox: Sandbox,
}

impl Loaded {
    pub(super) fn new(component: &[u8]) -> Result<Loaded, SuiteError> {
        Self::with(component, |sandbox| load(sandbox, component))
    }

    pub(super) fn compiled(component: &[u8], artefact: &Path) -> Result<Loaded, SuiteError> {
        Self::with(component, |sandbox| sandbox.load(artefact).map_err(|error| SuiteError::Component(error.to_string())))
    }

    fn with(component: &[u8], load: impl FnOnce(&Sandbox) -> Result<Plugin, SuiteError>) -> Result<Loaded, SuiteError> {
        let wrong = |error: &dyn std::fmt::Display| SuiteError::Component(error.to_string());
        let manifest = Arc::new(Manifest::from_component(component)?);
        let sandbox = Sandbox::new(&SandboxSettings { calls: 4, live: 4, ..SandboxSettings::default() }).map_err(|error| wrong(&error))?;
        let plugin = load(&sandbox)?;
        let egress = Arc::new(Egress::new(EgressSettings::default()).map_err(|error| wrong(&error))?);
        Ok(Loaded { plugin, manifest, egress, _sandbox: sandbox })
    }
}

impl Bench {
    pub(super) async fn new(loaded: &Loaded, script: Script) -> Result<Bench, SuiteError> {
        let Loaded { plugin, manifest, egress, .. } = loaded;
        let account = &script.account;
        let provider_app = account.app.as_ref().map(provider_app);
        let mut secrets: BTreeMap<String, Secret> =
            account.secrets.iter().map(|(name, value)| (name.clone(), Secret::new(value.clone()))).collect();
        accounts::derive(manifest, provider_app.as_ref(), &mut secrets);
        let mut settings = Value::Object(account.settings.clone());
        manifest.fill_defaults(&mut settings);
        let mut bench = Bench {
            plugin: plugin.clone(),
            manifest: Arc::clone(manifest),
            script,
            settings: Value::Null,
            secrets,
            provider_app,
            egress: Arc::clone(egress),
        };
        bench.settings = bench.configured(&settings).await?;
        Ok(bench)
    }

    async fn configured(&self, settings: &Value) -> Result<Value, SuiteError> {
        let refused = |why: String| SuiteError::Component(format!("account.settings of conformance.json: {why}"));
        let answer = self.plugin.configure(self.reading(), self.provider(Vec::new()).services(), &settings.to_string()).await;
        let normalised = answer.map_err(|fault| refused(fault.to_string()))?.map_err(|failure| refused(format!("{failure:?}")))?;
        serde_json::from_str(&normalised).map_err(|error| refused(error.to_string()))
    }

    /// A world for one call.
    pub(super) fn provider(&self, script: Vec<Scripted>) -> Provider {
        let mut settings = self.settings.clone();
        if let (Some(settings), Some(app)) = (settings.as_object_mut(), &self.provider_app) {
            settings.extend(app.settings.clone());
        }
        Provider::new(Arc::clone(&self.egress), Arc::clone(&self.manifest), settings, self.webhook_url(), self.secrets.clone(), script)
    }

    pub(super) fn account(&self) -> Account {
        Account { id: ACCOUNT_ID.to_owned(), external_id: self.script.account.external_id.clone(), settings: self.settings.to_string() }
    }

    pub(super) fn call(&self) -> Call {
        let field = |name: &str, value: String| Field { name: name.to_owned(), value };
        let mut extras = vec![field("webhook_url", self.webhook_url()), field("now_ms", NOW_MS.to_string())];
        let of_app = self.provider_app.iter().flat_map(ProviderApp::values);
        extras.extend(of_app.map(|(name, value)| field(&format!("app.{name}"), value)));
        Call { account: self.account(), attempt: 1, deadline_ms: 10_000.0, extras }
    }

    /// The devices that a message goes to.
    pub(super) fn subscriptions(&self) -> Vec<Subscription> {
        let subscription = |device: &SubscriptionScript| Subscription {
            id: device.id.clone(),
            endpoint: device.endpoint.clone(),
            keys: device.keys.iter().map(|(name, value)| Field { name: name.clone(), value: value.clone() }).collect(),
            active: true,
            extras: Vec::new(),
        };
        self.script.account.subscriptions.iter().map(subscription).collect()
    }

    /// Where the provider sends what is the account's; nothing is listening there.
    pub(super) fn webhook_url(&self) -> String {
        let of_app = self.manifest.webhook.as_ref().is_some_and(|spec| spec.scope == WebhookScope::App);
        format!("https://gateway.example/webhooks/{}", if of_app { "apps/app" } else { ACCOUNT_ID })
    }

    pub(super) fn reading(&self) -> CallLimits {
        CallLimits { memory_bytes: self.memory(READING), ..READING }
    }

    /// With the wall clock that the manifest asks for.
    pub(super) fn talking(&self) -> CallLimits {
        let wall = self.manifest.limits.wall_ms.map_or(TALKING.wall, |wall| Duration::from_millis(u64::from(wall)));
        CallLimits { wall, memory_bytes: self.memory(TALKING), ..TALKING }
    }

    /// A runtime of another language brings its own: its plugin asks for it in the manifest, and gets no more than it asks for.
    fn memory(&self, usual: CallLimits) -> usize {
        let asked = self.manifest.limits.memory_mb.and_then(|mb| usize::try_from(mb).ok());
        asked.map_or(usual.memory_bytes, |mb| mb.saturating_mul(MIB))
    }

    /// None of the account's secrets, and none that was captured, is in what a call answered, asked or logged.
    pub(super) fn tells_no_secret(&self, provider: &Provider, answer: &str) -> Result<(), String> {
        let world = provider.world();
        let scanner = Scanner::new(world.secrets.iter().map(|(name, secret)| (name.as_str(), secret)));
        let outputs = world.logged.iter().chain(&world.asked).map(String::as_str).chain([answer]);
        match outputs.into_iter().find_map(|text| scanner.find(text.as_bytes())) {
            Some(name) => Err(format!("the secret “{name}” is in what the plugin put out")),
            None => Ok(()),
        }
    }
}

fn load(sandbox: &Sandbox, component: &[u8]) -> Result<Plugin, SuiteError> {
    let wrong = |error: &dyn std::fmt::Display| SuiteError::Component(error.to_string());
    let compiled = compile(component).map_err(|error| wrong(&error))?;
    let artefact = std::env::temp_dir().join(format!("patchbay-conformance-{}-{:p}.cwasm", std::process::id(), component));
    let written = std::fs::write(&artefact, compiled).map_err(|error| wrong(&error));
    let loaded = written.and_then(|()| sandbox.load(&artefact).map_err(|error| wrong(&error)));
    // Mapped already, or never.
    let _ = std::fs::remove_file(&artefact);
    loaded
}

fn provider_app(script: &AppScript) -> ProviderApp {
    ProviderApp {
        id: "app".to_owned(),
        name: "App".to_owned(),
        types: Vec::new(),
        client_id: script.client_id.clone(),
        settings: script.settings.clone(),
        data_key: Vec::new(),
        created_at: At::from_micros(0),
        updated_at: At::from_micros(0),
    }
}

/// Settings without the secrets that a person types in among them, and with the schema's defaults.
pub(super) fn plain(manifest: &Manifest, settings: &Map<String, Value>) -> Value {
    let mut plain = settings.clone();
    plain.retain(|name, _| !manifest.secrets.contains_key(name));
    let mut plain = json!(plain);
    manifest.fill_defaults(&mut plain);
    plain
}
