//! Plugin versions by digest, and which of them each channel type runs.

use serde::Serialize;
use serde_json::Value;

use super::{Record, Result, Row, Run, StoreError, Tx, sql};
use crate::{clock::At, domain::words};

words! {
    pub enum VersionState {
        /// Passed its checks: it can run.
        Ready = "ready",
        /// Didn't; the reason says why.
        Failed = "failed",
    }
}

#[derive(Debug, Clone, Serialize)]
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
    pub reason: Option<String>,
    pub source: String,
    pub installed_at: At,
}

impl Record for PluginVersion {
    fn from_row(row: &Row) -> std::result::Result<PluginVersion, StoreError> {
        Ok(PluginVersion {
            digest: row.get("digest")?,
            channel_type: row.get("type")?,
            version: row.get("version")?,
            manifest: row.json_option("manifest")?,
            size: row.get("size")?,
            state: row.word("state")?,
            reason: row.get("reason")?,
            source: row.get("source")?,
            installed_at: row.at("installed_at")?,
        })
    }
}

/// What a channel type runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Active {
    #[serde(rename = "type")]
    pub channel_type: String,
    pub digest: String,
    pub previous_digest: Option<String>,
    pub generation: i64,
    pub changed_at: At,
    pub reason: String,
}

impl Record for Active {
    fn from_row(row: &Row) -> std::result::Result<Active, StoreError> {
        Ok(Active {
            channel_type: row.get("type")?,
            digest: row.get("digest")?,
            previous_digest: row.get("previous_digest")?,
            generation: row.get("generation")?,
            changed_at: row.at("changed_at")?,
            reason: row.get("reason")?,
        })
    }
}

/// Every column but the component's bytes.
const COLUMNS: &str = "digest, type, version, manifest, size, state, reason, source, installed_at";

/// Stores a version; a digest that failed before takes the new outcome, one that passed stays as it is.
pub async fn put(tx: &mut Tx, version: &PluginVersion, component: Option<&[u8]>) -> Result<()> {
    let statement =
        sql("INSERT INTO plugin_versions (digest, type, version, manifest, component, size, state, reason, source, installed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (digest) DO UPDATE
               SET type = excluded.type, version = excluded.version, manifest = excluded.manifest, component = excluded.component,
                   state = excluded.state, reason = excluded.reason, source = excluded.source
             WHERE plugin_versions.state <> 'ready'")
        .bind(&version.digest)
        .bind(version.channel_type.clone())
        .bind(version.version.clone())
        .bind(version.manifest.clone())
        .bind(component)
        .bind(version.size)
        .bind(version.state.as_str())
        .bind(version.reason.clone())
        .bind(&version.source)
        .bind(version.installed_at);
    tx.run(statement).await?;
    Ok(())
}

pub async fn find(mut db: impl Run + Send, digest: &str) -> Result<Option<PluginVersion>> {
    db.optional(sql(format!("SELECT {COLUMNS} FROM plugin_versions WHERE digest = $1")).bind(digest)).await
}

pub async fn list(mut db: impl Run + Send) -> Result<Vec<PluginVersion>> {
    db.all(sql(format!("SELECT {COLUMNS} FROM plugin_versions ORDER BY type, installed_at DESC, digest"))).await
}

pub async fn component(mut db: impl Run + Send, digest: &str) -> Result<Option<Vec<u8>>> {
    match db.rows(sql("SELECT component FROM plugin_versions WHERE digest = $1").bind(digest)).await?.first() {
        Some(row) => row.get("component"),
        None => Ok(None),
    }
}

pub async fn active(mut db: impl Run + Send, channel_type: &str) -> Result<Option<Active>> {
    db.optional(sql("SELECT * FROM plugin_actives WHERE type = $1").bind(channel_type)).await
}

pub async fn actives(mut db: impl Run + Send) -> Result<Vec<Active>> {
    db.all(sql("SELECT * FROM plugin_actives ORDER BY type")).await
}

/// Makes `digest` what the type runs, if generation `expected` (0: none yet) still stands. Answers false where it doesn't.
pub async fn activate(tx: &mut Tx, channel_type: &str, digest: &str, expected: i64, reason: &str, now: At) -> Result<bool> {
    let statement = if expected == 0 {
        sql("INSERT INTO plugin_actives (type, digest, generation, changed_at, reason) VALUES ($1, $2, $3 + 1, $4, $5)
             ON CONFLICT (type) DO NOTHING")
    } else {
        sql("UPDATE plugin_actives
             SET digest = $2, previous_digest = digest, generation = generation + 1, changed_at = $4, reason = $5
             WHERE type = $1 AND generation = $3")
    };
    Ok(tx.run(statement.bind(channel_type).bind(digest).bind(expected).bind(now).bind(reason)).await? > 0)
}
