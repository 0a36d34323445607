//! Containment of JSON, as PostgreSQL's `@>` has it.

use serde_json::Value;

use crate::error::Error;

/// Values inside of what is asked for, at most: each is a condition of its own in SQL.
const VALUES_MAX: usize = 64;
const DEPTH_MAX: usize = 8;

/// Whether `whole` contains `part`.
pub(crate) fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        // Only at the top: an array contains a scalar.
        (Value::Array(elements), Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null) => {
            elements.iter().any(|element| same(element, part))
        }
        _ => covers(whole, part),
    }
}

fn covers(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| covers(whole, part)))
        }
        (Value::Array(whole), Value::Array(part)) => part.iter().all(|part| whole.iter().any(|whole| covers(whole, part))),
        (whole, part) => same(whole, part),
    }
}

/// Equality of scalars: a number is its value, however it is written.
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => number_order(one, other).is_some_and(std::cmp::Ordering::is_eq),
        (one, other) => one == other,
    }
}

pub(crate) fn number_order(one: &serde_json::Number, other: &serde_json::Number) -> Option<std::cmp::Ordering> {
    match (one.as_i64(), other.as_i64()) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

/// Reads what is asked for.
pub(crate) fn read(text: &str) -> Result<Value, Error> {
    let value: Value = serde_json::from_str(text).map_err(|error| Error::bad_value("json", text).details(error.to_string()))?;
    let mut values = 0;
    if !is_small(&value, 0, &mut values) {
        let details = format!("{VALUES_MAX} values in {DEPTH_MAX} levels are the most.");
        return Err(Error::new(400, "54000", "what is asked for with cs is too large").details(details));
    }
    Ok(value)
}

fn is_small(value: &Value, depth: usize, values: &mut usize) -> bool {
    *values += 1;
    *values <= VALUES_MAX
        && depth <= DEPTH_MAX
        && match value {
            Value::Object(fields) => fields.iter().all(|(key, value)| is_plain_key(key) && is_small(value, depth + 1, values)),
            Value::Array(elements) => elements.iter().all(|value| is_small(value, depth + 1, values)),
            _ => true,
        }
}

/// A key that a path of SQLite can name.
pub(crate) fn is_plain_key(key: &str) -> bool {
    !key.is_empty() && !key.chars().any(|character| matches!(character, '"' | '\\') || character.is_control())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn containment_is_as_in_postgresql() {
        let cases = [
            (json!({"a": 1, "b": {"c": [1, 2]}}), json!({"b": {"c": [2]}}), true),
            (json!({"a": 1}), json!({"a": 1.0}), true),
            (json!({"a": "1"}), json!({"a": 1}), false),
            (json!([1, 2, 2]), json!([2, 2, 2]), true),
            (json!(["a", "b"]), json!("b"), true),
            (json!({"a": ["b"]}), json!({"a": "b"}), false),
            (json!([[1, 2]]), json!([[2]]), true),
            (json!([{"a": 1, "b": 2}]), json!([{"b": 2}]), true),
            (json!({"a": null}), json!({"a": null}), true),
            (json!({}), json!({"a": null}), false),
            (json!(1), json!(1), true),
        ];
        for (whole, part, expected) in cases {
            assert_eq!(contains(&whole, &part), expected, "{whole} @> {part}");
        }
    }
}
