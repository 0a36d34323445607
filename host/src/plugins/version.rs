//! One version of a plugin and what it is asked: the sandbox's hooks with the account's limits and services.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use patchbay_sandbox::{
    BlobInfo, CallLimits, Fault, Plugin,
    contract::{channel, messages, polling, templates, types},
};
use serde_json::Value;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{
    CallBlobs, CallServices, Captured,
    breaker::{self, Caller},
    http_trace::HttpTraces,
    recording::{self, Failed, Input, Kept, Outcome, Tape},
    watch,
};
use crate::{
    accounts,
    app::App,
    config::Config,
    domain::{account::Account, provider_app::ProviderApp},
    egress::Dispatch,
    manifest::Manifest,
    secrets::Secret,
    store, traces,
};

/// Long polls wait at the provider for most of their call.
const POLL_WALL: Duration = Duration::from_secs(60);
/// Large files take their time.
const DOWNLOAD_WALL: Duration = Duration::from_secs(60);

/// The waits for a database that doesn't take what was captured; within the lease of a send.
const KEEP_WAITS: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(500), Duration::from_secs(2)];

pub struct Version {
    /// SHA-256 of the component, in hex.
    pub digest: String,
    pub manifest: Arc<Manifest>,
    plugin: Plugin,
    limits: CallLimits,
    hot: bool,
}

/// What came of a download.
pub struct Download {
    /// The blob is whole and stays; without one, nothing of the call stays.
    pub answer: Answer<BlobInfo>,
    /// The file was larger than the gateway keeps, whatever the plugin makes of it.
    pub too_large: bool,
}

type Answer<T> = Result<Result<T, types::Failure>, Fault>;

/// What is known of a call besides its answer.
struct Ran {
    began: Instant,
    limits: CallLimits,
    traces: HttpTraces,
    tape: Tape,
}

impl Ran {
    fn with(services: &CallServices, limits: CallLimits) -> Ran {
        Ran { began: Instant::now(), limits, traces: services.traces(), tape: services.tape() }
    }
}

impl Version {
    pub fn new(digest: String, manifest: Manifest, plugin: Plugin, config: &Config) -> Version {
        let limits = limits(&manifest, config);
        Version { digest, manifest: Arc::new(manifest), plugin, limits, hot: config.sandbox.hot_instances > 0 }
    }

    pub fn polls(&self) -> bool {
        self.plugin.groups().polling
    }

    pub fn has_templates(&self) -> bool {
        self.plugin.groups().templates
    }

    pub fn previews(&self) -> bool {
        self.plugin.groups().preview
    }

    pub fn downloads(&self) -> bool {
        self.plugin.groups().media_download
    }

    /// The account as the plugin sees it.
    pub fn account_out(&self, account: &Account) -> types::Account {
        types::Account {
            id: account.id.clone(),
            external_id: account.external_id.clone(),
            settings: Value::Object(account.settings.clone()).to_string(),
        }
    }

    /// What the gateway tells a plugin with each call.
    pub fn extras(app: &App, account: &Account, provider_app: Option<&ProviderApp>) -> Vec<types::Field> {
        let field = |name: &str, value: String| types::Field { name: name.to_owned(), value };
        let mut extras = vec![field("webhook_url", app.webhook_url(account)), field("now_ms", app.clock.now().millis().to_string())];
        let expiries = [("token_expires_ms", account.oauth_expires_at), ("refresh_expires_ms", account.oauth_refresh_expires_at)];
        extras.extend(expiries.into_iter().filter_map(|(name, at)| Some(field(name, at?.millis().to_string()))));
        let of_app = provider_app.into_iter().flat_map(ProviderApp::values);
        extras.extend(of_app.map(|(name, value)| field(&format!("app.{name}"), value)));
        extras
    }

    fn call_out(&self, app: &App, account: &Account, provider_app: Option<&ProviderApp>, attempt: u32, wall: Duration) -> types::Call {
        let extras = Self::extras(app, account, provider_app);
        types::Call { account: self.account_out(account), attempt, deadline_ms: wall.as_secs_f64() * 1000.0, extras }
    }

    fn ended<'a>(&'a self, app: &'a App, account: &'a Account, hook: &'static str, ran: Ran, call_id: Option<String>) -> watch::Call<'a> {
        watch::Call { app, version: self, account, hook, took: ran.began.elapsed(), traces: ran.traces, call_id }
    }

