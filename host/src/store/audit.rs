//! Who did what: one row for each change that somebody made, in the transaction that made it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Record, Result, Row, Run, StoreError, Tx, sql};
use crate::{
    clock::At,
    domain::actor::{Actor, ActorKind},
};

/// A change that somebody made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
pub struct Entry {
    pub id: String,
    pub at: At,
    pub actor: Actor,
    /// Like `plugin.approve`: the kind of thing, then the verb.
    pub action: String,
    pub subject_kind: String,
    pub subject_id: String,
    /// None: the operator's.
    pub organization_id: Option<String>,
    pub detail: Value,
}

impl Record for Entry {
    fn from_row(row: &Row) -> std::result::Result<Entry, StoreError> {
        Ok(Entry {
            id: row.get("id")?,
            at: row.at("at")?,
            actor: Actor { kind: row.word("actor_kind")?, id: row.get("actor_id")?, name: row.get("actor_name")? },
            action: row.get("action")?,
            subject_kind: row.get("subject_kind")?,
            subject_id: row.get("subject_id")?,
            organization_id: row.get("organization_id")?,
            detail: row.json("detail")?,
        })
    }
}

pub async fn record(tx: &mut Tx, entry: &Entry) -> Result<()> {
    let statement = sql("INSERT INTO audit_log
               (id, at, actor_kind, actor_id, actor_name, action, subject_kind, subject_id, organization_id, detail)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
    .bind(&entry.id)
    .bind(entry.at)
    .bind(entry.actor.kind.as_str())
    .bind(entry.actor.id.clone())
    .bind(&entry.actor.name)
    .bind(&entry.action)
    .bind(&entry.subject_kind)
    .bind(&entry.subject_id)
    .bind(entry.organization_id.clone())
    .bind(entry.detail.clone());
    tx.run(statement).await?;
    Ok(())
}

/// Which entries a list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub organization_id: Option<String>,
    pub actor_kind: Option<ActorKind>,
    pub actor_id: Option<String>,
    /// One action, or all of a kind: `plugin.`
    pub action: Option<String>,
    pub subject_kind: Option<String>,
    pub subject_id: Option<String>,
    /// From this moment on.
    pub since: Option<At>,
    /// Before this moment.
    pub until: Option<At>,
    /// Older than this entry: the last of the page before.
    pub before: Option<String>,
}

/// Newest first.
pub async fn list(mut db: impl Run + Send, filter: &Filter, limit: u32) -> Result<Vec<Entry>> {
    let mut statement = sql("SELECT * FROM audit_log WHERE 1 = 1");
    let actor_kind = filter.actor_kind.map(|kind| kind.as_str().to_owned());
    let texts = [
        ("organization_id =", &filter.organization_id),
        ("actor_kind =", &actor_kind),
        ("actor_id =", &filter.actor_id),
        ("subject_kind =", &filter.subject_kind),
        ("subject_id =", &filter.subject_id),
        ("id <", &filter.before),
    ];
    for (comparison, value) in texts {
        if let Some(value) = value {
            let place = statement.add(value);
            statement.push(&format!(" AND {comparison} ${place}"));
        }
    }
    if let Some(action) = &filter.action {
        let place = statement.add(action);
        if action.ends_with('.') {
            statement.push(&format!(" AND substr(action, 1, length(${place})) = ${place}"));
        } else {
            statement.push(&format!(" AND action = ${place}"));
        }
    }
    for (comparison, value) in [("at >=", filter.since), ("at <", filter.until)] {
        if let Some(value) = value {
            let place = statement.add(value);
            statement.push(&format!(" AND {comparison} ${place}"));
        }
    }
    let limit = statement.add(limit);
    // Ids sort by when they were made.
    statement.push(&format!(" ORDER BY id DESC LIMIT ${limit}"));
    db.all(statement).await
}
