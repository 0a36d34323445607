//! Ids of messages that others name as earlier ones of their thread, and that aren't there yet.

use std::collections::BTreeSet;

use super::{
    Result, Run as _, Tx,
    bulk::{self, values},
    sql,
};
use crate::clock::At;

/// A message that isn't there, and the conversation of those that name it.
#[derive(Debug, Clone)]
pub struct Mention {
    pub account_id: String,
    /// The provider's id of the message.
    pub reference: String,
    pub conversation_id: String,
}

/// Writes mentions, in place of others of the same messages.
pub async fn put(tx: &mut Tx, mentions: &[Mention], until: At) -> Result<()> {
    let rows = mentions.iter().map(|mention| values![&mention.account_id, &mention.reference, &mention.conversation_id, until]);
    const PUT: &str = "INSERT INTO thread_mentions (account_id, ref, conversation_id, until)";
    const AGAIN: &str = " ON CONFLICT (account_id, ref) DO UPDATE SET conversation_id = excluded.conversation_id, until = excluded.until";
    bulk::write(tx, PUT, rows.collect(), AGAIN).await?;
    Ok(())
}

/// The mentions of these messages, each named by its account and the provider's id.
pub async fn find(tx: &mut Tx, named: &BTreeSet<(&str, &str)>) -> Result<Vec<Mention>> {
    const FIND: &str = "WITH named (named_account, named_ref) AS (";
    const THEM: &str = ") SELECT t.account_id, t.ref, t.conversation_id FROM named n CROSS JOIN thread_mentions t
       WHERE t.account_id = n.named_account AND t.ref = n.named_ref";
    let rows = bulk::read(tx, FIND, named.iter().map(|(account_id, reference)| values![*account_id, *reference]).collect(), THEM).await?;
    rows.iter()
        .map(|row| {
            Ok(Mention { account_id: row.get("account_id")?, reference: row.get("ref")?, conversation_id: row.get("conversation_id")? })
        })
        .collect()
}

/// Drops mentions of messages that never came.
pub async fn sweep(tx: &mut Tx, now: At) -> Result<()> {
    tx.run(sql("DELETE FROM thread_mentions WHERE until <= $1").bind(now)).await?;
    Ok(())
}
