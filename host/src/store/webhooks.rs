//! Raw webhooks, as they came.

use super::{
    Record, Result, Row, Run, StoreError, Tx,
    bulk::{self, values},
    db::written,
    sql,
};
use crate::{
    clock::At,
    domain::webhook::{Webhook, WebhookState},
};

impl Record for Webhook {
    fn from_row(row: &Row) -> std::result::Result<Webhook, StoreError> {
        Ok(Webhook {
            id: row.get("id")?,
            account_id: row.get("account_id")?,
            received_at: row.at("received_at")?,
            method: row.get("method")?,
            path: row.get("path")?,
            query: row.json("query")?,
            headers: row.json("headers")?,
            body: row.get("body")?,
        })
    }
}

/// What became of a webhook.
#[derive(Debug, Clone)]
pub struct Disposition {
    pub state: WebhookState,
    pub reason: Option<String>,
    pub plugin_digest: Option<String>,
    pub events: u32,
}

/// Stores webhooks with what became of each.
pub async fn insert(tx: &mut Tx, webhooks: &[(&Webhook, &Disposition)]) -> Result<()> {
    const INSERT: &str = "INSERT INTO webhooks
       (id, account_id, received_at, method, path, query, headers, body, state, reason, plugin_digest, events, processed_at)";
    let rows = webhooks.iter().map(|(webhook, disposition)| {
        let processed_at = (disposition.state == WebhookState::Processed).then_some(webhook.received_at);
        values![
            &webhook.id,
            &webhook.account_id,
            webhook.received_at,
            &webhook.method,
            &webhook.path,
            written(&webhook.query),
            written(&webhook.headers),
            webhook.body.as_slice(),
            disposition.state.as_str(),
            disposition.reason.clone(),
            disposition.plugin_digest.clone(),
            disposition.events,
            processed_at,
        ]
    });
    bulk::write(tx, INSERT, rows.collect(), "").await?;
    Ok(())
}

pub async fn set_disposition(tx: &mut Tx, id: &str, disposition: &Disposition, now: At) -> Result<()> {
    let processed = (disposition.state == WebhookState::Processed).then_some(now);
    let statement = sql("UPDATE webhooks SET state = $2, reason = $3, plugin_digest = $4, events = $5, processed_at = $6 WHERE id = $1")
        .bind(id)
        .bind(disposition.state.as_str())
        .bind(disposition.reason.clone())
        .bind(disposition.plugin_digest.clone())
        .bind(disposition.events)
        .bind(processed);
    tx.run(statement).await?;
    Ok(())
}

/// Oldest first: the account's webhooks that wait, after the one named.
pub async fn list_waiting(mut db: impl Run + Send, account_id: &str, after: &str, limit: u32) -> Result<Vec<Webhook>> {
    let statement = sql("SELECT * FROM webhooks WHERE account_id = $1 AND state <> 'processed' AND id > $2 ORDER BY id LIMIT $3")
        .bind(account_id)
        .bind(after)
        .bind(limit);
    db.all(statement).await
}

/// Active accounts of the type that have webhooks waiting.
pub async fn accounts_waiting(mut db: impl Run + Send, channel_type: &str) -> Result<Vec<String>> {
    let statement = sql("SELECT DISTINCT a.id FROM channel_accounts a JOIN webhooks w ON w.account_id = a.id
             WHERE a.type = $1 AND a.is_active = $2 AND a.deleted_at IS NULL AND w.state <> 'processed'")
    .bind(channel_type)
    .bind(true);
    db.rows(statement).await?.iter().map(|row| row.get("id")).collect()
}
