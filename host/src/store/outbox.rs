//! The send queue. A row is there until its message is settled: whoever holds the lease and the fence may settle it.

use serde_json::json;

use super::{Record, Result, Row, Run, StoreError, Tx, sql};
use crate::{clock::At, domain::failure::Failure};

/// A message to send, as queued.
pub struct Queued<'a> {
    pub message_id: &'a str,
    pub account_id: &'a str,
    pub lane: &'a str,
    /// Lower goes first.
    pub priority: u32,
    pub due_at: At,
    pub expires_at: At,
    pub parked: Option<&'a str>,
}

/// A row that a worker has claimed.
#[derive(Debug, Clone)]
pub struct Claim {
    pub seq: i64,
    pub message_id: String,
    pub account_id: String,
    pub lane: String,
    pub fence: i64,
    /// Counted attempts before this one.
    pub attempts: i64,
    pub expires_at: At,
}

impl Record for Claim {
    fn from_row(row: &Row) -> std::result::Result<Claim, StoreError> {
        Ok(Claim {
            seq: row.get("seq")?,
            message_id: row.get("message_id")?,
            account_id: row.get("account_id")?,
            lane: row.get("lane")?,
            fence: row.get("fence")?,
            attempts: row.get("attempts")?,
            expires_at: row.at("expires_at")?,
        })
    }
}

pub async fn insert(tx: &mut Tx, queued: &Queued<'_>) -> Result<()> {
    let statement = sql("INSERT INTO outbox (message_id, account_id, lane, priority, due_at, expires_at, fence, attempts, parked)
             VALUES ($1, $2, $3, $4, $5, $6, 0, 0, $7)")
    .bind(queued.message_id)
    .bind(queued.account_id)
    .bind(queued.lane)
    .bind(queued.priority)
    .bind(queued.due_at)
    .bind(queued.expires_at)
    .bind(queued.parked);
    tx.run(statement).await?;
    Ok(())
}

/// Claims what is due, each lane's first message only: one that waits for its second try holds back those behind it, one
/// whose time hasn't come yet (`fence` 0) doesn't. A lane whose message is on its way waits for it.
///
/// # Errors
/// [`StoreError::Conflict`] where another node has claimed of the same lane at this moment: look again. Two claims don't see
/// each other before they commit, and may not agree on what is due either; the index `outbox_lane_leased` lets one of them
/// have the lane, and the lock on the lane keeps them from waiting for each other there, which could be for ever.
pub async fn claim(tx: &mut Tx, now: At, leased_until: At, limit: u32) -> Result<Vec<Claim>> {
    // The rows are chosen once, aside: a subquery in the UPDATE may be run again for each row, and would claim more than asked.
    let statement = sql("WITH due AS MATERIALIZED (
               SELECT o.seq, o.lane FROM outbox o
               WHERE o.leased_until IS NULL AND o.parked IS NULL AND o.due_at <= $1
                 AND NOT EXISTS (
                   SELECT 1 FROM outbox e WHERE e.lane = o.lane AND e.seq < o.seq AND (e.due_at <= $1 OR e.fence > 0))
                 AND NOT EXISTS (SELECT 1 FROM outbox l WHERE l.lane = o.lane AND l.leased_until IS NOT NULL)
               ORDER BY o.priority, o.due_at, o.seq
               LIMIT $3 {lock}),
             free AS MATERIALIZED (SELECT seq FROM due WHERE {lane_lock})
             UPDATE outbox SET leased_until = $2, fence = fence + 1
             WHERE seq IN (SELECT seq FROM free)
             RETURNING seq, message_id, account_id, lane, fence, attempts, expires_at")
    .bind(now)
    .bind(leased_until)
    .bind(limit);
    let mut claims: Vec<Claim> = tx.all(statement).await?;
    claims.sort_by_key(|claim| claim.seq);
    for claim in &claims {
        let statement = sql("INSERT INTO attempts (message_id, fence, started_at) VALUES ($1, $2, $3)")
            .bind(&claim.message_id)
            .bind(claim.fence)
            .bind(now);
        tx.run(statement).await?;
    }
    Ok(claims)
}

/// When the next row is due; none where nothing waits for time.
pub async fn next_due(mut db: impl Run + Send) -> Result<Option<At>> {
    let statement = sql("SELECT min(due_at) AS due_at FROM outbox WHERE leased_until IS NULL AND parked IS NULL");
    match db.rows(statement).await?.first() {
        Some(row) => row.at_option("due_at"),
        None => Ok(None),
    }
}

/// Notes that bytes may leave from now on. Answers false where the lease was lost: then nothing may leave.
pub async fn mark_dispatched(tx: &mut Tx, claim: &Claim, plugin_digest: &str, now: At) -> Result<bool> {
    let held = sql("UPDATE outbox SET fence = fence WHERE seq = $1 AND fence = $2 AND leased_until > $3")
        .bind(claim.seq)
        .bind(claim.fence)
        .bind(now);
    if tx.run(held).await? == 0 {
        return Ok(false);
    }
    let statement = sql("UPDATE attempts SET dispatched_at = $3, plugin_digest = $4 WHERE message_id = $1 AND fence = $2")
        .bind(&claim.message_id)
        .bind(claim.fence)
        .bind(now)
        .bind(plugin_digest);
    tx.run(statement).await?;
    Ok(true)
}

/// How an attempt ended.
pub struct AttemptEnd<'a> {
    pub outcome: &'a str,
    pub failure: Option<&'a Failure>,
    pub plugin_digest: Option<&'a str>,
}

