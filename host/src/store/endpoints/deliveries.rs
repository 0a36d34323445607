//! What endpoints are owed. Rows of a lane wait one behind another: the first is `waiting`, the others are `held`.

use super::{Record, Result, Row, Run, StoreError, Tx, sql};
use crate::{
    clock::At,
    domain::{
        endpoint::{Delivery, DeliveryState, Endpoint},
        event::Event,
    },
    store::Page,
};

impl Record for Delivery {
    fn from_row(row: &Row) -> std::result::Result<Delivery, StoreError> {
        let state = row.word("state")?;
        Ok(Delivery {
            event_id: row.get("event_id")?,
            event_type: row.word("event_type")?,
            state,
            attempts: row.get("attempts")?,
            last_status: row.get("last_status")?,
            last_error: row.get("last_error")?,
            last_attempt_at: row.at_option("last_attempt_at")?,
            next_attempt_at: if state == DeliveryState::Waiting { Some(row.at("due_at")?) } else { None },
            finished_at: row.at_option("finished_at")?,
        })
    }
}

/// A delivery to be made.
#[derive(Debug, Clone)]
pub struct Due {
    pub event: Event,
    pub lane: String,
    /// Made before this one.
    pub attempts: i64,
}

impl Record for Due {
    fn from_row(row: &Row) -> std::result::Result<Due, StoreError> {
        Ok(Due { event: Event::from_row(row)?, lane: row.get("lane")?, attempts: row.get("attempts")? })
    }
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub seq: i64,
    pub lane: String,
    pub attempts: i64,
    pub status: Option<i64>,
    pub error: Option<String>,
    pub next: Next,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Delivered,
    Failed,
    Again(At),
}

/// Whether the endpoint's organisation has events behind the cursor.
pub async fn is_behind(mut db: impl Run + Send, endpoint: &Endpoint) -> Result<bool> {
    let statement = sql("SELECT seq FROM events WHERE organization_id = $1 AND seq > $2 LIMIT 1")
        .bind(endpoint.organization_id.clone())
        .bind(endpoint.cursor);
    Ok(!db.rows(statement).await?.is_empty())
}

/// Gives each event behind the cursor that the endpoint wants a row, `limit` events at most; one that has a row already, and is
/// over, gets its turn again. Moves the cursor and answers it, with whether there are more. The transaction holds the endpoint.
pub async fn fan_out(tx: &mut Tx, endpoint: &Endpoint, now: At, limit: u32) -> Result<(i64, bool)> {
    let page = sql("SELECT CAST(count(*) AS BIGINT) AS n, max(seq) AS last FROM (
               SELECT seq FROM events WHERE organization_id = $1 AND seq > $2 ORDER BY seq LIMIT $3) page")
    .bind(endpoint.organization_id.clone())
    .bind(endpoint.cursor)
    .bind(limit);
    let (count, last) = match tx.rows(page).await?.first() {
        Some(row) => (row.get::<i64>("n")?, row.get::<Option<i64>>("last")?),
        None => (0, None),
    };
    let Some(last) = last else { return Ok((endpoint.cursor, false)) };
    let words = endpoint.event_types.words();
    // A selection of which this version knows no type wants nothing.
    if words.as_ref().is_none_or(|words| !words.is_empty()) {
        let mut statement = sql("INSERT INTO endpoint_deliveries
                   (endpoint_id, event_seq, event_id, event_type, lane, state, attempts, due_at)
                 SELECT $1, seq, id, type, COALESCE(conversation_id, account_id), 'held', 0, $2 FROM events
                 WHERE organization_id = $3 AND seq > $4 AND seq <= $5")
        .bind(&endpoint.id)
        .bind(now)
        .bind(endpoint.organization_id.clone())
        .bind(endpoint.cursor)
        .bind(last);
        if let Some(account_id) = &endpoint.channel_account_id {
            let place = statement.add(account_id);
            statement.push(&format!(" AND account_id = ${place}"));
        }
        if let Some(words) = words {
            statement.push(" AND type IN ");
            statement = statement.list(words);
        }
        statement.push(
            " ON CONFLICT (endpoint_id, event_seq) DO UPDATE
                SET state = 'held', attempts = 0, due_at = excluded.due_at, finished_at = NULL
                WHERE endpoint_deliveries.state IN ('delivered', 'failed')",
        );
        tx.run(statement).await?;
        line_up(tx, &endpoint.id, endpoint.cursor, now).await?;
    }
    super::set_cursor(tx, &endpoint.id, last).await?;
    Ok((last, count >= i64::from(limit)))
}

/// Has the first of each lane wait and the others held, among the rows behind `after`.
async fn line_up(tx: &mut Tx, endpoint_id: &str, after: i64, now: At) -> Result<()> {
    const EARLIER: &str = "(SELECT 1 FROM endpoint_deliveries e
         WHERE e.endpoint_id = $1 AND e.lane = endpoint_deliveries.lane AND e.event_seq < endpoint_deliveries.event_seq
           AND e.state IN ('waiting', 'held'))";
    // Only a replay puts something before what waits already.
    let back = sql(format!(
        "UPDATE endpoint_deliveries SET state = 'held'
             WHERE endpoint_id = $1 AND event_seq > $2 AND state = 'waiting' AND EXISTS {EARLIER}"
    ));
    tx.run(back.bind(endpoint_id).bind(after)).await?;
    let first = sql(format!(
        "UPDATE endpoint_deliveries SET state = 'waiting', due_at = $3
             WHERE endpoint_id = $1 AND event_seq > $2 AND state = 'held' AND NOT EXISTS {EARLIER}"
    ));
    tx.run(first.bind(endpoint_id).bind(after).bind(now)).await?;
    Ok(())
}

