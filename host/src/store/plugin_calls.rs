//! Records of plugins' calls that failed.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Page, Record, Result, Row, Run, StoreError, Tx, sql};
use crate::clock::At;

/// A record as a list shows it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "FailedCall")]
pub struct Kept {
    pub id: String,
    pub at: At,
    #[serde(rename = "type")]
    pub channel_type: String,
    pub version: String,
    pub digest: String,
    #[serde(rename = "channel_account_id")]
    pub account_id: Option<String>,
    pub organization_id: Option<String>,
    pub hook: String,
    /// `trap`, `deadline`, `failure.fault`, …
    pub outcome: String,
    pub text: String,
    /// Bytes of the record.
    pub size: i64,
}

impl Record for Kept {
    fn from_row(row: &Row) -> std::result::Result<Kept, StoreError> {
        Ok(Kept {
            id: row.get("id")?,
            at: row.at("at")?,
            channel_type: row.get("type")?,
            version: row.get("version")?,
            digest: row.get("digest")?,
            account_id: row.get("account_id")?,
            organization_id: row.get("organization_id")?,
            hook: row.get("hook")?,
            outcome: row.get("outcome")?,
            text: row.get("text")?,
            size: row.get("size")?,
        })
    }
}

/// Every column but the record itself.
const COLUMNS: &str = "id, at, type, version, digest, account_id, organization_id, hook, outcome, text, size";

/// `record` is the whole of it, as JSON.
pub async fn insert(tx: &mut Tx, kept: &Kept, record: &str) -> Result<()> {
    let statement = sql("INSERT INTO plugin_calls
         (id, at, type, version, digest, account_id, organization_id, hook, outcome, text, size, record)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)")
    .bind(&kept.id)
    .bind(kept.at)
    .bind(&kept.channel_type)
    .bind(&kept.version)
    .bind(&kept.digest)
    .bind(kept.account_id.clone())
    .bind(kept.organization_id.clone())
    .bind(&kept.hook)
    .bind(&kept.outcome)
    .bind(&kept.text)
    .bind(kept.size)
    .bind(record);
    tx.run(statement).await?;
    Ok(())
}

/// Leaves the newest `most` of a type's version; answers how many went.
pub async fn trim(tx: &mut Tx, channel_type: &str, version: &str, most: u32) -> Result<u64> {
    let statement = sql("DELETE FROM plugin_calls WHERE type = $1 AND version = $2 AND id NOT IN (
               SELECT id FROM plugin_calls WHERE type = $1 AND version = $2 ORDER BY id DESC LIMIT $3)")
    .bind(channel_type)
    .bind(version)
    .bind(most);
    tx.run(statement).await
}

/// Which records a list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub channel_type: Option<String>,
    pub version: Option<String>,
    pub digest: Option<String>,
    pub account_id: Option<String>,
    pub hook: Option<String>,
    /// Older than this one.
    pub before: Option<String>,
}

/// Newest first.
pub async fn list(mut db: impl Run + Send, filter: &Filter, page: &Page) -> Result<Vec<Kept>> {
    let mut statement = sql(format!("SELECT {COLUMNS} FROM plugin_calls WHERE 1 = 1"));
    let texts = [
        ("type =", &filter.channel_type),
        ("version =", &filter.version),
        ("digest =", &filter.digest),
        ("account_id =", &filter.account_id),
        ("hook =", &filter.hook),
        ("id <", &filter.before),
    ];
    for (comparison, value) in texts {
        if let Some(value) = value {
            let place = statement.add(value);
            statement.push(&format!(" AND {comparison} ${place}"));
        }
    }
    let limit = statement.add(page.limit);
    let offset = statement.add(page.offset);
    statement.push(&format!(" ORDER BY id DESC LIMIT ${limit} OFFSET ${offset}"));
    db.all(statement).await
}

/// The whole record, as JSON.
pub async fn record(mut db: impl Run + Send, id: &str) -> Result<Option<String>> {
    match db.rows(sql("SELECT record FROM plugin_calls WHERE id = $1").bind(id)).await?.first() {
        Some(row) => row.get("record"),
        None => Ok(None),
    }
}

/// Forgets records from before `before`, `limit` at most; answers how many.
pub async fn prune(tx: &mut Tx, before: At, limit: u32) -> Result<u64> {
    let statement = sql("DELETE FROM plugin_calls WHERE id IN (SELECT id FROM plugin_calls WHERE at < $1 ORDER BY at, id LIMIT $2)")
        .bind(before)
        .bind(limit);
    tx.run(statement).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Db;

    const START: i64 = 1_764_000_000_000_000;

    fn kept(n: i64) -> Kept {
        Kept {
            id: format!("{n:04}"),
            at: At::from_micros(START + n),
            channel_type: "PIGEON".to_owned(),
            version: format!("1.0.{}", n % 2),
            digest: format!("d{}", n % 2),
            account_id: (n % 3 > 0).then(|| format!("account-{}", n % 3)),
            organization_id: None,
            hook: if n % 5 == 0 { "send" } else { "parse" }.to_owned(),
            outcome: "trap".to_owned(),
            text: "unreachable".to_owned(),
            size: 2,
        }
    }

    async fn filled() -> (tempfile::TempDir, Db) {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open_sqlite(&folder.path().join("test.db"), 2).await.unwrap();
        db.migrate().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        for n in 0..30 {
            insert(&mut tx, &kept(n), "{}").await.unwrap();
        }
        tx.commit().await.unwrap();
        (folder, db)
    }

    async fn ids(db: &Db, filter: Filter) -> Vec<String> {
        let rows = list(db, &filter, &Page { limit: 1000, offset: 0 }).await.unwrap();
        rows.into_iter().map(|kept| kept.id).collect()
    }

    #[tokio::test]
    async fn filters_narrow_together_and_a_page_goes_on_where_the_last_ended() {
        let (_folder, db) = filled().await;
        let filter = Filter {
            channel_type: Some("PIGEON".to_owned()),
            version: Some("1.0.0".to_owned()),
            digest: Some("d0".to_owned()),
            account_id: Some("account-1".to_owned()),
            hook: Some("parse".to_owned()),
            before: Some("0028".to_owned()),
        };
        // Even, 1 modulo 3, no multiple of 5, below 28.
        assert_eq!(ids(&db, filter).await, ["0022", "0016", "0004"]);
        let all = list(&db, &Filter::default(), &Page { limit: 2, offset: 0 }).await.unwrap();
        assert_eq!(all, [kept(29), kept(28)]);
        assert_eq!(record(&db, "0004").await.unwrap().as_deref(), Some("{}"));
        assert_eq!(record(&db, "none").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_version_has_no_more_than_its_share_and_what_is_old_goes() {
        let (_folder, db) = filled().await;
        let mut tx = db.begin().await.unwrap();
        assert_eq!(trim(&mut tx, "PIGEON", "1.0.0", 3).await.unwrap(), 12);
        assert_eq!(prune(&mut tx, At::from_micros(START + 10), 4).await.unwrap(), 4);
        assert_eq!(prune(&mut tx, At::from_micros(START + 10), 4).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let of = |version: &str| Filter { version: Some(version.to_owned()), ..Filter::default() };
        assert_eq!(ids(&db, of("1.0.0")).await, ["0028", "0026", "0024"]);
        assert_eq!(ids(&db, of("1.0.1")).await.last().map(String::as_str), Some("0011"));
    }
}
