//! The send queue. A row is there until its message is settled: whoever holds the lease and the fence may settle it.

use std::collections::BTreeSet;

use serde_json::json;

use super::{
    Record, Result, Row, Run, StoreError, Tx,
    bulk::{self, values},
    sql,
};
use crate::{
    clock::At,
    domain::{attempt::Attempt, failure::Failure, message::Priority, people::ConversationKind},
};

/// A message to send, as queued.
#[derive(Debug, Clone)]
pub struct Queued {
    pub message_id: String,
    pub account_id: String,
    pub lane: String,
    pub priority: Priority,
    pub due_at: At,
    pub expires_at: At,
    pub parked: Option<&'static str>,
}

/// A row that a worker has claimed.
#[derive(Debug, Clone)]
pub struct Claim {
    pub seq: i64,
    pub message_id: String,
    pub account_id: String,
    pub lane: String,
    pub priority: Priority,
    pub fence: i64,
    /// Counted attempts before this one.
    pub attempts: i64,
    pub expires_at: At,
}

/// The columns that a [`Claim`] is read from.
const CLAIM: &str = "seq, message_id, account_id, lane, priority, fence, attempts, expires_at";

impl Record for Claim {
    fn from_row(row: &Row) -> std::result::Result<Claim, StoreError> {
        Ok(Claim {
            seq: row.get("seq")?,
            message_id: row.get("message_id")?,
            account_id: row.get("account_id")?,
            lane: row.get("lane")?,
            priority: Priority::from_number(row.get("priority")?),
            fence: row.get("fence")?,
            attempts: row.get("attempts")?,
            expires_at: row.at("expires_at")?,
        })
    }
}

pub async fn insert(tx: &mut Tx, queued: Vec<Queued>) -> Result<()> {
    const INSERT: &str =
        "INSERT INTO outbox (message_id, account_id, lane, priority, due_at, ready_at, expires_at, parked, fence, attempts)";
    let rows = queued.into_iter().map(|queued| {
        values![
            queued.message_id,
            queued.account_id,
            queued.lane,
            queued.priority.number(),
            queued.due_at,
            queued.due_at,
            queued.expires_at,
            queued.parked,
            0_i64,
            0_i64,
        ]
    });
    bulk::write(tx, INSERT, rows.collect(), "").await?;
    Ok(())
}

/// A message that was settled is in the queue again: its attempts go on counting from the last fence, so that each keeps its own
/// record.
pub async fn continue_attempts(tx: &mut Tx, message_id: &str) -> Result<()> {
    let statement =
        sql("UPDATE outbox SET fence = (SELECT COALESCE(max(fence), 0) FROM attempts WHERE message_id = $1) WHERE message_id = $1")
            .bind(message_id);
    tx.run(statement).await?;
    Ok(())
}

/// The lane of what is sent to the recipient, one after another.
pub fn lane(account_id: &str, recipient: &str) -> String {
    format!("{account_id}/{recipient}")
}

/// Which of the conversations, each of an account, a send is on its way to.
pub async fn in_flight(tx: &mut Tx, conversations: &BTreeSet<(&str, &str)>) -> Result<Vec<(String, String)>> {
    const FIND: &str = "WITH named (account_id, external_id, lane) AS (";
    const THEM: &str = ") SELECT n.account_id, n.external_id FROM named n
       WHERE EXISTS (SELECT 1 FROM outbox o WHERE o.lane = n.lane AND o.leased_until IS NOT NULL)";
    let keys = conversations.iter().map(|(account_id, external_id)| values![*account_id, *external_id, lane(account_id, external_id)]);
    let rows = bulk::read(tx, FIND, keys.collect(), THEM).await?;
    rows.iter().map(|row| Ok((row.get("account_id")?, row.get("external_id")?))).collect()
}

/// An account that has something to send.
#[derive(Debug, Clone)]
pub struct Waiting {
    pub account_id: String,
    pub channel_type: String,
    /// When its next messages are due.
    pub normal_at: Option<At>,
    pub bulk_at: Option<At>,
    /// The provider asked for a pause.
    pub paused_until: Option<At>,
    /// The account's allowance is used up until then; for bulk messages, which leave some of it to the others, until that.
    pub rate_until: Option<At>,
    pub bulk_rate_until: Option<At>,
    pub breaker_open_until: Option<At>,
    pub breaker_probe_until: Option<At>,
}

