//! Many rows with few statements.

use super::{Result, Row, Run as _, Statement, Tx, db::Arg, sql};

/// The values of one row.
pub type Values = Vec<Arg>;

/// A row of values of several kinds: `values![&id, 3_i64, written(&content)]`.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::db::Arg::from($value)),*] };
}
pub(crate) use values;

/// Runs `before`, the rows, `after` in as many statements as it takes; answers how many rows were touched.
pub async fn write(tx: &mut Tx, before: &'static str, mut rows: Vec<Values>, after: &str) -> Result<u64> {
    let mut touched = 0;
    while !rows.is_empty() {
        let rest = rows.split_off(tx.rows_at_once(rows.len()));
        touched += tx.run(filled(before, std::mem::replace(&mut rows, rest), after)).await?;
    }
    Ok(touched)
}

/// Looks up what the rows of keys name, with `before`, the rows, `after`. A row may be answered more than once.
pub async fn read(tx: &mut Tx, before: &'static str, mut keys: Vec<Values>, after: &str) -> Result<Vec<Row>> {
    let mut found = Vec::new();
    if tx.rows_at_once(keys.len()) < keys.len() {
        // Filled up with the last key: asked twice, it is answered twice.
        let whole = keys.len().next_power_of_two();
        keys.extend(keys.last().cloned().into_iter().cycle().take(whole - keys.len()));
    }
    while !keys.is_empty() {
        let rest = keys.split_off(tx.rows_at_once(keys.len()));
        found.extend(tx.rows(filled(before, std::mem::replace(&mut keys, rest), after)).await?);
    }
    Ok(found)
}

fn filled(before: &'static str, rows: Vec<Values>, after: &str) -> Statement {
    let mut statement = sql(before);
    statement.push(" ");
    let mut statement = statement.rows(rows);
    statement.push(" ");
    statement.push(after);
    statement
}
