//! Values of filters, read by what a column holds.

use jiff::{Timestamp, civil};
use serde_json::Value;

use crate::{error::Error, table::Kind};

/// One value that something is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    Text(String),
    Bool(bool),
    Int(i64),
    Real(f64),
    /// Microseconds since 1970 UTC.
    Time(i64),
    /// A string, number, boolean or null inside of JSON.
    Json(Value),
}

/// Reads the text as a value of that kind; `name` is the column's.
pub(crate) fn read(kind: Kind, name: &str, text: &str) -> Result<Operand, Error> {
    match kind {
        Kind::Text | Kind::Id | Kind::Word(&[]) => Ok(Operand::Text(text.to_owned())),
        Kind::Word(words) if words.contains(&text) => Ok(Operand::Text(text.to_owned())),
        Kind::Word(words) => Err(Error::bad_word(name, text, words)),
        Kind::Bool => match text {
            "true" => Ok(Operand::Bool(true)),
            "false" => Ok(Operand::Bool(false)),
            _ => Err(Error::bad_value("boolean", text)),
        },
        Kind::Integer => text.trim().parse().map(Operand::Int).map_err(|_| Error::bad_value("bigint", text)),
        Kind::Real => match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Operand::Real(number)),
            _ => Err(Error::bad_value("double precision", text)),
        },
        Kind::Time => time(text).map(Operand::Time),
        Kind::Json => json_scalar(text),
        Kind::TextArray => {
            Err(Error::no_operator("text[]", "= text").hint("Ask with cs (has all of), cd (has none but) or ov (has one of)."))
        }
    }
}

/// JSON that is compared as a whole.
pub(crate) fn json_scalar(text: &str) -> Result<Operand, Error> {
    match serde_json::from_str(text) {
        Ok(Value::Object(_) | Value::Array(_)) => {
            Err(Error::unsupported("objects and arrays inside of JSON aren't compared as a whole").hint("Ask with cs: contains."))
        }
        Ok(scalar) => Ok(Operand::Json(scalar)),
        Err(_) => Err(Error::bad_value("json", text)
            .hint("A text in JSON has quotes: settings->mode=eq.\"webhook\"; or ask settings->>mode=eq.webhook.")),
    }
}

/// A time as PostgreSQL reads it: RFC 3339; without an offset it is UTC; a date alone is its first moment.
pub(crate) fn time(text: &str) -> Result<i64, Error> {
    let trimmed = text.trim();
    if let Ok(timestamp) = trimmed.parse::<Timestamp>() {
        return Ok(timestamp.as_microsecond());
    }
    let moment = |moment: civil::DateTime| moment.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp().as_microsecond());
    // A date alone is read as a moment, too.
    let civil = trimmed.parse::<civil::DateTime>().ok().and_then(moment);
    civil.ok_or_else(|| {
        Error::new(400, "22007", format!("invalid input syntax for type timestamp with time zone: \"{text}\""))
            .hint("Write RFC 3339, like 2026-11-22T20:15:00Z; in a URL a + is written %2B.")
    })
}

/// The elements of an array as PostgreSQL writes it, `{a,"b c"}`, or as JSON does, `["a","b c"]`.
pub(crate) fn elements(text: &str) -> Result<Vec<String>, Error> {
    let trimmed = text.trim();
    if trimmed.starts_with('[') {
        return serde_json::from_str(trimmed).map_err(|_| Error::bad_value("json", text));
    }
    crate::grammar::array(trimmed).map_err(|_| {
        Error::new(400, "22P02", format!("malformed array literal: \"{text}\""))
            .details("Array value must start with \"{\" or dimension information.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_moments() {
        let noon = 1_795_348_800_000_000;
        for text in
            ["2026-11-22T12:00:00Z", "2026-11-22T14:00:00+02:00", "2026-11-22 12:00:00", "2026-11-22T12:00:00", "2026-11-22 12:00:00Z"]
        {
            assert_eq!(time(text).unwrap(), noon, "{text}");
        }
        assert_eq!(time("2026-11-22").unwrap(), noon - 12 * 3_600_000_000);
        for text in ["yesterday", "", "2026-13-01", "2026-11-22T12:00:00 02:00", "12:00"] {
            assert_eq!(time(text).unwrap_err().code, "22007", "{text}");
        }
    }
}
