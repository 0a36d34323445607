//! Channel accounts.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Record, Result, Row, Run, StoreError, Tx, sql};
use crate::{
    clock::At,
    domain::account::{Account, HealthReport, Standing, WebhookToken},
};

impl Record for Account {
    fn from_row(row: &Row) -> std::result::Result<Account, StoreError> {
        Ok(Account {
            id: row.get("id")?,
            organization_id: row.get("organization_id")?,
            channel_type: row.get("type")?,
            name: row.get("name")?,
            settings: row.json("settings")?,
            app_id: row.get("app_id")?,
            is_active: row.get("is_active")?,
            standing: Standing {
                connection: row.word("connection")?,
                reason_code: row.get("reason_code")?,
                reason: row.get("reason")?,
                user_action: row.get("user_action")?,
            },
            external_id: row.get("external_id")?,
            display_name: row.get("display_name")?,
            facts: row.json("facts")?,
            connect_state: row.get("connect_state")?,
            connect_prompt: row.json_option("connect_prompt")?,
            data_key: row.get("data_key")?,
            health: row.json_option("health")?,
            health_at: row.at_option("health_at")?,
            webhook_refusals: row.get("webhook_refusals")?,
            last_refused_at: row.at_option("last_refused_at")?,
            poll_cursor: row.get("poll_cursor")?,
            created_at: row.at("created_at")?,
            updated_at: row.at("updated_at")?,
            connected_at: row.at_option("connected_at")?,
            oauth_expires_at: row.at_option("oauth_expires_at")?,
            oauth_refresh_expires_at: row.at_option("oauth_refresh_expires_at")?,
            oauth_renewed_at: row.at_option("oauth_renewed_at")?,
            webhook_token: row.get::<Option<String>>("webhook_token")?.map(WebhookToken),
        })
    }
}

pub async fn insert(tx: &mut Tx, account: &Account) -> Result<()> {
    let statement = sql("INSERT INTO channel_accounts
               (id, organization_id, type, name, settings, is_active, connection, reason_code, reason, user_action,
                facts, data_key, webhook_refusals, created_at, updated_at, app_id, webhook_token)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13, $13, $14, $15)")
    .bind(&account.id)
    .bind(&account.organization_id)
    .bind(&account.channel_type)
    .bind(&account.name)
    .bind(Value::Object(account.settings.clone()))
    .bind(account.is_active)
    .bind(account.standing.connection.as_str())
    .bind(account.standing.reason_code.clone())
    .bind(account.standing.reason.clone())
    .bind(account.standing.user_action.clone())
    .bind(account.facts.clone())
    .bind(account.data_key.clone())
    .bind(account.created_at)
    .bind(account.app_id.clone())
    .bind(account.webhook_token.as_ref().map(|token| token.0.clone()));
    tx.run(statement).await?;
    Ok(())
}

pub async fn find(mut db: impl Run + Send, id: &str) -> Result<Option<Account>> {
    db.optional(sql("SELECT * FROM channel_accounts WHERE id = $1 AND deleted_at IS NULL").bind(id)).await
}

/// The type's last accounts, newest first.
pub async fn last_of_type(mut db: impl Run + Send, channel_type: &str, limit: u32) -> Result<Vec<Account>> {
    let statement = sql("SELECT * FROM channel_accounts WHERE type = $1 AND deleted_at IS NULL ORDER BY id DESC LIMIT $2")
        .bind(channel_type)
        .bind(limit);
    db.all(statement).await
}

/// What a client changes; none stays as it is.
pub struct Change<'a> {
    pub name: Option<&'a String>,
    pub settings: Option<&'a Map<String, Value>>,
    pub is_active: Option<bool>,
}

