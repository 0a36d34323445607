//! Contacts with their identities, and conversations.

use std::collections::{BTreeSet, HashMap};

use super::{
    Page, Record, Result, Row, Run, StoreError, Tx,
    bulk::{self, values},
    sql,
};
use crate::{
    clock::At,
    domain::{
        people::{Contact, Conversation, Identity},
        stats::ConversationClock,
    },
};

impl Record for Conversation {
    fn from_row(row: &Row) -> std::result::Result<Conversation, StoreError> {
        Ok(Conversation {
            id: row.get("id")?,
            organization_id: row.get("organization_id")?,
            channel_account_id: row.get("account_id")?,
            external_id: row.get("external_id")?,
            kind: row.word("kind")?,
            title: row.get("title")?,
            contact_id: row.get("contact_id")?,
            last_message_at: row.at("last_message_at")?,
            created_at: row.at("created_at")?,
        })
    }
}

impl Record for Contact {
    fn from_row(row: &Row) -> std::result::Result<Contact, StoreError> {
        Ok(Contact {
            id: row.get("id")?,
            organization_id: row.get("organization_id")?,
            channel_account_id: row.get("account_id")?,
            name: row.get("name")?,
            identities: Vec::new(),
            opted_out_at: row.at_option("opted_out_at")?,
            opted_out_reason: row.get("opted_out_reason")?,
            unreachable_at: row.at_option("unreachable_at")?,
            unreachable_reason: row.get("unreachable_reason")?,
            created_at: row.at("created_at")?,
            updated_at: row.at("updated_at")?,
        })
    }
}

struct Known {
    contact_id: String,
    identity: Identity,
}

impl Record for Known {
    fn from_row(row: &Row) -> std::result::Result<Known, StoreError> {
        Ok(Known { contact_id: row.get("contact_id")?, identity: Identity { scheme: row.get("scheme")?, value: row.get("value")? } })
    }
}

/// Whose account the people are of.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    pub organization_id: &'a str,
    pub account_id: &'a str,
}

/// Contacts by their identities: each identity that is somebody's, with who it is.
pub async fn contacts_by_identity(tx: &mut Tx, identities: &BTreeSet<(&str, &Identity)>) -> Result<Vec<(Identity, Contact)>> {
    const FIND: &str = "WITH named (named_account, named_scheme, named_value) AS (";
    const THEM: &str = ") SELECT i.scheme, i.value, c.* FROM named n CROSS JOIN contact_identities i JOIN contacts c ON c.id = i.contact_id
       WHERE i.account_id = n.named_account AND i.scheme = n.named_scheme AND i.value = n.named_value";
    let keys = identities.iter().map(|(account_id, identity)| values![*account_id, &identity.scheme, &identity.value]).collect();
    let rows = bulk::read(tx, FIND, keys, THEM).await?;
    rows.iter().map(|row| Ok((Identity { scheme: row.get("scheme")?, value: row.get("value")? }, Contact::from_row(row)?))).collect()
}

/// Writes contacts as they stand; their identities are rows of their own.
pub async fn put_contacts(tx: &mut Tx, contacts: &[&Contact]) -> Result<()> {
    let rows = contacts.iter().map(|contact| {
        values![
            &contact.id,
            &contact.organization_id,
            &contact.channel_account_id,
            contact.name.clone(),
            contact.opted_out_at,
            contact.opted_out_reason.clone(),
            contact.created_at,
            contact.updated_at,
        ]
    });
    const PUT: &str =
        "INSERT INTO contacts (id, organization_id, account_id, name, opted_out_at, opted_out_reason, created_at, updated_at)";
    const AGAIN: &str = " ON CONFLICT (id) DO UPDATE SET name = excluded.name, opted_out_at = excluded.opted_out_at,
       opted_out_reason = excluded.opted_out_reason, created_at = excluded.created_at, updated_at = excluded.updated_at";
    bulk::write(tx, PUT, rows.collect(), AGAIN).await?;
    Ok(())
}

/// Gives identities to contacts, whoever had them: the account, the identity, the contact's id.
pub async fn put_identities(tx: &mut Tx, identities: &[(&str, &Identity, &str)]) -> Result<()> {
    let rows =
        identities.iter().map(|(account_id, identity, contact_id)| values![*account_id, &identity.scheme, &identity.value, *contact_id]);
    const PUT: &str = "INSERT INTO contact_identities (account_id, scheme, value, contact_id)";
    const AGAIN: &str = " ON CONFLICT (account_id, scheme, value) DO UPDATE SET contact_id = excluded.contact_id";
    bulk::write(tx, PUT, rows.collect(), AGAIN).await?;
    Ok(())
}

