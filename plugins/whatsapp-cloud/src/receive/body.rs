//! A body into its pieces. Nearly always it has the shape that is expected and is read in one go; else piece by piece, so that
//! one that can't be understood costs none of the others.

use std::cell::OnceCell;

use patchbay_plugin::Failure;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::wire::{Change, Entry, Envelope, Update};

pub(super) struct Body<'a> {
    bytes: &'a [u8],
    pub(super) envelope: Envelope,
    pub(super) broken: Vec<Broken>,
    json: OnceCell<Value>,
}

/// What has another shape than any that is known.
#[derive(Debug)]
pub(super) struct Broken {
    /// Where it stands in the envelope, which has an empty change in its place or the change without it.
    pub(super) entry: usize,
    pub(super) change: usize,
    /// The list that it is an item of; empty for a whole change or entry.
    pub(super) list: &'static str,
    pub(super) json: Value,
}

impl<'a> Body<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Failure> {
        if let Ok(envelope) = serde_json::from_slice(bytes) {
            // serde also reads structs from arrays.
            if bytes.trim_ascii_start().starts_with(b"{") {
                return Ok(Self { bytes, envelope, broken: Vec::new(), json: OnceCell::new() });
            }
        }
        let json: Value = serde_json::from_slice(bytes).map_err(|error| Failure::invalid("", format!("not JSON: {error}")))?;
        let Value::Object(fields) = &json else { return Err(Failure::invalid("", "a webhook is a JSON object")) };
        let (envelope, broken) = pieces(fields.get("entry"));
        Ok(Self { bytes, envelope, broken, json: OnceCell::from(json) })
    }

    /// The JSON of a change's value.
    pub(super) fn value(&self, entry: usize, change: usize) -> &Value {
        let json = self.json.get_or_init(|| serde_json::from_slice(self.bytes).unwrap_or_default());
        json.pointer(&format!("/entry/{entry}/changes/{change}/value")).unwrap_or(&Value::Null)
    }

    /// The JSON of an item, which has that id: where it stands, or wherever it is after others were left out.
    pub(super) fn item(&self, entry: usize, change: usize, list: &str, index: usize, id: Option<&str>) -> &Value {
        let items = self.value(entry, change).get(list).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let same = |item: &&Value| patchbay_meta::json::id(item.get("id").unwrap_or(&Value::Null)).as_deref() == id;
        items.get(index).filter(same).or_else(|| items.iter().find(same)).unwrap_or(&Value::Null)
    }
}

fn pieces(entries: Option<&Value>) -> (Envelope, Vec<Broken>) {
    let (mut envelope, mut broken) = (Envelope::default(), Vec::new());
    let entries = match entries {
        Some(Value::Array(entries)) => entries.as_slice(),
        None | Some(Value::Null) => &[],
        Some(other) => {
            broken.push(Broken { entry: 0, change: 0, list: "", json: other.clone() });
            &[]
        }
    };
    for (number, told) in entries.iter().enumerate() {
        let mut entry: Entry = head(told, "changes").unwrap_or_default();
        match told.get("changes") {
            Some(Value::Array(changes)) => {
                for (place, told) in changes.iter().enumerate() {
                    entry.changes.push(change(told, number, place, &mut broken));
                }
            }
            _ => broken.push(Broken { entry: number, change: 0, list: "", json: told.clone() }),
        }
        envelope.entry.push(entry);
    }
    (envelope, broken)
}

/// What of a change can be read.
fn change(told: &Value, entry: usize, change: usize, broken: &mut Vec<Broken>) -> Change {
    let field = told.get("field").and_then(Value::as_str).unwrap_or_default().to_owned();
    let Some(Value::Object(fields)) = told.get("value") else {
        broken.push(Broken { entry, change, list: "", json: told.clone() });
        return Change { field, value: Update::default() };
    };
    let mut found = Found { told: fields, entry, change, broken };
    let value = Update {
        metadata: fields.get("metadata").and_then(parse).unwrap_or_default(),
        messages: found.items("messages"),
        message_echoes: found.items("message_echoes"),
        statuses: found.items("statuses"),
        user_preferences: found.items("user_preferences"),
        errors: found.items("errors"),
        contacts: found.items("contacts"),
    };
    Change { field, value }
}

struct Found<'a> {
    told: &'a Map<String, Value>,
    entry: usize,
    change: usize,
    broken: &'a mut Vec<Broken>,
}

impl Found<'_> {
    /// The items of a list that can be read.
    fn items<T: DeserializeOwned>(&mut self, list: &'static str) -> Vec<T> {
        let items = match self.told.get(list) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(items)) => items.as_slice(),
            Some(other) => std::slice::from_ref(other),
        };
        let mut read = Vec::with_capacity(items.len());
        for item in items {
            match parse(item) {
                Some(known) => read.push(known),
                None => self.broken.push(Broken { entry: self.entry, change: self.change, list, json: item.clone() }),
            }
        }
        read
    }
}

/// An object of that shape, whatever of it is null.
fn parse<T: DeserializeOwned>(told: &Value) -> Option<T> {
    let mut told = told.is_object().then(|| told.clone())?;
    drop_nulls(&mut told);
    serde_json::from_value(told).ok()
}

/// The same without one field.
fn head<T: DeserializeOwned>(told: &Value, without: &str) -> Option<T> {
    let mut fields = told.as_object()?.clone();
    fields.remove(without);
    parse(&Value::Object(fields))
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        _ => {}
    }
}
