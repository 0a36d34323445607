//! Plugin versions by digest, and which of them each channel type runs. What runs: [`actives`]; how a version comes in: [`examinations`]; what became of it:
//! [`moves`]; whose signatures count: [`keys`].

pub mod actives;
pub mod examinations;
pub mod keys;
pub mod moves;

pub use actives::{Active, Notice, active, actives};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Page, Record, Result, Row, Run, StoreError, Tx, sql};
use crate::{
    clock::At,
    domain::{
        actor::Actor,
        plugin::{Judgement, Rollout, SeenSignature, Step, VersionState},
    },
};

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PluginVersion {
    /// SHA-256 of the component, in hex.
    pub digest: String,
    #[serde(rename = "type")]
    pub channel_type: Option<String>,
    pub version: Option<String>,
    #[serde(skip)]
    pub manifest: Option<Value>,
    /// Bytes.
    pub size: i64,
    pub state: VersionState,
    /// How far its examination is, or where it failed.
    pub step: Option<Step>,
    pub reason: Option<String>,
    /// A [`SourceKind`](crate::domain::plugin::SourceKind), and which of these behind a colon.
    pub source: String,
    pub installed_at: At,
    /// Who brought it.
    pub actor: Option<Actor>,
    #[serde(skip)]
    pub rollout: Option<Rollout>,
    /// None: never looked at.
    pub signatures: Option<Vec<SeenSignature>>,
    /// Everything that it asks of the host; of a version that is ready, what it was granted.
    #[serde(skip)]
    pub asks: Option<Value>,
    /// Of these, what its type wasn't granted before.
    #[serde(skip)]
    pub widens: Option<Value>,
    pub judgement: Option<Judgement>,
    #[serde(skip)]
    pub conformance: Option<Value>,
    /// How its events differ from the version's before it.
    #[serde(skip)]
    pub shadow: Option<Value>,
    /// When it came to its state.
    pub changed_at: Option<At>,
}

impl PluginVersion {
    /// A component as it came: nothing of it was looked at yet.
    pub fn brought(digest: String, size: i64, source: String, actor: Actor, rollout: Rollout, now: At) -> PluginVersion {
        PluginVersion {
            digest,
            channel_type: None,
            version: None,
            manifest: None,
            size,
            state: VersionState::Examining,
            step: Some(Step::Size),
            reason: None,
            source,
            installed_at: now,
            actor: Some(actor),
            rollout: Some(rollout),
            signatures: None,
            asks: None,
            widens: None,
            judgement: None,
            conformance: None,
            shadow: None,
            changed_at: Some(now),
        }
    }
}

impl Record for PluginVersion {
    fn from_row(row: &Row) -> std::result::Result<PluginVersion, StoreError> {
        let step: Option<String> = row.get("step")?;
        Ok(PluginVersion {
            digest: row.get("digest")?,
            channel_type: row.get("type")?,
            version: row.get("version")?,
            manifest: row.json_option("manifest")?,
            size: row.get("size")?,
            state: row.word("state")?,
            step: step.and_then(|step| step.parse().ok()),
            reason: row.get("reason")?,
            source: row.get("source")?,
            installed_at: row.at("installed_at")?,
            actor: row.json_option("actor")?,
            rollout: row.json_option("rollout")?,
            signatures: row.json_option("signatures")?,
            asks: row.json_option("asks")?,
            widens: row.json_option("widens")?,
            judgement: row.json_option("judgement")?,
            conformance: row.json_option("conformance")?,
            shadow: row.json_option("shadow")?,
            changed_at: row.at_option("changed_at")?,
        })
    }
}

/// Every column but the component's bytes.
const COLUMNS: &str = "digest, type, version, manifest, size, state, step, reason, source, installed_at, actor, rollout, signatures, \
                       asks, widens, judgement, conformance, shadow, changed_at";

pub async fn find(mut db: impl Run + Send, digest: &str) -> Result<Option<PluginVersion>> {
    db.optional(sql(format!("SELECT {COLUMNS} FROM plugin_versions WHERE digest = $1")).bind(digest)).await
}