/// Notes that nobody is there, as the provider says.
pub async fn set_unreachable(tx: &mut Tx, contact_id: &str, reason: &str, now: At) -> Result<()> {
    let statement = sql("UPDATE contacts SET unreachable_at = $2, unreachable_reason = $3, updated_at = $2 WHERE id = $1");
    tx.run(statement.bind(contact_id).bind(now).bind(reason)).await?;
    Ok(())
}

/// They are there after all.
pub async fn set_reached(tx: &mut Tx, contact_ids: &BTreeSet<String>, now: At) -> Result<()> {
    if contact_ids.is_empty() {
        return Ok(());
    }
    let statement = sql("UPDATE contacts SET unreachable_at = NULL, unreachable_reason = NULL, updated_at = $1
             WHERE unreachable_at IS NOT NULL AND id IN ")
    .bind(now);
    tx.run(statement.list(contact_ids.iter().map(String::as_str))).await?;
    Ok(())
}

/// Two contacts are one person: all that the one has becomes the other's, and the one only says so.
pub async fn merge_contacts(tx: &mut Tx, account_id: &str, from: &str, into: &str, now: At) -> Result<()> {
    for table in ["contact_identities", "conversations", "messages", "subscriptions"] {
        let statement = sql(format!("UPDATE {table} SET contact_id = $3 WHERE contact_id = $2 AND account_id = $1"));
        tx.run(statement.bind(account_id).bind(from).bind(into)).await?;
    }
    tx.run(sql("UPDATE contacts SET merged_into = $2, updated_at = $3 WHERE id = $1").bind(from).bind(into).bind(now)).await?;
    Ok(())
}

/// Two conversations are one: the messages of the one become the other's, and the one is gone.
pub async fn merge_conversations(tx: &mut Tx, from: &str, into: &str) -> Result<()> {
    tx.run(sql("UPDATE messages SET conversation_id = $2 WHERE conversation_id = $1").bind(from).bind(into)).await?;
    tx.run(sql("UPDATE thread_mentions SET conversation_id = $2 WHERE conversation_id = $1").bind(from).bind(into)).await?;
    tx.run(sql("DELETE FROM conversations WHERE id = $1").bind(from)).await?;
    Ok(())
}

/// Conversations by their external ids, each named with its account; with their clocks.
pub async fn conversations_by_external_id(tx: &mut Tx, named: &BTreeSet<(&str, &str)>) -> Result<Vec<(Conversation, ConversationClock)>> {
    const FIND: &str = "WITH named (named_account, named_id) AS (";
    const THEM: &str = ") SELECT c.* FROM named n CROSS JOIN conversations c
       WHERE c.account_id = n.named_account AND c.external_id = n.named_id";
    let rows = bulk::read(tx, FIND, named.iter().map(|(account_id, id)| values![*account_id, *id]).collect(), THEM).await?;
    rows.iter().map(|row| Ok((Conversation::from_row(row)?, ConversationClock::from_row(row)?))).collect()
}

/// Conversations by id, with their clocks.
pub async fn conversations_with_clocks(tx: &mut Tx, ids: &BTreeSet<String>) -> Result<Vec<(Conversation, ConversationClock)>> {
    const FIND: &str = "WITH named (named_id) AS (";
    const THEM: &str = ") SELECT c.* FROM named n CROSS JOIN conversations c WHERE c.id = n.named_id";
    let rows = bulk::read(tx, FIND, ids.iter().map(|id| values![id]).collect(), THEM).await?;
    rows.iter().map(|row| Ok((Conversation::from_row(row)?, ConversationClock::from_row(row)?))).collect()
}

/// Writes conversations as they stand, each with what the plugin wants back with the next message out, where that is new.
pub async fn put_conversations(tx: &mut Tx, conversations: &[(&Conversation, Option<&Vec<u8>>, ConversationClock)]) -> Result<()> {
    let rows = conversations.iter().map(|(conversation, reply_context, clock)| {
        values![
            &conversation.id,
            &conversation.organization_id,
            &conversation.channel_account_id,
            &conversation.external_id,
            conversation.kind.as_str(),
            conversation.title.clone(),
            conversation.contact_id.clone(),
            reply_context.cloned(),
            conversation.last_message_at,
            conversation.created_at,
            clock.waiting_since,
            clock.episode_since,
            clock.last_active_at,
            clock.answered_at,
        ]
    });
    const PUT: &str = "INSERT INTO conversations
       (id, organization_id, account_id, external_id, kind, title, contact_id, reply_context, last_message_at, created_at,
        waiting_since, episode_since, last_active_at, answered_at)";
    const AGAIN: &str = " ON CONFLICT (id) DO UPDATE SET
       external_id = excluded.external_id, kind = excluded.kind, title = excluded.title, contact_id = excluded.contact_id,
       reply_context = COALESCE(excluded.reply_context, conversations.reply_context), last_message_at = excluded.last_message_at,
       waiting_since = excluded.waiting_since, episode_since = excluded.episode_since, last_active_at = excluded.last_active_at,
       answered_at = excluded.answered_at";
    bulk::write(tx, PUT, rows.collect(), AGAIN).await?;
    Ok(())
}

pub async fn find_conversation_by_external_id(
    mut db: impl Run + Send,
    account_id: &str,
    external_id: &str,
) -> Result<Option<Conversation>> {
    db.optional(sql("SELECT * FROM conversations WHERE account_id = $1 AND external_id = $2").bind(account_id).bind(external_id)).await
}

pub async fn reply_context(mut db: impl Run + Send, conversation_id: &str) -> Result<Option<Vec<u8>>> {
    match db.rows(sql("SELECT reply_context FROM conversations WHERE id = $1").bind(conversation_id)).await?.first() {
        Some(row) => row.get("reply_context"),
        None => Ok(None),
    }
}

/// Conversations by id.
pub async fn conversations_by_id(mut db: impl Run + Send, ids: &[&str]) -> Result<HashMap<String, Conversation>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let statement = sql("SELECT * FROM conversations WHERE id IN ").list(ids.iter().copied());
    Ok(db.all::<Conversation>(statement).await?.into_iter().map(|conversation| (conversation.id.clone(), conversation)).collect())
}

