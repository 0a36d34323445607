//! Lists of the REST API: a checked query becomes statements. Whose rows are seen is said here, beside every condition of a client.

use patchbay_postgrest::{
    Comparison, Condition, Filter, Kind, Operand, Query, Table, Test, Window,
    sql::{Bind, Binds, Dialect, Writer},
};

use super::{Db, Record, Result, Run, Statement, sql};
use crate::{clock::At, ids};

/// Rows of which an answer counts.
const COUNT: &str = "CAST(count(*) AS BIGINT) AS n";

/// What is read of a table where it isn't everything: bodies of webhooks stay where they are.
const DELIVERY: &str = "{t}.id, {t}.account_id, {t}.app_id, {t}.shared, {t}.organization_id, {t}.type, {t}.external_id, {t}.received_at,
   {t}.method, {t}.path, {t}.verified_by, {t}.state, {t}.reason, {t}.events, CAST(length({t}.body) AS BIGINT) AS size, {t}.deliveries,
   {t}.repeated_at, {t}.plugin_digest,
   (SELECT p.version FROM plugin_versions p WHERE p.digest = {t}.plugin_digest) AS plugin_version, {t}.processed_at";

/// Whose rows a caller sees: an organisation's own, or all.
#[derive(Debug, Clone)]
pub struct Seen {
    pub organization_id: Option<String>,
}

impl Binds for Statement {
    fn take(&mut self, value: Bind) -> usize {
        match value {
            Bind::Text(text) => self.add(text),
            Bind::Bool(value) => self.add(value),
            Bind::Int(number) => self.add(number),
            Bind::Json(value) => self.add(value),
        }
    }
}

impl Seen {
    /// What a row of the table has to be, where the caller doesn't see all.
    fn condition(&self, table: &Table, alias: &str, binds: &mut Statement) -> String {
        match (&self.organization_id, table.column("organization_id")) {
            (Some(organization_id), Some(_)) => format!("{alias}.organization_id = ${}", binds.add(organization_id)),
            _ => String::new(),
        }
    }
}

fn dialect(db: &Db) -> Dialect {
    if db.is_postgres() { Dialect::Postgres } else { Dialect::Sqlite }
}

fn columns(table: &Table) -> String {
    if table.stored == "webhooks" { DELIVERY.replace("{t}", "t") } else { "t.*".to_owned() }
}

fn conditions(db: &Db, statement: &mut Statement, query: &Query, seen: &Seen) -> String {
    let mut writer = Writer { dialect: dialect(db), alias: "t", binds: statement };
    let conditions = writer.conditions(query, &mut |table, alias, binds| seen.condition(table, alias, binds));
    let hints = hints(statement, query);
    conditions + &hints
}

/// The rows of a window, in the query's order.
pub async fn read<T: Record>(db: &Db, query: &Query, seen: &Seen, window: Window) -> Result<Vec<T>> {
    let mut statement = sql("");
    let conditions = conditions(db, &mut statement, query, seen);
    let order = Writer { dialect: dialect(db), alias: "t", binds: &mut statement }.order(&query.order);
    let (limit, offset) = (statement.add(number(window.limit)), statement.add(number(window.offset)));
    let (columns, stored) = (columns(query.table), query.table.stored);
    statement.push(&format!("SELECT {columns} FROM {stored} t WHERE {conditions} ORDER BY {order} LIMIT ${limit} OFFSET ${offset}"));
    let mut db = db;
    db.all(statement).await
}

/// How many rows there are in all, whatever place the query goes on from.
pub async fn count(db: &Db, query: &Query, seen: &Seen) -> Result<u64> {
    let whole = Query { after: None, ..query.clone() };
    let mut statement = sql("");
    let conditions = conditions(db, &mut statement, &whole, seen);
    statement.push(&format!("SELECT {COUNT} FROM {} t WHERE {conditions}", query.table.stored));
    counted(db, statement).await
}

/// How many rows the window has.
pub async fn count_in(db: &Db, query: &Query, seen: &Seen, window: Window) -> Result<u64> {
    let mut statement = sql("");
    let conditions = conditions(db, &mut statement, query, seen);
    let (limit, offset) = (statement.add(number(window.limit)), statement.add(number(window.offset)));
    let stored = query.table.stored;
    statement
        .push(&format!("SELECT {COUNT} FROM (SELECT 1 AS one FROM {stored} t WHERE {conditions} LIMIT ${limit} OFFSET ${offset}) shown"));
    counted(db, statement).await
}