    /// Keeps the record of a call that failed; answers its id.
    fn keep(
        &self,
        app: &App,
        account: Option<&Account>,
        ran: &Ran,
        input: impl FnOnce() -> Input,
        outcome: Option<Outcome>,
    ) -> Option<String> {
        let (outcome, took) = (outcome?, ran.began.elapsed());
        app.recordings.keep(&ran.tape, Failed { version: self, account, limits: ran.limits.into(), took, input: input(), outcome })
    }

    pub async fn configure(&self, services: CallServices, settings: &Value) -> Answer<String> {
        let (ran, recordings, settings) = (Ran::with(&services, self.limits), services.recordings(), settings.to_string());
        let answer = self.plugin.configure(self.limits, services.recorded(), &settings).await;
        if let Some(outcome) = recording::of_answer(&answer) {
            let (limits, took) = (self.limits.into(), ran.began.elapsed());
            let failed = Failed { version: self, account: None, limits, took, input: Input::Configure { settings }, outcome };
            if let Some(id) = recordings.keep(&ran.tape, failed) {
                tracing::warn!(channel.type = %self.manifest.channel_type, plugin.digest = %self.digest, call.id = %id, "a plugin failed to judge settings");
            }
        }
        answer
    }

    /// # Errors
    /// The store's error where the account's secrets can't be read; else the fault of the call.
    pub async fn connect(
        &self,
        app: &Arc<App>,
        account: &Account,
        input: &channel::Connecting,
    ) -> store::Result<(Answer<channel::Outcome>, Captured)> {
        let services = CallServices::for_account(app, self, account).await?;
        let (captured, blobs) = (services.captured(), services.call_blobs());
        let call = self.call_out(app, account, services.provider_app().as_ref(), 1, self.limits.wall);
        let ran = Ran::with(&services, self.limits);
        let answer = self.plugin.connect(self.limits, services.recorded(), &call, input).await;
        blobs.drop_all(&app.blobs).await;
        let kept = self.keep(app, Some(account), &ran, || Input::connect(&call, input), recording::of_answer(&answer));
        self.ended(app, account, "connect", ran, kept).connected(matches!(input.step, channel::Step::Tick), &answer);
        Ok((answer, captured))
    }

    /// The files that the call made are to be settled with its answer: see [`told`](super::told).
    pub async fn parse(
        &self,
        app: &App,
        account: &Account,
        secrets: BTreeMap<String, Secret>,
        webhook: channel::Webhook,
    ) -> (Answer<channel::Parsed>, CallBlobs) {
        let services = CallServices::offline(app, self, account, secrets);
        let blobs = services.call_blobs();
        let hot = self.hot.then_some(account.id.as_str());
        let ran = Ran::with(&services, self.limits);
        let span = traces::span!("parse", plugin.version = %self.manifest.version);
        let asked = self.plugin.parse_inbound(self.limits, services.recorded(), &webhook, hot).instrument(span);
        let answer = breaker::call(app, self, Caller::Account(account), "parse", asked).await;
        let kept = self.keep(app, Some(account), &ran, || Input::parse(&webhook), recording::of_answer(&answer));
        self.ended(app, account, "parse", ran, kept).parsed(&answer);
        if !matches!(answer, Ok(Ok(_))) {
            blobs.drop_all(&app.blobs).await;
        }
        (answer, blobs)
    }

    /// Reads a webhook as [`Version::parse`] does, to see what would come of it: nothing is kept, counted or logged. Answers the files
    /// that the call made too, which are gone.
    pub(super) async fn parse_in_shadow(
        &self,
        app: &App,
        account: &Account,
        secrets: BTreeMap<String, Secret>,
        webhook: &channel::Webhook,
    ) -> (Answer<channel::Parsed>, BTreeSet<String>) {
        let services = CallServices::offline(app, self, account, secrets).in_shadow();
        let blobs = services.call_blobs();
        let answer = self.plugin.parse_inbound(self.limits, Box::new(services), webhook, None).await;
        let made = blobs.made();
        blobs.drop_all(&app.blobs).await;
        (answer, made)
    }

    /// Reads what came to an app's URL; `secrets` are the app's. The instance is always a fresh one: it sees several accounts. A file
    /// that it makes would be nobody's: none is kept.
    pub async fn parse_for_app(
        &self,
        app: &App,
        app_id: &str,
        secrets: BTreeMap<String, Secret>,
        webhook: &channel::Webhook,
    ) -> Answer<channel::Parsed> {
        let services = CallServices::for_app(app, self, secrets);
        let (ran, blobs) = (Ran::with(&services, self.limits), services.call_blobs());
        let span = traces::span!("parse", plugin.version = %self.manifest.version);
        let asked = self.plugin.parse_inbound(self.limits, services.recorded(), webhook, None).instrument(span);
        let answer = breaker::call(app, self, Caller::App(app_id), "parse", asked).await;
        let kept = self.keep(app, None, &ran, || Input::parse(webhook), recording::of_answer(&answer));
        watch::parsed_for_app(app, self, ran.began.elapsed(), kept.as_deref(), &answer);
        blobs.drop_all(&app.blobs).await;
        answer
    }