pub async fn list(mut db: impl Run + Send) -> Result<Vec<PluginVersion>> {
    db.all(sql(format!("SELECT {COLUMNS} FROM plugin_versions ORDER BY type, installed_at DESC, digest"))).await
}

/// Those of a type, or in a state, where one is told.
pub async fn page(
    mut db: impl Run + Send,
    channel_type: Option<&str>,
    state: Option<VersionState>,
    page: &Page,
) -> Result<Vec<PluginVersion>> {
    let statement = sql(format!(
        "SELECT {COLUMNS} FROM plugin_versions
         WHERE ($1 IS NULL OR type = $1) AND ($2 IS NULL OR state = $2)
         ORDER BY type, installed_at DESC, digest LIMIT $3 OFFSET $4"
    ))
    .bind(channel_type.map(str::to_owned))
    .bind(state.map(|state| state.as_str().to_owned()))
    .bind(page.limit)
    .bind(page.offset);
    db.all(statement).await
}

pub async fn component(mut db: impl Run + Send, digest: &str) -> Result<Option<Vec<u8>>> {
    match db.rows(sql("SELECT component FROM plugin_versions WHERE digest = $1").bind(digest)).await?.first() {
        Some(row) => row.get("component"),
        None => Ok(None),
    }
}

/// Notes how a version's events differ from those of the one that runs.
pub async fn keep_shadow(tx: &mut Tx, digest: &str, shadow: Value) -> Result<()> {
    tx.run(sql("UPDATE plugin_versions SET shadow = $2 WHERE digest = $1").bind(digest).bind(shadow)).await?;
    Ok(())
}

/// Whether a version has run before, for all accounts or some.
pub async fn was_begun(mut db: impl Run + Send, digest: &str) -> Result<bool> {
    let statement = sql("SELECT id FROM plugin_moves WHERE digest = $1 AND to_state IN ('active', 'canary') LIMIT 1").bind(digest);
    Ok(!db.rows(statement).await?.is_empty())
}

/// Versions that are ready, and of which what was asked for hasn't begun.
pub async fn not_begun(mut db: impl Run + Send) -> Result<Vec<PluginVersion>> {
    let statement =
        format!("SELECT {COLUMNS} FROM plugin_versions WHERE state = 'ready' AND rollout IS NOT NULL ORDER BY changed_at, digest");
    db.all(sql(statement)).await
}

/// What was asked for a version has begun.
pub async fn clear_rollout(tx: &mut Tx, digest: &str) -> Result<()> {
    tx.run(sql("UPDATE plugin_versions SET rollout = NULL WHERE digest = $1 AND state = 'ready'").bind(digest)).await?;
    Ok(())
}

/// A type whose active version must not run any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    pub channel_type: String,
    pub digest: String,
    /// The version before it, where that one may run.
    pub former: Option<String>,
}

impl Record for Unfit {
    fn from_row(row: &Row) -> std::result::Result<Unfit, StoreError> {
        Ok(Unfit { channel_type: row.get("type")?, digest: row.get("digest")?, former: row.get("former")? })
    }
}

/// Types that run what was taken back.
pub async fn unfit(mut db: impl Run + Send) -> Result<Vec<Unfit>> {
    let statement = sql("SELECT plugin_actives.type, plugin_actives.digest, former.digest AS former
             FROM plugin_actives
             JOIN plugin_versions ON plugin_versions.digest = plugin_actives.digest
             LEFT JOIN plugin_versions AS former ON former.digest = plugin_actives.previous_digest AND former.state = 'ready'
             WHERE plugin_versions.state <> 'ready' ORDER BY plugin_actives.type");
    db.all(statement).await
}

/// The digests that begin so; two at most.
pub async fn beginning_with(mut db: impl Run + Send, prefix: &str) -> Result<Vec<String>> {
    let statement = sql("SELECT digest FROM plugin_versions WHERE substr(digest, 1, length($1)) = $1 ORDER BY digest LIMIT 2").bind(prefix);
    db.rows(statement).await?.iter().map(|row| row.get("digest")).collect()
}

#[cfg(test)]
mod tests;
