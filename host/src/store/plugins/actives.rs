//! What each channel type is to run: one row, changed as a whole, and only from the generation that was seen.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    clock::At,
    domain::canary::Canary,
    store::{Record, Result, Row, Run, Statement, StoreError, Tx, db::written_option, sql},
};

/// What a channel type runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Active {
    #[serde(rename = "type")]
    pub channel_type: String,
    pub digest: String,
    /// The one to go back to.
    pub previous_digest: Option<String>,
    /// One more with every change.
    pub generation: i64,
    pub changed_at: At,
    /// Of the last change.
    pub reason: String,
    /// The generation that the active version began with: what it did is counted from there.
    pub active_generation: i64,
    /// Until then it goes back by itself where it fails too often.
    pub watch_until: Option<At>,
    pub canary: Option<Canary>,
    /// What the gateway changed by itself, until somebody changes something.
    pub notice: Option<Notice>,
}

/// What the operator should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PluginNotice")]
pub struct Notice {
    pub text: String,
    pub at: At,
}

impl Active {
    /// The version that is to run for the account.
    pub fn digest_for(&self, account_id: &str) -> &str {
        match &self.canary {
            Some(canary) if canary.takes(account_id) => &canary.digest,
            _ => &self.digest,
        }
    }
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
            active_generation: row.get("active_generation")?,
            watch_until: row.at_option("watch_until")?,
            canary: canary(row)?,
            notice: match (row.get::<Option<String>>("notice")?, row.at_option("noticed_at")?) {
                (Some(text), Some(at)) => Some(Notice { text, at }),
                _ => None,
            },
        })
    }
}

fn canary(row: &Row) -> std::result::Result<Option<Canary>, StoreError> {
    let Some(digest) = row.get("canary_digest")? else { return Ok(None) };
    let share: Option<i64> = row.get("canary_share")?;
    Ok(Some(Canary {
        digest,
        share: share.map(|share| u8::try_from(share).unwrap_or(u8::MAX)),
        accounts: row.json_option("canary_accounts")?.unwrap_or_default(),
        since: row.at("canary_since")?,
        generation: row.get("canary_generation")?,
    }))
}

pub async fn active(mut db: impl Run + Send, channel_type: &str) -> Result<Option<Active>> {
    db.optional(sql("SELECT * FROM plugin_actives WHERE type = $1").bind(channel_type)).await
}

pub async fn actives(mut db: impl Run + Send) -> Result<Vec<Active>> {
    db.all(sql("SELECT * FROM plugin_actives ORDER BY type")).await
}

/// Makes this the desired state, if the generation before it (0: none yet) still stands. Answers false where it doesn't.
pub async fn change(tx: &mut Tx, next: &Active) -> Result<bool> {
    let statement = if next.generation == 1 {
        sql("INSERT INTO plugin_actives
               (type, generation, digest, previous_digest, changed_at, reason, active_generation, watch_until,
                canary_digest, canary_share, canary_accounts, canary_since, canary_generation, notice, noticed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
             ON CONFLICT (type) DO NOTHING")
    } else {
        sql("UPDATE plugin_actives
             SET generation = $2, digest = $3, previous_digest = $4, changed_at = $5, reason = $6, active_generation = $7,
                 watch_until = $8, canary_digest = $9, canary_share = $10, canary_accounts = $11, canary_since = $12,
                 canary_generation = $13, notice = $14, noticed_at = $15
             WHERE type = $1 AND generation = $2 - 1")
    };
    Ok(tx.run(bound(statement, next)).await? > 0)
}

fn bound(statement: Statement, next: &Active) -> Statement {
    let canary = next.canary.as_ref();
    statement
        .bind(&next.channel_type)
        .bind(next.generation)
        .bind(&next.digest)
        .bind(next.previous_digest.clone())
        .bind(next.changed_at)
        .bind(&next.reason)
        .bind(next.active_generation)
        .bind(next.watch_until)
        .bind(canary.map(|canary| canary.digest.clone()))
        .bind(canary.and_then(|canary| canary.share).map(i64::from))
        .bind(written_option(canary.map(|canary| &canary.accounts)))
        .bind(canary.map(|canary| canary.since))
        .bind(canary.map(|canary| canary.generation))
        .bind(next.notice.as_ref().map(|notice| notice.text.clone()))
        .bind(next.notice.as_ref().map(|notice| notice.at))
}

/// Digests that types are to run, and that must not run any more.
pub async fn unfit(mut db: impl Run + Send) -> Result<BTreeSet<String>> {
    let statement = sql("SELECT digest FROM plugin_versions
             WHERE state <> 'ready' AND digest IN (
               SELECT digest FROM plugin_actives UNION SELECT canary_digest FROM plugin_actives WHERE canary_digest IS NOT NULL)");
    db.rows(statement).await?.iter().map(|row| row.get("digest")).collect()
}
