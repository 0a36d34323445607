//! Bodies of inserts and updates.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::{error::Error, prefer::Prefer, query::Query, table::Table};

/// Rows as a client sends them.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    pub rows: Vec<Map<String, Value>>,
    /// They came as an array.
    pub is_array: bool,
}

impl Body {
    /// Reads a body of one object, or of an array of objects.
    ///
    /// # Errors
    /// PGRST102 for what is no such JSON, or where the objects of an array have other keys than each other.
    pub fn read(bytes: &[u8]) -> Result<Body, Error> {
        let value: Value = serde_json::from_slice(bytes)
            .map_err(|error| Error::new(400, "PGRST102", "Empty or invalid json").details(error.to_string()))?;
        match value {
            Value::Object(row) => Ok(Body { rows: vec![row], is_array: false }),
            Value::Array(rows) => {
                let rows: Option<Vec<Map<String, Value>>> =
                    rows.into_iter().map(|row| if let Value::Object(row) = row { Some(row) } else { None }).collect();
                let rows = rows.ok_or_else(no_objects)?;
                Ok(Body { rows, is_array: true })
            }
            _ => Err(no_objects()),
        }
    }

    /// Keeps the columns that the query names, if it does; what a row lacks of them is null, or its default.
    ///
    /// # Errors
    /// PGRST102 where rows have other keys than each other and no columns are named; PGRST204 for a key that is no column.
    pub fn fit(&mut self, table: &Table, query: &Query, prefer: &Prefer) -> Result<(), Error> {
        if let Some(columns) = &query.columns {
            for row in &mut self.rows {
                row.retain(|key, _| columns.contains(key));
                for column in columns.iter().filter(|_| !prefer.missing_default) {
                    row.entry(column.clone()).or_insert(Value::Null);
                }
            }
        } else {
            let mut shapes = self.rows.iter().map(|row| row.keys().collect::<BTreeSet<_>>());
            if let Some(first) = shapes.next()
                && shapes.any(|shape| shape != first)
            {
                return Err(Error::new(400, "PGRST102", "All object keys must match"));
            }
        }
        let unknown = self.rows.iter().flat_map(|row| row.keys()).find(|key| table.column(key).is_none());
        match unknown {
            Some(key) => Err(Error::no_body_column(table, key)),
            None => Ok(()),
        }
    }

    /// The one object of an update.
    ///
    /// # Errors
    /// PGRST102 where there are more.
    pub fn one(mut self) -> Result<Map<String, Value>, Error> {
        match (self.rows.pop(), self.rows.is_empty()) {
            (Some(row), true) => Ok(row),
            _ => Err(Error::new(400, "PGRST102", "The body has to be one object")),
        }
    }
}

fn no_objects() -> Error {
    Error::new(400, "PGRST102", "The body has to be an object or an array of objects")
}
