//! Answers that are given again to the same request.

use serde_json::Value;

use super::{Record, Result, Row, Run, StoreError, Tx, sql};
use crate::clock::At;

pub struct Answer {
    pub request_hash: Vec<u8>,
    pub status: u16,
    pub body: Value,
}

impl Record for Answer {
    fn from_row(row: &Row) -> std::result::Result<Answer, StoreError> {
        let status: i64 = row.get("status")?;
        Ok(Answer { request_hash: row.get("request_hash")?, status: u16::try_from(status).unwrap_or(500), body: row.json("body")? })
    }
}

pub async fn find(mut db: impl Run + Send, scope: &str, key: &str, since: At) -> Result<Option<Answer>> {
    let statement = sql("SELECT request_hash, status, body FROM idempotency_keys WHERE scope = $1 AND key = $2 AND created_at > $3")
        .bind(scope)
        .bind(key)
        .bind(since);
    db.optional(statement).await
}

/// # Errors
/// [`StoreError::Conflict`] when a request with that key was faster.
pub async fn insert(tx: &mut Tx, scope: &str, key: &str, answer: &Answer, now: At, since: At) -> Result<()> {
    let expired = sql("DELETE FROM idempotency_keys WHERE scope = $1 AND key = $2 AND created_at <= $3").bind(scope).bind(key).bind(since);
    tx.run(expired).await?;
    let statement = sql("INSERT INTO idempotency_keys (scope, key, request_hash, status, body, created_at) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(scope)
        .bind(key)
        .bind(answer.request_hash.clone())
        .bind(u32::from(answer.status))
        .bind(answer.body.clone())
        .bind(now);
    tx.run(statement).await?;
    Ok(())
}

pub async fn sweep(tx: &mut Tx, before: At) -> Result<u64> {
    tx.run(sql("DELETE FROM idempotency_keys WHERE created_at <= $1").bind(before)).await
}
