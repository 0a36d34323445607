//! Answers to requests that came with an Idempotency-Key.

use serde_json::Value;

use super::{Record, Result, Row, Run, StoreError, Tx, sql};
use crate::clock::At;

/// Whose key it is, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The API key's organisation; the operator's keys are owners of their own.
    pub owner: String,
    /// Method and path.
    pub route: String,
    pub key: String,
}

/// An answer that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub status: u32,
    /// An object: names and values.
    pub headers: Value,
    pub body: Vec<u8>,
}

/// What is known of a slot.
#[derive(Debug, Clone)]
pub struct Known {
    /// Of the request; none while it is still coming in.
    pub fingerprint: Option<Vec<u8>>,
    pub locked_until: At,
    /// None while the request is being worked on.
    pub kept: Option<Kept>,
}

impl Record for Known {
    fn from_row(row: &Row) -> std::result::Result<Known, StoreError> {
        let kept = match row.get::<Option<i64>>("status")? {
            Some(status) => {
                Some(Kept { status: u32::try_from(status).unwrap_or(500), headers: row.json("headers")?, body: row.get("body")? })
            }
            None => None,
        };
        Ok(Known { fingerprint: row.get("fingerprint")?, locked_until: row.at("locked_until")?, kept })
    }
}

/// What the slot holds. Older than `since`, or reserved by somebody who is gone, it is free.
pub async fn find(mut db: impl Run + Send, slot: &Slot, since: At, now: At) -> Result<Option<Known>> {
    let statement = sql("SELECT * FROM idempotency_keys
             WHERE owner = $1 AND route = $2 AND key = $3 AND created_at > $4 AND (status IS NOT NULL OR locked_until > $5)")
    .bind(&slot.owner)
    .bind(&slot.route)
    .bind(&slot.key)
    .bind(since)
    .bind(now);
    db.optional(statement).await
}

/// What is written to a free slot.
pub struct Entry<'a> {
    pub holder: &'a str,
    pub fingerprint: Option<&'a [u8]>,
    pub locked_until: At,
    /// None reserves it.
    pub kept: Option<&'a Kept>,
}

/// Takes the slot unless it holds something newer than `since`. Answers whether it did.
pub async fn take(tx: &mut Tx, slot: &Slot, entry: &Entry<'_>, since: At, now: At) -> Result<bool> {
    let statement = sql("INSERT INTO idempotency_keys
               (owner, route, key, fingerprint, holder, locked_until, status, headers, body, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (owner, route, key) DO UPDATE
               SET fingerprint = excluded.fingerprint, holder = excluded.holder, locked_until = excluded.locked_until,
                   status = excluded.status, headers = excluded.headers, body = excluded.body, created_at = excluded.created_at
             WHERE idempotency_keys.created_at <= $11
                OR (idempotency_keys.status IS NULL AND idempotency_keys.locked_until <= $10)")
    .bind(&slot.owner)
    .bind(&slot.route)
    .bind(&slot.key)
    .bind(entry.fingerprint)
    .bind(entry.holder)
    .bind(entry.locked_until)
    .bind(entry.kept.map(|kept| kept.status))
    .bind(entry.kept.map_or_else(|| Value::Object(serde_json::Map::new()), |kept| kept.headers.clone()))
    .bind(entry.kept.map_or_else(Vec::new, |kept| kept.body.clone()))
    .bind(now)
    .bind(since);
    Ok(tx.run(statement).await? > 0)
}

/// Keeps the answer in the slot that `holder` has reserved.
pub async fn keep(tx: &mut Tx, slot: &Slot, holder: &str, fingerprint: &[u8], kept: &Kept) -> Result<()> {
    let statement = sql("UPDATE idempotency_keys SET fingerprint = $5, status = $6, headers = $7, body = $8
             WHERE owner = $1 AND route = $2 AND key = $3 AND holder = $4")
    .bind(&slot.owner)
    .bind(&slot.route)
    .bind(&slot.key)
    .bind(holder)
    .bind(fingerprint)
    .bind(kept.status)
    .bind(kept.headers.clone())
    .bind(kept.body.clone());
    tx.run(statement).await?;
    Ok(())
}

/// Frees the slot that `holder` has reserved: the request may be made again.
pub async fn release(tx: &mut Tx, slot: &Slot, holder: &str) -> Result<()> {
    let statement = sql("DELETE FROM idempotency_keys WHERE owner = $1 AND route = $2 AND key = $3 AND holder = $4 AND status IS NULL")
        .bind(&slot.owner)
        .bind(&slot.route)
        .bind(&slot.key)
        .bind(holder);
    tx.run(statement).await?;
    Ok(())
}

/// Removes what was made before then.
pub async fn sweep(tx: &mut Tx, before: At) -> Result<()> {
    tx.run(sql("DELETE FROM idempotency_keys WHERE created_at <= $1").bind(before)).await?;
    Ok(())
}

/// Frees every slot that is reserved: whoever held it is gone.
pub async fn expire_locks(tx: &mut Tx) -> Result<()> {
    tx.run(sql("DELETE FROM idempotency_keys WHERE status IS NULL")).await?;
    Ok(())
}
