//! The small store of a plugin and account.

use super::{Record, Result, Row, Run, StoreError, Tx, sql};
use crate::clock::At;

pub struct Entry {
    pub value: Vec<u8>,
    pub version: u32,
}

impl Record for Entry {
    fn from_row(row: &Row) -> std::result::Result<Entry, StoreError> {
        let version: i64 = row.get("version")?;
        Ok(Entry { value: row.get("value")?, version: u32::try_from(version).unwrap_or(u32::MAX) })
    }
}

pub async fn get(mut db: impl Run + Send, account_id: &str, key: &str, now: At) -> Result<Option<Entry>> {
    let statement = sql("SELECT value, version FROM kv WHERE account_id = $1 AND key = $2 AND (expires_at IS NULL OR expires_at > $3)")
        .bind(account_id)
        .bind(key)
        .bind(now);
    db.optional(statement).await
}

/// Writes where the version stands as expected (none: always); answers the new version, or the one in the way.
pub async fn set(
    tx: &mut Tx,
    account_id: &str,
    key: &str,
    value: Vec<u8>,
    expires_at: Option<At>,
    expected: Option<u32>,
    now: At,
) -> Result<std::result::Result<u32, u32>> {
    tx.run(sql("DELETE FROM kv WHERE account_id = $1 AND key = $2 AND expires_at <= $3").bind(account_id).bind(key).bind(now)).await?;
    let standing = tx
        .optional::<Entry>(sql("SELECT value, version FROM kv WHERE account_id = $1 AND key = $2").bind(account_id).bind(key))
        .await?
        .map_or(0, |entry| entry.version);
    if expected.is_some_and(|expected| expected != standing) {
        return Ok(Err(standing));
    }
    let version = standing.wrapping_add(1).max(1);
    let statement = sql("INSERT INTO kv (account_id, key, value, version, expires_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (account_id, key) DO UPDATE
               SET value = excluded.value, version = excluded.version, expires_at = excluded.expires_at
             WHERE kv.version = $6")
    .bind(account_id)
    .bind(key)
    .bind(value)
    .bind(version)
    .bind(expires_at)
    .bind(standing);
    // Another writer came between the two statements: only PostgreSQL lets it.
    if tx.run(statement).await? == 0 {
        return Ok(Err(version));
    }
    Ok(Ok(version))
}

/// How many live keys the account has.
pub async fn count(mut db: impl Run + Send, account_id: &str, now: At) -> Result<i64> {
    let statement = sql("SELECT CAST(count(*) AS BIGINT) AS n FROM kv WHERE account_id = $1 AND (expires_at IS NULL OR expires_at > $2)")
        .bind(account_id)
        .bind(now);
    match db.rows(statement).await?.first() {
        Some(row) => row.get("n"),
        None => Ok(0),
    }
}

pub async fn delete(tx: &mut Tx, account_id: &str, key: &str) -> Result<()> {
    tx.run(sql("DELETE FROM kv WHERE account_id = $1 AND key = $2").bind(account_id).bind(key)).await?;
    Ok(())
}

/// Removes what has expired; answers how many.
pub async fn sweep(tx: &mut Tx, now: At) -> Result<u64> {
    tx.run(sql("DELETE FROM kv WHERE expires_at <= $1").bind(now)).await
}
