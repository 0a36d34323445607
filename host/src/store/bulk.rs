//! Many rows with few statements. Both databases keep prepared statements by their text, and the text depends on the number of
//! rows: rows go in groups whose sizes are powers of two, so that there are few texts.

use super::{Result, Row, Run, Statement, Tx, db::Arg, sql};

/// The most rows of one statement.
const ROWS_MAX: usize = 64;

/// The values of one row.
pub type Values = Vec<Arg>;

/// A row of values of several kinds: `values![&id, 3_i64, written(&content)]`.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::db::Arg::from($value)),*] };
}
pub(crate) use values;

/// Runs `before VALUES (…), (…) after` for the rows, in as many statements as it takes; answers how many rows were touched.
pub async fn write(tx: &mut Tx, before: &'static str, rows: Vec<Values>, after: &str) -> Result<u64> {
    let mut touched = 0;
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let size = 1 << rows.len().min(ROWS_MAX).ilog2();
        touched += tx.run(filled(before, rows.by_ref().take(size), after)).await?;
    }
    Ok(touched)
}

/// Looks up what the rows of keys name, with `before VALUES (…), (…) after`. A row may be answered more than once.
pub async fn read(db: &mut impl Run, before: &'static str, keys: Vec<Values>, after: &str) -> Result<Vec<Row>> {
    let mut found = Vec::new();
    for chunk in keys.chunks(ROWS_MAX) {
        // Filled up with the last key to the next power of two: asked twice, it is answered twice.
        let missing = chunk.len().next_power_of_two() - chunk.len();
        let keys = chunk.iter().chain(chunk.iter().rev().take(1).cycle().take(missing));
        found.extend(db.rows(filled(before, keys.cloned(), after)).await?);
    }
    Ok(found)
}

fn filled(before: &'static str, rows: impl Iterator<Item = Values>, after: &str) -> Statement {
    let mut statement = sql(before);
    statement.push(" VALUES ");
    let mut statement = statement.rows(rows);
    statement.push(after);
    statement
}