/// Contacts by id, each with its identities.
pub async fn contacts_by_id(mut db: impl Run + Send, ids: &[&str]) -> Result<HashMap<String, Contact>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = db.all::<Contact>(sql("SELECT * FROM contacts WHERE id IN ").list(ids.iter().copied())).await?;
    let mut contacts: HashMap<String, Contact> = rows.into_iter().map(|contact| (contact.id.clone(), contact)).collect();
    let mut statement = sql("SELECT contact_id, scheme, value FROM contact_identities WHERE contact_id IN ").list(ids.iter().copied());
    statement.push(" ORDER BY scheme, value");
    for known in db.all::<Known>(statement).await? {
        if let Some(contact) = contacts.get_mut(&known.contact_id) {
            contact.identities.push(known.identity);
        }
    }
    Ok(contacts)
}

/// Newest talk first.
pub async fn list_conversations(
    mut db: impl Run + Send,
    organization_id: Option<&str>,
    account_id: Option<&str>,
    page: &Page,
) -> Result<Vec<Conversation>> {
    let statement = sql("SELECT * FROM conversations WHERE ($1 IS NULL OR organization_id = $1) AND ($2 IS NULL OR account_id = $2)
             ORDER BY last_message_at DESC, id DESC LIMIT $3 OFFSET $4")
    .bind(organization_id)
    .bind(account_id)
    .bind(page.limit)
    .bind(page.offset);
    db.all(statement).await
}

pub async fn list_contacts(
    mut db: impl Run + Send + Copy,
    organization_id: Option<&str>,
    account_id: Option<&str>,
    page: &Page,
) -> Result<Vec<Contact>> {
    let statement =
        sql("SELECT * FROM contacts WHERE merged_into IS NULL AND ($1 IS NULL OR organization_id = $1) AND ($2 IS NULL OR account_id = $2)
             ORDER BY id DESC LIMIT $3 OFFSET $4")
        .bind(organization_id)
        .bind(account_id)
        .bind(page.limit)
        .bind(page.offset);
    let rows: Vec<Contact> = db.all(statement).await?;
    let ids: Vec<&str> = rows.iter().map(|contact| contact.id.as_str()).collect();
    let mut whole = contacts_by_id(db, &ids).await?;
    Ok(ids.iter().filter_map(|id| whole.remove(*id)).collect())
}
