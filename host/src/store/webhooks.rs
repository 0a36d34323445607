//! Raw webhooks, as they came, and what became of them.

use ring::digest;
use serde_json::json;

use super::{
    Page, Record, Result, Row, Run, Statement, StoreError, Tx,
    bulk::{self, Values, values},
    db::written,
    sql,
};
use crate::{
    clock::At,
    domain::webhook::{AppWebhook, Delivery, Named, Request, Stray, Webhook, WebhookState},
    ids,
};

/// How far an id's time may run ahead of the time its row was received: clocks are set back.
const ID_AHEAD: std::time::Duration = std::time::Duration::from_secs(3600);

impl Record for Request {
    fn from_row(row: &Row) -> std::result::Result<Request, StoreError> {
        Ok(Request {
            method: row.get("method")?,
            path: row.get("path")?,
            query: row.json("query")?,
            headers: row.json("headers")?,
            body: row.get("body")?,
        })
    }
}

impl Record for Webhook {
    fn from_row(row: &Row) -> std::result::Result<Webhook, StoreError> {
        Ok(Webhook {
            id: row.get("id")?,
            account_id: row.get("account_id")?,
            organization_id: row.get("organization_id")?,
            received_at: row.at("received_at")?,
            verified_by: row.get("verified_by")?,
            shared: row.get("shared")?,
            request: Request::from_row(row)?,
        })
    }
}

impl Record for AppWebhook {
    fn from_row(row: &Row) -> std::result::Result<AppWebhook, StoreError> {
        Ok(AppWebhook {
            id: row.get("id")?,
            app_id: row.get("app_id")?,
            channel_type: row.get("type")?,
            received_at: row.at("received_at")?,
            verified_by: row.get("verified_by")?,
            request: Request::from_row(row)?,
        })
    }
}

/// What [`Delivery`] is read from; `w` and the plugin's version beside it.
const DELIVERY: &str =
    "SELECT w.id, w.account_id, w.app_id, w.shared, w.organization_id, w.type, w.external_id, w.received_at, w.method, w.path,
             w.verified_by, w.state, w.reason, w.events, CAST(length(w.body) AS BIGINT) AS size, w.deliveries, w.repeated_at,
             w.plugin_digest, p.version AS plugin_version, w.processed_at";
const DELIVERY_FROM: &str = " FROM webhooks w LEFT JOIN plugin_versions p ON p.digest = w.plugin_digest WHERE 1 = 1";

impl Record for Delivery {
    fn from_row(row: &Row) -> std::result::Result<Delivery, StoreError> {
        Ok(Delivery {
            id: row.get("id")?,
            channel_account_id: row.get("account_id")?,
            app_id: row.get("app_id")?,
            shared: row.get("shared")?,
            organization_id: row.get("organization_id")?,
            channel_type: row.get("type")?,
            external_id: row.get("external_id")?,
            received_at: row.at("received_at")?,
            method: row.get("method")?,
            path: row.get("path")?,
            verified_by: row.get("verified_by")?,
            state: row.word("state")?,
            reason: row.get("reason")?,
            events: row.get("events")?,
            size: row.get("size")?,
            deliveries: row.get("deliveries")?,
            repeated_at: row.at_option("repeated_at")?,
            plugin_digest: row.get("plugin_digest")?,
            plugin_version: row.get("plugin_version")?,
            processed_at: row.at_option("processed_at")?,
        })
    }
}

/// A delivery with what it holds.
pub struct Kept {
    pub delivery: Delivery,
    pub request: Request,
}

