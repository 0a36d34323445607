//! Accounts' logs.

use super::{
    Page, Record, Result, Row, Run, StoreError, Tx,
    bulk::{self, values},
    db::written,
    sql,
};
use crate::{
    clock::At,
    domain::log::{LogEntry, LogKind, LogLevel, Note},
};

impl Record for LogEntry {
    fn from_row(row: &Row) -> std::result::Result<LogEntry, StoreError> {
        Ok(LogEntry {
            id: row.get("id")?,
            at: row.at("at")?,
            note: Note {
                organization_id: row.get("organization_id")?,
                account_id: row.get("account_id")?,
                kind: row.word("kind")?,
                level: row.word("level")?,
                code: row.get("code")?,
                message: row.get("message")?,
                details: row.json("details")?,
                message_id: row.get("message_id")?,
                webhook_id: row.get("webhook_id")?,
                plugin_digest: row.get("plugin_digest")?,
            },
        })
    }
}

/// Writes the entries, many with each statement.
pub async fn insert(tx: &mut Tx, entries: &[LogEntry]) -> Result<()> {
    const INSERT: &str = "INSERT INTO account_logs
       (id, organization_id, account_id, at, kind, level, code, message, details, message_id, webhook_id, plugin_digest)";
    let rows = entries.iter().map(|LogEntry { id, at, note }| {
        values![
            id,
            &note.organization_id,
            &note.account_id,
            *at,
            note.kind.as_str(),
            note.level.as_str(),
            &note.code,
            &note.message,
            written(&note.details),
            note.message_id.clone(),
            note.webhook_id.clone(),
            note.plugin_digest.clone(),
        ]
    });
    bulk::write(tx, INSERT, rows.collect(), "").await?;
    Ok(())
}

/// Which entries a list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub organization_id: Option<String>,
    pub account_id: Option<String>,
    /// Any of them; all where empty.
    pub kinds: Vec<LogKind>,
    /// Any of them; all where empty.
    pub levels: Vec<LogLevel>,
    pub message_id: Option<String>,
    /// From this moment on.
    pub since: Option<At>,
    /// Before this moment.
    pub until: Option<At>,
}

/// Newest first.
pub async fn list(mut db: impl Run + Send, filter: &Filter, page: &Page) -> Result<Vec<LogEntry>> {
    let mut statement = sql("SELECT * FROM account_logs WHERE 1 = 1");
    let texts = [("organization_id", &filter.organization_id), ("account_id", &filter.account_id), ("message_id", &filter.message_id)];
    for (column, value) in texts {
        if let Some(value) = value {
            let place = statement.add(value);
            statement.push(&format!(" AND {column} = ${place}"));
        }
    }
    for (comparison, value) in [("at >=", filter.since), ("at <", filter.until)] {
        if let Some(value) = value {
            let place = statement.add(value);
            statement.push(&format!(" AND {comparison} ${place}"));
        }
    }
    if !filter.kinds.is_empty() {
        statement.push(" AND kind IN ");
        statement = statement.list(filter.kinds.iter().map(|kind| kind.as_str()));
    }
    if !filter.levels.is_empty() {
        statement.push(" AND level IN ");
        statement = statement.list(filter.levels.iter().map(|level| level.as_str()));
    }
    let limit = statement.add(page.limit);
    let offset = statement.add(page.offset);
    statement.push(&format!(" ORDER BY at DESC, id DESC LIMIT ${limit} OFFSET ${offset}"));
    db.all(statement).await
}

/// Forgets entries from before `before`, `limit` at most; answers how many.
pub async fn prune(tx: &mut Tx, before: At, limit: u32) -> Result<u64> {
    let statement = sql("DELETE FROM account_logs WHERE id IN (SELECT id FROM account_logs WHERE at < $1 ORDER BY at, id LIMIT $2)")
        .bind(before)
        .bind(limit);
    tx.run(statement).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Db;

    const START: i64 = 1_764_000_000_000_000;

    fn entry(n: i64) -> LogEntry {
        let level = if n % 2 == 0 { LogLevel::Info } else { LogLevel::Warn };
        let note = Note::of("org".to_owned(), format!("account-{}", n % 3), LogKind::Send, level, "code", format!("Entry {n}."));
        LogEntry { id: format!("{n:04}"), at: At::from_micros(START + n), note: note.detail("n", n).of_message("m") }
    }

    async fn filled(entries: i64) -> (tempfile::TempDir, Db) {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open_sqlite(&folder.path().join("test.db"), 2).await.unwrap();
        db.migrate().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        insert(&mut tx, &(0..entries).map(entry).collect::<Vec<_>>()).await.unwrap();
        tx.commit().await.unwrap();
        (folder, db)
    }

    #[tokio::test]
    async fn any_number_of_entries_is_written_and_read_newest_first() {
        for count in [0, 1, 3, 128, 300] {
            let (_folder, db) = filled(count).await;
            let all = list(&db, &Filter::default(), &Page { limit: 1000, offset: 0 }).await.unwrap();
            assert_eq!(all, (0..count).rev().map(entry).collect::<Vec<_>>());
        }
    }

    #[tokio::test]
    async fn filters_narrow_together() {
        let (_folder, db) = filled(30).await;
        let filter = Filter {
            organization_id: Some("org".to_owned()),
            account_id: Some("account-1".to_owned()),
            kinds: vec![LogKind::Send, LogKind::Plugin],
            levels: vec![LogLevel::Warn],
            message_id: Some("m".to_owned()),
            since: Some(At::from_micros(START + 7)),
            until: Some(At::from_micros(START + 25)),
        };
        let found = list(&db, &filter, &Page { limit: 2, offset: 1 }).await.unwrap();
        // 7, 13 and 19 fit: odd, 1 modulo 3, from 7 on and before 25.
        assert_eq!(found, [entry(13), entry(7)]);
    }

    #[tokio::test]
    async fn what_is_old_goes_a_page_at_a_time() {
        let (_folder, db) = filled(10).await;
        let before = At::from_micros(START + 5);
        let mut tx = db.begin().await.unwrap();
        assert_eq!(prune(&mut tx, before, 3).await.unwrap(), 3);
        assert_eq!(prune(&mut tx, before, 3).await.unwrap(), 2);
        assert_eq!(prune(&mut tx, before, 3).await.unwrap(), 0);
        tx.commit().await.unwrap();
        let left = list(&db, &Filter::default(), &Page { limit: 1000, offset: 0 }).await.unwrap();
        assert_eq!(left, (5..10).rev().map(entry).collect::<Vec<_>>());
    }
}