/// Whether the endpoint is owed at least so many.
pub async fn is_backlog(mut db: impl Run + Send, endpoint_id: &str, most: u32) -> Result<bool> {
    let statement = sql("SELECT CAST(count(*) AS BIGINT) AS n FROM (
               SELECT event_seq FROM endpoint_deliveries WHERE endpoint_id = $1 AND state IN ('waiting', 'held') LIMIT $2) open")
    .bind(endpoint_id)
    .bind(most);
    match db.rows(statement).await?.first() {
        Some(row) => Ok(row.get::<i64>("n")? >= i64::from(most)),
        None => Ok(false),
    }
}

/// What is due, longest due first.
pub async fn due(mut db: impl Run + Send, endpoint_id: &str, now: At, limit: usize) -> Result<Vec<Due>> {
    let statement = sql("SELECT e.*, d.lane, d.attempts FROM endpoint_deliveries d JOIN events e ON e.seq = d.event_seq
             WHERE d.endpoint_id = $1 AND d.state = 'waiting' AND d.due_at <= $2
             ORDER BY d.due_at, d.event_seq LIMIT $3")
    .bind(endpoint_id)
    .bind(now)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX));
    db.all(statement).await
}

/// When something becomes due after `now`.
pub async fn next_due(mut db: impl Run + Send, endpoint_id: &str, now: At) -> Result<Option<At>> {
    let statement =
        sql("SELECT min(due_at) AS due_at FROM endpoint_deliveries WHERE endpoint_id = $1 AND state = 'waiting' AND due_at > $2")
            .bind(endpoint_id)
            .bind(now);
    match db.rows(statement).await?.first() {
        Some(row) => row.at_option("due_at"),
        None => Ok(None),
    }
}

