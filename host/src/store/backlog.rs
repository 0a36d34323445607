//! How much waits: for who watches the gateway. Every count ends at [`COUNTED_MAX`], so that a look costs little however much
//! there is.

use super::{Result, Run, sql};
use crate::clock::At;

/// A count says this much or more.
pub const COUNTED_MAX: u32 = 100_000;

/// What waits in the send queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outbox {
    /// Waits for its time or for a worker.
    pub queued: i64,
    /// A worker has it.
    pub leased: i64,
    /// Waits for something else than time.
    pub parked: i64,
    /// When the longest waiting of the queued was due.
    pub oldest_due: Option<At>,
}

pub async fn outbox(mut db: impl Run + Send) -> Result<Outbox> {
    let mut counts = [0; 3];
    let conditions = ["leased_until IS NULL AND parked IS NULL", "leased_until IS NOT NULL", "parked IS NOT NULL AND leased_until IS NULL"];
    for (count, condition) in counts.iter_mut().zip(conditions) {
        let statement = sql(format!("SELECT count(*) AS n FROM (SELECT 1 AS one FROM outbox WHERE {condition} LIMIT $1) AS counted"));
        if let Some(row) = db.rows(statement.bind(COUNTED_MAX)).await?.first() {
            *count = row.get("n")?;
        }
    }
    let [queued, leased, parked] = counts;
    let statement = sql("SELECT min(due_at) AS due_at FROM outbox WHERE leased_until IS NULL AND parked IS NULL");
    let oldest_due = match db.rows(statement).await?.first() {
        Some(row) => row.at_option("due_at")?,
        None => None,
    };
    Ok(Outbox { queued, leased, parked, oldest_due })
}

/// Webhooks that aren't processed, by their state.
pub async fn webhooks(mut db: impl Run + Send) -> Result<Vec<(String, i64)>> {
    let statement = sql("SELECT state, count(*) AS n FROM (SELECT state FROM webhooks WHERE state <> 'processed' LIMIT $1) AS counted
             GROUP BY state")
    .bind(COUNTED_MAX);
    db.rows(statement).await?.iter().map(|row| Ok((row.get("state")?, row.get("n")?))).collect()
}

/// Accounts by channel type and connection.
pub async fn accounts(mut db: impl Run + Send) -> Result<Vec<(String, String, i64)>> {
    let statement = sql("SELECT type, connection, count(*) AS n
             FROM (SELECT type, connection FROM channel_accounts WHERE deleted_at IS NULL LIMIT $1) AS counted
             GROUP BY type, connection")
    .bind(COUNTED_MAX);
    db.rows(statement).await?.iter().map(|row| Ok((row.get("type")?, row.get("connection")?, row.get("n")?))).collect()
}