impl Record for Waiting {
    fn from_row(row: &Row) -> std::result::Result<Waiting, StoreError> {
        Ok(Waiting {
            account_id: row.get("account_id")?,
            channel_type: row.get("type")?,
            normal_at: row.at_option("normal_at")?,
            bulk_at: row.at_option("bulk_at")?,
            paused_until: row.at_option("paused_until")?,
            rate_until: row.at_option("rate_until")?,
            bulk_rate_until: row.at_option("bulk_rate_until")?,
            breaker_open_until: row.at_option("breaker_open_until")?,
            breaker_probe_until: row.at_option("breaker_probe_until")?,
        })
    }
}

/// The accounts that wait for nothing but time. Hops from account to account over the index: the number of messages that wait
/// costs nothing.
pub async fn waiting_accounts(mut db: impl Run + Send) -> Result<Vec<Waiting>> {
    const OPEN: &str = "leased_until IS NULL AND parked IS NULL";
    let statement = sql(format!(
        "WITH RECURSIVE waiting (account_id) AS (
           SELECT min(account_id) FROM outbox WHERE {OPEN}
           UNION ALL
           SELECT (SELECT min(o.account_id) FROM outbox o WHERE o.account_id > w.account_id AND {OPEN})
           FROM waiting w WHERE w.account_id IS NOT NULL)
         SELECT w.account_id, a.type,
           (SELECT min(o.due_at) FROM outbox o WHERE o.account_id = w.account_id AND o.priority = {normal} AND {OPEN}) AS normal_at,
           (SELECT min(o.due_at) FROM outbox o WHERE o.account_id = w.account_id AND o.priority = {bulk} AND {OPEN}) AS bulk_at,
           (SELECT p.paused_until FROM account_pauses p WHERE p.account_id = w.account_id) AS paused_until,
           (SELECT r.tat FROM rate_limits r WHERE r.key = w.account_id || '{gate}') AS rate_until,
           (SELECT r.tat FROM rate_limits r WHERE r.key = w.account_id || '{bulk_gate}') AS bulk_rate_until,
           (SELECT max(b.open_until) FROM breakers b WHERE b.account_id = w.account_id) AS breaker_open_until,
           (SELECT max(b.probe_until) FROM breakers b WHERE b.account_id = w.account_id) AS breaker_probe_until
         FROM waiting w JOIN channel_accounts a ON a.id = w.account_id",
        normal = Priority::Normal.number(),
        bulk = Priority::Bulk.number(),
        gate = super::rates::GATE,
        bulk_gate = super::rates::BULK_GATE,
    ));
    db.all(statement).await
}

/// A row that may be claimed.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub seq: i64,
    pub lane: String,
    pub expires_at: At,
    /// What is asked: `message`, `edit`, `typing`…
    pub kind: String,
    /// None where the conversation isn't known yet.
    pub conversation_kind: Option<ConversationKind>,
}

impl Record for Candidate {
    fn from_row(row: &Row) -> std::result::Result<Candidate, StoreError> {
        Ok(Candidate {
            seq: row.get("seq")?,
            lane: row.get("lane")?,
            expires_at: row.at("expires_at")?,
            kind: row.get("kind")?,
            conversation_kind: row.get::<Option<String>>("conversation_kind")?.and_then(|kind| kind.parse().ok()),
        })
    }
}

/// The account's rows of a priority that are due, each lane's first alone: nothing of the lane is being sent, and whatever stands
/// before it, by priority and then by age, isn't due for the first time yet. One that waits for another try or for its rate
/// keeps its place; one whose `send_at` hasn't come holds nobody back. The rows stay locked until the transaction ends.
pub async fn candidates(tx: &mut Tx, account_id: &str, priority: Priority, now: At, limit: u32) -> Result<Vec<Candidate>> {
    let statement = sql("SELECT o.seq, o.lane, o.expires_at,
               (SELECT m.kind FROM messages m WHERE m.id = o.message_id) AS kind,
               (SELECT c.kind FROM messages m JOIN conversations c ON c.id = m.conversation_id WHERE m.id = o.message_id)
                 AS conversation_kind
             FROM outbox o
             WHERE o.account_id = $1 AND o.priority = $2 AND o.due_at <= $3 AND o.leased_until IS NULL AND o.parked IS NULL
               AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.lane = o.lane AND e.leased_until IS NOT NULL)
               AND NOT EXISTS (
                 SELECT 1 FROM outbox e WHERE e.lane = o.lane AND (e.priority, e.seq) < (o.priority, o.seq) AND e.ready_at <= $3)
             ORDER BY o.due_at, o.seq
             LIMIT $4 {lock}")
    .bind(account_id)
    .bind(priority.number())
    .bind(now)
    .bind(limit);
    tx.all(statement).await
}

