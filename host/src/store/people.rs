//! Contacts with their identities, and conversations.

use std::collections::HashMap;

use super::{Page, Record, Result, Row, Run, StoreError, Tx, sql};
use crate::{
    clock::At,
    domain::people::{Contact, Conversation, ConversationRef, Identity, Party},
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

/// The contact that has the party's first identity, or a new one. The first identity says who it is; the others may change hands
/// (a user name given up is somebody else's tomorrow), so they become this contact's, whoever had them.
/// Answers none for a party without identities.
pub async fn meet(tx: &mut Tx, owner: Owner<'_>, party: &Party, new_id: &str, now: At) -> Result<Option<String>> {
    let Some((first, others)) = party.identities.split_first() else { return Ok(None) };
    let contact_id = match find_by_identity(tx, owner.account_id, first).await? {
        Some(known) => {
            if party.name.is_some() && party.name != known.name {
                let statement = sql("UPDATE contacts SET name = $2, updated_at = $3 WHERE id = $1")
                    .bind(&known.contact_id)
                    .bind(party.name.clone())
                    .bind(now);
                tx.run(statement).await?;
            }
            known.contact_id
        }
        None => {
            let statement = sql("INSERT INTO contacts (id, organization_id, account_id, name, created_at, updated_at)
                     VALUES ($1, $2, $3, $4, $5, $5)")
            .bind(new_id)
            .bind(owner.organization_id)
            .bind(owner.account_id)
            .bind(party.name.clone())
            .bind(now);
            tx.run(statement).await?;
            give_identity(tx, owner.account_id, first, new_id).await?;
            new_id.to_owned()
        }
    };
    for identity in others {
        give_identity(tx, owner.account_id, identity, &contact_id).await?;
    }
    Ok(Some(contact_id))
}

async fn give_identity(tx: &mut Tx, account_id: &str, identity: &Identity, contact_id: &str) -> Result<()> {
    let statement = sql("INSERT INTO contact_identities (account_id, scheme, value, contact_id) VALUES ($1, $2, $3, $4)
             ON CONFLICT (account_id, scheme, value) DO UPDATE SET contact_id = excluded.contact_id
             WHERE contact_identities.contact_id <> excluded.contact_id")
    .bind(account_id)
    .bind(&identity.scheme)
    .bind(&identity.value)
    .bind(contact_id);
    tx.run(statement).await?;
    Ok(())
}

/// Somebody who has an identity.
struct KnownPerson {
    contact_id: String,
    name: Option<String>,
}

impl Record for KnownPerson {
    fn from_row(row: &Row) -> std::result::Result<KnownPerson, StoreError> {
        Ok(KnownPerson { contact_id: row.get("contact_id")?, name: row.get("name")? })
    }
}

async fn find_by_identity(tx: &mut Tx, account_id: &str, identity: &Identity) -> Result<Option<KnownPerson>> {
    let statement = sql("SELECT i.contact_id, c.name FROM contact_identities i JOIN contacts c ON c.id = i.contact_id
             WHERE i.account_id = $1 AND i.scheme = $2 AND i.value = $3")
    .bind(account_id)
    .bind(&identity.scheme)
    .bind(&identity.value);
    tx.optional(statement).await
}

/// A conversation as it was met.
pub struct Met {
    pub conversation: Conversation,
    pub is_new: bool,
}

/// The conversation of that external id, made where there is none.
pub async fn converse(
    tx: &mut Tx,
    owner: Owner<'_>,
    conversation: &ConversationRef,
    contact_id: Option<&str>,
    new_id: &str,
    now: At,
) -> Result<Met> {
    if let Some(known) = find_conversation_by_external_id(&mut *tx, owner.account_id, &conversation.external_id).await? {
        let contact = if known.contact_id.is_none() { contact_id } else { None };
        let title_changed = conversation.title.is_some() && conversation.title != known.title;
        if contact.is_some() || title_changed {
            let statement =
                sql("UPDATE conversations SET title = COALESCE($2, title), contact_id = COALESCE(contact_id, $3), kind = $4 WHERE id = $1")
                    .bind(&known.id)
                    .bind(conversation.title.clone())
                    .bind(contact)
                    .bind(conversation.kind.as_str());
            tx.run(statement).await?;
        }
        return Ok(Met { conversation: known, is_new: false });
    }
    let made = Conversation {
        id: new_id.to_owned(),
        organization_id: owner.organization_id.to_owned(),
        channel_account_id: owner.account_id.to_owned(),
        external_id: conversation.external_id.clone(),
        kind: conversation.kind,
        title: conversation.title.clone(),
        contact_id: contact_id.map(str::to_owned),
        last_message_at: now,
        created_at: now,
    };
    let statement = sql("INSERT INTO conversations
               (id, organization_id, account_id, external_id, kind, title, contact_id, last_message_at, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)")
    .bind(&made.id)
    .bind(&made.organization_id)
    .bind(&made.channel_account_id)
    .bind(&made.external_id)
    .bind(made.kind.as_str())
    .bind(made.title.clone())
    .bind(made.contact_id.clone())
    .bind(now);
    tx.run(statement).await?;
    Ok(Met { conversation: made, is_new: true })
}

pub async fn find_conversation_by_external_id(
    mut db: impl Run + Send,
    account_id: &str,
    external_id: &str,
) -> Result<Option<Conversation>> {
    db.optional(sql("SELECT * FROM conversations WHERE account_id = $1 AND external_id = $2").bind(account_id).bind(external_id)).await
}

/// Notes a message in the conversation, and what the plugin wants back with the next one that goes out.
pub async fn touch_conversation(tx: &mut Tx, id: &str, reply_context: Option<&[u8]>, now: At) -> Result<()> {
    let statement = sql("UPDATE conversations SET last_message_at = $2, reply_context = COALESCE($3, reply_context) WHERE id = $1")
        .bind(id)
        .bind(now)
        .bind(reply_context);
    tx.run(statement).await?;
    Ok(())
}

pub async fn reply_context(mut db: impl Run + Send, conversation_id: &str) -> Result<Option<Vec<u8>>> {
    match db.rows(sql("SELECT reply_context FROM conversations WHERE id = $1").bind(conversation_id)).await?.first() {
        Some(row) => row.get("reply_context"),
        None => Ok(None),
    }
}

/// The conversation continues under another external id. Where both exist already, the messages of the one become the other's.
/// Answers the id of the conversation that stays.
pub async fn move_conversation(tx: &mut Tx, account_id: &str, from: &str, to: &str) -> Result<Option<String>> {
    let Some(old) = find_conversation_by_external_id(&mut *tx, account_id, from).await? else {
        return Ok(find_conversation_by_external_id(&mut *tx, account_id, to).await?.map(|conversation| conversation.id));
    };
    if from == to {
        return Ok(Some(old.id));
    }
    if let Some(new) = find_conversation_by_external_id(&mut *tx, account_id, to).await? {
        tx.run(sql("UPDATE messages SET conversation_id = $2 WHERE conversation_id = $1").bind(&old.id).bind(&new.id)).await?;
        super::stats::join(tx, account_id, &old.id, &new.id).await?;
        tx.run(sql("DELETE FROM conversations WHERE id = $1").bind(&old.id)).await?;
        return Ok(Some(new.id));
    }
    tx.run(sql("UPDATE conversations SET external_id = $2 WHERE id = $1").bind(&old.id).bind(to)).await?;
    Ok(Some(old.id))
}

pub async fn set_opted_out(tx: &mut Tx, contact_id: &str, reason: Option<&str>, now: At) -> Result<()> {
    let statement = sql("UPDATE contacts SET opted_out_at = $2, opted_out_reason = $3, updated_at = $4 WHERE id = $1")
        .bind(contact_id)
        .bind(reason.map(|_| now))
        .bind(reason)
        .bind(now);
    tx.run(statement).await?;
    Ok(())
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
    let statement = sql("SELECT * FROM contacts WHERE ($1 IS NULL OR organization_id = $1) AND ($2 IS NULL OR account_id = $2)
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
