//! Places in an order, written down: `after=<cursor>` goes on behind the row that the cursor is of, whatever came or went before it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    error::Error,
    query::{Order, Position, Query},
    table::{Direction, Kind},
    value::{self, Operand},
};

/// The place of a rendered row; none where the order goes by something that a row doesn't show.
pub fn cursor_of(query: &Query, row: &Value) -> Option<String> {
    let position = position_of(query, row)?;
    let values: Vec<Value> = position.0.iter().map(|value| value.as_ref().map_or(Value::Null, written)).collect();
    Some(URL_SAFE_NO_PAD.encode(json!([signature(&query.order), values]).to_string()))
}

/// Reads a cursor of the query's own order.
///
/// # Errors
/// 400 for what is none, or one of another order.
pub fn read_cursor(query: &Query, cursor: &str) -> Result<Position, Error> {
    let bad = |why: &str| {
        Error::unparsed("after parameter", cursor, why)
            .hint("Take the cursor from the header Link of the page before, with the same order.")
    };
    if !query.has_places() {
        return Err(bad("an order by a place in JSON has no cursors"));
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad("it is no cursor"))?;
    let (order, values): (String, Vec<Value>) = serde_json::from_slice(&bytes).map_err(|_| bad("it is no cursor"))?;
    if order != signature(&query.order) || values.len() != query.order.len() {
        return Err(bad("it is the cursor of another order"));
    }
    let read = |(order, value): (&Order, Value)| match value {
        Value::Null => Ok(None),
        value => operand(order.field.kind(), &value).map(Some).ok_or_else(|| bad("it is no cursor")),
    };
    query.order.iter().zip(values).map(read).collect::<Result<_, _>>().map(Position)
}

/// The place of a rendered row in the query's order.
pub fn position_of(query: &Query, row: &Value) -> Option<Position> {
    if !query.has_places() {
        return None;
    }
    let values = query.order.iter().map(|order| match row.get(order.field.column.name)? {
        Value::Null => Some(None),
        Value::String(text) if order.field.kind() == Kind::Time => value::time(text).ok().map(|micros| Some(Operand::Time(micros))),
        value => operand(order.field.kind(), value).map(Some),
    });
    values.collect::<Option<Vec<_>>>().map(Position)
}

fn operand(kind: Kind, value: &Value) -> Option<Operand> {
    match kind {
        Kind::Text | Kind::Id | Kind::Word(_) => value.as_str().map(|text| Operand::Text(text.to_owned())),
        Kind::Bool => value.as_bool().map(Operand::Bool),
        Kind::Integer => value.as_i64().map(Operand::Int),
        Kind::Real => value.as_f64().map(Operand::Real),
        Kind::Time => value.as_i64().map(Operand::Time),
        Kind::Json | Kind::TextArray => None,
    }
}

fn written(operand: &Operand) -> Value {
    match operand {
        Operand::Text(text) => json!(text),
        Operand::Bool(value) => json!(value),
        Operand::Int(number) | Operand::Time(number) => json!(number),
        Operand::Real(number) => json!(number),
        Operand::Json(value) => value.clone(),
    }
}

fn signature(order: &[Order]) -> String {
    let term = |order: &Order| {
        let direction = if order.direction == Direction::Asc { "asc" } else { "desc" };
        let nulls = if order.nulls_first { "nullsfirst" } else { "nullslast" };
        format!("{}.{direction}.{nulls}", order.field.column.name)
    };
    order.iter().map(term).collect::<Vec<_>>().join(",")
}
