//! The same filters and orders over rendered rows: for what no database holds, and to tell that the SQL is right.

use std::cmp::Ordering;

use serde_json::Value;

use crate::{
    contain,
    cursor::position_of,
    query::{Condition, Field, Filter, Order, Position, Query, Step, Test, Truth},
    table::{Direction, Kind},
    value::{self, Operand},
};

/// The rows that the query means, in its order, from its place and offset on, and how many there are without the limit. Embedded
/// resources are none of it.
pub fn choose(query: &Query, mut rows: Vec<Value>) -> (Vec<Value>, u64) {
    rows.retain(|row| holds(&query.filter, row) == Some(true));
    if let Some(after) = &query.after {
        rows.retain(|row| is_behind(query, row, after));
    }
    rows.sort_by(|one, other| compare(&query.order, one, other));
    let count = rows.len() as u64;
    let offset = usize::try_from(query.offset).unwrap_or(usize::MAX).min(rows.len());
    let limit = query.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    (rows.into_iter().skip(offset).take(limit).collect(), count)
}

/// Whether the row is meant: true, false, or nothing, where SQL answers null.
pub fn holds(filter: &Filter, row: &Value) -> Option<bool> {
    match filter {
        Filter::All(branches) => branches
            .iter()
            .try_fold(Some(true), |all, branch| match (all, holds(branch, row)) {
                (_, Some(false)) => Err(()),
                (Some(true), Some(true)) => Ok(Some(true)),
                _ => Ok(None),
            })
            .unwrap_or(Some(false)),
        Filter::Any(branches) => branches
            .iter()
            .try_fold(Some(false), |any, branch| match (any, holds(branch, row)) {
                (_, Some(true)) => Err(()),
                (Some(false), Some(false)) => Ok(Some(false)),
                _ => Ok(None),
            })
            .unwrap_or(Some(true)),
        Filter::Not(inner) => holds(inner, row).map(|holds| !holds),
        Filter::Test(test) => fits(test, row),
    }
}

fn fits(Test { field, condition }: &Test, row: &Value) -> Option<bool> {
    let found = read(field, row);
    match condition {
        Condition::Is(truth) => Some(match (truth, &found) {
            (Truth::Null, found) => found.is_none(),
            (Truth::NotNull, found) => found.is_some(),
            (Truth::True, found) => matches!(found, Some(Found::Scalar(Operand::Bool(true)))),
            (Truth::False, found) => matches!(found, Some(Found::Scalar(Operand::Bool(false)))),
        }),
        Condition::Distinct(operand) => {
            let same = found.and_then(|found| found.order(operand)).is_some_and(Ordering::is_eq);
            Some(!same)
        }
        Condition::In(operands) => {
            if operands.is_empty() {
                return Some(false);
            }
            let found = found?;
            Some(operands.iter().any(|operand| found.order(operand).is_some_and(Ordering::is_eq)))
        }
        Condition::Compare(comparison, operand) => {
            let found = found?;
            match found.order(operand) {
                Some(ordering) => Some(comparison.holds(ordering)),
                // Values of two kinds inside of JSON: other, and neither less nor greater.
                None => Some(comparison.holds(Ordering::Less) && comparison.holds(Ordering::Greater)),
            }
        }
        Condition::Like(pattern) => match found? {
            Found::Scalar(Operand::Text(text)) => Some(pattern.fits(&text)),
            _ => None,
        },
        Condition::Contains(part) => Some(contain::contains(found?.json()?, part)),
        Condition::ContainedIn(elements) => {
            let whole = found?.json()?;
            Some(whole.as_array()?.iter().all(|element| element.as_str().is_some_and(|element| elements.iter().any(|one| one == element))))
        }
        Condition::Overlaps(elements) => {
            let whole = found?.json()?;
            Some(whole.as_array()?.iter().any(|element| element.as_str().is_some_and(|element| elements.iter().any(|one| one == element))))
        }
    }
}

/// What a field has.
#[derive(Debug)]
enum Found<'a> {
    Scalar(Operand),
    Json(&'a Value),
}

