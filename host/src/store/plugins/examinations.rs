//! Versions on their way in. Whoever examines one holds a lease: where its node dies, another takes it up again from the start.
//! Every write names the fence of its claim: of two that think they examine a version, the later one counts.

use serde_json::Value;

use crate::{
    clock::At,
    domain::plugin::{Judgement, SeenSignature, Step, VersionState},
    store::{
        Result, Run, Tx,
        db::{written, written_option},
        sql,
    },
};

use super::PluginVersion;

/// A version that is being examined, and the fence of who does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub digest: String,
    pub fence: i64,
}

/// Stores a component that is to be examined. One that failed before is examined again: settings may have changed since. Answers false
/// where the digest is known otherwise, and stays what it is.
pub async fn bring(tx: &mut Tx, version: &PluginVersion, component: &[u8]) -> Result<bool> {
    let statement = sql("INSERT INTO plugin_versions
               (digest, component, size, state, step, source, installed_at, actor, rollout, changed_at)
             VALUES ($1, $2, $3, 'examining', 'size', $4, $5, $6, $7, $5)
             ON CONFLICT (digest) DO UPDATE
               SET component = excluded.component, state = excluded.state, step = excluded.step, reason = NULL, source = excluded.source,
                   actor = excluded.actor, rollout = excluded.rollout, signatures = NULL, asks = NULL, widens = NULL, judgement = NULL,
                   conformance = NULL, shadow = NULL, leased_by = NULL, leased_until = NULL, changed_at = excluded.changed_at
             WHERE plugin_versions.state = 'failed'")
    .bind(&version.digest)
    .bind(component)
    .bind(version.size)
    .bind(&version.source)
    .bind(version.installed_at)
    .bind(written_option(version.actor.as_ref()))
    .bind(written_option(version.rollout.as_ref()));
    Ok(tx.run(statement).await? > 0)
}

/// Claims a version that nobody examines, until `leased_until`.
pub async fn claim(tx: &mut Tx, digest: &str, node_id: &str, now: At, leased_until: At) -> Result<Option<Claim>> {
    let statement = sql("UPDATE plugin_versions SET leased_by = $2, leased_until = $4, fence = fence + 1
             WHERE digest = $1 AND state = 'examining' AND (leased_until IS NULL OR leased_until <= $3)
             RETURNING fence")
    .bind(digest)
    .bind(node_id)
    .bind(now)
    .bind(leased_until);
    match tx.rows(statement).await?.first() {
        Some(row) => Ok(Some(Claim { digest: digest.to_owned(), fence: row.get("fence")? })),
        None => Ok(None),
    }
}

/// Versions that nobody examines and somebody should, oldest first.
pub async fn unattended(mut db: impl Run + Send, now: At) -> Result<Vec<String>> {
    let statement = sql("SELECT digest FROM plugin_versions WHERE state = 'examining' AND (leased_until IS NULL OR leased_until <= $1)
             ORDER BY installed_at, digest LIMIT 100")
    .bind(now);
    db.rows(statement).await?.iter().map(|row| row.get("digest")).collect()
}

/// Keeps a claim for longer; answers false where it isn't the caller's any more.
pub async fn renew(tx: &mut Tx, claim: &Claim, leased_until: At) -> Result<bool> {
    let statement = sql("UPDATE plugin_versions SET leased_until = $3 WHERE digest = $1 AND fence = $2 AND state = 'examining'")
        .bind(&claim.digest)
        .bind(claim.fence)
        .bind(leased_until);
    Ok(tx.run(statement).await? > 0)
}

/// Notes how far the examination is; answers false where the claim isn't the caller's any more.
pub async fn reach(tx: &mut Tx, claim: &Claim, step: Step) -> Result<bool> {
    let statement = sql("UPDATE plugin_versions SET step = $3 WHERE digest = $1 AND fence = $2 AND state = 'examining'")
        .bind(&claim.digest)
        .bind(claim.fence)
        .bind(step.as_str());
    Ok(tx.run(statement).await? > 0)
}

/// What came of an examination.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub state: VersionState,
    /// Where it failed.
    pub step: Option<Step>,
    pub reason: Option<String>,
    pub channel_type: Option<String>,
    pub version: Option<String>,
    pub manifest: Option<Value>,
    pub signatures: Option<Vec<SeenSignature>>,
    pub asks: Option<Value>,
    pub widens: Option<Value>,
    pub conformance: Option<Value>,
    pub shadow: Option<Value>,
}

impl Outcome {
    pub fn of(state: VersionState, reason: Option<String>) -> Outcome {
        Outcome {
            state,
            step: None,
            reason,
            channel_type: None,
            version: None,
            manifest: None,
            signatures: None,
            asks: None,
            widens: None,
            conformance: None,
            shadow: None,
        }
    }
}

/// Ends an examination; answers false where the claim isn't the caller's any more. What failed is kept without its bytes.
pub async fn settle(tx: &mut Tx, claim: &Claim, outcome: &Outcome, now: At) -> Result<bool> {
    let mut statement = sql("UPDATE plugin_versions
             SET state = $3, reason = $4, type = $5, version = $6, manifest = $7, signatures = $8, asks = $9, widens = $10,
                 conformance = $11, shadow = $12, changed_at = $13, step = $14, leased_by = NULL, leased_until = NULL")
    .bind(&claim.digest)
    .bind(claim.fence)
    .bind(outcome.state.as_str())
    .bind(outcome.reason.clone())
    .bind(outcome.channel_type.clone())
    .bind(outcome.version.clone())
    .bind(outcome.manifest.clone())
    .bind(written_option(outcome.signatures.as_ref()))
    .bind(outcome.asks.clone())
    .bind(outcome.widens.clone())
    .bind(outcome.conformance.clone())
    .bind(outcome.shadow.clone())
    .bind(now)
    .bind(outcome.step.map(Step::as_str));
    if outcome.state == VersionState::Failed {
        statement.push(", component = NULL");
    }
    statement.push(" WHERE digest = $1 AND fence = $2 AND state = 'examining'");
    Ok(tx.run(statement).await? > 0)
}

/// Lets every claim run out: of a database that one process alone works on, which has just started.
pub async fn expire_leases(tx: &mut Tx) -> Result<()> {
    tx.run(sql("UPDATE plugin_versions SET leased_until = NULL WHERE state = 'examining'")).await?;
    Ok(())
}

/// Lets the claims of a node that is gone run out.
pub async fn expire_leases_of(tx: &mut Tx, node_id: &str) -> Result<()> {
    let statement = sql("UPDATE plugin_versions SET leased_until = NULL WHERE leased_by = $1 AND state = 'examining'").bind(node_id);
    tx.run(statement).await?;
    Ok(())
}

/// Gives a claim back, for another to take up.
pub async fn give_back(tx: &mut Tx, claim: &Claim) -> Result<()> {
    let statement = sql("UPDATE plugin_versions SET leased_until = NULL WHERE digest = $1 AND fence = $2 AND state = 'examining'")
        .bind(&claim.digest)
        .bind(claim.fence);
    tx.run(statement).await?;
    Ok(())
}

/// Changes the state of a version that isn't on its way in, if it is `from`; answers false where it isn't. A judgement stays with the
/// digest.
pub async fn change_state(tx: &mut Tx, digest: &str, from: VersionState, change: &StateChange<'_>, now: At) -> Result<bool> {
    let mut statement = sql("UPDATE plugin_versions SET state = $3, reason = $4, changed_at = $5")
        .bind(digest)
        .bind(from.as_str())
        .bind(change.to.as_str())
        .bind(change.reason)
        .bind(now);
    if let Some(judgement) = change.judgement {
        let place = statement.add(written(judgement));
        statement.push(&format!(", judgement = ${place}"));
    }
    statement.push(" WHERE digest = $1 AND state = $2");
    Ok(tx.run(statement).await? > 0)
}

/// What a version becomes.
pub struct StateChange<'a> {
    pub to: VersionState,
    /// Why it is what it is; none where there is nothing to explain.
    pub reason: Option<&'a str>,
    pub judgement: Option<&'a Judgement>,
}
