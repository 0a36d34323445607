//! Work that repeats for an account: due rows are claimed with a lease, so that one node does each.

use super::{Record, Result, Row, Run, StoreError, Tx, sql};
use crate::clock::At;

#[derive(Debug, Clone)]
pub struct DueJob {
    pub account_id: String,
    pub job: String,
    pub fence: i64,
}

impl Record for DueJob {
    fn from_row(row: &Row) -> std::result::Result<DueJob, StoreError> {
        Ok(DueJob { account_id: row.get("account_id")?, job: row.get("job")?, fence: row.get("fence")? })
    }
}

/// Sets when the job is due next. A claim on it is void from then on: whoever has it can't settle it any more.
pub async fn schedule(tx: &mut Tx, account_id: &str, job: &str, due_at: At) -> Result<()> {
    let statement = sql("INSERT INTO account_jobs (account_id, job, due_at, fence) VALUES ($1, $2, $3, 0)
             ON CONFLICT (account_id, job) DO UPDATE
               SET due_at = excluded.due_at, leased_until = NULL, fence = account_jobs.fence + 1")
    .bind(account_id)
    .bind(job)
    .bind(due_at);
    tx.run(statement).await?;
    Ok(())
}

/// Has the job due at `due_at` unless it is scheduled, or being done, already.
pub async fn ensure(tx: &mut Tx, account_id: &str, job: &str, due_at: At) -> Result<()> {
    let statement = sql("INSERT INTO account_jobs (account_id, job, due_at, fence) VALUES ($1, $2, $3, 0)
             ON CONFLICT (account_id, job) DO NOTHING")
    .bind(account_id)
    .bind(job)
    .bind(due_at);
    tx.run(statement).await?;
    Ok(())
}

/// Has the job due at `due_at` at the latest. One that is being done goes on, and says itself when it is due again. Answers whether
/// that changed anything: not where it is due already, or is being done.
pub async fn hasten(tx: &mut Tx, account_id: &str, job: &str, due_at: At) -> Result<bool> {
    let statement = sql("INSERT INTO account_jobs (account_id, job, due_at, fence) VALUES ($1, $2, $3, 0)
             ON CONFLICT (account_id, job) DO UPDATE SET due_at = excluded.due_at WHERE account_jobs.due_at > excluded.due_at")
    .bind(account_id)
    .bind(job)
    .bind(due_at);
    Ok(tx.run(statement).await? > 0)
}

/// Whether the claim still stands.
pub async fn is_held(tx: &mut Tx, job: &DueJob) -> Result<bool> {
    let statement = sql("SELECT fence FROM account_jobs WHERE account_id = $1 AND job = $2 AND fence = $3")
        .bind(&job.account_id)
        .bind(&job.job)
        .bind(job.fence);
    Ok(!tx.rows(statement).await?.is_empty())
}

pub async fn cancel(tx: &mut Tx, account_id: &str, job: &str) -> Result<()> {
    tx.run(sql("DELETE FROM account_jobs WHERE account_id = $1 AND job = $2").bind(account_id).bind(job)).await?;
    Ok(())
}

pub async fn cancel_all(tx: &mut Tx, account_id: &str) -> Result<()> {
    tx.run(sql("DELETE FROM account_jobs WHERE account_id = $1").bind(account_id)).await?;
    Ok(())
}

/// Claims due jobs for a node until `leased_until`.
pub async fn claim(tx: &mut Tx, node_id: &str, now: At, leased_until: At, limit: u32) -> Result<Vec<DueJob>> {
    // Chosen once, aside: a subquery in the UPDATE may be run again for each row, and would claim more than asked.
    let statement = sql("WITH due AS MATERIALIZED (
               SELECT account_id, job FROM account_jobs
               WHERE due_at <= $1 AND (leased_until IS NULL OR leased_until <= $1)
               ORDER BY due_at LIMIT $3 {lock})
             UPDATE account_jobs SET leased_until = $2, leased_by = $4, fence = fence + 1
             WHERE (account_id, job) IN (SELECT account_id, job FROM due)
             RETURNING account_id, job, fence")
    .bind(now)
    .bind(leased_until)
    .bind(limit)
    .bind(node_id);
    tx.all(statement).await
}

/// Ends a claim and sets when the job is due again; answers false where somebody else has taken it meanwhile.
pub async fn settle(tx: &mut Tx, job: &DueJob, due_at: At) -> Result<bool> {
    let statement = sql("UPDATE account_jobs SET leased_until = NULL, due_at = $4 WHERE account_id = $1 AND job = $2 AND fence = $3")
        .bind(&job.account_id)
        .bind(&job.job)
        .bind(job.fence)
        .bind(due_at);
    Ok(tx.run(statement).await? > 0)
}

/// Whether a claim would find anything: a look that needs no writer.
pub async fn is_any_due(mut db: impl Run + Send, now: At) -> Result<bool> {
    let statement =
        sql("SELECT job FROM account_jobs WHERE due_at <= $1 AND (leased_until IS NULL OR leased_until <= $1) LIMIT 1").bind(now);
    Ok(!db.rows(statement).await?.is_empty())
}

/// Ends a claim and the job, unless it was scheduled again meanwhile or somebody else has it.
pub async fn finish(tx: &mut Tx, job: &DueJob) -> Result<()> {
    let statement = sql("DELETE FROM account_jobs WHERE account_id = $1 AND job = $2 AND fence = $3")
        .bind(&job.account_id)
        .bind(&job.job)
        .bind(job.fence);
    tx.run(statement).await?;
    Ok(())
}

/// Lets every claim run out.
pub async fn expire_leases(tx: &mut Tx) -> Result<()> {
    tx.run(sql("UPDATE account_jobs SET leased_until = NULL WHERE leased_until IS NOT NULL")).await?;
    Ok(())
}

/// Lets the claims of a node that is gone run out.
pub async fn expire_leases_of(tx: &mut Tx, node_id: &str) -> Result<()> {
    tx.run(sql("UPDATE account_jobs SET leased_until = NULL WHERE leased_by = $1 AND leased_until IS NOT NULL").bind(node_id)).await?;
    Ok(())
}
