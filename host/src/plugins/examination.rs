//! Everything that a component goes through before it may run: size → signature → manifest → imports → compiled in a child, linked →
//! asked a first time, and by the suite that it carries, in a child → replayed beside the version that runs → does it ask for more?
//!
//! A version that is examined is held by a lease. Where its node dies, another one, or the next start, takes it up again.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use patchbay_sandbox::contract::types::Failure;
use serde_json::json;

use super::{
    CallServices, Version, examiner, imports, install, moves,
    registry::{LoadFault, load_compiled},
    revocation, shadow, trust,
};
use crate::{
    app::App,
    config::{ConformanceRule, DifferenceRule},
    domain::{
        actor::Actor,
        plugin::{Source, Step, VersionState},
    },
    manifest::{
        Manifest,
        asks::{Ask, asks, beyond, in_words},
    },
    sections::Interfaces,
    store::{
        self, StoreError,
        plugins::{
            PluginVersion,
            examinations::{self, Claim, Outcome},
        },
    },
};

/// How long an examination is its node's, unless it says that it is still at it.
pub(super) const LEASE: Duration = Duration::from_secs(30);
/// How often it says so.
const RENEW_EVERY: Duration = Duration::from_secs(8);
/// How often it is looked for versions that nobody examines.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Bytes of the largest component.
pub(super) fn size_max(app: &App) -> usize {
    app.config.plugins.max_size_mb.saturating_mul(1024 * 1024)
}

/// Takes up what nobody is at, now and until the gateway stops: examinations that a crash cut off, versions that are ready and haven't
/// begun, types that run what was revoked.
pub async fn run(app: Arc<App>) {
    loop {
        tokio::select! {
            looked = look(&app) => {
                if let Err(error) = looked {
                    tracing::error!(%error, "examinations that were left could not be taken up");
                }
            }
            // What is being done ends with its future, and is taken up by the next start.
            () = app.tasks.stopping() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = app.tasks.stopping() => return,
        }
    }
}

async fn look(app: &App) -> store::Result<()> {
    for digest in examinations::unattended(&app.db, app.clock.now()).await? {
        tracing::info!(plugin.digest = %digest, "an examination that was cut off is taken up again");
        take_up(app, &digest).await?;
    }
    for version in store::plugins::not_begun(&app.db).await? {
        if let Err(error) = install::begin_pending(app, &version).await {
            tracing::error!(%error, plugin.digest = %version.digest, "a plugin is ready and could not begin");
        }
    }
    revocation::withdraw(app).await
}

/// Examines a version that nobody is at; answers whether this one was.
pub(super) async fn take_up(app: &App, digest: &str) -> store::Result<bool> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let claim = examinations::claim(&mut tx, digest, &app.node.id, now, now.plus(LEASE)).await?;
    tx.commit().await?;
    let Some(claim) = claim else { return Ok(false) };
    let component = store::plugins::component(&app.db, digest).await?.unwrap_or_default();
    examine(app, &claim, &component).await?;
    Ok(true)
}

/// Examines a version that is this node's, and settles what became of it.
///
/// # Errors
/// The database failed: it is taken up again.
pub(super) async fn examine(app: &App, claim: &Claim, component: &[u8]) -> store::Result<()> {
    let Some(version) = store::plugins::find(&app.db, &claim.digest).await? else { return Ok(()) };
    let outcome = tokio::select! {
        outcome = look_at(app, claim, &version, component) => outcome?,
        // Another one is at it: what it finds counts.
        () = hold(app, claim) => return Ok(()),
    };
    settle(app, claim, &version, &outcome).await
}

/// Keeps the claim; ends where it is lost.
async fn hold(app: &App, claim: &Claim) {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        let renewed = async {
            let mut tx = app.db.begin().await?;
            let held = examinations::renew(&mut tx, claim, app.clock.now().plus(LEASE)).await?;
            tx.commit().await?;
            store::Result::Ok(held)
        };
        match renewed.await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::warn!(%error, plugin.digest = %claim.digest, "a claim could not be renewed"),
        }
    }
}

