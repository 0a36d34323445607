//! What holds an account's messages back besides time: pauses that the provider asked for, and breakers.

use super::{Record, Result, Row, Run, StoreError, Tx, sql};
use crate::clock::At;

/// Nothing of the account goes before `until`; a longer pause that stands already stays.
pub async fn pause(tx: &mut Tx, account_id: &str, until: At, reason: &str) -> Result<()> {
    let statement = sql("INSERT INTO account_pauses (account_id, paused_until, reason) VALUES ($1, $2, $3)
             ON CONFLICT (account_id) DO UPDATE SET paused_until = excluded.paused_until, reason = excluded.reason
             WHERE account_pauses.paused_until < excluded.paused_until")
    .bind(account_id)
    .bind(until)
    .bind(reason);
    tx.run(statement).await?;
    Ok(())
}

/// Counts a failure at the host; from `limit` of them in a row on the breaker is open until `open_until`. Answers whether it is.
pub async fn count_failure(tx: &mut Tx, account_id: &str, host: &str, limit: u32, open_until: At, reason: &str) -> Result<bool> {
    let statement = sql("INSERT INTO breakers (account_id, host, failures, open_until, reason)
             VALUES ($1, $2, 1, CASE WHEN $3 <= 1 THEN $4 END, $5)
             ON CONFLICT (account_id, host) DO UPDATE
               SET failures = breakers.failures + 1, probe_until = NULL, reason = excluded.reason,
                   open_until = CASE WHEN breakers.failures + 1 >= $3 THEN $4 END
             RETURNING open_until")
    .bind(account_id)
    .bind(host)
    .bind(limit)
    .bind(open_until)
    .bind(reason);
    match tx.rows(statement).await?.first() {
        Some(row) => Ok(row.at_option("open_until")?.is_some()),
        None => Ok(false),
    }
}

/// The host answered: its failures are forgotten, and so is what is open, for which this was the proof.
pub async fn forget_failures(tx: &mut Tx, account_id: &str, host: &str) -> Result<()> {
    let statement = sql("DELETE FROM breakers WHERE account_id = $1 AND (host = $2 OR open_until IS NOT NULL)").bind(account_id).bind(host);
    tx.run(statement).await?;
    Ok(())
}

/// Takes the place of the one message that probes. Answers false where another has it, or where it isn't time yet.
pub async fn begin_probe(tx: &mut Tx, account_id: &str, now: At, until: At) -> Result<bool> {
    let statement = sql("UPDATE breakers SET probe_until = $3
             WHERE account_id = $1 AND open_until IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM breakers b WHERE b.account_id = $1 AND (b.open_until > $2 OR b.probe_until > $2))")
    .bind(account_id)
    .bind(now)
    .bind(until);
    Ok(tx.run(statement).await? > 0)
}

/// The probe told nothing: another message may.
pub async fn end_probe(tx: &mut Tx, account_id: &str) -> Result<()> {
    tx.run(sql("UPDATE breakers SET probe_until = NULL WHERE account_id = $1 AND probe_until IS NOT NULL").bind(account_id)).await?;
    Ok(())
}

/// Forgets all that holds the account back: it was connected again.
pub async fn clear(tx: &mut Tx, account_id: &str) -> Result<()> {
    tx.run(sql("DELETE FROM account_pauses WHERE account_id = $1").bind(account_id)).await?;
    tx.run(sql("DELETE FROM breakers WHERE account_id = $1").bind(account_id)).await?;
    Ok(())
}

/// One reason why an account's messages wait.
#[derive(Debug, Clone)]
pub struct Hold {
    pub account_id: String,
    pub reason: String,
    pub kind: HoldKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldKind {
    Pause { until: At },
    Breaker { open_until: At, probe_until: Option<At> },
}

impl Record for Hold {
    fn from_row(row: &Row) -> std::result::Result<Hold, StoreError> {
        let kind = match (row.at_option("paused_until")?, row.at_option("open_until")?) {
            (None, Some(open_until)) => HoldKind::Breaker { open_until, probe_until: row.at_option("probe_until")? },
            (until, _) => HoldKind::Pause { until: until.unwrap_or(At::from_micros(0)) },
        };
        Ok(Hold { account_id: row.get("account_id")?, reason: row.get("reason")?, kind })
    }
}

/// The pauses and open breakers of these accounts.
pub async fn holds(mut db: impl Run + Send, account_ids: &[&str], now: At) -> Result<Vec<Hold>> {
    if account_ids.is_empty() {
        return Ok(Vec::new());
    }
    let pauses = sql("SELECT account_id, reason, paused_until, CAST(NULL AS BIGINT) AS open_until, CAST(NULL AS BIGINT) AS probe_until
             FROM account_pauses WHERE paused_until > $1 AND account_id IN ")
    .bind(now)
    .list(account_ids.iter().copied());
    let breakers = sql("SELECT account_id, CASE WHEN host = '' THEN reason ELSE host || ': ' || reason END AS reason, CAST(NULL AS BIGINT) AS paused_until, open_until, probe_until
             FROM breakers WHERE open_until IS NOT NULL AND account_id IN ")
    .list(account_ids.iter().copied());
    let mut holds: Vec<Hold> = db.all(pauses).await?;
    holds.extend(db.all::<Hold>(breakers).await?);
    Ok(holds)
}

/// Removes pauses that are over.
pub async fn sweep(tx: &mut Tx, now: At) -> Result<()> {
    tx.run(sql("DELETE FROM account_pauses WHERE paused_until <= $1").bind(now)).await?;
    Ok(())
}
