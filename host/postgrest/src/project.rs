//! A rendered row, cut to what was selected.

use serde_json::{Map, Value};

use crate::{
    memory,
    query::{Cast, Item, Query},
};

/// The row with the selected fields alone. `embedded` is what stands for each embedded resource, in their order.
pub fn project(query: &Query, row: Value, embedded: Vec<Value>) -> Value {
    let mut embedded = embedded.into_iter();
    if matches!(query.select.as_slice(), [Item::All]) {
        return row;
    }
    let mut shown = Map::new();
    for item in &query.select {
        match item {
            Item::All => {
                for (name, value) in row.as_object().into_iter().flatten() {
                    shown.insert(name.clone(), value.clone());
                }
            }
            Item::Field { field, name, cast } => {
                let whole = row.get(field.column.name).unwrap_or(&Value::Null);
                let value = if field.path.is_empty() { Some(whole) } else { memory::at(whole, &field.path) };
                let value = match (value, field.as_text) {
                    (None, _) => Value::Null,
                    (Some(value), true) => memory::text_of(value).map_or(Value::Null, Value::String),
                    (Some(value), false) => value.clone(),
                };
                shown.insert(name.clone(), cast.map_or(value.clone(), |cast| cast_to(cast, value)));
            }
            Item::Embed(embed) => {
                let value = embedded.next().unwrap_or(Value::Null);
                match (embed.spread, value) {
                    (true, Value::Object(fields)) => shown.extend(fields),
                    (true, _) => shown.extend(names(&embed.query).into_iter().map(|name| (name, Value::Null))),
                    (false, value) => {
                        // `rel()` filters by what is related and shows nothing of it.
                        if !embed.query.select.is_empty() {
                            shown.insert(embed.name.clone(), value);
                        }
                    }
                }
            }
        }
    }
    Value::Object(shown)
}

/// What the value is as another kind; null where it isn't one of that kind.
fn cast_to(cast: Cast, value: Value) -> Value {
    let text = match &value {
        Value::Null => return Value::Null,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match cast {
        Cast::Text => Value::String(text),
        Cast::Integer => text.trim().parse::<i64>().map_or(Value::Null, Value::from),
        Cast::Real => text.trim().parse::<f64>().map_or(Value::Null, Value::from),
        Cast::Bool => text.trim().parse::<bool>().map_or(Value::Null, Value::from),
        Cast::Json => value,
    }
}

/// The names that a row has, in the order of the select.
pub fn names(query: &Query) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for item in &query.select {
        match item {
            Item::All => names.extend(query.table.columns.iter().map(|column| column.name.to_owned())),
            Item::Field { name, .. } => names.push(name.clone()),
            Item::Embed(embed) if embed.spread => names.extend(self::names(&embed.query)),
            Item::Embed(embed) if !embed.query.select.is_empty() => names.push(embed.name.clone()),
            Item::Embed(_) => {}
        }
    }
    let mut known = std::collections::BTreeSet::new();
    names.retain(|name| known.insert(name.clone()));
    names
}

/// Takes away every field that is null, at any depth.
pub fn strip_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(strip_nulls);
        }
        Value::Array(elements) => elements.iter_mut().for_each(strip_nulls),
        _ => {}
    }
}
