//! Messages and the ids by which the provider speaks of them.

use std::collections::BTreeSet;

use super::{
    Page, Record, Result, Row, Run, StoreError, Tx,
    bulk::{self, Values, values},
    db::{written, written_option},
    sql,
};
use crate::{
    clock::At,
    domain::{event::InteractionKind, message::Message, stats::Measures},
};

impl Record for Message {
    fn from_row(row: &Row) -> std::result::Result<Message, StoreError> {
        Ok(Message {
            id: row.get("id")?,
            organization_id: row.get("organization_id")?,
            channel_account_id: row.get("account_id")?,
            conversation_id: row.get("conversation_id")?,
            contact_id: row.get("contact_id")?,
            direction: row.word("direction")?,
            kind: row.get("kind")?,
            to: row.get("recipient")?,
            external_id: row.get("external_id")?,
            command: row.json_option("command")?,
            content: row.json("content")?,
            origin: row.get("origin")?,
            echo: row.get("echo")?,
            automatic: row.get("automatic")?,
            reply_to: row.get("reply_to")?,
            reactions: row.json("reactions")?,
            votes: row.json("votes")?,
            interactions: row.json("interactions")?,
            extras: row.json("extras")?,
            facts: row.json("facts")?,
            state: row.word("state")?,
            failure: row.json_option("failure")?,
            attempts: row.get("attempts")?,
            provider_at: row.at_option("provider_at")?,
            send_at: row.at_option("send_at")?,
            expires_at: row.at_option("expires_at")?,
            sent_at: row.at_option("sent_at")?,
            delivered_at: row.at_option("delivered_at")?,
            read_at: row.at_option("read_at")?,
            played_at: row.at_option("played_at")?,
            failed_at: row.at_option("failed_at")?,
            edited_at: row.at_option("edited_at")?,
            deleted_at: row.at_option("deleted_at")?,
            created_at: row.at("created_at")?,
            measures: Measures::from_row(row)?,
        })
    }
}

/// Writes messages as they stand: new ones, and others in place of what was there.
pub async fn put(tx: &mut Tx, messages: &[&Message]) -> Result<()> {
    const PUT: &str = "INSERT INTO messages
       (id, organization_id, account_id, conversation_id, contact_id, direction, kind, recipient, external_id, command,
        content, origin, echo, reply_to, reactions, votes, extras, state, failure, attempts, provider_at, send_at, expires_at, sent_at,
        delivered_at, read_at, played_at, failed_at, edited_at, deleted_at, created_at,
        plugin_digest, uncertain_at, starts_conversation, opens_episode, answers_since, responds_since, facts, automatic,
        interactions, opened_at, dismissed_at)";
    const AGAIN: &str = " ON CONFLICT (id) DO UPDATE SET
       conversation_id = excluded.conversation_id, contact_id = excluded.contact_id, external_id = excluded.external_id,
       content = excluded.content, reactions = excluded.reactions, votes = excluded.votes, extras = excluded.extras,
       state = excluded.state, failure = excluded.failure, attempts = excluded.attempts, send_at = excluded.send_at, expires_at = excluded.expires_at,
       sent_at = excluded.sent_at, delivered_at = excluded.delivered_at, read_at = excluded.read_at, played_at = excluded.played_at,
       failed_at = excluded.failed_at, edited_at = excluded.edited_at, deleted_at = excluded.deleted_at,
       plugin_digest = excluded.plugin_digest, uncertain_at = excluded.uncertain_at,
       starts_conversation = excluded.starts_conversation, opens_episode = excluded.opens_episode,
       answers_since = excluded.answers_since, responds_since = excluded.responds_since, facts = excluded.facts,
       interactions = excluded.interactions, opened_at = excluded.opened_at, dismissed_at = excluded.dismissed_at";
    bulk::write(tx, PUT, messages.iter().map(|message| values_of(message)).collect(), AGAIN).await?;
    Ok(())
}

