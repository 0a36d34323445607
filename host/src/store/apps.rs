//! The operator's apps at providers, with their sealed secrets.

use serde_json::{Value, json};

use super::{Page, Record, Result, Row, Run, StoreError, Tx, secrets::SealedSecret, sql};
use crate::{clock::At, domain::provider_app::ProviderApp};

impl Record for ProviderApp {
    fn from_row(row: &Row) -> std::result::Result<ProviderApp, StoreError> {
        Ok(ProviderApp {
            id: row.get("id")?,
            name: row.get("name")?,
            types: row.json("types")?,
            client_id: row.get("client_id")?,
            settings: row.json("settings")?,
            data_key: row.get("data_key")?,
            created_at: row.at("created_at")?,
            updated_at: row.at("updated_at")?,
        })
    }
}

pub async fn insert(tx: &mut Tx, app: &ProviderApp) -> Result<()> {
    let statement = sql("INSERT INTO apps (id, name, types, client_id, settings, data_key, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7)")
    .bind(&app.id)
    .bind(&app.name)
    .bind(json!(app.types))
    .bind(&app.client_id)
    .bind(Value::Object(app.settings.clone()))
    .bind(app.data_key.clone())
    .bind(app.created_at);
    tx.run(statement).await?;
    Ok(())
}

/// Writes what may change of it.
pub async fn update(tx: &mut Tx, app: &ProviderApp) -> Result<()> {
    let statement = sql("UPDATE apps SET name = $2, types = $3, client_id = $4, settings = $5, updated_at = $6 WHERE id = $1")
        .bind(&app.id)
        .bind(&app.name)
        .bind(json!(app.types))
        .bind(&app.client_id)
        .bind(Value::Object(app.settings.clone()))
        .bind(app.updated_at);
    tx.run(statement).await?;
    Ok(())
}

pub async fn find(mut db: impl Run + Send, id: &str) -> Result<Option<ProviderApp>> {
    db.optional(sql("SELECT * FROM apps WHERE id = $1 AND deleted_at IS NULL").bind(id)).await
}

pub async fn list(mut db: impl Run + Send, page: &Page) -> Result<Vec<ProviderApp>> {
    let statement = sql("SELECT * FROM apps WHERE deleted_at IS NULL ORDER BY id DESC LIMIT $1 OFFSET $2");
    db.all(statement.bind(page.limit).bind(page.offset)).await
}

/// Every app: an operator has a handful.
pub async fn all(mut db: impl Run + Send) -> Result<Vec<ProviderApp>> {
    db.all(sql("SELECT * FROM apps WHERE deleted_at IS NULL ORDER BY id")).await
}

/// Marks it deleted; its secrets go at once.
pub async fn delete(tx: &mut Tx, id: &str, now: At) -> Result<()> {
    tx.run(sql("UPDATE apps SET deleted_at = $2, updated_at = $2 WHERE id = $1").bind(id).bind(now)).await?;
    tx.run(sql("DELETE FROM app_secrets WHERE app_id = $1").bind(id)).await?;
    Ok(())
}

/// How many accounts use the app, of each type.
pub async fn accounts_by_type(mut db: impl Run + Send, id: &str) -> Result<Vec<(String, i64)>> {
    let statement = sql("SELECT type, count(*) AS accounts FROM channel_accounts
             WHERE app_id = $1 AND deleted_at IS NULL GROUP BY type ORDER BY type")
    .bind(id);
    db.rows(statement).await?.iter().map(|row| Ok((row.get("type")?, row.get("accounts")?))).collect()
}

/// The ids of the accounts that use the app.
pub async fn account_ids(mut db: impl Run + Send, id: &str) -> Result<Vec<String>> {
    let statement = sql("SELECT id FROM channel_accounts WHERE app_id = $1 AND deleted_at IS NULL ORDER BY id").bind(id);
    db.rows(statement).await?.iter().map(|row| row.get("id")).collect()
}

pub async fn put_secret(tx: &mut Tx, app_id: &str, secret: &SealedSecret, now: At) -> Result<()> {
    let statement = sql("INSERT INTO app_secrets (app_id, name, sealed, last4, updated_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (app_id, name) DO UPDATE
               SET sealed = excluded.sealed, last4 = excluded.last4, updated_at = excluded.updated_at")
    .bind(app_id)
    .bind(&secret.name)
    .bind(secret.sealed.clone())
    .bind(&secret.last4)
    .bind(now);
    tx.run(statement).await?;
    Ok(())
}

pub async fn remove_secret(tx: &mut Tx, app_id: &str, name: &str) -> Result<()> {
    tx.run(sql("DELETE FROM app_secrets WHERE app_id = $1 AND name = $2").bind(app_id).bind(name)).await?;
    Ok(())
}

pub async fn secrets(mut db: impl Run + Send, app_id: &str) -> Result<Vec<SealedSecret>> {
    db.all(sql("SELECT name, sealed, last4 FROM app_secrets WHERE app_id = $1 ORDER BY name").bind(app_id)).await
}
