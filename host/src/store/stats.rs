//! The counters of the statistics, and the facts that they are told from.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    Record, Result, Row, Run, Statement, StoreError, Tx,
    bulk::{self, values},
    sql,
};
use crate::{
    clock::At,
    domain::{
        failure::FailureClass,
        stats::{Activity, Amount, ConversationClock, Facts, Increment, Measures, Slot},
    },
};

impl Record for Measures {
    fn from_row(row: &Row) -> std::result::Result<Measures, StoreError> {
        Ok(Measures {
            plugin_digest: row.get("plugin_digest")?,
            uncertain_at: row.at_option("uncertain_at")?,
            starts_conversation: row.get("starts_conversation")?,
            opens_episode: row.get("opens_episode")?,
            answers_since: row.at_option("answers_since")?,
            responds_since: row.at_option("responds_since")?,
        })
    }
}

impl Record for ConversationClock {
    fn from_row(row: &Row) -> std::result::Result<ConversationClock, StoreError> {
        Ok(ConversationClock {
            waiting_since: row.at_option("waiting_since")?,
            episode_since: row.at_option("episode_since")?,
            last_active_at: row.at_option("last_active_at")?,
            answered_at: row.at_option("answered_at")?,
        })
    }
}

impl Record for Increment {
    fn from_row(row: &Row) -> std::result::Result<Increment, StoreError> {
        Ok(Increment {
            account_id: row.get("account_id")?,
            slot: Slot::of(row.at("slot")?),
            metric: row.word("metric")?,
            label: row.get("label")?,
            plugin_digest: row.get("plugin_digest")?,
            amount: Amount { count: row.get("count")?, sum: row.get("sum")? },
        })
    }
}

impl Record for Activity {
    fn from_row(row: &Row) -> std::result::Result<Activity, StoreError> {
        Ok(Activity { account_id: row.get("account_id")?, slot: Slot::of(row.at("slot")?), conversation_id: row.get("conversation_id")? })
    }
}

/// What a transaction adds to the counters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Additions {
    pub increments: Vec<Increment>,
    pub activity: Vec<Activity>,
}

/// Adds to the counters.
pub async fn add(tx: &mut Tx, additions: &Additions) -> Result<()> {
    const COUNT: &str = "INSERT INTO account_stats (account_id, slot, metric, label, plugin_digest, count, sum)";
    const ADD_UP: &str = "ON CONFLICT (account_id, slot, metric, label, plugin_digest)
       DO UPDATE SET count = account_stats.count + excluded.count, sum = account_stats.sum + excluded.sum";
    let counts = additions.increments.iter().map(|row| {
        values![&row.account_id, row.slot.start(), row.metric.as_str(), &row.label, &row.plugin_digest, row.amount.count, row.amount.sum,]
    });
    bulk::write(tx, COUNT, counts.collect(), ADD_UP).await?;
    const NOTE: &str = "INSERT INTO conversation_activity (account_id, slot, conversation_id)";
    let activity = additions.activity.iter().map(|row| values![&row.account_id, row.slot.start(), &row.conversation_id]);
    bulk::write(tx, NOTE, activity.collect(), "ON CONFLICT (account_id, slot, conversation_id) DO NOTHING").await?;
    Ok(())
}

pub async fn clock(mut db: impl Run + Send, conversation_id: &str) -> Result<Option<ConversationClock>> {
    let statement =
        sql("SELECT waiting_since, episode_since, last_active_at, answered_at FROM conversations WHERE id = $1").bind(conversation_id);
    db.optional(statement).await
}

pub async fn save_clock(tx: &mut Tx, conversation_id: &str, clock: &ConversationClock) -> Result<()> {
    let statement =
        sql("UPDATE conversations SET waiting_since = $2, episode_since = $3, last_active_at = $4, answered_at = $5 WHERE id = $1")
            .bind(conversation_id)
            .bind(clock.waiting_since)
            .bind(clock.episode_since)
            .bind(clock.last_active_at)
            .bind(clock.answered_at);
    tx.run(statement).await?;
    Ok(())
}

