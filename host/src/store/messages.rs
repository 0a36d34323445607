//! Messages and the ids by which the provider speaks of them.

use serde::Serialize;

use super::{Page, Record, Result, Row, Run, StoreError, Tx, sql};
use crate::{
    clock::At,
    domain::{
        message::{Message, ReactionMark, VoteMark},
        stats::Measures,
    },
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
            reply_to: row.get("reply_to")?,
            reactions: row.json("reactions")?,
            votes: row.json("votes")?,
            extras: row.json("extras")?,
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

/// Domain types are plain data: their JSON can't fail but for a map with keys that aren't text, and there is none.
fn json(value: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}

pub async fn insert(tx: &mut Tx, message: &Message) -> Result<()> {
    let statement = sql("INSERT INTO messages
               (id, organization_id, account_id, conversation_id, contact_id, direction, kind, recipient, external_id, command,
                content, origin, echo, reply_to, reactions, votes, extras, state, attempts, provider_at,
                send_at, expires_at, sent_at, created_at,
                plugin_digest, uncertain_at, starts_conversation, opens_episode, answers_since, responds_since)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, 0, $19, $20, $21, $22, $23,
                     $24, $25, $26, $27, $28, $29)")
    .bind(&message.id)
    .bind(&message.organization_id)
    .bind(&message.channel_account_id)
    .bind(message.conversation_id.clone())
    .bind(message.contact_id.clone())
    .bind(message.direction.as_str())
    .bind(&message.kind)
    .bind(message.to.clone())
    .bind(message.external_id.clone())
    .bind(message.command.as_ref().map(json))
    .bind(json(&message.content))
    .bind(message.origin.clone())
    .bind(message.echo)
    .bind(message.reply_to.clone())
    .bind(json(&message.reactions))
    .bind(json(&message.votes))
    .bind(json(&message.extras))
    .bind(message.state.as_str())
    .bind(message.provider_at)
    .bind(message.send_at)
    .bind(message.expires_at)
    .bind(message.sent_at)
    .bind(message.created_at)
    .bind(message.measures.plugin_digest.clone())
    .bind(message.measures.uncertain_at)
    .bind(message.measures.starts_conversation)
    .bind(message.measures.opens_episode)
    .bind(message.measures.answers_since)
    .bind(message.measures.responds_since);
    tx.run(statement).await?;
    Ok(())
}

/// Notes an id by which the provider may speak of the message; answers false where it is somebody's already.
pub async fn add_ref(tx: &mut Tx, account_id: &str, reference: &str, message_id: &str, part: u32) -> Result<bool> {
    let statement = sql("INSERT INTO message_refs (account_id, ref, message_id, part) VALUES ($1, $2, $3, $4)
             ON CONFLICT (account_id, ref) DO NOTHING")
    .bind(account_id)
    .bind(reference)
    .bind(message_id)
    .bind(part);
    Ok(tx.run(statement).await? > 0)
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

/// Writes the state of a message with its timestamps, failure and first external id: see the verbs for which states follow which.
pub async fn save_state(tx: &mut Tx, message: &Message) -> Result<()> {
    let statement = sql("UPDATE messages
             SET state = $2, failure = $3, attempts = $4, external_id = $5, sent_at = $6, delivered_at = $7, read_at = $8,
                 played_at = $9, failed_at = $10, conversation_id = $11, contact_id = $12,
                 plugin_digest = $13, uncertain_at = $14, starts_conversation = $15, opens_episode = $16, answers_since = $17,
                 responds_since = $18
             WHERE id = $1")
    .bind(&message.id)
    .bind(message.state.as_str())
    .bind(message.failure.as_ref().map(json))
    .bind(message.attempts)
    .bind(message.external_id.clone())
    .bind(message.sent_at)
    .bind(message.delivered_at)
    .bind(message.read_at)
    .bind(message.played_at)
    .bind(message.failed_at)
    .bind(message.conversation_id.clone())
    .bind(message.contact_id.clone())
    .bind(message.measures.plugin_digest.clone())
    .bind(message.measures.uncertain_at)
    .bind(message.measures.starts_conversation)
    .bind(message.measures.opens_episode)
    .bind(message.measures.answers_since)
    .bind(message.measures.responds_since);
    tx.run(statement).await?;
    Ok(())
}

pub async fn save_edit(tx: &mut Tx, message: &Message) -> Result<()> {
    let statement = sql("UPDATE messages SET content = $2, extras = $3, edited_at = $4 WHERE id = $1")
        .bind(&message.id)
        .bind(json(&message.content))
        .bind(json(&message.extras))
        .bind(message.edited_at);
    tx.run(statement).await?;
    Ok(())
}

pub async fn set_deleted(tx: &mut Tx, id: &str, at: At) -> Result<()> {
    tx.run(sql("UPDATE messages SET deleted_at = $2 WHERE id = $1 AND deleted_at IS NULL").bind(id).bind(at)).await?;
    Ok(())
}

pub async fn set_reactions(tx: &mut Tx, id: &str, reactions: &[ReactionMark]) -> Result<()> {
    tx.run(sql("UPDATE messages SET reactions = $2 WHERE id = $1").bind(id).bind(json(&reactions))).await?;
    Ok(())
}

pub async fn set_votes(tx: &mut Tx, id: &str, votes: &[VoteMark]) -> Result<()> {
    tx.run(sql("UPDATE messages SET votes = $2 WHERE id = $1").bind(id).bind(json(&votes))).await?;
    Ok(())
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
