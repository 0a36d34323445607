//! What the checks of an account's health found over time.

use serde_json::json;

use super::{Page, Record, Result, Row, Run, StoreError, Tx, sql};
use crate::{
    clock::At,
    domain::account::{HealthCheck, HealthRecord},
};

impl Record for HealthRecord {
    fn from_row(row: &Row) -> std::result::Result<HealthRecord, StoreError> {
        Ok(HealthRecord { at: row.at("at")?, ok: row.get("ok")?, checks: row.json("checks")? })
    }
}

pub async fn insert(tx: &mut Tx, id: &str, account_id: &str, ok: bool, checks: &[HealthCheck], now: At) -> Result<()> {
    let statement = sql("INSERT INTO account_health (id, account_id, at, ok, checks) VALUES ($1, $2, $3, $4, $5)")
        .bind(id)
        .bind(account_id)
        .bind(now)
        .bind(ok)
        .bind(json!(checks));
    tx.run(statement).await?;
    Ok(())
}

/// The account's last record.
pub async fn last(mut db: impl Run + Send, account_id: &str) -> Result<Option<HealthRecord>> {
    let statement = sql("SELECT * FROM account_health WHERE account_id = $1 ORDER BY at DESC, id DESC LIMIT 1").bind(account_id);
    db.optional(statement).await
}

/// Newest first.
pub async fn list(mut db: impl Run + Send, account_id: &str, page: &Page) -> Result<Vec<HealthRecord>> {
    let statement = sql("SELECT * FROM account_health WHERE account_id = $1 ORDER BY at DESC, id DESC LIMIT $2 OFFSET $3")
        .bind(account_id)
        .bind(page.limit)
        .bind(page.offset);
    db.all(statement).await
}

/// Forgets records from before `before`, `limit` at most; answers how many.
pub async fn prune(tx: &mut Tx, before: At, limit: u32) -> Result<u64> {
    let statement = sql("DELETE FROM account_health WHERE id IN (SELECT id FROM account_health WHERE at < $1 ORDER BY at, id LIMIT $2)")
        .bind(before)
        .bind(limit);
    tx.run(statement).await
}