/// Writes how an attempt ended; where that is the end of it, the next of its lane is due.
pub async fn settle(tx: &mut Tx, endpoint_id: &str, attempt: &Attempt, now: At) -> Result<()> {
    let (state, due_at, finished_at) = match attempt.next {
        Next::Delivered => (DeliveryState::Delivered, now, Some(now)),
        Next::Failed => (DeliveryState::Failed, now, Some(now)),
        // Where a replay has put something before it, it is held meanwhile.
        Next::Again(due_at) => (DeliveryState::Waiting, due_at, None),
    };
    let statement = sql("UPDATE endpoint_deliveries
             SET state = CASE WHEN $9 THEN $3 ELSE state END, attempts = $4, due_at = $5, last_status = $6, last_error = $7,
                 last_attempt_at = $8, finished_at = $10
             WHERE endpoint_id = $1 AND event_seq = $2 AND state IN ('waiting', 'held')")
    .bind(endpoint_id)
    .bind(attempt.seq)
    .bind(state.as_str())
    .bind(attempt.attempts)
    .bind(due_at)
    .bind(attempt.status)
    .bind(attempt.error.clone())
    .bind(now)
    .bind(finished_at.is_some())
    .bind(finished_at);
    tx.run(statement).await?;
    if finished_at.is_some() {
        let next = sql("UPDATE endpoint_deliveries SET state = 'waiting', due_at = $3
                 WHERE endpoint_id = $1 AND state = 'held' AND event_seq = (
                   SELECT min(e.event_seq) FROM endpoint_deliveries e
                   WHERE e.endpoint_id = $1 AND e.lane = $2 AND e.state IN ('waiting', 'held'))")
        .bind(endpoint_id)
        .bind(&attempt.lane)
        .bind(now);
        tx.run(next).await?;
    }
    Ok(())
}

/// Those that failed at `since` or later get their turn again; answers how many. The transaction holds the endpoint.
pub async fn retry_failed(tx: &mut Tx, endpoint_id: &str, since: At, now: At) -> Result<u64> {
    let statement = sql("UPDATE endpoint_deliveries SET state = 'held', attempts = 0, due_at = $3, finished_at = NULL
             WHERE endpoint_id = $1 AND state = 'failed' AND finished_at >= $2
               AND EXISTS (SELECT 1 FROM events e WHERE e.seq = event_seq)")
    .bind(endpoint_id)
    .bind(since)
    .bind(now);
    let touched = tx.run(statement).await?;
    if touched > 0 {
        line_up(tx, endpoint_id, -1, now).await?;
    }
    Ok(touched)
}

/// Drops what can't be told any more: its event was pruned.
pub async fn drop_pruned(tx: &mut Tx, endpoint_id: &str, now: At) -> Result<()> {
    let statement = sql("DELETE FROM endpoint_deliveries
             WHERE endpoint_id = $1 AND state IN ('waiting', 'held') AND NOT EXISTS (SELECT 1 FROM events e WHERE e.seq = event_seq)")
    .bind(endpoint_id);
    tx.run(statement).await?;
    line_up(tx, endpoint_id, -1, now).await
}

/// All that the endpoint is owed is due again, as if it was never tried.
pub async fn refresh(tx: &mut Tx, endpoint_id: &str, now: At) -> Result<()> {
    let statement = sql("UPDATE endpoint_deliveries SET due_at = $2, attempts = 0 WHERE endpoint_id = $1 AND state = 'waiting'")
        .bind(endpoint_id)
        .bind(now);
    tx.run(statement).await?;
    drop_pruned(tx, endpoint_id, now).await
}

/// Newest event first.
pub async fn list(mut db: impl Run + Send, endpoint_id: &str, state: Option<DeliveryState>, page: &Page) -> Result<Vec<Delivery>> {
    let statement = sql("SELECT * FROM endpoint_deliveries WHERE endpoint_id = $1 AND ($2 IS NULL OR state = $2)
             ORDER BY event_seq DESC LIMIT $3 OFFSET $4")
    .bind(endpoint_id)
    .bind(state.map(DeliveryState::as_str))
    .bind(page.limit)
    .bind(page.offset);
    db.all(statement).await
}

/// Forgets what was delivered or given up before these times, `limit` at most; answers how many.
pub async fn prune(tx: &mut Tx, delivered_before: At, failed_before: At, limit: u32) -> Result<u64> {
    let statement = sql("DELETE FROM endpoint_deliveries WHERE (endpoint_id, event_seq) IN (
               SELECT endpoint_id, event_seq FROM endpoint_deliveries
               WHERE (state = 'delivered' AND finished_at < $1) OR (state = 'failed' AND finished_at < $2) LIMIT $3)")
    .bind(delivered_before)
    .bind(failed_before)
    .bind(limit);
    tx.run(statement).await
}

/// The endpoints that are owed an event that was pruned.
pub async fn endpoints_owed_pruned(mut db: impl Run + Send) -> Result<Vec<String>> {
    let statement = sql("SELECT p.id FROM endpoints p WHERE EXISTS (
               SELECT 1 FROM endpoint_deliveries d
               WHERE d.endpoint_id = p.id AND d.event_seq < COALESCE((SELECT min(seq) FROM events), 9223372036854775807)
                 AND d.state IN ('waiting', 'held'))");
    db.rows(statement).await?.iter().map(|row| row.get("id")).collect()
}