fn values_of(message: &Message) -> Values {
    values![
        &message.id,
        &message.organization_id,
        &message.channel_account_id,
        message.conversation_id.clone(),
        message.contact_id.clone(),
        message.direction.as_str(),
        &message.kind,
        message.to.clone(),
        message.external_id.clone(),
        written_option(message.command.as_ref()),
        written(&message.content),
        message.origin.clone(),
        message.echo,
        message.reply_to.clone(),
        written(&message.reactions),
        written(&message.votes),
        written(&message.extras),
        message.state.as_str(),
        written_option(message.failure.as_ref()),
        message.attempts,
        message.provider_at,
        message.send_at,
        message.expires_at,
        message.sent_at,
        message.delivered_at,
        message.read_at,
        message.played_at,
        message.failed_at,
        message.edited_at,
        message.deleted_at,
        message.created_at,
        message.measures.plugin_digest.clone(),
        message.measures.uncertain_at,
        message.measures.starts_conversation,
        message.measures.opens_episode,
        message.measures.answers_since,
        message.measures.responds_since,
        written(&message.facts),
        message.automatic,
        written(&message.interactions),
        message.first(InteractionKind::Opened),
        message.first(InteractionKind::Dismissed),
    ]
}

/// An id by which the provider speaks of one part of a message, and what it told of that part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub reference: String,
    pub message_id: String,
    pub part: u32,
    pub delivered_at: Option<At>,
    pub read_at: Option<At>,
    pub failed_at: Option<At>,
}

impl Record for Reference {
    fn from_row(row: &Row) -> std::result::Result<Reference, StoreError> {
        Ok(Reference {
            reference: row.get("ref")?,
            message_id: row.get("message_id")?,
            part: u32::try_from(row.get::<i64>("part")?).unwrap_or(u32::MAX),
            delivered_at: row.at_option("delivered_at")?,
            read_at: row.at_option("read_at")?,
            failed_at: row.at_option("failed_at")?,
        })
    }
}

/// Writes references of an account's messages: one that is somebody's already stays as it is.
pub async fn put_references(tx: &mut Tx, references: &[(&str, &Reference)]) -> Result<()> {
    let rows = references.iter().map(|(account_id, reference)| {
        values![
            *account_id,
            &reference.reference,
            &reference.message_id,
            reference.part,
            reference.delivered_at,
            reference.read_at,
            reference.failed_at,
        ]
    });
    const AGAIN: &str = " ON CONFLICT (account_id, ref) DO UPDATE SET
       delivered_at = excluded.delivered_at, read_at = excluded.read_at, failed_at = excluded.failed_at
     WHERE message_refs.message_id = excluded.message_id";
    const PUT: &str = "INSERT INTO message_refs (account_id, ref, message_id, part, delivered_at, read_at, failed_at)";
    bulk::write(tx, PUT, rows.collect(), AGAIN).await?;
    Ok(())
}

/// The references that the accounts' providers name, with all others of the same messages; each with its account.
pub async fn references(tx: &mut Tx, named: &BTreeSet<(&str, &str)>) -> Result<Vec<(String, Reference)>> {
    const FIND: &str = "WITH named (account_id, ref) AS (";
    const THEM: &str = ") SELECT o.account_id, o.ref, o.message_id, o.part, o.delivered_at, o.read_at, o.failed_at
       FROM named n CROSS JOIN message_refs r JOIN message_refs o ON o.message_id = r.message_id
       WHERE r.account_id = n.account_id AND r.ref = n.ref";
    let rows = bulk::read(tx, FIND, named.iter().map(|(account_id, reference)| values![*account_id, *reference]).collect(), THEM).await?;
    rows.iter().map(|row| Ok((row.get("account_id")?, Reference::from_row(row)?))).collect()
}

pub async fn by_ids(tx: &mut Tx, ids: &BTreeSet<String>) -> Result<Vec<Message>> {
    const FIND: &str = "WITH named (named_id) AS (";
    const THEM: &str = ") SELECT m.* FROM named n CROSS JOIN messages m WHERE m.id = n.named_id";
    let rows = bulk::read(tx, FIND, ids.iter().map(|id| values![id]).collect(), THEM).await?;
    rows.iter().map(Message::from_row).collect()
}

/// Messages to these recipients that perhaps arrived.
pub async fn uncertain(tx: &mut Tx, recipients: &BTreeSet<(&str, &str)>) -> Result<Vec<Message>> {
    const FIND: &str = "WITH named (named_account, named_recipient) AS (";
    const THEM: &str = ") SELECT m.* FROM named n CROSS JOIN messages m
       WHERE m.account_id = n.named_account AND m.recipient = n.named_recipient AND m.state = 'uncertain' ORDER BY m.id";
    let rows = bulk::read(tx, FIND, recipients.iter().map(|(account_id, to)| values![*account_id, *to]).collect(), THEM).await?;
    rows.iter().map(Message::from_row).collect()
}

pub async fn find(mut db: impl Run + Send, id: &str) -> Result<Option<Message>> {
    db.optional(sql("SELECT * FROM messages WHERE id = $1").bind(id)).await
}

