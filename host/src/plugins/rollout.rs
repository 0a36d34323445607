//! What a channel type runs, and how that changes: a version for all accounts, a canary for some, and the way back. Each change is
//! made only from the state that was seen, with who made it and why, and the webhooks that wait are tried by whatever runs then.
//!
//! The desired state is committed first, then this node follows, and the others: a crash in between is mended by the next start.

mod plan;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde_json::json;

use self::plan::Plan;
use super::{InstallError, Installed, Version, moves, registry};
use crate::{
    accounts::RELEASE,
    app::App,
    audit::{self, Deed},
    clock::At,
    domain::{
        actor::Actor,
        plugin::{Rollout, RolloutKind, VersionState},
    },
    store::{
        self, StoreError,
        plugins::{Active, Notice, actives},
    },
    wake::Topic,
};

/// The most accounts that a canary's list may have.
const ACCOUNTS_MAX: usize = 1000;

/// Why what runs was not changed.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    #[error("what {0} runs was changed meanwhile: look at it and try again")]
    Overtaken(String),
    #[error("there is no earlier version of {0} to go back to")]
    NothingBefore(String),
    #[error("{0} has no canary")]
    NoCanary(String),
    #[error("nothing runs for {0}: a canary needs a version beside it, so activate the first one")]
    NothingBeside(String),
    #[error("no plugin for {0} is installed")]
    UnknownType(String),
    #[error("that version can't run: it is {state}{}", .reason.as_ref().map_or(String::new(), |reason| format!(": {reason}")))]
    NotReady { state: VersionState, reason: Option<String> },
    /// One that is ready, and can't be loaded.
    #[error("that version can't run here: {0}")]
    Unloadable(String),
    #[error("{field} {problem}")]
    Field { field: &'static str, problem: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whose word it is, and what was seen.
#[derive(Debug, Clone)]
pub struct Order {
    pub actor: Actor,
    pub reason: String,
    /// The generation that it is about: with another one, nothing is changed.
    pub generation: Option<i64>,
}

impl Order {
    pub fn of(actor: Actor, reason: impl Into<String>) -> Order {
        Order { actor, reason: reason.into(), generation: None }
    }
}

/// Starts a version that is ready as whoever brought it asked: for all accounts, for some, or not at all yet.
///
/// # Errors
/// [`RolloutError`]; nothing is changed then.
pub async fn begin(app: &App, digest: &str, rollout: &Rollout, actor: Actor, reason: &str) -> Result<Installed, RolloutError> {
    let order = Order::of(actor, reason);
    match rollout.kind {
        RolloutKind::Active => activate(app, digest, order).await,
        RolloutKind::Canary => begin_canary(app, digest, rollout.share, rollout.accounts.clone(), order).await,
        RolloutKind::Hold => {
            let version = load(app, digest).await?;
            Ok(installed(&version, false))
        }
    }
}

/// Makes a version what its type runs, for all accounts; a canary beside it ends.
///
/// # Errors
/// [`RolloutError`]; nothing is changed then.
pub async fn activate(app: &App, digest: &str, order: Order) -> Result<Installed, RolloutError> {
    let version = load(app, digest).await?;
    let channel_type = version.manifest.channel_type.clone();
    let watch = watch(app);
    let plan = |standing: Option<&Active>, now| {
        Ok(plan::activate(standing, &version.manifest.channel_type, &version.digest, watch, &order.reason, now))
    };
    let made = change(app, &channel_type, &order, Some(&version), plan).await;
    // Another node was faster; it may have found the same component in the folder that they share.
    let changed = match made {
        Err(RolloutError::Overtaken(_)) if order.generation.is_none() && runs(app, &channel_type, digest).await? => false,
        made => made?,
    };
    Ok(installed(&version, changed))
}

async fn runs(app: &App, channel_type: &str, digest: &str) -> store::Result<bool> {
    Ok(store::plugins::active(&app.db, channel_type).await?.is_some_and(|active| active.digest == digest))
}

/// Has a version run for some accounts: a share of them in percent, or those of the list. It replaces another canary; the same one
/// goes on, for others or more.
///
/// # Errors
/// [`RolloutError`]; nothing is changed then.
pub async fn begin_canary(
    app: &App,
    digest: &str,
    share: Option<u8>,
    accounts: BTreeSet<String>,
    order: Order,
) -> Result<Installed, RolloutError> {
    let version = load(app, digest).await?;
    let channel_type = version.manifest.channel_type.clone();
    check_whom(app, &channel_type, share, &accounts).await?;
    let plan = |standing: Option<&Active>, now| {
        let standing = standing.ok_or_else(|| RolloutError::NothingBeside(version.manifest.channel_type.clone()))?;
        if standing.digest == version.digest {
            return Err(RolloutError::Field { field: "/digest", problem: "is what runs for all accounts already".to_owned() });
        }
        Ok(plan::begin_canary(standing, &version.digest, share, accounts.clone(), &order.reason, now))
    };
    let changed = change(app, &channel_type, &order, Some(&version), plan).await?;
    Ok(installed(&version, changed))
}

async fn check_whom(app: &App, channel_type: &str, share: Option<u8>, accounts: &BTreeSet<String>) -> Result<(), RolloutError> {
    let refused = |field, problem: String| Err(RolloutError::Field { field, problem });
    match share {
        Some(_) if !accounts.is_empty() => return refused("/accounts", "can't be given beside a share: one of the two".to_owned()),
        Some(1..=100) => {}
        Some(share) => return refused("/share", format!("is {share}; from 1 to 100 percent")),
        None if accounts.is_empty() => return refused("/share", "or /accounts has to say for whom it runs".to_owned()),
        None => {}
    }
    if accounts.len() > ACCOUNTS_MAX {
        return refused("/accounts", format!("has {}; {ACCOUNTS_MAX} is the most: give a share", accounts.len()));
    }
    for id in accounts {
        let account = store::accounts::find(&app.db, id).await?;
        if account.is_none_or(|account| account.channel_type != channel_type) {
            return refused("/accounts", format!("names “{id}”, which is no account of {channel_type}"));
        }
    }
    Ok(())
}

/// The canary runs for all accounts.
///
/// # Errors
/// [`RolloutError`]; nothing is changed then.
pub async fn promote(app: &App, channel_type: &str, order: Order) -> Result<Installed, RolloutError> {
    let standing = standing(app, channel_type).await?;
    let canary = standing.canary.ok_or_else(|| RolloutError::NoCanary(channel_type.to_owned()))?;
    let order = Order { generation: order.generation.or(Some(standing.generation)), ..order };
    activate(app, &canary.digest, order).await
}

/// All accounts are the active version's again.
///
/// # Errors
/// [`RolloutError`]; nothing is changed then.
pub async fn stop_canary(app: &App, channel_type: &str, order: Order) -> Result<Installed, RolloutError> {
    let plan = |standing: Option<&Active>, now| {
        let standing = standing.ok_or_else(|| RolloutError::UnknownType(channel_type.to_owned()))?;
        let plan = plan::stop_canary(standing, &order.reason, now).ok_or_else(|| RolloutError::NoCanary(channel_type.to_owned()))?;
        Ok(Some(plan))
    };
    change(app, channel_type, &order, None, plan).await?;
    what_runs(app, channel_type, true).await
}

/// Goes back to the version that ran before the active one; a canary ends. It is known: it isn't watched again.
///
/// # Errors
/// [`RolloutError`]; nothing is changed then.
pub async fn roll_back(app: &App, channel_type: &str, order: Order) -> Result<Installed, RolloutError> {
    let (version, plan) = way_back(app, channel_type, &order).await?;
    let changed = change(app, channel_type, &order, Some(&version), plan).await?;
    Ok(installed(&version, changed))
}

/// The former version, and the plan to make it what runs.
async fn way_back(
    app: &App,
    channel_type: &str,
    order: &Order,
) -> Result<(Arc<Version>, impl Fn(Option<&Active>, At) -> Result<Option<Plan>, RolloutError> + use<>), RolloutError> {
    let previous = standing(app, channel_type).await?.previous_digest;
    let previous = previous.ok_or_else(|| RolloutError::NothingBefore(channel_type.to_owned()))?;
    let version = load(app, &previous).await?;
    let (channel_type, reason) = (channel_type.to_owned(), order.reason.clone());
    let plan = move |standing: Option<&Active>, now| {
        // What was the former version a moment ago isn't, if somebody was faster.
        if standing.is_none_or(|standing| standing.previous_digest.as_ref() != Some(&previous)) {
            return Err(RolloutError::Overtaken(channel_type.clone()));
        }
        let plan = plan::activate(standing, &channel_type, &previous, None, &reason, now);
        Ok(plan.map(|plan| Plan { action: "plugin.rollback", ..plan }))
    };
    Ok((version, plan))
}

/// The gateway itself takes a version back that fails too often: `digest`, the active one or the canary, as it was seen at that
/// generation. The operator finds the notice.
///
/// # Errors
/// [`RolloutError`]; nothing is changed then.
pub(super) async fn take_back(app: &App, seen: &Active, digest: &str, reason: &str) -> Result<(), RolloutError> {
    let channel_type = seen.channel_type.as_str();
    let order = Order { actor: Actor::system(), reason: reason.to_owned(), generation: Some(seen.generation) };
    let noticed = |plan: Option<Plan>, now| {
        plan.map(|mut plan| {
            plan.next.notice = Some(Notice { text: reason.to_owned(), at: now });
            plan
        })
    };
    if seen.canary.as_ref().is_some_and(|canary| canary.digest == digest) {
        let plan = |standing: Option<&Active>, now| {
            Ok(noticed(standing.and_then(|standing| plan::stop_canary(standing, &order.reason, now)), now))
        };
        change(app, channel_type, &order, None, plan).await?;
    } else {
        let (version, back) = way_back(app, channel_type, &order).await?;
        let plan = |standing: Option<&Active>, now| Ok(noticed(back(standing, now)?, now));
        change(app, channel_type, &order, Some(&version), plan).await?;
    }
    Ok(())
}

/// Leaves what runs as it is and notes what the operator should know: a way back that can't be gone. The version isn't watched any
/// longer.
pub(super) async fn note(app: &App, seen: &Active, text: &str) -> Result<(), RolloutError> {
    let order = Order { actor: Actor::system(), reason: seen.reason.clone(), generation: Some(seen.generation) };
    let plan = |standing: Option<&Active>, now| {
        let noted = |standing: &Active| Active {
            generation: standing.generation + 1,
            watch_until: None,
            notice: Some(Notice { text: text.to_owned(), at: now }),
            ..standing.clone()
        };
        Ok(standing.map(|standing| Plan { next: noted(standing), steps: Vec::new(), action: "plugin.notice" }))
    };
    change(app, &seen.channel_type, &order, None, plan).await?;
    Ok(())
}

/// Makes the change that `plan` makes of what stands; answers false where it makes none.
async fn change(
    app: &App,
    channel_type: &str,
    order: &Order,
    loaded: Option<&Arc<Version>>,
    plan: impl Fn(Option<&Active>, At) -> Result<Option<Plan>, RolloutError>,
) -> Result<bool, RolloutError> {
    let _switching = app.plugins.switch().await;
    let overtaken = || RolloutError::Overtaken(channel_type.to_owned());
    let now = app.clock.now();
    let standing = store::plugins::active(&app.db, channel_type).await?;
    if order.generation.is_some_and(|seen| standing.as_ref().is_none_or(|standing| standing.generation != seen)) {
        return Err(overtaken());
    }
    let Some(Plan { next, steps, action }) = plan(standing.as_ref(), now)? else {
        // This node may not have followed yet.
        if let Some(standing) = standing {
            registry::bring(app, standing, loaded.cloned()).await?;
        }
        return Ok(false);
    };
    let mut tx = app.db.begin().await?;
    if !actives::change(&mut tx, &next).await? {
        return Err(overtaken());
    }
    let canary = next.canary.as_ref();
    let detail = json!({
        "generation": next.generation,
        "canary": canary.map(|canary| json!({"digest": canary.digest, "share": canary.share, "accounts": canary.accounts})),
    });
    for step in &steps {
        let made = moves::Change {
            channel_type: Some(channel_type),
            digest: &step.digest,
            from: Some(step.from),
            to: step.to,
            reason: &order.reason,
            detail: detail.clone(),
        };
        moves::record(app, &mut tx, &order.actor, made).await?;
    }
    let detail = json!({
        "digest": next.digest,
        "canary": canary.map(|canary| &canary.digest),
        "generation": next.generation,
        "reason": order.reason,
    });
    let deed = Deed { action, subject_kind: "plugin", subject_id: channel_type, organization_id: None, detail };
    audit::record(app, &mut tx, &order.actor, deed).await?;
    // What one version couldn't read, another may.
    for account in store::webhooks::accounts_waiting(&mut tx, channel_type).await? {
        store::jobs::schedule(&mut tx, &account, RELEASE, now).await?;
    }
    tx.commit().await?;
    tracing::info!(
        plugin.type = %channel_type, plugin.digest = %next.digest, plugin.canary = canary.map(|canary| canary.digest.as_str()),
        generation = next.generation, %action, reason = %order.reason, "what a channel type runs was changed"
    );
    registry::bring(app, next, loaded.cloned()).await?;
    app.wake.tell(Topic::Plugins);
    app.wake.tell(Topic::Jobs);
    Ok(true)
}

/// A version that is ready, loaded: what can't be loaded here isn't rolled out.
pub(super) async fn load(app: &App, digest: &str) -> Result<Arc<Version>, RolloutError> {
    let known = store::plugins::find(&app.db, digest).await?;
    let Some(known) = known else { return Err(RolloutError::Unloadable(format!("the database has no component {digest}"))) };
    if known.state != VersionState::Ready {
        return Err(RolloutError::NotReady { state: known.state, reason: known.reason });
    }
    match registry::load_stored(app, digest).await {
        Ok(version) => Ok(Arc::new(version)),
        Err(InstallError::Store(error)) => Err(error.into()),
        Err(error) => Err(RolloutError::Unloadable(error.to_string())),
    }
}

async fn standing(app: &App, channel_type: &str) -> Result<Active, RolloutError> {
    let standing = store::plugins::active(&app.db, channel_type).await?;
    standing.ok_or_else(|| RolloutError::UnknownType(channel_type.to_owned()))
}

fn watch(app: &App) -> Option<Duration> {
    let seconds = app.config.plugins.watch_s;
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

fn installed(version: &Version, changed: bool) -> Installed {
    Installed {
        digest: version.digest.clone(),
        channel_type: version.manifest.channel_type.clone(),
        version: version.manifest.version.clone(),
        changed,
    }
}

/// What the type runs for all accounts.
async fn what_runs(app: &App, channel_type: &str, changed: bool) -> Result<Installed, RolloutError> {
    let active = standing(app, channel_type).await?;
    let version = store::plugins::find(&app.db, &active.digest).await?.and_then(|version| version.version).unwrap_or_default();
    Ok(Installed { digest: active.digest, channel_type: channel_type.to_owned(), version, changed })
}
