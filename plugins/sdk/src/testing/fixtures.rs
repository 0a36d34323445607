//! Webhook bodies of a provider with the events expected of them, one file each:
//! `{"about": "…", "body": …, "expected": [event, …]}`. Fields that are null or empty are left out of `expected`.

use std::path::Path;
use std::{fs, io};

use serde_json::{Value, json};

use super::webhook;
use crate::failure::Words;
use crate::hooks::{Account, Channel};
use crate::messages::Event;

/// Checks every `*.json` file of a folder, and answers how many there were. With `PATCHBAY_BLESS=1` in the environment
/// it writes what it got as what is expected: read the difference before you commit it.
///
/// # Errors
/// Where a file can't be read or written.
///
/// # Panics
/// Where the events of a file differ from what it expects.
#[expect(clippy::indexing_slicing, reason = "a JSON value answers null for what it hasn't")]
pub fn check<T: Channel>(folder: impl AsRef<Path>, account: &Account) -> io::Result<usize> {
    let bless = std::env::var_os("PATCHBAY_BLESS").is_some();
    let mut files: Vec<_> = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    for path in &files {
        let fixture: Value = serde_json::from_slice(&fs::read(path)?)?;
        let got = match T::parse_inbound(webhook(account.clone(), fixture["body"].to_string())) {
            Ok(parsed) => events(&parsed.events),
            Err(failure) => json!({"failure": Words(&failure).to_string()}),
        };
        if bless {
            let fixture = json!({"about": fixture["about"], "body": fixture["body"], "expected": got});
            fs::write(path, format!("{fixture:#}\n"))?;
        } else {
            assert_eq!(got, fixture["expected"], "{}: got {got:#}", path.display());
        }
    }
    Ok(files.len())
}

/// Events as a fixture writes them.
#[must_use]
pub fn events(events: &[Event]) -> Value {
    let mut value = serde_json::to_value(events).unwrap_or_default();
    strip(&mut value);
    value
}

/// Drops what is null or empty, and writes whole numbers without a fraction.
fn strip(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Object(fields) => {
            fields.values_mut().for_each(strip);
            fields.retain(|_, field| !field.is_null() && field.as_array().is_none_or(|items| !items.is_empty()));
        }
        Value::Number(number) => {
            #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
            if let Some(whole) = number.as_f64().filter(|whole| number.is_f64() && whole.fract() == 0.0 && whole.abs() < 9e15) {
                *value = json!(whole as i64);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
