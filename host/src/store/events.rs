//! Events, in the order they are told.

use std::collections::{BTreeSet, HashSet};

use super::{
    Record, Result, Row, Run, StoreError, Tx,
    bulk::{self, values},
    db::Arg,
    sql,
};
use crate::{
    clock::At,
    domain::event::{Event, EventType},
    ids::Ids,
};

impl Record for Event {
    fn from_row(row: &Row) -> std::result::Result<Event, StoreError> {
        Ok(Event {
            id: row.get("id")?,
            event_type: row.word("type")?,
            version: 1,
            organization_id: row.get("organization_id")?,
            channel_account_id: row.get("account_id")?,
            conversation_id: row.get("conversation_id")?,
            message_id: row.get("message_id")?,
            occurred_at: row.at("occurred_at")?,
            data: row.json("data")?,
            seq: row.get("seq")?,
        })
    }
}

/// Which of the accounts' facts are stored, or wait for what they speak of: each account with the dedupe key.
pub async fn known(tx: &mut Tx, keys: &BTreeSet<(&str, &str)>) -> Result<Vec<(String, String)>> {
    const FIND: &str = "WITH named (account_id, dedupe_key) AS (";
    const THEM: &str = ") SELECT n.account_id, n.dedupe_key FROM named n
       WHERE EXISTS (SELECT 1 FROM events e WHERE e.account_id = n.account_id AND e.dedupe_key = n.dedupe_key)
          OR EXISTS (SELECT 1 FROM parked_facts p WHERE p.account_id = n.account_id AND p.dedupe_key = n.dedupe_key)";
    let rows = bulk::read(tx, FIND, keys.iter().map(|(account_id, key)| values![*account_id, *key]).collect(), THEM).await?;
    rows.iter().map(|row| Ok((row.get("account_id")?, row.get("dedupe_key")?))).collect()
}

/// An event to append.
#[derive(Debug, Clone)]
pub struct Told {
    pub id: String,
    pub event_type: EventType,
    pub organization_id: String,
    pub account_id: String,
    pub dedupe_key: Option<String>,
    pub conversation_id: Option<String>,
    pub message_id: Option<String>,
    pub data: Arg,
    pub occurred_at: At,
    pub created_at: At,
}

/// Appends events in their order. For the transaction see [`append`].
pub async fn append_all(tx: &mut Tx, told: Vec<Told>) -> Result<()> {
    const APPEND: &str = "INSERT INTO events (id, organization_id, account_id, type, dedupe_key, conversation_id, message_id, data, occurred_at, created_at)";
    let rows = told.into_iter().map(|event| {
        values![
            event.id,
            event.organization_id,
            event.account_id,
            event.event_type.as_str(),
            event.dedupe_key,
            event.conversation_id,
            event.message_id,
            event.data,
            event.occurred_at,
            event.created_at,
        ]
    });
    // A fact that is told already is told once, whichever way it came a second time.
    const ONCE: &str = " ON CONFLICT (account_id, dedupe_key) WHERE dedupe_key IS NOT NULL DO NOTHING";
    bulk::write(tx, APPEND, rows.collect(), ONCE).await?;
    Ok(())
}

/// Appends. The transaction has to be one that was begun with [`Db::begin_ordered`](super::Db::begin_ordered): those commit one
/// after another, so that a listener never passes over an event whose number is lower but whose commit came later.
pub async fn append(tx: &mut Tx, event: &Event, dedupe_key: Option<&str>, now: At) -> Result<()> {
    let statement = sql("INSERT INTO events
               (id, organization_id, account_id, type, dedupe_key, conversation_id, message_id, data, occurred_at, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
    .bind(&event.id)
    .bind(&event.organization_id)
    .bind(&event.channel_account_id)
    .bind(event.event_type.as_str())
    .bind(dedupe_key)
    .bind(event.conversation_id.clone())
    .bind(event.message_id.clone())
    .bind(event.data.clone())
    .bind(event.occurred_at)
    .bind(now);
    tx.run(statement).await?;
    Ok(())
}

/// Which events a listener hears.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub organization_id: Option<String>,
    pub account_id: Option<String>,
    /// None for all types.
    pub types: Option<Vec<&'static str>>,
}

/// Those after `after`, oldest first.
pub async fn list_after(mut db: impl Run + Send, filter: &Filter, after: i64, limit: u32) -> Result<Vec<Event>> {
    let mut statement = sql("SELECT * FROM events WHERE seq > $1").bind(after);
    for (column, value) in [("organization_id", &filter.organization_id), ("account_id", &filter.account_id)] {
        if let Some(value) = value {
            let place = statement.add(value);
            statement.push(&format!(" AND {column} = ${place}"));
        }
    }
    match &filter.types {
        Some(types) if types.is_empty() => return Ok(Vec::new()),
        Some(types) => {
            statement.push(" AND type IN ");
            statement = statement.list(types.iter().copied());
        }
        None => {}
    }
    let limit = statement.add(limit);
    statement.push(&format!(" ORDER BY seq LIMIT ${limit}"));
    db.all(statement).await
}

/// The number of the last event.
pub async fn last_seq(mut db: impl Run + Send) -> Result<i64> {
    match db.rows(sql("SELECT COALESCE(max(seq), 0) AS seq FROM events")).await?.first() {
        Some(row) => row.get("seq"),
        None => Ok(0),
    }
}

/// The number of the event of that id.
pub async fn seq_of(mut db: impl Run + Send, id: &str) -> Result<Option<i64>> {
    db.rows(sql("SELECT seq FROM events WHERE id = $1").bind(id)).await?.first().map(|row| row.get("seq")).transpose()
}

/// Which of the keys the account's facts have already.
pub async fn known_keys(mut db: impl Run + Send, account_id: &str, keys: &[&str]) -> Result<HashSet<String>> {
    if keys.is_empty() {
        return Ok(HashSet::new());
    }
    let mut statement =
        sql("SELECT dedupe_key FROM events WHERE account_id = $1 AND dedupe_key IN ").bind(account_id).list(keys.iter().copied());
    statement.push(" UNION SELECT dedupe_key FROM parked_facts WHERE account_id = $1 AND dedupe_key IN ");
    db.rows(statement.list(keys.iter().copied())).await?.iter().map(|row| row.get("dedupe_key")).collect()
}

/// The number of the first event that was appended at `since` or later, or of the next one where there is none yet.
pub async fn first_seq_since(mut db: impl Run + Send, since: At) -> Result<i64> {
    // Ids sort by when they were made, across nodes as well as their clocks agree: the first few make up for that.
    let statement =
        sql("SELECT min(seq) AS seq FROM (SELECT seq FROM events WHERE id >= $1 ORDER BY id LIMIT 100) after").bind(Ids::floor(since));
    let found: Option<i64> = match db.rows(statement).await?.first() {
        Some(row) => row.get("seq")?,
        None => None,
    };
    match found {
        Some(seq) => Ok(seq),
        None => Ok(last_seq(db).await? + 1),
    }
}

/// How many events of the organisation have at least that number; of all organisations where none is given.
pub async fn count_from(mut db: impl Run + Send, organization_id: Option<&str>, seq: i64) -> Result<i64> {
    let statement = match organization_id {
        Some(id) => sql("SELECT CAST(count(*) AS BIGINT) AS n FROM events WHERE seq >= $1 AND organization_id = $2").bind(seq).bind(id),
        None => sql("SELECT CAST(count(*) AS BIGINT) AS n FROM events WHERE seq >= $1").bind(seq),
    };
    match db.rows(statement).await?.first() {
        Some(row) => row.get("n"),
        None => Ok(0),
    }
}