/// The one conversation becomes part of the other.
pub async fn join(tx: &mut Tx, account_id: &str, from: &str, to: &str) -> Result<()> {
    if let (Some(old), Some(new)) = (clock(&mut *tx, from).await?, clock(&mut *tx, to).await?) {
        save_clock(tx, to, &new.join(old)).await?;
    }
    let copy = sql("INSERT INTO conversation_activity (account_id, slot, conversation_id)
             SELECT account_id, slot, $3 FROM conversation_activity WHERE account_id = $1 AND conversation_id = $2
             ON CONFLICT (account_id, slot, conversation_id) DO NOTHING")
    .bind(account_id)
    .bind(from)
    .bind(to);
    tx.run(copy).await?;
    tx.run(sql("DELETE FROM conversation_activity WHERE account_id = $1 AND conversation_id = $2").bind(account_id).bind(from)).await?;
    Ok(())
}

/// A stretch of time: from the first moment to before the second, both where a [`Slot`] begins.
pub type Stretch = (At, At);

/// What an account counts in a stretch.
#[derive(Debug, Clone)]
pub struct Counted {
    pub account_id: String,
    /// Which of the stretches.
    pub stretch: usize,
    /// None where versions weren't asked apart.
    pub plugin_digest: Option<String>,
    pub metric: crate::domain::stats::Metric,
    pub label: String,
    pub amount: Amount,
}

impl Record for Counted {
    fn from_row(row: &Row) -> std::result::Result<Counted, StoreError> {
        Ok(Counted {
            account_id: row.get("account_id")?,
            stretch: stretch_of(row)?,
            plugin_digest: row.get("plugin_digest")?,
            metric: row.word("metric")?,
            label: row.get("label")?,
            amount: Amount { count: row.get("count")?, sum: row.get("sum")? },
        })
    }
}

fn stretch_of(row: &Row) -> Result<usize> {
    let number = row.get::<i64>("stretch")?;
    usize::try_from(number).map_err(|_| StoreError::Corrupt { column: "stretch", reason: format!("{number}") })
}

/// The stretches as a table. It stands first in a CROSS JOIN, by which SQLite keeps to the order: each stretch looks up its part of
/// the other table, rather than each row of that its stretch.
fn with_stretches(stretches: &[Stretch]) -> Statement {
    let mut statement = sql("WITH stretches (stretch, begins, ends) AS (VALUES ");
    for (n, (begins, ends)) in stretches.iter().enumerate() {
        let number = statement.add(i64::try_from(n).unwrap_or(i64::MAX));
        let (begins, ends) = (statement.add(*begins), statement.add(*ends));
        statement.push(&format!("{}(${number}, ${begins}, ${ends})", if n == 0 { "" } else { ", " }));
    }
    statement.push(") ");
    statement
}

/// The counts of these accounts in each stretch; neither list may be empty.
pub async fn counts(mut db: impl Run + Send, accounts: &[&str], stretches: &[Stretch], by_version: bool) -> Result<Vec<Counted>> {
    let mut statement = with_stretches(stretches);
    let (shown, grouped) = if by_version { ("s.plugin_digest", ", s.plugin_digest") } else { ("NULL", "") };
    statement.push(&format!(
        "SELECT s.account_id, t.stretch, CAST({shown} AS TEXT) AS plugin_digest, s.metric, s.label,
                CAST(SUM(s.count) AS BIGINT) AS count, CAST(SUM(s.sum) AS BIGINT) AS sum
         FROM stretches t CROSS JOIN account_stats s
         WHERE s.slot >= t.begins AND s.slot < t.ends AND s.account_id IN "
    ));
    let mut statement = statement.list(accounts.iter().copied());
    statement.push(&format!(" GROUP BY s.account_id, t.stretch, s.metric, s.label{grouped}"));
    db.all(statement).await
}

struct Active {
    account_id: String,
    stretch: usize,
    conversations: i64,
}

impl Record for Active {
    fn from_row(row: &Row) -> std::result::Result<Active, StoreError> {
        Ok(Active { account_id: row.get("account_id")?, stretch: stretch_of(row)?, conversations: row.get("conversations")? })
    }
}

/// How many distinct conversations of these accounts had a message in each stretch; neither list may be empty.
pub async fn active(mut db: impl Run + Send, accounts: &[&str], stretches: &[Stretch]) -> Result<BTreeMap<(String, usize), i64>> {
    let mut statement = with_stretches(stretches);
    statement.push(
        "SELECT a.account_id, t.stretch, COUNT(DISTINCT a.conversation_id) AS conversations
         FROM stretches t CROSS JOIN conversation_activity a
         WHERE a.slot >= t.begins AND a.slot < t.ends AND a.account_id IN ",
    );
    let mut statement = statement.list(accounts.iter().copied());
    statement.push(" GROUP BY a.account_id, t.stretch");
    let rows: Vec<Active> = db.all(statement).await?;
    Ok(rows.into_iter().map(|row| ((row.account_id, row.stretch), row.conversations)).collect())
}

/// An account as the statistics name it.
#[derive(Debug, Clone)]
pub struct Named {
    pub id: String,
    pub organization_id: String,
    pub channel_type: String,
    pub name: String,
}

impl Record for Named {
    fn from_row(row: &Row) -> std::result::Result<Named, StoreError> {
        Ok(Named {
            id: row.get("id")?,
            organization_id: row.get("organization_id")?,
            channel_type: row.get("type")?,
            name: row.get("name")?,
        })
    }
}

/// Which accounts are shown; one that is named may be deleted: its history stays.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub account_id: Option<String>,
    pub organization_id: Option<String>,
    pub channel_type: Option<String>,
}