pub async fn find_by_ref(mut db: impl Run + Send, account_id: &str, reference: &str) -> Result<Option<Message>> {
    let statement = sql("SELECT m.* FROM messages m JOIN message_refs r ON r.message_id = m.id WHERE r.account_id = $1 AND r.ref = $2")
        .bind(account_id)
        .bind(reference);
    db.optional(statement).await
}

/// Our messages of the conversation that went out up to then: what a watermark speaks of.
pub async fn sent_up_to(mut db: impl Run + Send, conversation_id: &str, until: At) -> Result<Vec<Message>> {
    let statement = sql("SELECT * FROM messages
             WHERE conversation_id = $1 AND direction = 'outbound' AND kind = 'message' AND sent_at <= $2 AND read_at IS NULL
             ORDER BY id")
    .bind(conversation_id)
    .bind(until);
    db.all(statement).await
}

/// Which messages a list shows; each is a column and the value it must have.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub organization_id: Option<String>,
    pub account_id: Option<String>,
    pub conversation_id: Option<String>,
    pub contact_id: Option<String>,
    pub direction: Option<String>,
    pub state: Option<String>,
    pub external_id: Option<String>,
    pub kind: Option<String>,
}

/// Newest first.
pub async fn list(mut db: impl Run + Send, filter: &Filter, page: &Page) -> Result<Vec<Message>> {
    let mut statement = sql("SELECT * FROM messages WHERE 1 = 1");
    let columns = [
        ("organization_id", &filter.organization_id),
        ("account_id", &filter.account_id),
        ("conversation_id", &filter.conversation_id),
        ("contact_id", &filter.contact_id),
        ("direction", &filter.direction),
        ("state", &filter.state),
        ("kind", &filter.kind),
    ];
    for (column, value) in columns {
        if let Some(value) = value {
            let place = statement.add(value);
            statement.push(&format!(" AND {column} = ${place}"));
        }
    }
    if let Some(reference) = &filter.external_id {
        let place = statement.add(reference);
        statement.push(&format!(" AND id IN (SELECT message_id FROM message_refs WHERE ref = ${place})"));
    }
    let limit = statement.add(page.limit);
    let offset = statement.add(page.offset);
    statement.push(&format!(" ORDER BY id DESC LIMIT ${limit} OFFSET ${offset}"));
    db.all(statement).await
}

/// The ids by which the provider speaks of these messages: the message, the part, the id.
pub async fn refs_of(mut db: impl Run + Send, ids: &[&str]) -> Result<Vec<(String, u32, String)>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = sql("SELECT message_id, part, ref FROM message_refs WHERE message_id IN ").list(ids.iter().copied());
    statement.push(" ORDER BY message_id, part, ref");
    let rows = db.rows(statement).await?;
    rows.iter()
        .map(|row| Ok((row.get("message_id")?, u32::try_from(row.get::<i64>("part")?).unwrap_or(u32::MAX), row.get("ref")?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::{
        domain::message::{Direction, MessageState},
        outbox::blank_message,
        store::{self, Db, people::Owner},
    };

    #[tokio::test]
    async fn facts_are_kept_and_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open_sqlite(&folder.path().join("test.db"), 2).await.unwrap();
        db.migrate().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        store::organizations::ensure(&mut tx, "org", At::from_micros(0)).await.unwrap();
        let insert = "INSERT INTO channel_accounts (id, organization_id, type, name, settings, is_active, connection, facts, data_key,
               webhook_refusals, created_at, updated_at) VALUES ('a', 'org', 'TEST', 'Test', '{}', 1, 'connected', '{}', x'00', 0, 0, 0)";
        tx.run(sql(insert)).await.unwrap();
        let owner = Owner { organization_id: "org", account_id: "a" };
        let mut message = blank_message("m".into(), owner, Direction::Outbound, MessageState::Queued, At::from_micros(1));
        put(&mut tx, &[&message]).await.unwrap();
        assert_eq!(find(&mut tx, "m").await.unwrap().unwrap().facts, Map::new());
        let facts: Map<String, Value> = serde_json::from_value(json!({"parts": 3, "encoding": "ucs2"})).unwrap();
        message.facts.clone_from(&facts);
        put(&mut tx, &[&message]).await.unwrap();
        assert_eq!(find(&mut tx, "m").await.unwrap().unwrap(), message);
        assert_eq!(json!(message)["facts"], json!({"parts": 3, "encoding": "ucs2"}));
    }
}
