//! API keys. Only a hash of the key is kept.

use std::time::Duration;

use super::{Page, Record, Result, Row, Run, StoreError, Tx, sql};
use crate::{
    clock::At,
    domain::key::{ApiKey, KeyState, Previous, Scope},
};

impl Record for ApiKey {
    fn from_row(row: &Row) -> std::result::Result<ApiKey, StoreError> {
        let previous_prefix: Option<String> = row.get("previous_prefix")?;
        Ok(ApiKey {
            id: row.get("id")?,
            organization_id: row.get("organization_id")?,
            name: row.get("name")?,
            prefix: row.get("prefix")?,
            scope: row.word("scope")?,
            created_at: row.at("created_at")?,
            expires_at: row.at_option("expires_at")?,
            revoked_at: row.at_option("revoked_at")?,
            last_used_at: row.at_option("last_used_at")?,
            rotated_at: row.at_option("rotated_at")?,
            previous: previous_prefix.zip(row.at_option("previous_until")?).map(|(prefix, until)| Previous { prefix, until }),
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

/// A key found by the hash of its text.
#[derive(Debug, Clone)]
pub struct Found {
    pub key: ApiKey,
    /// The text is the one before the key was rotated.
    pub by_previous: bool,
}

pub async fn find_by_hash(mut db: impl Run + Send, hash: &[u8]) -> Result<Option<Found>> {
    let rows = db.rows(sql("SELECT * FROM api_keys WHERE hash = $1 OR previous_hash = $1").bind(hash)).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let current: Vec<u8> = row.get("hash")?;
    Ok(Some(Found { key: ApiKey::from_row(row)?, by_previous: current != hash }))
}

pub async fn find(mut db: impl Run + Send, id: &str) -> Result<Option<ApiKey>> {
    db.optional(sql("SELECT * FROM api_keys WHERE id = $1").bind(id)).await
}

/// All of them, oldest first.
pub async fn all(mut db: impl Run + Send) -> Result<Vec<ApiKey>> {
    db.all(sql("SELECT * FROM api_keys ORDER BY id")).await
}

/// Which keys a list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub organization_id: Option<String>,
    pub scope: Option<Scope>,
    pub state: Option<KeyState>,
}

/// Newest first.
pub async fn list(mut db: impl Run + Send, filter: &Filter, now: At, page: &Page) -> Result<Vec<ApiKey>> {
    let mut statement = sql("SELECT * FROM api_keys WHERE 1 = 1");
    let scope = filter.scope.map(|scope| scope.as_str().to_owned());
    for (column, value) in [("organization_id", &filter.organization_id), ("scope", &scope)] {
        if let Some(value) = value {
            let place = statement.add(value);
            statement.push(&format!(" AND {column} = ${place}"));
        }
    }
    match filter.state {
        None => {}
        Some(KeyState::Revoked) => statement.push(" AND revoked_at IS NOT NULL"),
        Some(KeyState::Expired) => {
            let now = statement.add(now);
            statement.push(&format!(" AND revoked_at IS NULL AND expires_at <= ${now}"));
        }
        Some(KeyState::Valid) => {
            let now = statement.add(now);
            statement.push(&format!(" AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ${now})"));
        }
    }
    let limit = statement.add(page.limit);
    let offset = statement.add(page.offset);
    statement.push(&format!(" ORDER BY id DESC LIMIT ${limit} OFFSET ${offset}"));
    db.all(statement).await
}

/// How many keys of the organisation open something; of none, the operator's.
pub async fn count_valid(mut db: impl Run + Send, organization_id: Option<&str>, now: At) -> Result<i64> {
    let statement = match organization_id {
        Some(id) => sql("SELECT COUNT(*) AS n FROM api_keys
                         WHERE organization_id = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1)")
        .bind(now)
        .bind(id),
        None => sql("SELECT COUNT(*) AS n FROM api_keys
                     WHERE organization_id IS NULL AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1)")
        .bind(now),
    };
    let rows = db.rows(statement).await?;
    rows.first().map_or(Ok(0), |row| row.get("n"))
}

/// Stores the name and the expiry.
pub async fn update(tx: &mut Tx, key: &ApiKey) -> Result<()> {
    let statement = sql("UPDATE api_keys SET name = $2, expires_at = $3 WHERE id = $1").bind(&key.id).bind(&key.name).bind(key.expires_at);
    tx.run(statement).await?;
    Ok(())
}

/// Gives a live key a new text; the one before works until `previous_until`. Answers whether there was one.
pub async fn rotate(tx: &mut Tx, id: &str, hash: &[u8], prefix: &str, previous_until: At, now: At) -> Result<bool> {
    let statement = sql("UPDATE api_keys
             SET previous_hash = hash, previous_prefix = prefix, previous_until = $4, hash = $2, prefix = $3, rotated_at = $5
             WHERE id = $1 AND revoked_at IS NULL")
    .bind(id)
    .bind(hash)
    .bind(prefix)
    .bind(previous_until)
    .bind(now);
    Ok(tx.run(statement).await? > 0)
}

/// Answers whether there was a live key of that id.
pub async fn revoke(tx: &mut Tx, id: &str, now: At) -> Result<bool> {
    Ok(tx.run(sql("UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL").bind(id).bind(now)).await? > 0)
}

/// Notes that the key was used; not where somebody has just noted it.
pub async fn note_use(tx: &mut Tx, id: &str, at: At, every: Duration) -> Result<()> {
    let statement = sql("UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)")
        .bind(id)
        .bind(at)
        .bind(at.minus(every));
    tx.run(statement).await?;
    Ok(())
}
