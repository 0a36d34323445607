//! A message's contents → the calls that they take, everything checked before the first of them.

use patchbay_plugin::Failure;
use patchbay_plugin::messages::{ContactCard, Content, Location, Text};
use serde_json::{Map, Value, json};

use super::put::Put as _;
use super::upload::Upload;
use super::{Context, custom, format, interactive, media, template};

/// Characters of a text.
const TEXT_MAX: usize = 4096;

/// One call: a message of WhatsApp's.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) kind: &'static str,
    pub(super) payload: Value,
    /// Files that are uploaded before.
    pub(super) uploads: Vec<Upload>,
}

impl Step {
    pub(super) fn new(kind: &'static str, payload: Value) -> Self {
        Self { kind, payload, uploads: Vec::new() }
    }
}

pub(super) fn steps(context: &Context<'_>, contents: &[Content]) -> Result<Vec<Step>, Failure> {
    if contents.is_empty() {
        return Err(Failure::invalid("/content", "is empty"));
    }
    let mut steps = Vec::with_capacity(contents.len());
    for (index, content) in contents.iter().enumerate() {
        let at = format!("/content/{index}");
        match content {
            Content::Text(text) => steps.push(self::text(context, text, &at)?),
            Content::Media(one) => steps.push(media::step(one, &at)?),
            // WhatsApp's own albums can't be sent: it shows pictures that follow each other as one.
            Content::Album(items) if items.is_empty() => return Err(Failure::invalid(format!("{at}/items"), "the album is empty")),
            Content::Album(items) => {
                for (number, item) in items.iter().enumerate() {
                    steps.push(media::step(item, &format!("{at}/items/{number}"))?);
                }
            }
            Content::Sticker(sticker) => steps.push(media::sticker(sticker, &at)?),
            Content::Location(location) => steps.push(Step::new("location", self::location(location))),
            Content::Contacts(cards) => steps.push(contacts(cards, &at)?),
            Content::Template(template) => steps.push(template::step(context, template, &at)?),
            Content::Interactive(asked) => steps.push(interactive::step(asked, &at)?),
            Content::Custom(custom) => steps.push(custom::step(custom, &at)?),
            Content::Poll(_) => return Err(unsupported("poll", "polls can't be sent on the Cloud API: use buttons or a menu")),
            Content::Email(_) => return Err(unsupported("email", "WhatsApp carries no e-mail")),
            Content::Notification(_) => return Err(unsupported("notification", "WhatsApp carries no push notifications")),
            Content::Post(_) => return Err(unsupported("post", "WhatsApp has no posts that the Cloud API can write")),
        }
    }
    Ok(steps)
}

fn unsupported(code: &str, words: &str) -> Failure {
    Failure::unsupported(code, words)
}

fn text(context: &Context<'_>, text: &Text, at: &str) -> Result<Step, Failure> {
    let body = format::written(&text.body, text.format);
    length(&body, 1, TEXT_MAX, &format!("{at}/text"))?;
    let preview = text.preview_links && context.settings.preview_url;
    Ok(Step::new("text", json!({"body": body, "preview_url": preview})))
}

pub(super) fn location(location: &Location) -> Value {
    let mut fields = Map::new();
    fields.insert("latitude".into(), location.latitude.into());
    fields.insert("longitude".into(), location.longitude.into());
    for (name, value) in [("name", &location.name), ("address", &location.address)] {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            fields.insert(name.into(), value.as_str().into());
        }
    }
    Value::Object(fields)
}

fn contacts(cards: &[ContactCard], at: &str) -> Result<Step, Failure> {
    if cards.is_empty() {
        return Err(Failure::invalid(format!("{at}/contacts"), "is empty"));
    }
    let cards = cards.iter().enumerate().map(|(number, card)| contact(card, &format!("{at}/contacts/{number}")));
    Ok(Step::new("contacts", Value::Array(cards.collect::<Result<_, _>>()?)))
}

/// A name has to have one more part than the whole.
fn contact(card: &ContactCard, at: &str) -> Result<Value, Failure> {
    let name = card.name.trim();
    length(name, 1, 512, &format!("{at}/name"))?;
    let (first, last) = name.split_once(' ').unwrap_or((name, ""));
    let mut names = json!({"formatted_name": name, "first_name": first});
    if !last.is_empty() {
        names.put("last_name", last.trim());
    }
    let mut fields = json!({"name": names});
    if !card.phones.is_empty() {
        fields.put("phones", card.phones.iter().map(|phone| json!({"phone": phone, "type": "CELL"})).collect::<Value>());
    }
    if !card.emails.is_empty() {
        fields.put("emails", card.emails.iter().map(|email| json!({"email": email, "type": "WORK"})).collect::<Value>());
    }
    Ok(fields)
}

/// Characters as people count them; the field is named.
pub(super) fn length(text: &str, least: usize, most: usize, pointer: &str) -> Result<(), Failure> {
    match text.chars().count() {
        count if count < least => Err(Failure::invalid(pointer, "is empty")),
        count if count > most => Err(Failure::invalid(pointer, format!("has {count} characters; {most} are the most"))),
        _ => Ok(()),
    }
}
