//! Whose signatures count.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    clock::At,
    domain::actor::Actor,
    store::{Record, Result, Row, Run, StoreError, Tx, db::written, sql},
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PluginKey {
    /// As the key itself says.
    pub id: String,
    pub name: String,
    pub public_key: String,
    pub added_at: At,
    pub added_by: Actor,
    pub revoked_at: Option<At>,
    pub revoked_by: Option<Actor>,
    pub revoked_reason: Option<String>,
}

impl Record for PluginKey {
    fn from_row(row: &Row) -> std::result::Result<PluginKey, StoreError> {
        Ok(PluginKey {
            id: row.get("id")?,
            name: row.get("name")?,
            public_key: row.get("public_key")?,
            added_at: row.at("added_at")?,
            added_by: row.json("added_by")?,
            revoked_at: row.at_option("revoked_at")?,
            revoked_by: row.json_option("revoked_by")?,
            revoked_reason: row.get("revoked_reason")?,
        })
    }
}

/// Answers false where the key is there already, be it revoked.
pub async fn insert(tx: &mut Tx, key: &PluginKey) -> Result<bool> {
    let statement = sql("INSERT INTO plugin_keys (id, name, public_key, added_at, added_by) VALUES ($1, $2, $3, $4, $5)
                         ON CONFLICT (id) DO NOTHING")
    .bind(&key.id)
    .bind(&key.name)
    .bind(&key.public_key)
    .bind(key.added_at)
    .bind(written(&key.added_by));
    Ok(tx.run(statement).await? > 0)
}

/// By name, revoked ones too.
pub async fn list(mut db: impl Run + Send) -> Result<Vec<PluginKey>> {
    db.all(sql("SELECT * FROM plugin_keys ORDER BY name, id")).await
}

pub async fn find(mut db: impl Run + Send, id: &str) -> Result<Option<PluginKey>> {
    db.optional(sql("SELECT * FROM plugin_keys WHERE id = $1").bind(id)).await
}

/// Answers whether there was a key of that id that wasn't revoked.
pub async fn revoke(tx: &mut Tx, id: &str, by: &Actor, reason: &str, now: At) -> Result<bool> {
    let statement =
        sql("UPDATE plugin_keys SET revoked_at = $2, revoked_by = $3, revoked_reason = $4 WHERE id = $1 AND revoked_at IS NULL")
            .bind(id)
            .bind(now)
            .bind(written(by))
            .bind(reason);
    Ok(tx.run(statement).await? > 0)
}
