//! Keeps secrets out of what a plugin tells. A plugin is given none, and may come by one all the same: where a provider
//! tells it, in a webhook for instance.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::Version;
use crate::{app::App, egress::Scanner, secrets::Secret};

/// A shorter one, a password, may stand in what people write, or in their numbers, by chance.
const LENGTH_MIN: usize = 16;

/// What a plugin told, with `*` in place of each secret in it.
pub fn withhold<'a, T: Serialize + DeserializeOwned>(
    app: &App,
    version: &Version,
    secrets: impl IntoIterator<Item = (&'a String, &'a Secret)>,
    told: Vec<T>,
) -> Vec<T> {
    if told.is_empty() {
        return told;
    }
    let long = secrets.into_iter().filter(|(_, secret)| secret.expose().len() >= LENGTH_MIN);
    let scanner = Scanner::new(long.map(|(name, secret)| (name.as_str(), secret)));
    let (told, found) = blank(&scanner, told);
    if !found.is_empty() {
        let (channel_type, plugin_version) = (&version.manifest.channel_type, &version.manifest.version);
        tracing::error!(channel.type = %channel_type, plugin.version = %plugin_version, plugin.digest = %version.digest, secrets = ?found, "a plugin told a secret in an event: it was blanked");
        app.metrics.secret_withheld(channel_type, plugin_version);
    }
    told
}

/// Answers the names of what it found, too. What holds none is left as it is, whatever its JSON would be.
fn blank<T: Serialize + DeserializeOwned>(scanner: &Scanner, told: Vec<T>) -> (Vec<T>, Vec<String>) {
    if scanner.is_empty() {
        return (told, Vec::new());
    }
    let mut found = Vec::new();
    let told = told.into_iter().map(|one| {
        let Ok(json) = serde_json::to_string(&one) else { return one };
        let Some(name) = scanner.find(json.as_bytes()) else { return one };
        let Ok(mut value) = serde_json::from_str(&json) else { return one };
        blank_texts(scanner, &mut value);
        match serde_json::from_value(value) {
            Ok(blanked) => {
                found.push(name.to_owned());
                blanked
            }
            Err(_) => one,
        }
    });
    (told.collect(), found)
}

fn blank_texts(scanner: &Scanner, value: &mut Value) {
    match value {
        Value::String(text) => *text = scanner.blank_text(std::mem::take(text)),
        Value::Array(values) => values.iter_mut().for_each(|value| blank_texts(scanner, value)),
        Value::Object(members) => {
            let named = std::mem::take(members).into_iter().map(|(name, mut value)| {
                blank_texts(scanner, &mut value);
                (scanner.blank_text(name), value)
            });
            *members = named.collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn blanked(told: Value) -> (Value, Vec<String>) {
        let secret = Secret::from("12345:AB/cd\"é");
        let (mut told, found) = blank(&Scanner::new([("token", &secret)]), vec![told]);
        (told.pop().unwrap(), found)
    }

    #[test]
    fn a_secret_is_blanked_in_whatever_is_told_and_the_rest_stays() {
        let (told, found) = blanked(json!({"text": "it is 12345:AB/cd\"é, you know", "12345:AB/cd\"é": [1, "more"], "n": 12345}));
        assert_eq!(found, ["token"]);
        assert_eq!(told["text"].as_str().unwrap().replace('*', ""), "it is , you know");
        assert!(told["text"].as_str().unwrap().starts_with("it is ************"), "{told}");
        assert_eq!(told["n"], 12345);
        assert!(!told.to_string().contains("12345:AB"), "{told}");
    }

    #[test]
    fn what_holds_none_stays_as_it_is() {
        let told = json!({"text": "it is 12345:AB", "n": 1.5});
        assert_eq!(blanked(told.clone()), (told, Vec::new()));
    }
}
