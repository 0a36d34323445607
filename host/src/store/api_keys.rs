//! API keys. Only a hash of the key is kept.

use super::{Record, Result, Row, Run, StoreError, Tx, sql};
use crate::{clock::At, domain::key::ApiKey};

impl Record for ApiKey {
    fn from_row(row: &Row) -> std::result::Result<ApiKey, StoreError> {
        Ok(ApiKey {
            id: row.get("id")?,
            organization_id: row.get("organization_id")?,
            name: row.get("name")?,
            prefix: row.get("prefix")?,
            scope: row.word("scope")?,
            created_at: row.at("created_at")?,
            expires_at: row.at_option("expires_at")?,
            revoked_at: row.at_option("revoked_at")?,
        })
    }
}

pub async fn insert(tx: &mut Tx, key: &ApiKey, hash: &[u8]) -> Result<()> {
    let statement = sql("INSERT INTO api_keys (id, organization_id, name, hash, prefix, scope, created_at, expires_at)
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
    .bind(&key.id)
    .bind(key.organization_id.clone())
    .bind(&key.name)
    .bind(hash)
    .bind(&key.prefix)
    .bind(key.scope.as_str())
    .bind(key.created_at)
    .bind(key.expires_at);
    tx.run(statement).await?;
    Ok(())
}

pub async fn find_by_hash(mut db: impl Run + Send, hash: &[u8]) -> Result<Option<ApiKey>> {
    db.optional(sql("SELECT * FROM api_keys WHERE hash = $1").bind(hash)).await
}

pub async fn list(mut db: impl Run + Send) -> Result<Vec<ApiKey>> {
    db.all(sql("SELECT * FROM api_keys ORDER BY id")).await
}

/// Answers whether there was a live key of that id.
pub async fn revoke(tx: &mut Tx, id: &str, now: At) -> Result<bool> {
    Ok(tx.run(sql("UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL").bind(id).bind(now)).await? > 0)
}
