//! The nodes that share the database, and what they have to agree on: the master key and the time.

use serde_json::json;

use super::{Db, Record, Result, Row, Run, StoreError, Tx, sql};
use crate::{
    clock::At,
    domain::node::{Node, Running, SeenNode},
};

impl Record for SeenNode {
    fn from_row(row: &Row) -> std::result::Result<SeenNode, StoreError> {
        Ok(SeenNode {
            node: Node {
                id: row.get("id")?,
                name: row.get("name")?,
                address: row.get("address")?,
                roles: row.json("roles")?,
                version: row.get("version")?,
                started_at: row.at("started_at")?,
            },
            seen_at: row.at("seen_at")?,
            plugins: row.json("plugins")?,
        })
    }
}

/// A heartbeat: the node is there, and this is what it runs.
pub async fn see(tx: &mut Tx, node: &Node, plugins: &[Running], now: At) -> Result<()> {
    let statement = sql("INSERT INTO nodes (id, name, address, roles, version, plugins, started_at, seen_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (id) DO UPDATE SET plugins = excluded.plugins, seen_at = excluded.seen_at")
    .bind(&node.id)
    .bind(&node.name)
    .bind(&node.address)
    .bind(json!(node.roles))
    .bind(&node.version)
    .bind(json!(plugins))
    .bind(node.started_at)
    .bind(now);
    tx.run(statement).await?;
    Ok(())
}

pub async fn list(mut db: impl Run + Send) -> Result<Vec<SeenNode>> {
    db.all(sql("SELECT * FROM nodes ORDER BY id")).await
}

/// The node has stopped.
pub async fn leave(tx: &mut Tx, id: &str) -> Result<()> {
    tx.run(sql("DELETE FROM nodes WHERE id = $1").bind(id)).await?;
    Ok(())
}

/// Forgets nodes that weren't seen since `before`.
pub async fn forget(tx: &mut Tx, before: At) -> Result<()> {
    tx.run(sql("DELETE FROM nodes WHERE seen_at < $1").bind(before)).await?;
    Ok(())
}

/// The data key that only this database's master key opens. Where none is kept yet, an account's tells the same, and its id
/// comes with it; none in a database that has sealed nothing so far.
pub async fn key_check(mut db: impl Run + Send) -> Result<Option<KeyCheck>> {
    if let Some(row) = db.rows(sql("SELECT wrapped FROM master_key_check")).await?.first() {
        return Ok(Some(KeyCheck { owner: CHECK_OWNER.to_owned(), wrapped: row.get("wrapped")? }));
    }
    let newest = sql("SELECT id, data_key FROM channel_accounts WHERE deleted_at IS NULL ORDER BY id DESC LIMIT 1");
    match db.rows(newest).await?.first() {
        Some(row) => Ok(Some(KeyCheck { owner: row.get("id")?, wrapped: row.get("data_key")? })),
        None => Ok(None),
    }
}

/// Whose data key the kept one is, as the envelope binds it.
pub const CHECK_OWNER: &str = "the database";

/// A wrapped data key, and whose it is.
pub struct KeyCheck {
    pub owner: String,
    pub wrapped: Vec<u8>,
}

/// Keeps the data key that later starts are checked with, unless one is kept already.
pub async fn keep_key_check(tx: &mut Tx, wrapped: Vec<u8>, now: At) -> Result<()> {
    let statement =
        sql("INSERT INTO master_key_check (id, wrapped, made_at) VALUES (1, $1, $2) ON CONFLICT (id) DO NOTHING").bind(wrapped).bind(now);
    tx.run(statement).await?;
    Ok(())
}

/// What the database's clock says; none of SQLite, which has no other clock than this machine's.
pub async fn database_time(db: &Db) -> Result<Option<At>> {
    if !db.is_postgres() {
        return Ok(None);
    }
    let statement = sql("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT) AS now");
    let mut db = db;
    match db.rows(statement).await?.first() {
        Some(row) => Ok(Some(row.at("now")?)),
        None => Ok(None),
    }
}