pub async fn update(tx: &mut Tx, id: &str, change: &Change<'_>, now: At) -> Result<()> {
    let statement = sql("UPDATE channel_accounts
             SET name = COALESCE($2, name), settings = COALESCE($3, settings), is_active = COALESCE($4, is_active), updated_at = $5
             WHERE id = $1")
    .bind(id)
    .bind(change.name.cloned())
    .bind(change.settings.map(|settings| Value::Object(settings.clone())))
    .bind(change.is_active)
    .bind(now);
    tx.run(statement).await?;
    Ok(())
}

/// The app that the account goes through from now on.
pub async fn set_app(tx: &mut Tx, id: &str, app_id: Option<&str>, now: At) -> Result<()> {
    tx.run(sql("UPDATE channel_accounts SET app_id = $2, updated_at = $3 WHERE id = $1").bind(id).bind(app_id).bind(now)).await?;
    Ok(())
}

/// Takes away all that is told of the account at the provider.
pub async fn clear_facts(tx: &mut Tx, id: &str, now: At) -> Result<()> {
    tx.run(sql("UPDATE channel_accounts SET facts = $2, updated_at = $3 WHERE id = $1").bind(id).bind(json!({})).bind(now)).await?;
    Ok(())
}

/// Takes away what the user was asked for; the dialogue's state stays.
pub async fn clear_prompt(tx: &mut Tx, id: &str) -> Result<()> {
    tx.run(sql("UPDATE channel_accounts SET connect_prompt = NULL WHERE id = $1").bind(id)).await?;
    Ok(())
}

pub async fn set_standing(tx: &mut Tx, id: &str, standing: &Standing, now: At) -> Result<()> {
    let statement = sql("UPDATE channel_accounts
             SET connection = $2, reason_code = $3, reason = $4, user_action = $5, updated_at = $6 WHERE id = $1")
    .bind(id)
    .bind(standing.connection.as_str())
    .bind(standing.reason_code.clone())
    .bind(standing.reason.clone())
    .bind(standing.user_action.clone())
    .bind(now);
    tx.run(statement).await?;
    Ok(())
}

/// What `connect` has told about the account at the provider.
pub struct Linked<'a> {
    pub external_id: &'a str,
    pub display_name: &'a str,
    pub facts: Value,
    pub settings: &'a Map<String, Value>,
}

/// # Errors
/// [`StoreError::Conflict`] when another account of the type has that external id.
pub async fn set_linked(tx: &mut Tx, id: &str, linked: &Linked<'_>, now: At) -> Result<()> {
    let statement = sql("UPDATE channel_accounts
             SET external_id = $2, display_name = $3, facts = $4, settings = $5, connected_at = $6, updated_at = $6 WHERE id = $1")
    .bind(id)
    .bind(linked.external_id)
    .bind(linked.display_name)
    .bind(linked.facts.clone())
    .bind(Value::Object(linked.settings.clone()))
    .bind(now);
    tx.run(statement).await?;
    Ok(())
}

/// The account's place at the provider becomes free.
pub async fn set_unlinked(tx: &mut Tx, id: &str, now: At) -> Result<()> {
    tx.run(sql("UPDATE channel_accounts SET external_id = NULL, updated_at = $2 WHERE id = $1").bind(id).bind(now)).await?;
    Ok(())
}

/// The accounts of the type that a provider means by these names: their external ids, or routes of theirs. Each name with the
/// account's id; a route may be several accounts'.
pub async fn find_named(mut db: impl Run + Send, channel_type: &str, names: &BTreeSet<&str>) -> Result<Vec<(String, String)>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement =
        sql("SELECT external_id AS name, id FROM channel_accounts WHERE type = $1 AND deleted_at IS NULL AND external_id IN ")
            .bind(channel_type)
            .list(names.iter().copied());
    statement.push(" UNION SELECT route AS name, account_id AS id FROM account_routes WHERE channel_type = $1 AND route IN ");
    let rows = db.rows(statement.list(names.iter().copied())).await?;
    rows.iter().map(|row| Ok((row.get("name")?, row.get("id")?))).collect()
}

/// Whose account of the type holds this external id.
pub async fn find_by_external_id(mut db: impl Run + Send, channel_type: &str, external_id: &str) -> Result<Option<Account>> {
    let statement = sql("SELECT * FROM channel_accounts WHERE type = $1 AND external_id = $2 AND deleted_at IS NULL")
        .bind(channel_type)
        .bind(external_id);
    db.optional(statement).await
}

pub async fn set_connect_progress(tx: &mut Tx, id: &str, state: Option<Vec<u8>>, prompt: Option<Value>) -> Result<()> {
    let statement =
        sql("UPDATE channel_accounts SET connect_state = $2, connect_prompt = $3 WHERE id = $1").bind(id).bind(state).bind(prompt);
    tx.run(statement).await?;
    Ok(())
}

/// Puts facts in place of the account's of the same names. The transaction has to be an ordered one: nobody else changes them
/// meanwhile.
pub async fn put_facts(tx: &mut Tx, id: &str, facts: &Map<String, Value>, now: At) -> Result<()> {
    if facts.is_empty() {
        return Ok(());
    }
    let Some(account) = find(&mut *tx, id).await? else { return Ok(()) };
    let mut merged = account.facts.as_object().cloned().unwrap_or_default();
    merged.extend(facts.clone());
    if account.facts.as_object() != Some(&merged) {
        let statement = sql("UPDATE channel_accounts SET facts = $2, updated_at = $3 WHERE id = $1").bind(id);
        tx.run(statement.bind(Value::Object(merged)).bind(now)).await?;
    }
    Ok(())
}

pub async fn set_health(tx: &mut Tx, id: &str, report: &HealthReport, now: At) -> Result<()> {
    let statement = sql("UPDATE channel_accounts SET health = $2, health_at = $3 WHERE id = $1").bind(id).bind(json!(report)).bind(now);
    tx.run(statement).await?;
    Ok(())
}

pub async fn set_poll_cursor(tx: &mut Tx, id: &str, cursor: Option<Vec<u8>>) -> Result<()> {
    tx.run(sql("UPDATE channel_accounts SET poll_cursor = $2 WHERE id = $1").bind(id).bind(cursor)).await?;
    Ok(())
}

/// Counts webhooks that failed their verification.
pub async fn count_refusals(tx: &mut Tx, id: &str, count: i64, last: At) -> Result<()> {
    let statement = sql("UPDATE channel_accounts SET webhook_refusals = webhook_refusals + $2, last_refused_at = $3 WHERE id = $1")
        .bind(id)
        .bind(count)
        .bind(last);
    tx.run(statement).await?;
    Ok(())
}

/// Whose the account was, where it was deleted.
pub async fn find_deleted(mut db: impl Run + Send, id: &str) -> Result<Option<String>> {
    let statement = sql("SELECT organization_id FROM channel_accounts WHERE id = $1 AND deleted_at IS NOT NULL").bind(id);
    db.rows(statement).await?.first().map(|row| row.get("organization_id")).transpose()
}

/// Marks the account deleted; its history stays, its place at the provider becomes free.
pub async fn delete(tx: &mut Tx, id: &str, now: At) -> Result<()> {
    let statement = sql("UPDATE channel_accounts
             SET deleted_at = $2, updated_at = $2, is_active = $3, connect_state = NULL, connect_prompt = NULL WHERE id = $1")
    .bind(id)
    .bind(now)
    .bind(false);
    tx.run(statement).await?;
    Ok(())
}
