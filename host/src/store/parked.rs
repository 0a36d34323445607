//! Facts that came before the message that they speak of: they wait for it, for a while.

use std::collections::BTreeSet;

use super::{
    Record, Result, Row, Run, StoreError, Tx,
    bulk::{self, values},
    db::written,
    sql,
};
use crate::{clock::At, domain::event::Fact};

#[derive(Debug, Clone)]
pub struct ParkedFact {
    pub account_id: String,
    /// The provider's id of the message that it waits for.
    pub reference: String,
    /// Then it is told as it is.
    pub until: At,
    pub fact: Fact,
}

impl Record for ParkedFact {
    fn from_row(row: &Row) -> std::result::Result<ParkedFact, StoreError> {
        Ok(ParkedFact { account_id: row.get("account_id")?, reference: row.get("ref")?, until: row.at("until")?, fact: row.json("fact")? })
    }
}

pub async fn insert(tx: &mut Tx, parked: &[ParkedFact]) -> Result<()> {
    let rows = parked
        .iter()
        .map(|parked| values![&parked.account_id, &parked.fact.dedupe_key, &parked.reference, written(&parked.fact), parked.until]);
    const INSERT: &str = "INSERT INTO parked_facts (account_id, dedupe_key, ref, fact, until)";
    bulk::write(tx, INSERT, rows.collect(), " ON CONFLICT (account_id, dedupe_key, ref) DO NOTHING").await?;
    Ok(())
}

/// Those that wait for one of the messages, each named by its account and the provider's id; oldest first.
pub async fn find(tx: &mut Tx, references: &BTreeSet<(&str, &str)>) -> Result<Vec<ParkedFact>> {
    const FIND: &str = "WITH named (named_account, named_ref) AS (";
    const THEM: &str = ") SELECT DISTINCT p.account_id, p.dedupe_key, p.ref, p.fact, p.until FROM named n CROSS JOIN parked_facts p
       WHERE p.account_id = n.named_account AND p.ref = n.named_ref ORDER BY p.until";
    let keys = references.iter().map(|(account_id, reference)| values![*account_id, *reference]).collect();
    bulk::read(tx, FIND, keys, THEM).await?.iter().map(ParkedFact::from_row).collect()
}

pub async fn delete(tx: &mut Tx, account_id: &str, reference: &str, dedupe_key: &str) -> Result<()> {
    let statement = sql("DELETE FROM parked_facts WHERE account_id = $1 AND ref = $2 AND dedupe_key = $3")
        .bind(account_id)
        .bind(reference)
        .bind(dedupe_key);
    tx.run(statement).await?;
    Ok(())
}

/// Those that waited long enough.
pub async fn overdue(mut db: impl Run + Send, now: At, limit: u32) -> Result<Vec<ParkedFact>> {
    let statement = sql("SELECT * FROM parked_facts WHERE until <= $1 ORDER BY until LIMIT $2").bind(now).bind(limit);
    db.all(statement).await
}