pub async fn end_attempt(tx: &mut Tx, claim: &Claim, end: &AttemptEnd<'_>, now: At) -> Result<()> {
    let statement = sql("UPDATE attempts
             SET finished_at = $3, outcome = $4, failure = $5, plugin_digest = COALESCE($6, plugin_digest)
             WHERE message_id = $1 AND fence = $2")
    .bind(&claim.message_id)
    .bind(claim.fence)
    .bind(now)
    .bind(end.outcome)
    .bind(end.failure.map(|failure| json!(failure)))
    .bind(end.plugin_digest);
    tx.run(statement).await?;
    Ok(())
}

/// Takes the row out of the queue. Answers false where the claim was lost: then nothing of it may be written.
pub async fn finish(tx: &mut Tx, claim: &Claim) -> Result<bool> {
    Ok(tx.run(sql("DELETE FROM outbox WHERE seq = $1 AND fence = $2").bind(claim.seq).bind(claim.fence)).await? > 0)
}

/// Puts the row back, to be due at `due_at`. Answers false where the claim was lost.
pub async fn put_back(tx: &mut Tx, claim: &Claim, due_at: At, attempts: i64, parked: Option<&str>) -> Result<bool> {
    let statement = sql("UPDATE outbox SET leased_until = NULL, due_at = $3, attempts = $4, parked = $5 WHERE seq = $1 AND fence = $2")
        .bind(claim.seq)
        .bind(claim.fence)
        .bind(due_at)
        .bind(attempts)
        .bind(parked);
    Ok(tx.run(statement).await? > 0)
}

/// Claims whose worker is gone: their lease has run out.
pub async fn orphans(mut db: impl Run + Send, now: At, limit: u32) -> Result<Vec<Claim>> {
    let statement = sql("SELECT seq, message_id, account_id, lane, fence, attempts, expires_at FROM outbox
             WHERE leased_until IS NOT NULL AND leased_until <= $1 ORDER BY seq LIMIT $2")
    .bind(now)
    .bind(limit);
    db.all(statement).await
}

/// A claim taken over from a worker that is gone.
pub struct TakenOver {
    pub claim: Claim,
    /// Bytes may have left under the old one.
    pub dispatched: bool,
}

/// Takes an orphan over: from here on its old worker can neither send nor settle. None where somebody else was faster.
pub async fn take_over(tx: &mut Tx, orphan: &Claim, now: At, leased_until: At) -> Result<Option<TakenOver>> {
    let taken = sql("UPDATE outbox SET fence = fence + 1, leased_until = $4 WHERE seq = $1 AND fence = $2 AND leased_until <= $3")
        .bind(orphan.seq)
        .bind(orphan.fence)
        .bind(now)
        .bind(leased_until);
    if tx.run(taken).await? == 0 {
        return Ok(None);
    }
    let attempt =
        sql("SELECT dispatched_at FROM attempts WHERE message_id = $1 AND fence = $2").bind(&orphan.message_id).bind(orphan.fence);
    let dispatched = match tx.rows(attempt).await?.first() {
        Some(row) => row.at_option("dispatched_at")?.is_some(),
        None => false,
    };
    Ok(Some(TakenOver { claim: Claim { fence: orphan.fence + 1, ..orphan.clone() }, dispatched }))
}

/// Lets every claim run out.
pub async fn expire_leases(tx: &mut Tx, now: At) -> Result<()> {
    tx.run(sql("UPDATE outbox SET leased_until = $1 WHERE leased_until > $1").bind(now)).await?;
    Ok(())
}

/// The account's messages wait for something else than time.
pub async fn park(tx: &mut Tx, account_id: &str, why: &str) -> Result<()> {
    tx.run(sql("UPDATE outbox SET parked = $2 WHERE account_id = $1 AND leased_until IS NULL").bind(account_id).bind(why)).await?;
    Ok(())
}

/// The account's messages go on, but for those parked for that reason.
pub async fn unpark(tx: &mut Tx, account_id: &str, but: Option<&str>) -> Result<()> {
    let statement = sql("UPDATE outbox SET parked = NULL WHERE account_id = $1 AND parked IS NOT NULL AND parked <> $2")
        .bind(account_id)
        .bind(but.unwrap_or_default());
    tx.run(statement).await?;
    Ok(())
}

/// What waited for something else than time, and has no time left, is due: to be settled as expired.
pub async fn unpark_expired(tx: &mut Tx, now: At) -> Result<u64> {
    tx.run(sql("UPDATE outbox SET parked = NULL, due_at = $1 WHERE parked IS NOT NULL AND expires_at <= $1").bind(now)).await
}

/// Takes a message out of the queue unless a worker has it.
pub async fn cancel(tx: &mut Tx, message_id: &str) -> Result<bool> {
    Ok(tx.run(sql("DELETE FROM outbox WHERE message_id = $1 AND leased_until IS NULL").bind(message_id)).await? > 0)
}

/// The ids of the account's messages that no worker has.
pub async fn waiting_of_account(mut db: impl Run + Send, account_id: &str) -> Result<Vec<String>> {
    let rows =
        db.rows(sql("SELECT message_id FROM outbox WHERE account_id = $1 AND leased_until IS NULL ORDER BY seq").bind(account_id)).await?;
    rows.iter().map(|row| row.get("message_id")).collect()
}
