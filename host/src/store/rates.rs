//! Allowances of rates: for each key the theoretical arrival time, at which the allowance is whole again. Only claims write
//! them, one at a time: see [`Db::begin_claim`](super::Db::begin_claim).

use std::collections::HashMap;

use super::{Result, Run, Tx, sql};
use crate::clock::At;

/// What follows the account's id in the key of the time until which nothing of it can be admitted.
pub const GATE: &str = "/gate";
/// The same for its bulk messages.
pub const BULK_GATE: &str = "/bulk-gate";

pub async fn find(mut db: impl Run + Send, keys: &[&str]) -> Result<HashMap<String, At>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = db.rows(sql("SELECT key, tat FROM rate_limits WHERE key IN ").list(keys.iter().copied())).await?;
    rows.iter().map(|row| Ok((row.get("key")?, row.at("tat")?))).collect()
}

pub async fn save(tx: &mut Tx, tats: &[(String, At)]) -> Result<()> {
    if tats.is_empty() {
        return Ok(());
    }
    let mut statement = sql("INSERT INTO rate_limits (key, tat) VALUES ");
    for (n, (key, tat)) in tats.iter().enumerate() {
        let comma = if n == 0 { "" } else { ", " };
        let (key, tat) = (statement.add(key), statement.add(*tat));
        statement.push(&format!("{comma}(${key}, ${tat})"));
    }
    statement.push(" ON CONFLICT (key) DO UPDATE SET tat = excluded.tat");
    tx.run(statement).await?;
    Ok(())
}

/// Removes what is whole again: it says no more than no row does.
pub async fn sweep(tx: &mut Tx, now: At) -> Result<()> {
    tx.run(sql("DELETE FROM rate_limits WHERE tat <= $1").bind(now)).await?;
    Ok(())
}