/// Why an examination ends before its end.
enum Stop {
    Refused(Step, String),
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Stop {
        Stop::Store(error)
    }
}

async fn look_at(app: &App, claim: &Claim, version: &PluginVersion, component: &[u8]) -> store::Result<Outcome> {
    let mut found = Outcome::of(VersionState::Ready, None);
    match go_through(app, claim, version, component, &mut found).await {
        Ok(()) => {}
        Err(Stop::Store(error)) => return Err(error),
        Err(Stop::Refused(step, reason)) => {
            found.state = VersionState::Failed;
            found.step = Some(step);
            found.reason = Some(reason);
        }
    }
    Ok(found)
}

/// The steps, in order; what each finds is noted as it goes.
async fn go_through(app: &App, claim: &Claim, version: &PluginVersion, component: &[u8], found: &mut Outcome) -> Result<(), Stop> {
    let size = usize::try_from(version.size).unwrap_or(usize::MAX);
    if size > size_max(app) {
        let reason = format!("it has {size} bytes; plugins.max_size_mb = {} is the most", app.config.plugins.max_size_mb);
        return Err(Stop::Refused(Step::Size, reason));
    }
    if install::digest_of(component) != version.digest {
        return Err(Stop::Refused(Step::Size, "its bytes aren't those of its digest: bring it again".to_owned()));
    }
    let judged = trust::judge(app, component, Source::parse(&version.source).kind).await?;
    found.signatures = Some(judged.map_err(|reason| Stop::Refused(Step::Signature, reason))?);
    let manifest = Manifest::from_component(component).map_err(|error| Stop::Refused(Step::Manifest, error.to_string()))?;
    found.channel_type = Some(manifest.channel_type.clone());
    found.version = Some(manifest.version.clone());
    let shown = serde_json::to_value(&manifest).map_err(|error| Stop::Refused(Step::Manifest, error.to_string()))?;
    let interfaces = Interfaces::of(component).map_err(|error| Stop::Refused(Step::Imports, error.to_string()))?;
    let missing = imports::missing(&interfaces);
    if !missing.is_empty() {
        return Err(Stop::Refused(Step::Imports, missing.join("; ")));
    }
    let asked = asks(&manifest, &interfaces);
    found.asks = Some(json!(asked));
    reach(app, claim, Step::Compile).await?;
    let plugin = load_compiled(app, &version.digest, component).await.map_err(|fault| match fault {
        LoadFault::Compile(reason) => Stop::Refused(Step::Compile, reason),
        LoadFault::Link(reason) => Stop::Refused(Step::Imports, reason),
    })?;
    let loaded = Version::new(version.digest.clone(), manifest, plugin, &app.config);
    reach(app, claim, Step::Conformance).await?;
    check_conformance(app, &loaded, component, found).await?;
    reach(app, claim, Step::Shadow).await?;
    found.manifest = Some(shown);
    let held = compare(app, &loaded, found).await?;
    decide(app, &loaded, &asked, held, found).await?;
    Ok(())
}

async fn reach(app: &App, claim: &Claim, step: Step) -> store::Result<()> {
    let mut tx = app.db.begin().await?;
    examinations::reach(&mut tx, claim, step).await?;
    tx.commit().await
}

