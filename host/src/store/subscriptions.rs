//! Devices and browsers that take notifications. Where to push is sealed with the account's data key.

use std::collections::BTreeSet;

use super::{
    Page, Record, Result, Row, Run, StoreError, Tx,
    bulk::{self, values},
    db::written,
    sql,
};
use crate::domain::subscription::Subscriber;

impl Record for Subscriber {
    fn from_row(row: &Row) -> std::result::Result<Subscriber, StoreError> {
        Ok(Subscriber {
            id: row.get("id")?,
            organization_id: row.get("organization_id")?,
            channel_account_id: row.get("account_id")?,
            contact_id: row.get("contact_id")?,
            host: row.get("host")?,
            extras: row.json("extras")?,
            created_at: row.at("created_at")?,
            last_seen_at: row.at("last_seen_at")?,
        })
    }
}

/// A subscriber with what opens where to push: the sealed bytes, and the account's wrapped data key.
#[derive(Debug, Clone)]
pub struct Sealed {
    pub subscriber: Subscriber,
    pub sealed: Vec<u8>,
    pub data_key: Vec<u8>,
}

impl Record for Sealed {
    fn from_row(row: &Row) -> std::result::Result<Sealed, StoreError> {
        Ok(Sealed { subscriber: Subscriber::from_row(row)?, sealed: row.get("sealed")?, data_key: row.get("data_key")? })
    }
}

/// Writes subscribers as they stand, each with its sealed endpoint.
pub async fn put(tx: &mut Tx, subscribers: &[(&Subscriber, Vec<u8>)]) -> Result<()> {
    let rows = subscribers.iter().map(|(subscriber, sealed)| {
        values![
            &subscriber.channel_account_id,
            &subscriber.id,
            &subscriber.organization_id,
            subscriber.contact_id.clone(),
            sealed.clone(),
            &subscriber.host,
            written(&subscriber.extras),
            subscriber.created_at,
            subscriber.last_seen_at,
        ]
    });
    const PUT: &str =
        "INSERT INTO subscriptions (account_id, id, organization_id, contact_id, sealed, host, extras, created_at, last_seen_at)";
    const AGAIN: &str = " ON CONFLICT (account_id, id) DO UPDATE SET contact_id = excluded.contact_id, sealed = excluded.sealed,
       host = excluded.host, extras = excluded.extras, created_at = excluded.created_at, last_seen_at = excluded.last_seen_at";
    bulk::write(tx, PUT, rows.collect(), AGAIN).await?;
    Ok(())
}

pub async fn remove(tx: &mut Tx, account_id: &str, id: &str) -> Result<()> {
    tx.run(sql("DELETE FROM subscriptions WHERE account_id = $1 AND id = $2").bind(account_id).bind(id)).await?;
    Ok(())
}

pub async fn remove_all(tx: &mut Tx, account_id: &str) -> Result<()> {
    tx.run(sql("DELETE FROM subscriptions WHERE account_id = $1").bind(account_id)).await?;
    Ok(())
}

/// Those named, each by its account and id.
pub async fn named(tx: &mut Tx, ids: &BTreeSet<(&str, &str)>) -> Result<Vec<Subscriber>> {
    const FIND: &str = "WITH named (named_account, named_id) AS (";
    const THEM: &str = ") SELECT s.* FROM named n CROSS JOIN subscriptions s WHERE s.account_id = n.named_account AND s.id = n.named_id";
    let keys = ids.iter().map(|(account_id, id)| values![*account_id, *id]).collect();
    bulk::read(tx, FIND, keys, THEM).await?.iter().map(Subscriber::from_row).collect()
}

/// Where a message to that recipient goes, the last seen first: a subscription's id, a contact's, or one of a contact's own ids.
pub async fn reached_by(mut db: impl Run + Send, account_id: &str, to: &str, limit: u32) -> Result<Vec<Sealed>> {
    let statement = sql("SELECT s.*, a.data_key FROM subscriptions s JOIN channel_accounts a ON a.id = s.account_id
             WHERE s.account_id = $1 AND s.id IN (
               SELECT id FROM subscriptions WHERE account_id = $1 AND id = $2
               UNION SELECT id FROM subscriptions WHERE account_id = $1 AND contact_id = $2
               UNION SELECT o.id FROM contact_identities i JOIN subscriptions o ON o.contact_id = i.contact_id
                     WHERE i.account_id = $1 AND i.value = $2 AND o.account_id = $1)
             ORDER BY s.last_seen_at DESC, s.id DESC LIMIT $3")
    .bind(account_id)
    .bind(to)
    .bind(limit);
    db.all(statement).await
}

/// Which subscriptions a list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub organization_id: Option<String>,
    pub account_id: Option<String>,
    pub contact_id: Option<String>,
    pub id: Option<String>,
}

/// Newest first.
pub async fn list(mut db: impl Run + Send, filter: &Filter, page: &Page) -> Result<Vec<Subscriber>> {
    let mut statement = sql("SELECT * FROM subscriptions WHERE 1 = 1");
    let columns = [
        ("organization_id", &filter.organization_id),
        ("account_id", &filter.account_id),
        ("contact_id", &filter.contact_id),
        ("id", &filter.id),
    ];
    for (column, value) in columns {
        if let Some(value) = value {
            let place = statement.add(value);
            statement.push(&format!(" AND {column} = ${place}"));
        }
    }
    let limit = statement.add(page.limit);
    let offset = statement.add(page.offset);
    statement.push(&format!(" ORDER BY created_at DESC, account_id, id LIMIT ${limit} OFFSET ${offset}"));
    db.all(statement).await
}