    /// Judges a message before it is queued; the JSON object is what the plugin tells of it. There is nothing that it could ask for.
    pub async fn preview(&self, app: &App, account: &Account, message: &messages::Outbound) -> Answer<String> {
        let services = CallServices::offline(app, self, account, BTreeMap::new()).without_store();
        let (ran, blobs, given) = (Ran::with(&services, self.limits), services.call_blobs(), self.account_out(account));
        let span = traces::span!("preview", plugin.version = %self.manifest.version);
        let asked = self.plugin.preview(self.limits, services.recorded(), &given, message).instrument(span);
        let answer = breaker::call(app, self, Caller::Account(account), "preview", asked).await;
        let input = || Input::Preview { account: (&given).into(), message: Box::new(message.into()) };
        let kept = self.keep(app, Some(account), &ran, input, recording::of_answer(&answer));
        self.ended(app, account, "preview", ran, kept).previewed(&answer);
        blobs.drop_all(&app.blobs).await;
        answer
    }

    pub async fn send(
        &self,
        app: &Arc<App>,
        account: &Account,
        attempt: u32,
        message: &messages::Outbound,
        dispatch: Box<dyn Dispatch>,
    ) -> store::Result<Result<messages::Sent, Fault>> {
        let services = CallServices::for_account(app, self, account).await?.with_dispatch(dispatch);
        let (captured, blobs) = (services.captured(), services.call_blobs());
        let limits = CallLimits { wall: Duration::from_millis(app.config.outbox.send_ms), ..self.limits };
        let call = self.call_out(app, account, services.provider_app().as_ref(), attempt, limits.wall);
        let ran = Ran::with(&services, limits);
        let span = traces::span!("send", plugin.version = %self.manifest.version);
        let answer = self.plugin.send(limits, services.recorded(), &call, message).instrument(span).await;
        let input = || Input::Send { call: (&call).into(), message: Box::new(message.into()) };
        let kept = self.keep(app, Some(account), &ran, input, recording::of_sent(&answer));
        self.ended(app, account, "send", ran, kept).sent(&message.id, attempt, &answer);
        blobs.drop_all(&app.blobs).await;
        keep(app, account, &captured).await;
        Ok(answer)
    }

    pub async fn health(&self, app: &Arc<App>, account: &Account) -> store::Result<(Answer<channel::Report>, Captured)> {
        let services = CallServices::for_account(app, self, account).await?;
        let (captured, blobs) = (services.captured(), services.call_blobs());
        let call = self.call_out(app, account, services.provider_app().as_ref(), 1, self.limits.wall);
        let ran = Ran::with(&services, self.limits);
        let asked = self.plugin.health(self.limits, services.recorded(), &call);
        let answer = breaker::call(app, self, Caller::Account(account), "health", asked).await;
        let kept = self.keep(app, Some(account), &ran, || Input::Health { call: (&call).into() }, recording::of_answer(&answer));
        self.ended(app, account, "health", ran, kept).checked(&answer);
        blobs.drop_all(&app.blobs).await;
        Ok((answer, captured))
    }

    /// The provider's templates behind the cursor.
    pub async fn list_templates(
        &self,
        app: &Arc<App>,
        account: &Account,
        cursor: Option<&str>,
    ) -> store::Result<Answer<templates::TemplatePage>> {
        let services = CallServices::for_account(app, self, account).await?;
        let (captured, blobs) = (services.captured(), services.call_blobs());
        let call = self.call_out(app, account, services.provider_app().as_ref(), 1, self.limits.wall);
        let ran = Ran::with(&services, self.limits);
        let asked = self.plugin.list_templates(self.limits, services.recorded(), &call, cursor);
        let answer = breaker::call(app, self, Caller::Account(account), "list_templates", asked).await;
        let input = || Input::ListTemplates { call: (&call).into(), cursor: cursor.map(str::to_owned) };
        let kept = self.keep(app, Some(account), &ran, input, recording::of_answer(&answer));
        self.ended(app, account, "list_templates", ran, kept).listed(&answer);
        blobs.drop_all(&app.blobs).await;
        keep(app, account, &captured).await;
        Ok(answer)
    }

