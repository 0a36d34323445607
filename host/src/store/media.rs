//! What is known of the files that the gateway keeps or is to fetch; the bytes are in the blob store.

use std::collections::BTreeSet;

use serde_json::json;

use super::{
    Record, Result, Row, Run, StoreError, Tx,
    bulk::{self, values},
    db::written,
    sql,
};
use crate::{
    clock::At,
    domain::{
        content::Source,
        failure::Failure,
        media::{FileState, InboundFile, MediaFile, WantedFile, key_of},
    },
};

impl Record for MediaFile {
    fn from_row(row: &Row) -> std::result::Result<MediaFile, StoreError> {
        Ok(MediaFile {
            id: row.get("id")?,
            organization_id: row.get("organization_id")?,
            file_name: row.get("file_name")?,
            mime_type: row.get("mime_type")?,
            size: row.get("size")?,
            origin: row.word("origin")?,
            created_at: row.at("created_at")?,
        })
    }
}

/// `used_until`: none for a file that no message uses yet.
pub async fn insert(tx: &mut Tx, file: &MediaFile, used_until: Option<At>) -> Result<()> {
    let statement = sql("INSERT INTO media (id, organization_id, file_name, mime_type, size, origin, created_at, used_until)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
    .bind(&file.id)
    .bind(&file.organization_id)
    .bind(file.file_name.clone())
    .bind(&file.mime_type)
    .bind(file.size)
    .bind(file.origin.as_str())
    .bind(file.created_at)
    .bind(used_until);
    tx.run(statement).await?;
    Ok(())
}

pub async fn find(mut db: impl Run + Send, id: &str) -> Result<Option<MediaFile>> {
    db.optional(sql("SELECT * FROM media WHERE id = $1 AND removed_at IS NULL").bind(id)).await
}

/// Those of the ids that are kept.
pub async fn list(mut db: impl Run + Send, ids: &BTreeSet<&str>) -> Result<Vec<MediaFile>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    db.all(sql("SELECT * FROM media WHERE removed_at IS NULL AND id IN ").list(ids.iter().copied())).await
}

/// Those of the ids that are noted, also of files that are being removed.
pub async fn known(mut db: impl Run + Send, ids: &BTreeSet<String>) -> Result<BTreeSet<String>> {
    if ids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let rows = db.rows(sql("SELECT id FROM media WHERE id IN ").list(ids.iter().map(String::as_str))).await?;
    rows.iter().map(|row| row.get("id")).collect()
}