/// At most `limit` of them, in the order of their ids.
pub async fn accounts(mut db: impl Run + Send, filter: &Filter, limit: u32) -> Result<Vec<Named>> {
    let statement = sql("SELECT id, organization_id, type, name FROM channel_accounts
             WHERE ($1 IS NULL OR id = $1) AND ($1 IS NOT NULL OR deleted_at IS NULL)
               AND ($2 IS NULL OR organization_id = $2) AND ($3 IS NULL OR type = $3)
             ORDER BY id LIMIT $4")
    .bind(filter.account_id.clone())
    .bind(filter.organization_id.clone())
    .bind(filter.channel_type.clone())
    .bind(limit);
    db.all(statement).await
}

/// The ids of all accounts there ever were.
pub async fn account_ids(mut db: impl Run + Send) -> Result<Vec<String>> {
    db.rows(sql("SELECT id FROM channel_accounts ORDER BY id")).await?.iter().map(|row| row.get("id")).collect()
}

/// The names of plugin versions by their digests.
pub async fn versions(mut db: impl Run + Send) -> Result<BTreeMap<String, String>> {
    let rows = db.rows(sql("SELECT digest, version FROM plugin_versions WHERE version IS NOT NULL")).await?;
    rows.iter().map(|row| Ok((row.get("digest")?, row.get("version")?))).collect()
}

/// A message's facts, as a recomputation reads them.
#[derive(Debug, Clone)]
pub struct Told {
    pub message_id: String,
    pub conversation_id: Option<String>,
    pub plugin_digest: Option<String>,
    pub facts: Facts,
}

/// Of a stored failure, what is counted.
#[derive(Deserialize)]
struct FailureKind {
    class: FailureClass,
}

impl Record for Told {
    fn from_row(row: &Row) -> std::result::Result<Told, StoreError> {
        let Measures { plugin_digest, uncertain_at, starts_conversation, opens_episode, answers_since, responds_since } =
            Measures::from_row(row)?;
        let read_at = row.at_option("read_at")?.or(row.at_option("played_at")?);
        Ok(Told {
            message_id: row.get("id")?,
            conversation_id: row.get("conversation_id")?,
            plugin_digest,
            facts: Facts {
                direction: row.word("direction")?,
                echo: row.get("echo")?,
                automatic: row.get("automatic")?,
                state: row.word("state")?,
                failure: row.json_option::<FailureKind>("failure")?.map(|failure| failure.class),
                created_at: row.at("created_at")?,
                sent_at: row.at_option("sent_at")?,
                delivered_at: row.at_option("delivered_at")?.or(read_at),
                read_at,
                failed_at: row.at_option("failed_at")?,
                uncertain_at,
                opened_at: row.at_option("opened_at")?,
                dismissed_at: row.at_option("dismissed_at")?,
                starts_conversation,
                opens_episode,
                answers_since,
                responds_since,
            },
        })
    }
}

/// The facts of an account's messages, some of which lie in the stretch: `limit` of them after that id.
pub async fn facts(tx: &mut Tx, account_id: &str, (begins, ends): Stretch, after: &str, limit: u32) -> Result<Vec<Told>> {
    let mut statement =
        sql("SELECT id, conversation_id, direction, echo, automatic, state, failure, created_at, sent_at, delivered_at, read_at, played_at,
                failed_at, plugin_digest, uncertain_at, opened_at, dismissed_at, starts_conversation, opens_episode, answers_since, responds_since
             FROM messages WHERE account_id = $1 AND kind = 'message' AND id > $2 AND (")
        .bind(account_id)
        .bind(after)
        .bind(begins)
        .bind(ends);
    let times = [
        "created_at",
        "sent_at",
        "delivered_at",
        "read_at",
        "played_at",
        "failed_at",
        "uncertain_at",
        "responds_since",
        "opened_at",
        "dismissed_at",
    ];
    let within: Vec<String> = times.iter().map(|time| format!("({time} >= $3 AND {time} < $4)")).collect();
    statement.push(&format!("{}) ORDER BY id LIMIT $5", within.join(" OR ")));
    tx.all(statement.bind(limit)).await
}

/// The counters of an account in the stretch.
pub async fn kept(tx: &mut Tx, account_id: &str, (begins, ends): Stretch) -> Result<Additions> {
    let counters = sql("SELECT * FROM account_stats WHERE account_id = $1 AND slot >= $2 AND slot < $3");
    let activity = sql("SELECT * FROM conversation_activity WHERE account_id = $1 AND slot >= $2 AND slot < $3");
    Ok(Additions {
        increments: tx.all(counters.bind(account_id).bind(begins).bind(ends)).await?,
        activity: tx.all(activity.bind(account_id).bind(begins).bind(ends)).await?,
    })
}

/// Forgets the counters of an account in the stretch.
pub async fn clear(tx: &mut Tx, account_id: &str, (begins, ends): Stretch) -> Result<()> {
    for statement in [
        "DELETE FROM account_stats WHERE account_id = $1 AND slot >= $2 AND slot < $3",
        "DELETE FROM conversation_activity WHERE account_id = $1 AND slot >= $2 AND slot < $3",
    ] {
        tx.run(sql(statement).bind(account_id).bind(begins).bind(ends)).await?;
    }
    Ok(())
}
