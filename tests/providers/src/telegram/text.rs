//! Text and captions: how a message's words are read, measured and marked.

use serde_json::{Value, json};

use crate::telegram::answer::Refusal;
use crate::telegram::html::{self, Formatted};
use crate::telegram::params::Params;

/// In UTF-16 units, after parsing.
const TEXT_MAX: usize = 4096;
const CAPTION_MAX: usize = 1024;
/// Of those given or found, so many are kept.
const ENTITIES_MAX: usize = 100;

/// A message's text: 1 to 4096 UTF-16 units.
pub(crate) fn text(params: &Params) -> Result<Formatted, Refusal> {
    let formatted = read(&params.text("text"), &params.text("parse_mode"), params.json("entities")?.as_deref())?;
    match formatted.text.encode_utf16().count() {
        0 => Err(Refusal::bad("message text is empty")),
        length if length > TEXT_MAX => Err(Refusal::bad("message is too long")),
        _ => Ok(formatted),
    }
}

/// What accompanies media: at most 1024 UTF-16 units, none where it is empty.
pub(crate) fn caption(caption: &str, parse_mode: &str, entities: Option<&Value>) -> Result<Option<Formatted>, Refusal> {
    let formatted = read(caption, parse_mode, entities)?;
    match formatted.text.encode_utf16().count() {
        0 => Ok(None),
        length if length > CAPTION_MAX => Err(Refusal::bad("message caption is too long")),
        _ => Ok(Some(formatted)),
    }
}

fn read(source: &str, parse_mode: &str, entities: Option<&Value>) -> Result<Formatted, Refusal> {
    let formatted = match parse_mode.to_ascii_lowercase().as_str() {
        "" | "none" => Formatted { text: source.to_owned(), entities: entities.and_then(Value::as_array).cloned().unwrap_or_default() },
        "html" => html::parse(source).map_err(|error| Refusal::bad(&format!("can't parse entities: {error}")))?,
        _ => return Err(Refusal::bad("unsupported parse_mode")),
    };
    Ok(mark(trim(formatted)))
}

/// The server trims, and moves the entities along.
fn trim(formatted: Formatted) -> Formatted {
    let without_start = formatted.text.trim_start();
    let shift = i64::try_from(formatted.text.encode_utf16().count() - without_start.encode_utf16().count()).unwrap_or_default();
    let text = without_start.trim_end().to_owned();
    let end = i64::try_from(text.encode_utf16().count()).unwrap_or_default();
    let kept = formatted.entities.into_iter().filter_map(|mut entity| {
        let from = (entity["offset"].as_i64()? - shift).max(0);
        let to = (entity["offset"].as_i64()? + entity["length"].as_i64()? - shift).min(end);
        let object = entity.as_object_mut()?;
        object.insert("offset".into(), from.into());
        object.insert("length".into(), (to - from).into());
        (to > from).then_some(entity)
    });
    Formatted { entities: kept.take(ENTITIES_MAX).collect(), text }
}

/// Links, addresses, commands, mentions and hashtags are found without being marked, outside of what is marked.
fn mark(mut formatted: Formatted) -> Formatted {
    if !formatted.text.contains(['/', '@', '#']) {
        return formatted;
    }
    let mut found = Vec::new();
    let mut offset = 0;
    for word in formatted.text.split(char::is_whitespace) {
        let length = word.encode_utf16().count();
        let trimmed = word.trim_end_matches(['.', ',', '!', '?', ';', ':', ')']);
        if let Some(kind) = kind_of(trimmed) {
            let length = trimmed.encode_utf16().count();
            let free = formatted.entities.iter().all(|entity| {
                let from = entity["offset"].as_u64().unwrap_or_default();
                let to = from + entity["length"].as_u64().unwrap_or_default();
                offset as u64 >= to || (offset + length) as u64 <= from
            });
            if free {
                found.push(json!({"type": kind, "offset": offset, "length": length}));
            }
        }
        // What `split` took away is one white space, which is one unit: all of them are in the basic plane.
        offset += length + 1;
    }
    formatted.entities.extend(found);
    formatted.entities.sort_by_key(|entity| (entity["offset"].as_u64(), std::cmp::Reverse(entity["length"].as_u64())));
    formatted.entities.truncate(ENTITIES_MAX);
    formatted
}

fn kind_of(word: &str) -> Option<&'static str> {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
    if let Some(command) = word.strip_prefix('/') {
        let (command, bot) = command.split_once('@').unwrap_or((command, "bot"));
        return (is_name(command) && command.is_ascii() && command.len() <= 64 && is_name(bot)).then_some("bot_command");
    }
    if let Some(name) = word.strip_prefix('@') {
        return (is_name(name) && name.len() > 3).then_some("mention");
    }
    if let Some(tag) = word.strip_prefix('#') {
        return is_name(tag).then_some("hashtag");
    }
    if word.starts_with("http://") || word.starts_with("https://") {
        return html::link(word).map(|_| "url");
    }
    let (user, host) = word.split_once('@')?;
    (is_name(&user.replace(['.', '-', '+'], "_")) && host.contains('.') && html::link(host).is_some()).then_some("email")
}

/// Entities of a text that a person typed.
pub(crate) fn typed(text: &str) -> Formatted {
    mark(Formatted { text: text.to_owned(), entities: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_links_and_mentions_are_found() {
        let entities = typed("/start abc, see https://a.example. @mona_x #sale a@b.example 1/2").entities;
        let kinds: Vec<_> = entities.iter().map(|entity| (entity["type"].as_str().unwrap(), entity["offset"].as_u64().unwrap())).collect();
        assert_eq!(kinds, [("bot_command", 0), ("url", 16), ("mention", 35), ("hashtag", 43), ("email", 49)]);
    }

    #[test]
    fn trimming_moves_the_entities() {
        let formatted = read(" <b> x</b>  ", "HTML", None).unwrap();
        assert_eq!((formatted.text.as_str(), formatted.entities), ("x", vec![json!({"type": "bold", "offset": 0, "length": 1})]));
    }

    #[test]
    fn captions_end_at_1024_units() {
        assert!(caption(&"😀".repeat(512), "", None).is_ok());
        assert_eq!(caption(&"😀".repeat(513), "", None).unwrap_err(), Refusal::bad("message caption is too long"));
    }
}
