//! Outbound messages that went wrong for good, or perhaps did.

use super::{Result, Run, Statement, sql};
use crate::{clock::At, domain::failure::FailureClass};

/// Which dead letters are meant.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub organization_id: Option<String>,
    pub account_id: Option<String>,
    pub class: Option<FailureClass>,
    /// By the time of the failure; an uncertain message counts by the time it was made.
    pub since: Option<At>,
    pub until: Option<At>,
}

/// Which messages are dead letters, by a table's alias: see [`DEAD`].
pub const VISIBLE: &str = "{t}.direction = 'outbound' AND {t}.state IN ('failed', 'expired', 'uncertain', 'partially_sent')
   AND {t}.kind NOT IN ('typing', 'mark_read') AND COALESCE({t}.origin, '') <> 'follow_up'";

/// What was worth nothing a moment later is none: nobody sends it again.
const DEAD: &str = "direction = 'outbound' AND state IN ('failed', 'expired', 'uncertain', 'partially_sent')
   AND kind NOT IN ('typing', 'mark_read') AND COALESCE(origin, '') <> 'follow_up'";

fn narrow(statement: &mut Statement, filter: &Filter) {
    for (column, value) in [("organization_id", &filter.organization_id), ("account_id", &filter.account_id)] {
        if let Some(value) = value {
            let place = statement.add(value);
            statement.push(&format!(" AND {column} = ${place}"));
        }
    }
    if let Some(class) = filter.class {
        let place = statement.add(class.as_str());
        statement.push(&format!(" AND failure ->> 'class' = ${place}"));
    }
    for (comparison, time) in [(">=", filter.since), ("<", filter.until)] {
        if let Some(time) = time {
            let place = statement.add(time);
            statement.push(&format!(" AND COALESCE(failed_at, sent_at, created_at) {comparison} ${place}"));
        }
    }
}

/// The ids of those that can be sent again without doubt, oldest first, behind `after`.
pub async fn replayable(mut db: impl Run + Send, filter: &Filter, after: &str, limit: u32) -> Result<Vec<String>> {
    let mut statement = sql(format!("SELECT id FROM messages WHERE {DEAD} AND state IN ('failed', 'expired') AND id > $1")).bind(after);
    narrow(&mut statement, filter);
    let limit = statement.add(limit);
    statement.push(&format!(" ORDER BY id LIMIT ${limit}"));
    db.rows(statement).await?.iter().map(|row| row.get("id")).collect()
}