/// Leases the rows, which the transaction has to have locked, and begins an attempt for each.
pub async fn lease(tx: &mut Tx, seqs: &[i64], now: At, leased_until: At) -> Result<Vec<Claim>> {
    if seqs.is_empty() {
        return Ok(Vec::new());
    }
    let statement = sql(format!(
        "UPDATE outbox SET leased_until = $1, fence = fence + 1 WHERE leased_until IS NULL AND seq IN ({}) RETURNING {CLAIM}",
        numbers(seqs)
    ))
    .bind(leased_until);
    let mut claims: Vec<Claim> = tx.all(statement).await?;
    claims.sort_by_key(|claim| claim.seq);
    begin_attempts(tx, &claims, now).await?;
    Ok(claims)
}

/// Claims messages whose time is over, whatever else they wait for: to be settled as expired.
pub async fn lease_expired(tx: &mut Tx, now: At, leased_until: At, limit: u32) -> Result<Vec<Claim>> {
    let statement = sql(format!(
        "WITH chosen AS MATERIALIZED (
           SELECT seq FROM outbox WHERE leased_until IS NULL AND expires_at <= $1 ORDER BY expires_at LIMIT $3 {{lock}})
         UPDATE outbox SET leased_until = $2, fence = fence + 1 WHERE seq IN (SELECT seq FROM chosen) RETURNING {CLAIM}"
    ))
    .bind(now)
    .bind(leased_until)
    .bind(limit);
    let claims: Vec<Claim> = tx.all(statement).await?;
    begin_attempts(tx, &claims, now).await?;
    Ok(claims)
}

/// Whether a message waits whose time is over.
pub async fn is_any_expired(mut db: impl Run + Send, now: At) -> Result<bool> {
    let statement = sql("SELECT seq FROM outbox WHERE leased_until IS NULL AND expires_at <= $1 LIMIT 1").bind(now);
    Ok(!db.rows(statement).await?.is_empty())
}

async fn begin_attempts(tx: &mut Tx, claims: &[Claim], now: At) -> Result<()> {
    if claims.is_empty() {
        return Ok(());
    }
    let mut statement = sql("INSERT INTO attempts (message_id, fence, started_at) VALUES ").bind(now);
    for (n, claim) in claims.iter().enumerate() {
        let comma = if n == 0 { "" } else { ", " };
        let (message_id, fence) = (statement.add(&claim.message_id), statement.add(claim.fence));
        statement.push(&format!("{comma}(${message_id}, ${fence}, $1)"));
    }
    tx.run(statement).await?;
    Ok(())
}

/// Has the row due later; it keeps its place in its lane.
pub async fn delay(tx: &mut Tx, seq: i64, due_at: At) -> Result<()> {
    tx.run(sql("UPDATE outbox SET due_at = $2 WHERE seq = $1").bind(seq).bind(due_at)).await?;
    Ok(())
}

fn numbers(seqs: &[i64]) -> String {
    seqs.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
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
    let text = format!("SELECT {CLAIM} FROM outbox WHERE leased_until IS NOT NULL AND leased_until <= $1 ORDER BY seq LIMIT $2");
    let statement = sql(text).bind(now).bind(limit);
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

impl Record for Attempt {
    fn from_row(row: &Row) -> std::result::Result<Attempt, StoreError> {
        Ok(Attempt {
            message_id: row.get("message_id")?,
            number: row.get("fence")?,
            started_at: row.at("started_at")?,
            dispatched_at: row.at_option("dispatched_at")?,
            finished_at: row.at_option("finished_at")?,
            outcome: row.get("outcome")?,
            failure: row.json_option("failure")?,
            plugin_digest: row.get("plugin_digest")?,
        })
    }
}

/// The attempts at these messages, each message's in their order.
pub async fn attempts_of(mut db: impl Run + Send, message_ids: &[&str]) -> Result<Vec<Attempt>> {
    if message_ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = sql("SELECT * FROM attempts WHERE message_id IN ").list(message_ids.iter().copied());
    statement.push(" ORDER BY message_id, fence");
    db.all(statement).await
}
