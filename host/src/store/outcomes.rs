//! How the calls of each version ended, by the hour: every node adds to it.

use std::collections::BTreeMap;

use super::{
    Result, Row, Run, Tx,
    bulk::{self, values},
    sql,
};
use crate::clock::At;

/// Calls of a version that ended alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub channel_type: String,
    pub digest: String,
    /// The type's, when they ended.
    pub generation: i64,
    /// The hour's begin.
    pub hour: At,
    /// `answered`, or the fault's word.
    pub outcome: String,
    pub calls: i64,
}

pub async fn add(tx: &mut Tx, outcomes: &[Outcome]) -> Result<()> {
    const INSERT: &str = "INSERT INTO plugin_outcomes (digest, generation, hour, outcome, type, calls)";
    const ADD: &str = " ON CONFLICT (digest, generation, hour, outcome) DO UPDATE SET calls = plugin_outcomes.calls + excluded.calls";
    let row = |outcome: &Outcome| {
        values![&outcome.digest, outcome.generation, outcome.hour, &outcome.outcome, &outcome.channel_type, outcome.calls]
    };
    bulk::write(tx, INSERT, outcomes.iter().map(row).collect(), ADD).await?;
    Ok(())
}

/// What a version did since a generation of its type: calls by how they ended.
pub async fn since_generation(mut db: impl Run + Send, digest: &str, generation: i64) -> Result<Vec<(String, i64)>> {
    let statement = sql("SELECT outcome, CAST(sum(calls) AS BIGINT) AS calls FROM plugin_outcomes
             WHERE digest = $1 AND generation >= $2 GROUP BY outcome ORDER BY outcome")
    .bind(digest)
    .bind(generation);
    db.rows(statement).await?.iter().map(of_row).collect()
}

/// What a version did since an hour: calls by how they ended.
pub async fn since(mut db: impl Run + Send, digest: &str, hour: At) -> Result<Vec<(String, i64)>> {
    let statement = sql("SELECT outcome, CAST(sum(calls) AS BIGINT) AS calls FROM plugin_outcomes
             WHERE digest = $1 AND hour >= $2 GROUP BY outcome ORDER BY outcome")
    .bind(digest)
    .bind(hour);
    db.rows(statement).await?.iter().map(of_row).collect()
}

/// The same of every version, by its digest.
pub async fn all_since(mut db: impl Run + Send, hour: At) -> Result<BTreeMap<String, Vec<(String, i64)>>> {
    let statement = sql("SELECT digest, outcome, CAST(sum(calls) AS BIGINT) AS calls FROM plugin_outcomes
             WHERE hour >= $1 GROUP BY digest, outcome ORDER BY digest, outcome")
    .bind(hour);
    let mut found: BTreeMap<String, Vec<(String, i64)>> = BTreeMap::new();
    for row in db.rows(statement).await? {
        found.entry(row.get("digest")?).or_default().push(of_row(&row)?);
    }
    Ok(found)
}

fn of_row(row: &Row) -> Result<(String, i64)> {
    Ok((row.get("outcome")?, row.get("calls")?))
}

/// Forgets the hours before.
pub async fn prune(tx: &mut Tx, before: At) -> Result<u64> {
    tx.run(sql("DELETE FROM plugin_outcomes WHERE hour < $1").bind(before)).await
}