async fn check_conformance(app: &App, loaded: &Version, component: &[u8], found: &mut Outcome) -> Result<(), Stop> {
    probe(app, loaded).await.map_err(|reason| Stop::Refused(Step::Conformance, reason))?;
    let refused = |reason: String| Stop::Refused(Step::Conformance, reason);
    match examiner::examine_in_child(app, &loaded.digest, component).await {
        Ok(report) => {
            found.conformance = Some(json!(report));
            if report.found > 0 && app.config.plugins.conformance == ConformanceRule::Require {
                return Err(refused(report.in_words()));
            }
        }
        Err(reason) => {
            found.conformance = Some(json!({"error": reason}));
            if app.config.plugins.conformance == ConformanceRule::Require {
                return Err(refused(reason));
            }
        }
    }
    Ok(())
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

/// Replays the last webhooks beside the version that runs. Answers why somebody should look at it first, where its events differ and
/// the operator wants that.
async fn compare(app: &App, loaded: &Version, found: &mut Outcome) -> store::Result<Option<String>> {
    if app.config.plugins.shadow_webhooks == 0 {
        return Ok(None);
    }
    let Some(report) = shadow::compare(app, loaded, app.config.plugins.shadow_webhooks).await? else { return Ok(None) };
    let (different, compared) = (report.different, report.compared);
    let holds = report.differs() && app.config.plugins.shadow_differences == DifferenceRule::Hold;
    found.shadow = Some(json!(report.without_values()));
    Ok(holds.then(|| {
        format!("it makes something else of {different} of the last {compared} webhooks, and plugins.shadow_differences asks for a look")
    }))
}

/// Whether it may run at once, or somebody has to look at it first: `held` is one reason for that.
async fn decide(app: &App, loaded: &Version, asked: &BTreeSet<Ask>, held: Option<String>, found: &mut Outcome) -> store::Result<()> {
    let mut reasons = Vec::from_iter(held);
    match granted(app, &loaded.manifest.channel_type).await? {
        Some(granted) => {
            let widens = beyond(asked, &granted);
            if !widens.is_empty() {
                reasons.push(format!("it asks for more than the version before: {}", in_words(&widens).join("; ")));
            }
            found.widens = Some(json!(widens));
        }
        None if app.config.plugins.approve_new => {
            reasons.push("it is the first version of its type, and plugins.approve_new asks for a look at these".to_owned());
            found.widens = Some(json!(asked));
        }
        None => {}
    }
    if !reasons.is_empty() {
        found.state = VersionState::AwaitingApproval;
        found.reason = Some(reasons.join("; "));
    }
    Ok(())
}

/// What a type's active version was granted; none where it has none.
async fn granted(app: &App, channel_type: &str) -> store::Result<Option<BTreeSet<Ask>>> {
    let Some(active) = store::plugins::active(&app.db, channel_type).await? else { return Ok(None) };
    let Some(version) = store::plugins::find(&app.db, &active.digest).await? else { return Ok(None) };
    if let Some(asks) = version.asks.and_then(|asks| serde_json::from_value(asks).ok()) {
        return Ok(Some(asks));
    }
    // It came before asks were kept, or in an older form: what its own component says is what it was let in with.
    let component = store::plugins::component(&app.db, &active.digest).await?.unwrap_or_default();
    let of_component = Manifest::from_component(&component).ok().zip(Interfaces::of(&component).ok());
    Ok(Some(of_component.map(|(manifest, interfaces)| asks(&manifest, &interfaces)).unwrap_or_default()))
}

async fn settle(app: &App, claim: &Claim, version: &PluginVersion, outcome: &Outcome) -> store::Result<()> {
    let mut tx = app.db.begin().await?;
    if !examinations::settle(&mut tx, claim, outcome, app.clock.now()).await? {
        return Ok(());
    }
    let reason = outcome.reason.as_deref().unwrap_or("it passed");
    let change = moves::Change {
        channel_type: outcome.channel_type.as_deref(),
        digest: &claim.digest,
        from: Some(VersionState::Examining.as_str()),
        to: outcome.state.as_str(),
        reason,
        detail: json!({"step": outcome.step, "node": app.node.name}),
    };
    moves::record(app, &mut tx, &Actor::system(), change).await?;
    tx.commit().await?;
    match outcome.state {
        VersionState::Failed => {
            tracing::error!(plugin.digest = %claim.digest, source = %version.source, %reason, "a plugin was refused");
        }
        VersionState::AwaitingApproval => {
            tracing::warn!(plugin.digest = %claim.digest, source = %version.source, %reason, "a plugin waits for an approval");
        }
        _ => tracing::info!(plugin.digest = %claim.digest, source = %version.source, "a plugin is ready"),
    }
    Ok(())
}
