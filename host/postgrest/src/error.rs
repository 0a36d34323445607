//! What a client gets in place of an answer: PostgREST's codes and statuses.

use std::fmt;

use crate::table::Table;

/// An error with the four keys that PostgREST's clients know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
    pub details: Option<String>,
    /// The way out.
    pub hint: Option<String>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}

impl Error {
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Error {
        Error { status, code, message: message.into(), details: None, hint: None }
    }

    #[must_use]
    pub fn details(mut self, details: impl Into<String>) -> Error {
        self.details = Some(details.into());
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    /// The body with its four keys.
    pub fn body(&self) -> serde_json::Value {
        serde_json::json!({"code": self.code, "message": self.message, "details": self.details, "hint": self.hint})
    }

    /// 400: a part of the query isn't written as it has to be.
    pub fn unparsed(what: &str, text: &str, details: impl Into<String>) -> Error {
        Error::new(400, "PGRST100", format!("failed to parse {what} ({text})")).details(details)
    }

    /// 400: there is no such column in a filter, an order or a select.
    pub fn no_column(table: &Table, name: &str) -> Error {
        Error::new(400, "42703", format!("column {}.{name} does not exist", table.name))
            .hint(format!("There are: {}.", table.column_names()))
    }

    /// 400: there is no such column in a body or in `columns`.
    pub fn no_body_column(table: &Table, name: &str) -> Error {
        Error::new(400, "PGRST204", format!("Could not find the '{name}' column of '{}' in the schema cache", table.name))
    }

    /// 400: nothing is embedded under that name.
    pub fn no_relation(table: &Table, name: &str) -> Error {
        let message = format!("Could not find a relationship between '{}' and '{name}' in the schema cache", table.name);
        let related: Vec<&str> = table.relations.iter().map(|relation| relation.name).collect();
        let error = Error::new(400, "PGRST200", message)
            .details(format!("Searched for a relationship between '{}' and '{name}', but no matches were found.", table.name));
        if related.is_empty() { error } else { error.hint(format!("There are: {}.", related.join(", "))) }
    }

    /// 404: there is no such table.
    pub fn no_table(name: &str, known: &str) -> Error {
        Error::new(404, "PGRST205", format!("Could not find the table '{name}' in the schema cache")).hint(format!("There are: {known}."))
    }

    /// 400: both databases can't do it alike.
    pub fn unsupported(message: impl Into<String>) -> Error {
        Error::new(400, "0A000", message)
    }

    /// 400: the operator isn't one for such a column.
    pub fn no_operator(kind: &str, operator: &str) -> Error {
        Error::new(400, "42883", format!("operator does not exist: {kind} {operator}"))
            .hint("No operator matches the given name and argument types.")
    }

    /// 400: the text is no value of the column's kind.
    pub fn bad_value(kind: &str, text: &str) -> Error {
        Error::new(400, "22P02", format!("invalid input syntax for type {kind}: \"{text}\""))
    }

    /// 400: the word isn't in the column's list.
    pub fn bad_word(column: &str, text: &str, words: &[&str]) -> Error {
        Error::new(400, "22P02", format!("invalid input value for enum {column}: \"{text}\""))
            .hint(format!("There are: {}.", words.join(", ")))
    }

    /// 416: the rows asked for aren't there.
    pub fn out_of_range(details: impl Into<String>) -> Error {
        Error::new(416, "PGRST103", "Requested range not satisfiable").details(details)
    }

    /// 406: one object was asked for, and there are more or none.
    pub fn not_single(rows: u64) -> Error {
        Error::new(406, "PGRST116", "Cannot coerce the result to a single JSON object").details(format!("The result contains {rows} rows"))
    }

    /// 400: a change or a deletion without a filter would be of every row.
    pub fn unfiltered(verb: &str) -> Error {
        Error::new(400, "21000", format!("{verb} requires a WHERE clause"))
            .hint("Say which rows are meant, for example ?id=eq.…; all of them are ?id=not.is.null.")
    }

    /// 400: more rows would be touched than the client said.
    pub fn too_many_affected(most: u64, rows: u64) -> Error {
        Error::new(400, "PGRST124", "Query result exceeds max-affected preference constraint")
            .details(format!("The query affects {rows} rows"))
            .hint(format!("Prefer: max-affected={most} lets the request touch {most} rows at most; none was touched."))
    }
}