impl<'a> Found<'a> {
    fn json(self) -> Option<&'a Value> {
        match self {
            Found::Json(value) => Some(value),
            Found::Scalar(_) => None,
        }
    }

    /// How it is to the operand; none where there is no order between the two.
    fn order(&self, operand: &Operand) -> Option<Ordering> {
        match (self, operand) {
            (Found::Scalar(Operand::Text(found)), Operand::Text(asked)) => Some(found.as_bytes().cmp(asked.as_bytes())),
            (Found::Scalar(Operand::Bool(found)), Operand::Bool(asked)) => Some(found.cmp(asked)),
            (Found::Scalar(Operand::Int(found)), Operand::Int(asked)) => Some(found.cmp(asked)),
            (Found::Scalar(Operand::Time(found)), Operand::Time(asked)) => Some(found.cmp(asked)),
            (Found::Scalar(Operand::Real(found)), Operand::Real(asked)) => found.partial_cmp(asked),
            (Found::Json(found), Operand::Json(asked)) => match (*found, asked) {
                (Value::Number(found), Value::Number(asked)) => contain::number_order(found, asked),
                (found, asked) => (found == asked).then_some(Ordering::Equal),
            },
            _ => None,
        }
    }
}

/// What stands at the field; none where SQL has null.
fn read<'a>(field: &Field, row: &'a Value) -> Option<Found<'a>> {
    let whole = row.get(field.column.name)?;
    if !field.path.is_empty() {
        let value = at(whole, &field.path)?;
        return match (field.as_text, value) {
            (true, value) => text_of(value).map(|text| Found::Scalar(Operand::Text(text))),
            (false, value) => Some(Found::Json(value)),
        };
    }
    match (field.column.kind, whole) {
        (_, Value::Null) => None,
        (Kind::Json | Kind::TextArray, value) => Some(Found::Json(value)),
        (Kind::Text | Kind::Id | Kind::Word(_), value) => Some(Found::Scalar(Operand::Text(value.as_str()?.to_owned()))),
        (Kind::Bool, value) => Some(Found::Scalar(Operand::Bool(value.as_bool()?))),
        (Kind::Integer, value) => Some(Found::Scalar(Operand::Int(value.as_i64()?))),
        (Kind::Real, value) => Some(Found::Scalar(Operand::Real(value.as_f64()?))),
        (Kind::Time, value) => Some(Found::Scalar(Operand::Time(value::time(value.as_str()?).ok()?))),
    }
}

/// The value at a place inside of JSON.
pub(crate) fn at<'a>(whole: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(whole, |value, step| match (step, value) {
        (Step::Key(key), Value::Object(fields)) => fields.get(key),
        (Step::Index(index), Value::Array(elements)) => {
            let index = usize::try_from(*index).ok().or_else(|| elements.len().checked_sub(index.unsigned_abs() as usize))?;
            elements.get(index)
        }
        _ => None,
    })
}

/// As `->>` reads it.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn compare(order: &[Order], one: &Value, other: &Value) -> Ordering {
    order
        .iter()
        .map(|order| term(order, read(&order.field, one), read(&order.field, other)))
        .find(|ordering| ordering.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn term(order: &Order, one: Option<Found<'_>>, other: Option<Found<'_>>) -> Ordering {
    let nulls = if order.nulls_first { Ordering::Less } else { Ordering::Greater };
    match (one, other) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => nulls,
        (Some(_), None) => nulls.reverse(),
        (Some(one), Some(Found::Scalar(other))) => directed(order, one.order(&other).unwrap_or(Ordering::Equal)),
        (Some(_), Some(Found::Json(_))) => Ordering::Equal,
    }
}

fn directed(order: &Order, ordering: Ordering) -> Ordering {
    if order.direction == Direction::Asc { ordering } else { ordering.reverse() }
}

fn is_behind(query: &Query, row: &Value, Position(after): &Position) -> bool {
    let Some(Position(place)) = position_of(query, row) else { return false };
    let found = |value: Option<Operand>| value.map(Found::Scalar);
    let terms = query.order.iter().zip(place).zip(after.iter().cloned());
    terms.map(|((order, one), other)| term(order, found(one), found(other))).find(|ordering| ordering.is_ne()) == Some(Ordering::Greater)
}
