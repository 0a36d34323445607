//! What became of versions, and of what types run: written in the transaction that changes it, never changed.

use crate::{
    domain::plugin::Move,
    store::{Record, Result, Row, Run, StoreError, Tx, db::written, sql},
};

impl Record for Move {
    fn from_row(row: &Row) -> std::result::Result<Move, StoreError> {
        Ok(Move {
            id: row.get("id")?,
            at: row.at("at")?,
            channel_type: row.get("type")?,
            digest: row.get("digest")?,
            from: row.get("from_state")?,
            to: row.get("to_state")?,
            reason: row.get("reason")?,
            actor: row.json("actor")?,
            detail: row.json("detail")?,
        })
    }
}

pub async fn record(tx: &mut Tx, made: &Move) -> Result<()> {
    let statement = sql("INSERT INTO plugin_moves (id, at, type, digest, from_state, to_state, reason, actor, detail)
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
    .bind(&made.id)
    .bind(made.at)
    .bind(made.channel_type.clone())
    .bind(&made.digest)
    .bind(made.from.clone())
    .bind(&made.to)
    .bind(&made.reason)
    .bind(written(&made.actor))
    .bind(made.detail.clone());
    tx.run(statement).await?;
    Ok(())
}

/// Of a version, oldest first.
pub async fn of_digest(mut db: impl Run + Send, digest: &str, limit: u32) -> Result<Vec<Move>> {
    db.all(sql("SELECT * FROM plugin_moves WHERE digest = $1 ORDER BY id LIMIT $2").bind(digest).bind(limit)).await
}

/// Of a type, newest first; `before` is the id of the last one of the page before.
pub async fn of_type(mut db: impl Run + Send, channel_type: &str, before: Option<&str>, limit: u32) -> Result<Vec<Move>> {
    let mut statement = sql("SELECT * FROM plugin_moves WHERE type = $1").bind(channel_type);
    if let Some(before) = before {
        let place = statement.add(before);
        statement.push(&format!(" AND id < ${place}"));
    }
    let limit = statement.add(limit);
    statement.push(&format!(" ORDER BY id DESC LIMIT ${limit}"));
    db.all(statement).await
}
