//! Sealed secrets of accounts. What is stored can't be opened without the master key.

use super::{Record, Result, Row, Run, StoreError, Tx, sql};
use crate::clock::At;

/// A secret as it is kept.
#[derive(Debug, Clone)]
pub struct SealedSecret {
    pub name: String,
    pub sealed: Vec<u8>,
    pub last4: String,
}

impl Record for SealedSecret {
    fn from_row(row: &Row) -> std::result::Result<SealedSecret, StoreError> {
        Ok(SealedSecret { name: row.get("name")?, sealed: row.get("sealed")?, last4: row.get("last4")? })
    }
}

pub async fn put(tx: &mut Tx, account_id: &str, secret: &SealedSecret, now: At) -> Result<()> {
    let statement = sql("INSERT INTO account_secrets (account_id, name, sealed, last4, updated_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (account_id, name) DO UPDATE
               SET sealed = excluded.sealed, last4 = excluded.last4, updated_at = excluded.updated_at")
    .bind(account_id)
    .bind(&secret.name)
    .bind(secret.sealed.clone())
    .bind(&secret.last4)
    .bind(now);
    tx.run(statement).await?;
    Ok(())
}

pub async fn remove(tx: &mut Tx, account_id: &str, name: &str) -> Result<()> {
    tx.run(sql("DELETE FROM account_secrets WHERE account_id = $1 AND name = $2").bind(account_id).bind(name)).await?;
    Ok(())
}

pub async fn remove_all(tx: &mut Tx, account_id: &str) -> Result<()> {
    tx.run(sql("DELETE FROM account_secrets WHERE account_id = $1").bind(account_id)).await?;
    Ok(())
}

pub async fn list(mut db: impl Run + Send, account_id: &str) -> Result<Vec<SealedSecret>> {
    db.all(sql("SELECT name, sealed, last4 FROM account_secrets WHERE account_id = $1 ORDER BY name").bind(account_id)).await
}

/// A secret's name and last characters, for each of the accounts of a list.
pub async fn hints(mut db: impl Run + Send, account_ids: &[String]) -> Result<Vec<(String, String, String)>> {
    struct Hint(String, String, String);
    impl Record for Hint {
        fn from_row(row: &Row) -> std::result::Result<Hint, StoreError> {
            Ok(Hint(row.get("account_id")?, row.get("name")?, row.get("last4")?))
        }
    }
    if account_ids.is_empty() {
        return Ok(Vec::new());
    }
    let statement =
        sql("SELECT account_id, name, last4 FROM account_secrets WHERE account_id IN ").list(account_ids.iter().map(String::as_str));
    Ok(db.all::<Hint>(statement).await?.into_iter().map(|Hint(account, name, last4)| (account, name, last4)).collect())
}
