//! Webhook bodies of a provider with the events expected of them, one file each:
//! `{"about": "…", "body": …, "expected": [event, …]}`. A body that is a string is taken as it is, any other as JSON. Where the
//! webhook is no plain POST, the file says so: `method`, `path`, `query` and `headers` (objects; a list of strings for what repeats).
//! Fields that are null or empty are left out of `expected`.

use std::path::Path;
use std::{fs, io};

use serde_json::{Value, json};

use super::webhook;
use crate::failure::Words;
use crate::field::Field;
use crate::hooks::{Account, Channel, Webhook};
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
        let mut fixture: Value = serde_json::from_slice(&fs::read(path)?)?;
        let got = match T::parse_inbound(received(account, &fixture)) {
            Ok(parsed) => events(&parsed.events),
            Err(failure) => json!({"failure": Words(&failure).to_string()}),
        };
        if bless {
            fixture["expected"] = got;
            fs::write(path, format!("{fixture:#}\n"))?;
        } else {
            assert_eq!(got, fixture["expected"], "{}: got {got:#}", path.display());
        }
    }
    Ok(files.len())
}

/// The webhook that a fixture writes down.
fn received(account: &Account, fixture: &Value) -> Webhook {
    let body = match &fixture["body"] {
        Value::String(raw) => raw.clone(),
        json => json.to_string(),
    };
    let mut received = webhook(account.clone(), body);
    if let Some(method) = fixture["method"].as_str() {
        method.clone_into(&mut received.method);
    }
    if let Some(path) = fixture["path"].as_str() {
        path.clone_into(&mut received.path);
    }
    received.query = fields(&fixture["query"]);
    received.headers = fields(&fixture["headers"]);
    received
}

/// An object as fields; a list is a field that repeats.
fn fields(object: &Value) -> Vec<Field> {
    let mut fields = Vec::new();
    for (name, value) in object.as_object().into_iter().flatten() {
        let values = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
        fields.extend(values.iter().map(|value| Field::new(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned))));
    }
    fields
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::{Call, Connecting, Outcome, Parsed};
    use crate::messages::{Outbound, Sent};
    use crate::{Failure, testing};

    /// Answers what it was given in the words of a failure.
    struct Echo;

    impl Channel for Echo {
        fn connect(_: &Call, _: Connecting) -> Result<Outcome, Failure> {
            Err(Failure::fault("none", ""))
        }

        fn send(_: &Call, _: Outbound) -> Sent {
            Sent::accepted(None)
        }

        fn parse_inbound(webhook: Webhook) -> Result<Parsed, Failure> {
            let listed =
                |fields: &[Field]| fields.iter().map(|field| format!("{}={}", field.name, field.value)).collect::<Vec<_>>().join("&");
            let body = String::from_utf8_lossy(&webhook.body).into_owned();
            Err(Failure::rejected(
                webhook.method + &webhook.path,
                format!("{} {} {body}", listed(&webhook.query), listed(&webhook.headers)),
            ))
        }
    }

    #[test]
    fn a_fixture_says_how_the_webhook_came() -> io::Result<()> {
        let folder = std::env::temp_dir().join(format!("patchbay-fixtures-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let get = json!({"about": "a", "method": "GET", "query": {"to": ["1", "2"]}, "headers": {"x-n": 3}, "body": "a=%20b",
            "expected": {"failure": "GET: to=1&to=2 x-n=3 a=%20b"}});
        let post = json!({"about": "b", "path": "/n", "body": {"n": 1}, "expected": {"failure": "POST/n:   {\"n\":1}"}});
        fs::write(folder.join("1.json"), get.to_string())?;
        fs::write(folder.join("2.json"), post.to_string())?;
        assert_eq!(check::<Echo>(&folder, &testing::account(None, &json!({})))?, 2);
        fs::remove_dir_all(&folder)
    }
}