impl Record for Kept {
    fn from_row(row: &Row) -> std::result::Result<Kept, StoreError> {
        Ok(Kept { delivery: Delivery::from_row(row)?, request: Request::from_row(row)? })
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

/// Keeps webhooks with what became of each. One that waits is kept once however often it is delivered: the repetition is counted
/// on it.
pub async fn insert(tx: &mut Tx, webhooks: &[(&Webhook, &Disposition)]) -> Result<()> {
    const INSERT: &str = "INSERT INTO webhooks
       (id, account_id, organization_id, received_at, method, path, query, headers, body, verified_by, state, reason,
        plugin_digest, events, processed_at, request_hash, shared)";
    const REPEATED: &str = " ON CONFLICT (account_id, request_hash) WHERE state IN ('held', 'failed') DO UPDATE
       SET deliveries = webhooks.deliveries + 1, repeated_at = excluded.received_at, state = excluded.state,
           reason = excluded.reason, plugin_digest = excluded.plugin_digest";
    let waits = |disposition: &Disposition| matches!(disposition.state, WebhookState::Held | WebhookState::Failed);
    let (waiting, done): (Vec<_>, Vec<_>) = webhooks.iter().partition(|(_, disposition)| waits(disposition));
    bulk::write(tx, INSERT, done.into_iter().map(|(webhook, disposition)| values_of(webhook, disposition, None)).collect(), "").await?;
    for (webhook, disposition) in waiting {
        // Alone: one statement can't count two repetitions of the same.
        let row = values_of(webhook, disposition, Some(request_hash(&webhook.request)));
        bulk::write(tx, INSERT, vec![row], REPEATED).await?;
    }
    Ok(())
}

fn values_of(webhook: &Webhook, disposition: &Disposition, request_hash: Option<Vec<u8>>) -> Values {
    let request = &webhook.request;
    values![
        &webhook.id,
        &webhook.account_id,
        &webhook.organization_id,
        webhook.received_at,
        &request.method,
        &request.path,
        written(&request.query),
        written(&request.headers),
        request.body.as_slice(),
        webhook.verified_by.clone(),
        disposition.state.as_str(),
        disposition.reason.clone(),
        disposition.plugin_digest.clone(),
        disposition.events,
        (disposition.state == WebhookState::Processed).then_some(webhook.received_at),
        request_hash,
        webhook.shared,
    ]
}

/// Keeps a request that is an app's and no account's: it concerned none, or its plugin failed on it. One that failed is kept once
/// however often it is delivered.
pub async fn insert_of_app(tx: &mut Tx, webhook: &AppWebhook, disposition: &Disposition) -> Result<()> {
    let request = &webhook.request;
    let failed = disposition.state == WebhookState::Failed;
    let statement = sql("INSERT INTO webhooks
               (id, app_id, type, received_at, method, path, query, headers, body, verified_by, state, reason, plugin_digest, events,
                processed_at, request_hash, shared)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
             ON CONFLICT (app_id, request_hash) WHERE app_id IS NOT NULL AND state = 'failed' DO UPDATE
               SET deliveries = webhooks.deliveries + 1, repeated_at = excluded.received_at, reason = excluded.reason,
                   plugin_digest = excluded.plugin_digest")
    .bind(&webhook.id)
    .bind(&webhook.app_id)
    .bind(&webhook.channel_type)
    .bind(webhook.received_at)
    .bind(&request.method)
    .bind(&request.path)
    .bind(written(&request.query))
    .bind(written(&request.headers))
    .bind(request.body.as_slice())
    .bind(webhook.verified_by.clone())
    .bind(disposition.state.as_str())
    .bind(disposition.reason.clone())
    .bind(disposition.plugin_digest.clone())
    .bind(disposition.events)
    .bind((!failed).then_some(webhook.received_at))
    .bind(failed.then(|| request_hash(request)))
    .bind(true);
    tx.run(statement).await?;
    Ok(())
}

/// Oldest first, after the one named: what apps have of the type that the version may read. What it failed on itself isn't among it.
pub async fn list_failed_of_apps(
    mut db: impl Run + Send,
    channel_type: &str,
    plugin_digest: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<AppWebhook>> {
    let statement = sql("SELECT * FROM webhooks
             WHERE app_id IS NOT NULL AND state = 'failed' AND type = $1 AND id > $2 AND (plugin_digest IS NULL OR plugin_digest <> $3)
             ORDER BY id LIMIT $4")
    .bind(channel_type)
    .bind(after)
    .bind(plugin_digest)
    .bind(limit);
    db.all(statement).await
}

/// The types of which apps have requests that a plugin failed on.
pub async fn types_failed_of_apps(mut db: impl Run + Send) -> Result<Vec<String>> {
    let rows = db.rows(sql("SELECT DISTINCT type FROM webhooks WHERE app_id IS NOT NULL AND state = 'failed'")).await?;
    rows.iter().map(|row| row.get("type")).collect()
}

/// What came for the account before it was there: it waits as failed from now on. Answers how many there are.
pub async fn adopt_named(tx: &mut Tx, named: &Named, account_id: &str, organization_id: &str) -> Result<u64> {
    let statement = sql("UPDATE webhooks SET account_id = $3, organization_id = $4, state = 'failed', reason = $5
             WHERE state = 'quarantined' AND type = $1 AND external_id = $2")
    .bind(&named.channel_type)
    .bind(&named.external_id)
    .bind(account_id)
    .bind(organization_id)
    .bind("it came before the account was connected");
    tx.run(statement).await
}

/// Equal for the same request delivered again. Headers are left out: dates and delivery numbers stand there.
fn request_hash(request: &Request) -> Vec<u8> {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(json!([request.method, request.query]).to_string().as_bytes());
    hash.update(&request.body);
    hash.finish().as_ref().to_vec()
}

pub async fn set_disposition(tx: &mut Tx, id: &str, disposition: &Disposition, now: At) -> Result<()> {
    let processed = (disposition.state == WebhookState::Processed).then_some(now);
    let statement = sql("UPDATE webhooks SET state = $2, reason = $3, plugin_digest = $4, events = $5, processed_at = $6,
               request_hash = CASE WHEN $2 = 'processed' THEN NULL ELSE request_hash END
             WHERE id = $1")
    .bind(id)
    .bind(disposition.state.as_str())
    .bind(disposition.reason.clone())
    .bind(disposition.plugin_digest.clone())
    .bind(disposition.events)
    .bind(processed);
    tx.run(statement).await?;
    Ok(())
}

/// Keeps a request to no account that is there.
pub async fn quarantine(tx: &mut Tx, stray: &Stray) -> Result<()> {
    let request = &stray.request;
    let statement = sql("INSERT INTO webhooks
               (id, type, external_id, received_at, method, path, query, headers, body, verified_by, state, reason, shared, events)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0)")
    .bind(&stray.id)
    .bind(stray.named.as_ref().map(|named| named.channel_type.clone()))
    .bind(stray.named.as_ref().map(|named| named.external_id.clone()))
    .bind(stray.received_at)
    .bind(&request.method)
    .bind(&request.path)
    .bind(json!(request.query))
    .bind(json!(request.headers))
    .bind(request.body.clone())
    .bind(stray.verified_by.clone())
    .bind(WebhookState::Quarantined.as_str())
    .bind(&stray.reason)
    .bind(stray.shared);
    tx.run(statement).await?;
    Ok(())
}

/// Drops the oldest of those that came to unknown addresses, beyond `most`. Those that name an account come from a provider that
/// proved itself: no stranger can push them out.
pub async fn trim_quarantine(tx: &mut Tx, most: u32) -> Result<u64> {
    let statement = sql("DELETE FROM webhooks WHERE id IN (
               SELECT id FROM webhooks WHERE state = 'quarantined' AND type IS NULL ORDER BY id DESC LIMIT 1000 OFFSET $1)")
    .bind(most);
    tx.run(statement).await
}

/// Takes a request out of the quarantine, for an account: it waits there as failed. Answers false where somebody else did.
pub async fn adopt(tx: &mut Tx, id: &str, account_id: &str, organization_id: &str) -> Result<bool> {
    let statement = sql("UPDATE webhooks SET account_id = $2, organization_id = $3, state = 'failed', reason = $4
             WHERE id = $1 AND state = 'quarantined'")
    .bind(id)
    .bind(account_id)
    .bind(organization_id)
    .bind("taken from the quarantine by hand");
    Ok(tx.run(statement).await? > 0)
}

/// Counts requests to an account that was deleted, on one row without their content; `id` is for the first.
pub async fn count_ignored(tx: &mut Tx, id: &str, account_id: &str, organization_id: &str, count: i64, last: At) -> Result<()> {
    let statement = sql("INSERT INTO webhooks
               (id, account_id, organization_id, received_at, method, path, query, headers, body, state, reason, events, deliveries)
             VALUES ($1, $2, $3, $4, 'POST', $5, $6, $6, $7, 'ignored', 'the account was deleted', 0, $8)
             ON CONFLICT (account_id) WHERE state = 'ignored' DO UPDATE
               SET deliveries = webhooks.deliveries + excluded.deliveries, repeated_at = excluded.received_at")
    .bind(id)
    .bind(account_id)
    .bind(organization_id)
    .bind(last)
    .bind(format!("/webhooks/{account_id}"))
    .bind(json!([]))
    .bind(Vec::<u8>::new())
    .bind(count);
    tx.run(statement).await?;
    Ok(())
}

/// Oldest first, after the one named: the account's webhooks that a version may process. Those that it failed on itself aren't
/// among them: it would again.
pub async fn list_waiting(mut db: impl Run + Send, account_id: &str, plugin_digest: &str, after: &str, limit: u32) -> Result<Vec<Webhook>> {
    let statement = sql("SELECT * FROM webhooks
             WHERE account_id = $1 AND state IN ('held', 'failed') AND id > $2
               AND (state = 'held' OR plugin_digest IS NULL OR plugin_digest <> $3)
             ORDER BY id LIMIT $4")
    .bind(account_id)
    .bind(after)
    .bind(plugin_digest)
    .bind(limit);
    db.all(statement).await
}

/// Active accounts of the type that have webhooks waiting.
pub async fn accounts_waiting(mut db: impl Run + Send, channel_type: &str) -> Result<Vec<String>> {
    let statement = sql("SELECT a.id FROM channel_accounts a
             WHERE a.type = $1 AND a.is_active = $2 AND a.deleted_at IS NULL
               AND EXISTS (SELECT 1 FROM webhooks w WHERE w.account_id = a.id AND w.state IN ('held', 'failed'))
             ORDER BY a.id")
    .bind(channel_type)
    .bind(true);
    db.rows(statement).await?.iter().map(|row| row.get("id")).collect()
}

/// Which webhooks are meant.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub organization_id: Option<String>,
    pub account_id: Option<String>,
    pub state: Option<WebhookState>,
    /// Received then or later.
    pub since: Option<At>,
    /// Received before.
    pub until: Option<At>,
}

impl Filter {
    fn narrow(&self, statement: &mut Statement) {
        // The few that aren't processed have indexes of their own, which are known by these words.
        statement.push(match self.state {
            Some(WebhookState::Held | WebhookState::Failed) => " AND w.state IN ('held', 'failed')",
            Some(WebhookState::Quarantined) => " AND w.state = 'quarantined'",
            Some(WebhookState::Ignored) => " AND w.state = 'ignored'",
            Some(WebhookState::Processed) | None => "",
        });
        let state = self.state.map(|state| state.as_str().to_owned());
        for (column, value) in [("organization_id", &self.organization_id), ("account_id", &self.account_id), ("state", &state)] {
            if let Some(value) = value {
                let place = statement.add(value);
                statement.push(&format!(" AND w.{column} = ${place}"));
            }
        }
        // Ids sort by time: they bound what is read, the times say exactly what is meant.
        if let Some(since) = self.since {
            let (id, at) = (statement.add(ids::lowest_at(since)), statement.add(since));
            statement.push(&format!(" AND w.id >= ${id} AND w.received_at >= ${at}"));
        }
        if let Some(until) = self.until {
            let (id, at) = (statement.add(ids::lowest_at(until.plus(ID_AHEAD))), statement.add(until));
            statement.push(&format!(" AND w.id < ${id} AND w.received_at < ${at}"));
        }
    }
}

/// Newest first.
pub async fn list(mut db: impl Run + Send, filter: &Filter, page: &Page) -> Result<Vec<Delivery>> {
    let mut statement = sql(format!("{DELIVERY}{DELIVERY_FROM}"));
    filter.narrow(&mut statement);
    let (limit, offset) = (statement.add(page.limit), statement.add(page.offset));
    statement.push(&format!(" ORDER BY w.id DESC LIMIT ${limit} OFFSET ${offset}"));
    db.all(statement).await
}

pub async fn count(mut db: impl Run + Send, filter: &Filter) -> Result<i64> {
    let mut statement = sql("SELECT CAST(count(*) AS BIGINT) AS n FROM webhooks w WHERE 1 = 1");
    filter.narrow(&mut statement);
    match db.rows(statement).await?.first() {
        Some(row) => row.get("n"),
        None => Ok(0),
    }
}

pub async fn find(mut db: impl Run + Send, id: &str) -> Result<Option<Kept>> {
    let statement = sql(format!("{DELIVERY}, w.query, w.headers, w.body{DELIVERY_FROM} AND w.id = $1")).bind(id);
    db.optional(statement).await
}

/// The account's last webhooks that a plugin has read, or failed on: their ids, newest first.
pub async fn last_read(mut db: impl Run + Send, account_id: &str, limit: u32) -> Result<Vec<String>> {
    let statement = sql("SELECT id FROM webhooks WHERE account_id = $1 AND state IN ('processed', 'failed') ORDER BY id DESC LIMIT $2")
        .bind(account_id)
        .bind(limit);
    db.rows(statement).await?.iter().map(|row| row.get("id")).collect()
}

/// A webhook as it is processed.
pub async fn of_account(mut db: impl Run + Send, id: &str) -> Result<Option<Webhook>> {
    db.optional(sql("SELECT * FROM webhooks WHERE id = $1 AND account_id IS NOT NULL").bind(id)).await
}

/// A replay of many, on its way.
pub struct Replay {
    pub id: String,
    pub filter: Filter,
    /// The last webhook that was done.
    pub after: String,
}

impl Record for Replay {
    fn from_row(row: &Row) -> std::result::Result<Replay, StoreError> {
        let state: Option<String> = row.get("state")?;
        Ok(Replay {
            id: row.get("id")?,
            filter: Filter {
                organization_id: None,
                account_id: row.get("account_id")?,
                state: if state.is_some() { Some(row.word("state")?) } else { None },
                since: row.at_option("since")?,
                until: Some(row.at("until")?),
            },
            after: row.get("after")?,
        })
    }
}

/// Notes a replay of the account's webhooks that were received until then.
pub async fn insert_replay(tx: &mut Tx, id: &str, account_id: &str, filter: &Filter, until: At) -> Result<()> {
    let statement = sql("INSERT INTO webhook_replays (id, account_id, state, since, until, after) VALUES ($1, $2, $3, $4, $5, '')")
        .bind(id)
        .bind(account_id)
        .bind(filter.state.map(WebhookState::as_str))
        .bind(filter.since)
        .bind(until);
    tx.run(statement).await?;
    Ok(())
}

/// The account's replay that comes next.
pub async fn next_replay(mut db: impl Run + Send, account_id: &str) -> Result<Option<Replay>> {
    db.optional(sql("SELECT * FROM webhook_replays WHERE account_id = $1 ORDER BY id LIMIT 1").bind(account_id)).await
}

/// Oldest first: what the replay has still to do.
pub async fn list_replayed(mut db: impl Run + Send, replay: &Replay, limit: u32) -> Result<Vec<Webhook>> {
    let mut statement = sql("SELECT w.* FROM webhooks w WHERE w.id > $1 AND w.state <> 'ignored'").bind(&replay.after);
    replay.filter.narrow(&mut statement);
    let limit = statement.add(limit);
    statement.push(&format!(" ORDER BY w.id LIMIT ${limit}"));
    db.all(statement).await
}

/// The replay got that far.
pub async fn advance_replay(tx: &mut Tx, id: &str, after: &str) -> Result<()> {
    tx.run(sql("UPDATE webhook_replays SET after = $2 WHERE id = $1").bind(id).bind(after)).await?;
    Ok(())
}

pub async fn finish_replay(tx: &mut Tx, id: &str) -> Result<()> {
    tx.run(sql("DELETE FROM webhook_replays WHERE id = $1").bind(id)).await?;
    Ok(())
}
