//! What a message costs, told before it is queued.

use patchbay_plugin::hooks::{self, Account};
use patchbay_plugin::messages::Outbound;
use patchbay_plugin::{Failure, Field};
use serde_json::{Map, Value, json};

use crate::plan::Plan;
use crate::segments::Segments;
use crate::settings::Settings;

pub(crate) fn preview(account: &Account, message: &Outbound) -> Result<String, Failure> {
    let settings: Settings = hooks::parse_settings(&account.settings)?;
    let segments = Plan::of(&settings, message)?.segments;
    let mut told = Map::from_iter([("encoding".to_owned(), json!(segments.encoding.to_string()))]);
    told.extend(segments.fields().map(|(name, count)| (name.to_owned(), json!(count))));
    Ok(Value::Object(told).to_string())
}

/// The same, as what was accepted tells it.
pub(crate) fn fields(segments: &Segments) -> Vec<Field> {
    let encoding = Field::new("encoding", segments.encoding.to_string());
    std::iter::once(encoding).chain(segments.fields().map(|(name, count)| Field::new(name, count.to_string()))).collect()
}