/// Notes that a message needs the file until then. Answers false where the file is gone: then it can't be used.
pub async fn use_until(tx: &mut Tx, id: &str, until: At) -> Result<bool> {
    let statement = sql("UPDATE media SET used_until = CASE WHEN used_until > $2 THEN used_until ELSE $2 END
             WHERE id = $1 AND removed_at IS NULL")
    .bind(id)
    .bind(until);
    Ok(tx.run(statement).await? > 0)
}

/// Has the files fetched. One that is known already is only noted as spoken of again; one that failed or was removed is tried anew.
pub async fn enqueue(tx: &mut Tx, files: &[WantedFile], now: At) -> Result<u64> {
    // One statement may touch a row only once.
    let mut known = BTreeSet::new();
    let fresh = files
        .iter()
        .filter_map(|file| Some((key_of(&file.source)?, file)))
        .filter(|(key, file)| known.insert((file.account_id.clone(), key.clone())));
    let rows = fresh.map(|(key, file)| {
        values![
            &file.account_id,
            key,
            written(&file.source),
            &file.organization_id,
            &file.message_id,
            file.mime_type.clone(),
            file.file_name.clone(),
            file.size,
            "pending",
            0_i64,
            now,
            0_i64,
            now,
            now,
        ]
    });
    const WANT: &str = "INSERT INTO inbound_media
       (account_id, key, source, organization_id, message_id, mime_type, file_name, size, state, attempts, due_at, fence, wanted_at, seen_at)";
    const AGAIN: &str = "ON CONFLICT (account_id, key) DO UPDATE SET
       seen_at = excluded.seen_at,
       message_id = CASE WHEN inbound_media.state IN ('failed', 'removed') THEN excluded.message_id ELSE inbound_media.message_id END,
       due_at = CASE WHEN inbound_media.state IN ('failed', 'removed') THEN excluded.due_at ELSE inbound_media.due_at END,
       wanted_at = CASE WHEN inbound_media.state IN ('failed', 'removed') THEN excluded.wanted_at ELSE inbound_media.wanted_at END,
       attempts = CASE WHEN inbound_media.state IN ('failed', 'removed') THEN 0 ELSE inbound_media.attempts END,
       state = CASE WHEN inbound_media.state IN ('failed', 'removed') THEN 'pending' ELSE inbound_media.state END";
    bulk::write(tx, WANT, rows.collect(), AGAIN).await
}

/// A file that somebody has taken to fetch.
#[derive(Debug, Clone)]
pub struct FileClaim {
    pub key: String,
    pub file: WantedFile,
    /// Counted tries before this one.
    pub attempts: i64,
    pub fence: i64,
    /// Since when it is waited for.
    pub wanted_at: At,
}

impl Record for FileClaim {
    fn from_row(row: &Row) -> std::result::Result<FileClaim, StoreError> {
        Ok(FileClaim {
            key: row.get("key")?,
            file: WantedFile {
                organization_id: row.get("organization_id")?,
                account_id: row.get("account_id")?,
                message_id: row.get("message_id")?,
                source: row.json::<Source>("source")?,
                mime_type: row.get("mime_type")?,
                file_name: row.get("file_name")?,
                size: row.get::<Option<i64>>("size")?.and_then(|size| u32::try_from(size).ok()),
            },
            attempts: row.get("attempts")?,
            fence: row.get("fence")?,
            wanted_at: row.at("wanted_at")?,
        })
    }
}

/// Claims what is due, and what a worker had that is gone: to fetch a file twice does no harm.
pub async fn claim(tx: &mut Tx, now: At, leased_until: At, limit: u32) -> Result<Vec<FileClaim>> {
    let statement = sql("WITH chosen AS MATERIALIZED (
               SELECT account_id, key FROM inbound_media
               WHERE state = 'pending' AND due_at <= $1 AND (leased_until IS NULL OR leased_until <= $1)
               ORDER BY due_at LIMIT $3 {lock})
             UPDATE inbound_media SET leased_until = $2, fence = fence + 1
             WHERE (account_id, key) IN (SELECT account_id, key FROM chosen)
             RETURNING *")
    .bind(now)
    .bind(leased_until)
    .bind(limit);
    tx.all(statement).await
}

/// Claims one file, whenever it would be due; also one that failed, which somebody asks for again. None while another has it.
pub async fn claim_one(tx: &mut Tx, account_id: &str, key: &str, now: At, leased_until: At) -> Result<Option<FileClaim>> {
    let statement = sql("UPDATE inbound_media SET leased_until = $4, fence = fence + 1, state = 'pending'
             WHERE account_id = $1 AND key = $2 AND state IN ('pending', 'failed') AND (leased_until IS NULL OR leased_until <= $3)
             RETURNING *")
    .bind(account_id)
    .bind(key)
    .bind(now)
    .bind(leased_until);
    tx.optional(statement).await
}

/// When the next file is due; none where none waits.
pub async fn next_due(mut db: impl Run + Send) -> Result<Option<At>> {
    let statement = sql("SELECT min(CASE WHEN leased_until > due_at THEN leased_until ELSE due_at END) AS due_at
             FROM inbound_media WHERE state = 'pending'");
    match db.rows(statement).await?.first() {
        Some(row) => row.at_option("due_at"),
        None => Ok(None),
    }
}

/// Lets every claim run out.
pub async fn expire_leases(tx: &mut Tx) -> Result<()> {
    tx.run(sql("UPDATE inbound_media SET leased_until = NULL WHERE state = 'pending' AND leased_until IS NOT NULL")).await?;
    Ok(())
}

/// How a try ended.
pub enum FileEnd<'a> {
    Stored(&'a MediaFile),
    Failed(&'a Failure),
    Again { due_at: At, attempts: i64, failure: &'a Failure },
}

/// Writes how a try ended. Answers false where the claim was lost: then nothing of it counts.
pub async fn settle(tx: &mut Tx, claim: &FileClaim, end: &FileEnd<'_>) -> Result<bool> {
    let (state, due_at, attempts, failure, media_id) = match end {
        FileEnd::Stored(file) => (FileState::Stored, None, None, None, Some(&file.id)),
        FileEnd::Failed(failure) => (FileState::Failed, None, None, Some(*failure), None),
        FileEnd::Again { due_at, attempts, failure } => (FileState::Pending, Some(*due_at), Some(*attempts), Some(*failure), None),
    };
    let statement = sql("UPDATE inbound_media
             SET state = $4, leased_until = NULL, due_at = COALESCE($5, due_at), attempts = COALESCE($6, attempts), failure = $7, media_id = $8
             WHERE account_id = $1 AND key = $2 AND fence = $3 AND state = 'pending'")
    .bind(&claim.file.account_id)
    .bind(&claim.key)
    .bind(claim.fence)
    .bind(state.as_str())
    .bind(due_at)
    .bind(attempts)
    .bind(failure.map(|failure| json!(failure)))
    .bind(media_id.cloned());
    Ok(tx.run(statement).await? > 0)
}

impl Record for InboundFile {
    fn from_row(row: &Row) -> std::result::Result<InboundFile, StoreError> {
        let file = match row.get::<Option<String>>("id")? {
            Some(_) => Some(MediaFile::from_row(row)?),
            None => None,
        };
        Ok(InboundFile {
            account_id: row.get("inbound_account_id")?,
            key: row.get("key")?,
            state: row.word("state")?,
            failure: row.json_option("failure")?,
            file,
        })
    }
}

/// How files stand, by account and key; also some of other pairs of those accounts and keys.
pub async fn list_inbound(mut db: impl Run + Send, accounts: &BTreeSet<&str>, keys: &BTreeSet<&str>) -> Result<Vec<InboundFile>> {
    if accounts.is_empty() || keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = sql("SELECT f.account_id AS inbound_account_id, f.key, f.state, f.failure, m.*
             FROM inbound_media f LEFT JOIN media m ON m.id = f.media_id AND m.removed_at IS NULL
             WHERE f.key IN ")
    .list(keys.iter().copied());
    statement.push(" AND f.account_id IN ");
    db.all(statement.list(accounts.iter().copied())).await
}

pub async fn find_inbound(db: impl Run + Send, account_id: &str, key: &str) -> Result<Option<InboundFile>> {
    Ok(list_inbound(db, &BTreeSet::from([account_id]), &BTreeSet::from([key])).await?.pop())
}

/// What is kept for how long.
pub struct Keep {
    /// Files that no message uses and that were made before then go.
    pub unused_since: At,
    /// Files whose last message was before then go; none keeps them.
    pub used_before: Option<At>,
}

/// Marks files as removed, at most so many; answers the ids of all that are marked, also by a sweep that broke off. Nobody is told of
/// them from here on; once their bytes are gone, [`forget`] ends it.
pub async fn mark_removed(tx: &mut Tx, keep: &Keep, now: At, limit: u32) -> Result<Vec<String>> {
    let unused = sql("UPDATE media SET removed_at = $1 WHERE id IN (
               SELECT id FROM media WHERE used_until IS NULL AND created_at <= $2 AND removed_at IS NULL ORDER BY created_at LIMIT $3 {lock})")
    .bind(now)
    .bind(keep.unused_since)
    .bind(limit);
    tx.run(unused).await?;
    if let Some(used_before) = keep.used_before {
        let used = sql("UPDATE media SET removed_at = $1 WHERE id IN (
               SELECT id FROM media
               WHERE used_until <= $2 AND removed_at IS NULL
                 AND NOT EXISTS (SELECT 1 FROM inbound_media f WHERE f.media_id = media.id AND f.seen_at > $2)
               ORDER BY used_until LIMIT $3 {lock})")
        .bind(now)
        .bind(used_before)
        .bind(limit);
        tx.run(used).await?;
    }
    let marked = sql("SELECT id FROM media WHERE removed_at IS NOT NULL ORDER BY removed_at LIMIT $1").bind(limit);
    let ids: Vec<String> = tx.rows(marked).await?.iter().map(|row| row.get("id")).collect::<Result<_>>()?;
    if !ids.is_empty() {
        let statement = sql("UPDATE inbound_media SET state = 'removed', media_id = NULL WHERE media_id IN ");
        tx.run(statement.list(ids.iter().map(String::as_str))).await?;
    }
    Ok(ids)
}

/// Forgets a file whose bytes are gone.
pub async fn forget(tx: &mut Tx, id: &str) -> Result<()> {
    tx.run(sql("DELETE FROM media WHERE id = $1 AND removed_at IS NOT NULL").bind(id)).await?;
    Ok(())
}
