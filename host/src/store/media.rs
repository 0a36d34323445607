//! What is known of the files that the gateway keeps; the bytes are in the blob store.

use serde::Serialize;

use super::{Record, Result, Row, Run, StoreError, Tx, sql};
use crate::clock::At;

#[derive(Debug, Clone, Serialize)]
pub struct MediaFile {
    pub id: String,
    pub organization_id: String,
    pub file_name: Option<String>,
    pub mime_type: String,
    /// Bytes.
    pub size: i64,
    pub created_at: At,
}

impl Record for MediaFile {
    fn from_row(row: &Row) -> std::result::Result<MediaFile, StoreError> {
        Ok(MediaFile {
            id: row.get("id")?,
            organization_id: row.get("organization_id")?,
            file_name: row.get("file_name")?,
            mime_type: row.get("mime_type")?,
            size: row.get("size")?,
            created_at: row.at("created_at")?,
        })
    }
}

pub async fn insert(tx: &mut Tx, file: &MediaFile) -> Result<()> {
    let statement = sql("INSERT INTO media (id, organization_id, file_name, mime_type, size, created_at) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(&file.id)
        .bind(&file.organization_id)
        .bind(file.file_name.clone())
        .bind(&file.mime_type)
        .bind(file.size)
        .bind(file.created_at);
    tx.run(statement).await?;
    Ok(())
}

pub async fn find(mut db: impl Run + Send, id: &str) -> Result<Option<MediaFile>> {
    db.optional(sql("SELECT * FROM media WHERE id = $1").bind(id)).await
}

/// The blob of a provider's file that was fetched before.
pub async fn find_fetched(mut db: impl Run + Send, account_id: &str, reference: &str) -> Result<Option<String>> {
    let statement = sql("SELECT blob_id FROM fetched_media WHERE account_id = $1 AND provider_ref = $2").bind(account_id).bind(reference);
    db.rows(statement).await?.first().map(|row| row.get("blob_id")).transpose()
}

pub async fn put_fetched(tx: &mut Tx, account_id: &str, reference: &str, blob_id: &str, now: At) -> Result<()> {
    let statement = sql("INSERT INTO fetched_media (account_id, provider_ref, blob_id, fetched_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (account_id, provider_ref) DO UPDATE SET blob_id = excluded.blob_id, fetched_at = excluded.fetched_at")
    .bind(account_id)
    .bind(reference)
    .bind(blob_id)
    .bind(now);
    tx.run(statement).await?;
    Ok(())
}