async fn counted(mut db: &Db, statement: Statement) -> Result<u64> {
    match db.rows(statement).await?.first() {
        Some(row) => Ok(u64::try_from(row.get::<i64>("n")?).unwrap_or(0)),
        None => Ok(0),
    }
}

/// The rows that belong to these parents, by the column there: for each of them the query's own window, in its own order.
pub async fn related<T: Record>(db: &Db, query: &Query, seen: &Seen, foreign: &str, parents: &[String], most: u64) -> Result<Vec<T>> {
    let Some(column) = query.table.column(foreign).filter(|_| !parents.is_empty()) else { return Ok(Vec::new()) };
    let narrowed = Query { filter: query.filter.clone().and(Filter::is_one_of(column, parents.iter().cloned())), ..query.clone() };
    let mut statement = sql("");
    let conditions = conditions(db, &mut statement, &narrowed, seen);
    let mut writer = Writer { dialect: dialect(db), alias: "t", binds: &mut statement };
    let (parent, order) = (writer.column(column), writer.order(&query.order));
    let from = statement.add(number(query.offset));
    let to = statement.add(number(query.offset.saturating_add(query.limit.unwrap_or(most).min(most))));
    let (columns, stored) = (columns(query.table), query.table.stored);
    statement.push(&format!(
        "SELECT * FROM (SELECT {columns}, ROW_NUMBER() OVER (PARTITION BY {parent} ORDER BY {order}) AS place_in_order
           FROM {stored} t WHERE {conditions}) ranked WHERE place_in_order > ${from} AND place_in_order <= ${to} ORDER BY place_in_order"
    ));
    let mut db = db;
    db.all(statement).await
}

/// The messages of which the provider speaks by that id, also of a part.
pub async fn messages_named(mut db: &Db, reference: &str, limit: u32) -> Result<Vec<String>> {
    let statement = sql("SELECT DISTINCT message_id FROM message_refs WHERE ref = $1 LIMIT $2").bind(reference).bind(limit);
    db.rows(statement).await?.iter().map(|row| row.get("message_id")).collect()
}

/// Whether there is an account of that type.
pub async fn has_type(mut db: &Db, channel_type: &str) -> Result<bool> {
    let statement = sql("SELECT 1 AS one FROM channel_accounts WHERE type = $1 AND deleted_at IS NULL LIMIT 1").bind(channel_type);
    Ok(!db.rows(statement).await?.is_empty())
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// How far an id's time may run ahead of the time its row was received: clocks are set back.
const ID_AHEAD: std::time::Duration = std::time::Duration::from_secs(3600);

/// What follows from the conditions and helps to find the rows: partial indexes are known by their words, and ids sort by time.
fn hints(statement: &mut Statement, query: &Query) -> String {
    let Filter::All(branches) = &query.filter else { return String::new() };
    if query.table.stored != "webhooks" {
        return String::new();
    }
    let mut hints = String::new();
    for branch in branches {
        let Filter::Test(Test { field, condition: Condition::Compare(comparison, operand) }) = branch else { continue };
        match (field.column.name, comparison, operand) {
            ("state", Comparison::Eq, Operand::Text(state)) => hints.push_str(match state.as_str() {
                "held" | "failed" => " AND t.state IN ('held', 'failed')",
                "quarantined" => " AND t.state = 'quarantined'",
                "ignored" => " AND t.state = 'ignored'",
                _ => "",
            }),
            ("received_at", Comparison::Gte | Comparison::Gt, Operand::Time(micros)) => {
                let id = statement.add(ids::lowest_at(At::from_micros(*micros)));
                hints.push_str(&format!(" AND t.id >= ${id}"));
            }
            ("received_at", Comparison::Lt | Comparison::Lte, Operand::Time(micros)) => {
                let id = statement.add(ids::lowest_at(At::from_micros(*micros).plus(ID_AHEAD)));
                hints.push_str(&format!(" AND t.id < ${id}"));
            }
            _ => {}
        }
    }
    debug_assert!(query.table.column("state").is_some_and(|column| matches!(column.kind, Kind::Word(_))));
    hints
}
