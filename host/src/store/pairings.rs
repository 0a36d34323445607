//! Codes to scan of accounts that are being connected: one for each account.

use std::fmt;

use super::{Record, Result, Row, Run, StoreError, Tx, sql};
use crate::clock::At;

/// A pairing under way.
#[derive(Clone)]
pub struct Pairing {
    pub account_id: String,
    /// The API key that began; none where nobody did.
    pub begun_by: Option<String>,
    pub begun_at: At,
    /// Sealed under the account's data key; none once it has expired.
    pub code: Option<Vec<u8>>,
    pub expires_at: At,
    pub refreshes_left: u32,
}

impl fmt::Debug for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pairing").field("account_id", &self.account_id).field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl Record for Pairing {
    fn from_row(row: &Row) -> std::result::Result<Pairing, StoreError> {
        Ok(Pairing {
            account_id: row.get("account_id")?,
            begun_by: row.get("begun_by")?,
            begun_at: row.at("begun_at")?,
            code: row.get("code")?,
            expires_at: row.at("expires_at")?,
            refreshes_left: u32::try_from(row.get::<i64>("refreshes_left")?).unwrap_or(0),
        })
    }
}

/// Keeps it in place of what there was of the account.
pub async fn put(tx: &mut Tx, pairing: &Pairing) -> Result<()> {
    let statement = sql("INSERT INTO pairings (account_id, begun_by, begun_at, code, expires_at, refreshes_left)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (account_id) DO UPDATE
               SET begun_by = excluded.begun_by, begun_at = excluded.begun_at, code = excluded.code, expires_at = excluded.expires_at,
                   refreshes_left = excluded.refreshes_left")
    .bind(&pairing.account_id)
    .bind(pairing.begun_by.clone())
    .bind(pairing.begun_at)
    .bind(pairing.code.clone())
    .bind(pairing.expires_at)
    .bind(pairing.refreshes_left);
    tx.run(statement).await?;
    Ok(())
}

pub async fn find(mut db: impl Run + Send, account_id: &str) -> Result<Option<Pairing>> {
    db.optional(sql("SELECT * FROM pairings WHERE account_id = $1").bind(account_id)).await
}

/// Forgets the code, not who began.
pub async fn drop_code(tx: &mut Tx, account_id: &str) -> Result<()> {
    tx.run(sql("UPDATE pairings SET code = NULL WHERE account_id = $1").bind(account_id)).await?;
    Ok(())
}

pub async fn remove(tx: &mut Tx, account_id: &str) -> Result<()> {
    tx.run(sql("DELETE FROM pairings WHERE account_id = $1").bind(account_id)).await?;
    Ok(())
}

/// Drops the codes that nobody can use any more.
pub async fn drop_expired_codes(tx: &mut Tx, now: At) -> Result<u64> {
    tx.run(sql("UPDATE pairings SET code = NULL WHERE code IS NOT NULL AND expires_at <= $1").bind(now)).await
}
