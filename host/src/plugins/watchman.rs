//! Watches new versions and canaries: one that fails too often against the version before it is taken back. Every node adds what its
//! calls came to, and any of them may see that it is enough; the change itself is made once.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    faults::{self, REMEMBERED, Tally, hour_of, verdict},
    rollout::{self, RolloutError},
};
use crate::{
    app::App,
    clock::At,
    store::{self, plugins::Active},
};

/// How often this node looks whether something failed here.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often what ended is added to the database while a version is watched, and whatever other nodes added is looked at.
const ADD_EVERY: Duration = Duration::from_secs(3);
/// The same while none is.
const ADD_EVERY_CALM: Duration = Duration::from_secs(30);
/// A way back that couldn't be gone is tried again after so long.
const AGAIN_AFTER: Duration = Duration::from_secs(30);
/// How long it is kept how calls ended.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// Watches until the gateway stops.
pub async fn watch(app: Arc<App>) {
    let mut added = Instant::now();
    let mut pruned: Option<Instant> = None;
    let mut put_off: HashMap<String, Instant> = HashMap::new();
    while !app.tasks.is_stopping() {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = app.tasks.stopping() => break,
        }
        let watched: BTreeSet<String> = app.plugins.watched(app.clock.now()).into_iter().collect();
        let failed = app.plugins.ended().faulty().into_iter().any(|channel_type| watched.contains(&channel_type));
        let every = if watched.is_empty() { ADD_EVERY_CALM } else { ADD_EVERY };
        if !failed && added.elapsed() < every {
            continue;
        }
        added = Instant::now();
        if let Err(error) = faults::flush(&app).await {
            tracing::error!(%error, "how plugins' calls ended could not be stored");
            continue;
        }
        if app.config.plugins.watch_s > 0 {
            put_off.retain(|_, until| *until > Instant::now());
            for channel_type in watched.iter().filter(|channel_type| !put_off.contains_key(*channel_type)).cloned().collect::<Vec<_>>() {
                if let Err(error) = judge(&app, &channel_type).await {
                    tracing::error!(%error, plugin.type = %channel_type, "a version that is watched could not be judged");
                    put_off.insert(channel_type, Instant::now() + AGAIN_AFTER);
                }
            }
        }
        if pruned.is_none_or(|pruned| pruned.elapsed() >= PRUNE_EVERY) {
            pruned = Some(Instant::now());
            if let Err(error) = prune(&app).await {
                tracing::error!(%error, "how plugins' calls ended long ago could not be forgotten");
            }
        }
    }
    // The last calls of this process count too.
    if let Err(error) = faults::flush(&app).await {
        tracing::error!(%error, "how plugins' last calls ended could not be stored");
    }
}

async fn prune(app: &App) -> store::Result<()> {
    let before = app.clock.now().minus(KEPT);
    let mut tx = app.db.begin().await?;
    store::outcomes::prune(&mut tx, before).await?;
    tx.commit().await
}

/// Judges the type's canary against its active version, and the active version against the one before.
async fn judge(app: &App, channel_type: &str) -> store::Result<()> {
    let Some(seen) = store::plugins::active(&app.db, channel_type).await? else { return Ok(()) };
    let now = app.clock.now();
    if let Some(canary) = &seen.canary
        && let Some(told) = against(app, (&canary.digest, canary.generation), &seen.digest, now).await?
    {
        let reason = format!("The canary {} ended by itself: {told}.", named(app, &canary.digest).await?);
        return settled(app, &seen, &canary.digest, &reason, rollout::take_back(app, &seen, &canary.digest, &reason).await).await;
    }
    if let Some(previous) = &seen.previous_digest
        && seen.watch_until.is_some_and(|until| until > now)
        && let Some(told) = against(app, (&seen.digest, seen.active_generation), previous, now).await?
    {
        let (newer, former) = (named(app, &seen.digest).await?, named(app, previous).await?);
        let reason = format!("Version {newer} was taken back by itself, {former} runs again: {told}.");
        return settled(app, &seen, &seen.digest, &reason, rollout::take_back(app, &seen, &seen.digest, &reason).await).await;
    }
    Ok(())
}

/// What speaks against the newer version, by what it did since its generation.
async fn against(app: &App, newer: (&str, i64), former: &str, now: At) -> store::Result<Option<String>> {
    let newer = Tally::of(&store::outcomes::since_generation(&app.db, newer.0, newer.1).await?);
    let former = Tally::of(&store::outcomes::since(&app.db, former, hour_of(now.minus(REMEMBERED))).await?);
    Ok(verdict(newer, former, &app.config.plugins))
}

async fn named(app: &App, digest: &str) -> store::Result<String> {
    let version = store::plugins::find(&app.db, digest).await?.and_then(|version| version.version);
    Ok(version.unwrap_or_else(|| digest.to_owned()))
}

async fn settled(app: &App, seen: &Active, digest: &str, reason: &str, taken: Result<(), RolloutError>) -> store::Result<()> {
    match taken {
        Ok(()) => {
            tracing::error!(plugin.type = %seen.channel_type, plugin.digest = %digest, %reason, "a plugin was taken back");
            app.metrics.rolled_back(&seen.channel_type);
            Ok(())
        }
        // Another node, or somebody, was faster.
        Err(RolloutError::Overtaken(_)) => Ok(()),
        Err(RolloutError::Store(error)) => Err(error),
        Err(error) => {
            let text = format!("{reason} That failed: {error}. It goes on, and isn't watched any longer.");
            tracing::error!(plugin.type = %seen.channel_type, plugin.digest = %digest, reason = %text, "a plugin could not be taken back");
            match rollout::note(app, seen, &text).await {
                Err(RolloutError::Store(error)) => Err(error),
                _ => Ok(()),
            }
        }
    }
}