    /// `attempt`: one more for each poll in a row before it that the plugin didn't survive. The files that the call made are to be
    /// settled with its answer: see [`told`](super::told).
    pub async fn poll(&self, app: &Arc<App>, account: &Account, attempt: u32) -> store::Result<(Answer<polling::Page>, CallBlobs)> {
        let services = CallServices::for_account(app, self, account).await?;
        let (captured, blobs) = (services.captured(), services.call_blobs());
        let limits = CallLimits { wall: POLL_WALL, ..self.limits };
        let call = self.call_out(app, account, services.provider_app().as_ref(), attempt, POLL_WALL);
        let ran = Ran::with(&services, limits);
        let asked = self.plugin.poll(limits, services.recorded(), &call, account.poll_cursor.as_deref());
        let answer = breaker::call(app, self, Caller::Account(account), "poll", asked).await;
        let input = || Input::Poll { call: (&call).into(), cursor: account.poll_cursor.clone().map(Kept::whole) };
        let kept = self.keep(app, Some(account), &ran, input, recording::of_answer(&answer));
        self.ended(app, account, "poll", ran, kept).polled(&answer);
        keep(app, account, &captured).await;
        if !matches!(answer, Ok(Ok(_))) {
            blobs.drop_all(&app.blobs).await;
        }
        Ok((answer, blobs))
    }

    pub async fn download(&self, app: &Arc<App>, account: &Account, provider_ref: &str) -> store::Result<Download> {
        let services = CallServices::for_account(app, self, account).await?;
        let captured = services.captured();
        let blobs = services.call_blobs();
        let limits = CallLimits { wall: DOWNLOAD_WALL, ..self.limits };
        let call = self.call_out(app, account, services.provider_app().as_ref(), 1, DOWNLOAD_WALL);
        let ran = Ran::with(&services, limits);
        let asked = self.plugin.download(limits, services.recorded(), &call, provider_ref);
        let mut answer = breaker::call(app, self, Caller::Account(account), "download", asked).await;
        let input = || Input::Download { call: (&call).into(), provider_ref: provider_ref.to_owned() };
        let kept_as = self.keep(app, Some(account), &ran, input, recording::of_answer(&answer));
        let kept = answer.as_ref().ok().and_then(|answer| answer.as_ref().ok()).map(|blob| blob.id.clone());
        let kept: BTreeSet<&str> = kept.iter().map(String::as_str).collect();
        if let Err(error) = blobs.settle(&app.blobs, &kept).await {
            let detail = types::Detail { code: "blob_store".to_owned(), message: error.to_string(), extras: Vec::new() };
            answer = Ok(Err(types::Failure::Unavailable(types::Retry { after_ms: None, detail })));
        }
        self.ended(app, account, "download", ran, kept_as).downloaded(&answer);
        keep(app, account, &captured).await;
        Ok(Download { answer, too_large: blobs.was_too_large() })
    }
}

/// Keeps what a call captured, before anything is made of its answer: the database may be away for a moment. What can't be kept is
/// fetched again by the next call.
async fn keep(app: &App, account: &Account, captured: &Captured) {
    let mut waits = KEEP_WAITS.iter();
    loop {
        match (accounts::keep_captured(app, account, captured).await, waits.next()) {
            (Ok(()), _) => return,
            (Err(error), Some(wait)) => {
                tracing::warn!(%error, account.id = %account.id, "a captured secret could not be kept; once more in {wait:?}");
                tokio::time::sleep(*wait).await;
            }
            (Err(error), None) => {
                tracing::error!(%error, account.id = %account.id, "a captured secret could not be kept");
                return;
            }
        }
    }
}

/// What the operator gives every call, or what the manifest asks for, up to what the operator allows.
fn limits(manifest: &Manifest, config: &Config) -> CallLimits {
    const MIB: usize = 1024 * 1024;
    let (asked, sandbox) = (&manifest.limits, &config.sandbox);
    let given = |asked: Option<u32>, usual: u32, most: u32| asked.map_or(usual, |asked| asked.min(most));
    let millis = |ms: u32| Duration::from_millis(u64::from(ms));
    let memory_mb = usize::try_from(given(asked.memory_mb, sandbox.memory_mb, sandbox.memory_most_mb)).unwrap_or(usize::MAX);
    let limits = CallLimits {
        memory_bytes: memory_mb.saturating_mul(MIB),
        cpu: millis(given(asked.cpu_ms, sandbox.cpu_ms, sandbox.cpu_most_ms)),
        wall: millis(given(asked.wall_ms, sandbox.wall_ms, sandbox.wall_most_ms)),
        host_calls: given(asked.host_calls, sandbox.host_calls, sandbox.host_calls_most),
        http_requests: sandbox.http_requests,
        ..CallLimits::default()
    };
    limits.clamp()
}
