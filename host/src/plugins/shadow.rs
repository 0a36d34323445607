//! What a new version would make of what came in: the type's last webhooks, read by the version that runs and by the new one, and
//! their events compared. Nothing is stored of it, nothing leaves, no log tells of it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use patchbay_sandbox::Fault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use super::{Version, convert, rollout, rollout::RolloutError};
use crate::{
    accounts,
    app::App,
    clock::At,
    domain::{account::Account, event::Fact, failure::FailureClass, webhook::Webhook},
    inbox,
    store::{self, accounts::last_of_type},
};

/// Accounts whose webhooks are looked at.
const ACCOUNTS_MAX: u32 = 200;
/// Of each of them at least.
const OF_ACCOUNT_MIN: u32 = 5;
/// The most webhooks of one comparison.
pub const WEBHOOKS_MAX: u32 = 1000;
/// What took longer is compared no further.
const WITHIN: Duration = Duration::from_secs(60);
/// Webhooks that are shown, and changes of each.
const SHOWN_MAX: usize = 20;
const CHANGES_MAX: usize = 20;
/// Characters that are shown of a field's value, and of an event that is there only once.
const VALUE_MAX: usize = 200;
const EVENT_MAX: usize = 2_000;

/// How a version's events differ from those of the version that runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ShadowReport")]
pub struct Report {
    /// The version that it was compared with.
    pub former: String,
    pub at: At,
    pub compared: u32,
    pub same: u32,
    /// Webhooks of which it makes something else.
    pub different: u32,
    /// Of these, the ones that it breaks on, and the other version doesn't.
    pub faults: u32,
    /// The first of those that differ.
    pub differing: Vec<Difference>,
}

/// A webhook of which the version makes something else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ShadowDifference")]
pub struct Difference {
    pub webhook_id: String,
    pub channel_account_id: String,
    pub received_at: At,
    pub changes: Vec<Change>,
}

/// What is otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ShadowChange")]
pub struct Change {
    /// Of the event; none where the webhook as a whole is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedupe_key: Option<String>,
    /// A pointer into the event; empty for all of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
    pub what: What,
    /// With the version that runs. Shown where it was asked for, and never kept: it is what people wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<Value>,
    /// With the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ShadowChangeKind")]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It isn't there any more.
    Missing,
    Added,
    Changed,
    /// What was read isn't any more: `is` says why.
    Unread,
    /// What wasn't read is.
    Read,
}

impl Report {
    /// Whether there is something that somebody should look at.
    pub fn differs(&self) -> bool {
        self.different > 0
    }

    /// Without what people wrote: as it is kept.
    #[must_use]
    pub fn without_values(mut self) -> Report {
        for change in self.differing.iter_mut().flat_map(|difference| &mut difference.changes) {
            if !matches!(change.what, What::Unread | What::Read) {
                (change.was, change.is) = (None, None);
            }
        }
        self
    }
}

/// Compares a version that is stored, and keeps what was found with it; none where nothing else runs.
///
/// # Errors
/// [`RolloutError`]
pub async fn try_out(app: &App, digest: &str, most: u32) -> Result<Option<Report>, RolloutError> {
    let newer = rollout::load(app, digest).await?;
    let Some(report) = compare(app, &newer, most).await? else { return Ok(None) };
    let kept = serde_json::to_value(report.clone().without_values()).unwrap_or_default();
    let mut tx = app.db.begin().await?;
    store::plugins::keep_shadow(&mut tx, digest, kept).await?;
    tx.commit().await?;
    Ok(Some(report))
}

/// Reads the last webhooks of the version's type, `most` of them, with it and with the one that runs; none where nothing else runs.
///
/// # Errors
/// The database failed.
pub async fn compare(app: &App, newer: &Version, most: u32) -> store::Result<Option<Report>> {
    let channel_type = &newer.manifest.channel_type;
    let Some(former) = app.plugins.get(channel_type).filter(|former| former.digest != newer.digest) else { return Ok(None) };
    let began = Instant::now();
    let (accounts, ids) = last_webhooks(app, channel_type, most.min(WEBHOOKS_MAX)).await?;
    let none = Vec::new();
    let mut report =
        Report { former: former.digest.clone(), at: app.clock.now(), compared: 0, same: 0, different: 0, faults: 0, differing: none };
    for (account_id, id) in ids {
        if app.tasks.is_stopping() || began.elapsed() > WITHIN {
            break;
        }
        let Some(account) = accounts.get(&account_id) else { continue };
        let Some(webhook) = store::webhooks::of_account(&app.db, &id).await? else { continue };
        let Some(was) = read(app, account, &former, &webhook).await? else { continue };
        let Some(is) = read(app, account, newer, &webhook).await? else { continue };
        report.compared += 1;
        let changes = changes_of(&was, &is);
        if changes.is_empty() {
            report.same += 1;
            continue;
        }
        report.different += 1;
        report.faults += u32::from(matches!(is, Seen::Faulted(_)));
        if report.differing.len() < SHOWN_MAX {
            let (webhook_id, received_at) = (webhook.id, webhook.received_at);
            report.differing.push(Difference { webhook_id, channel_account_id: account_id, received_at, changes });
        }
    }
    Ok(Some(report))
}

/// The last webhooks of several accounts, newest first: one busy account must not stand for all.
async fn last_webhooks(app: &App, channel_type: &str, most: u32) -> store::Result<(HashMap<String, Account>, Vec<(String, String)>)> {
    let accounts = last_of_type(&app.db, channel_type, ACCOUNTS_MAX).await?;
    let shares = u32::try_from(accounts.len()).unwrap_or(u32::MAX).max(1);
    let of_each = most.div_ceil(shares).max(OF_ACCOUNT_MIN.min(most));
    let mut found = Vec::new();
    for account in &accounts {
        let ids = store::webhooks::last_read(&app.db, &account.id, of_each).await?;
        found.extend(ids.into_iter().map(|id| (account.id.clone(), id)));
    }
    found.sort_by(|a, b| b.1.cmp(&a.1));
    found.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    Ok((accounts.into_iter().map(|account| (account.id.clone(), account)).collect(), found))
}

/// What a version makes of a webhook.
enum Seen {
    /// Each event as JSON, by its key; of equal keys one after the other.
    Events(BTreeMap<(String, usize), Value>),
    /// It knows no such webhook.
    Unread(String),
    Faulted(String),
}

impl Seen {
    fn why(&self) -> Option<&str> {
        match self {
            Seen::Events(_) => None,
            Seen::Unread(why) | Seen::Faulted(why) => Some(why),
        }
    }
}

/// None where there was no place for the call.
async fn read(app: &App, account: &Account, version: &Version, webhook: &Webhook) -> store::Result<Option<Seen>> {
    let secrets = accounts::open_secrets(app, account).await?;
    let asked = inbox::webhook_out(account, version, webhook);
    let (answer, made) = version.parse_in_shadow(app, account, secrets, &asked).await;
    let seen = match answer {
        Ok(Ok(parsed)) => {
            let events = inbox::events_of(app, account, version, parsed.events).await?;
            Seen::Events(keyed(&convert::events_in(events).await, &made))
        }
        Ok(Err(failure)) => {
            let failure = convert::failure_in(failure);
            let why = format!("{}: {}", failure.class, failure.message);
            if failure.class == FailureClass::Fault { Seen::Faulted(why) } else { Seen::Unread(why) }
        }
        Err(Fault::Busy(_)) => return Ok(None),
        Err(fault) => Seen::Faulted(fault.to_string()),
    };
    Ok(Some(seen))
}

fn keyed(facts: &[Fact], made: &BTreeSet<String>) -> BTreeMap<(String, usize), Value> {
    let mut found = BTreeMap::new();
    let mut files = HashMap::new();
    for fact in facts {
        let mut json = serde_json::to_value(fact).unwrap_or_default();
        number_files(&mut json, made, &mut files);
        let nth = found.keys().filter(|(key, _)| *key == fact.dedupe_key).count();
        found.insert((fact.dedupe_key.clone(), nth), json);
    }
    found
}

/// Ids of files that a call made are new with every call: they are told apart by their order.
fn number_files(json: &mut Value, made: &BTreeSet<String>, files: &mut HashMap<String, usize>) {
    match json {
        Value::String(text) if made.contains(text) => {
            let next = files.len();
            *text = format!("file {}", files.entry(std::mem::take(text)).or_insert(next));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| number_files(item, made, files)),
        Value::Object(members) => members.values_mut().for_each(|member| number_files(member, made, files)),
        _ => {}
    }
}

fn changes_of(was: &Seen, is: &Seen) -> Vec<Change> {
    let whole = |what, was: Option<&str>, is: Option<&str>| {
        let told = |why: &str| shown(&Value::String(why.to_owned()));
        vec![Change { dedupe_key: None, field: String::new(), what, was: was.map(told), is: is.map(told) }]
    };
    let mut changes = match (was, is) {
        (Seen::Events(was), Seen::Events(is)) => compare_events(was, is),
        (Seen::Events(_), failed) => whole(What::Unread, None, failed.why()),
        (failed, Seen::Events(_)) => whole(What::Read, failed.why(), None),
        (Seen::Unread(_), Seen::Faulted(_)) => whole(What::Unread, was.why(), is.why()),
        // That it still can't be read is no news, whatever the words.
        _ => Vec::new(),
    };
    changes.truncate(CHANGES_MAX);
    changes
}

fn compare_events(was: &BTreeMap<(String, usize), Value>, is: &BTreeMap<(String, usize), Value>) -> Vec<Change> {
    let mut changes = Vec::new();
    for key in was.keys().chain(is.keys().filter(|key| !was.contains_key(*key))) {
        match (was.get(key), is.get(key)) {
            (Some(was), Some(is)) => compare_json(&key.0, "", was, is, &mut changes),
            (was, is) => {
                let what = if is.is_none() { What::Missing } else { What::Added };
                let whole = |event| shown_within(event, EVENT_MAX);
                let (was, is) = (was.map(whole), is.map(whole));
                changes.push(Change { dedupe_key: Some(key.0.clone()), field: String::new(), what, was, is });
            }
        }
    }
    changes
}

fn compare_json(key: &str, at: &str, was: &Value, is: &Value, changes: &mut Vec<Change>) {
    match (was, is) {
        _ if was == is => {}
        (Value::Object(before), Value::Object(after)) => {
            for name in before.keys().chain(after.keys().filter(|name| !before.contains_key(*name))) {
                // As RFC 6901 writes a name in a pointer.
                let place = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                compare_member(key, &place, before.get(name), after.get(name), changes);
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for n in 0..before.len().max(after.len()) {
                compare_member(key, &format!("{at}/{n}"), before.get(n), after.get(n), changes);
            }
        }
        _ => changes.push(changed(key, at, What::Changed, Some(was), Some(is))),
    }
}

fn compare_member(key: &str, place: &str, was: Option<&Value>, is: Option<&Value>, changes: &mut Vec<Change>) {
    match (was, is) {
        (Some(was), Some(is)) => compare_json(key, place, was, is, changes),
        (Some(_), None) => changes.push(changed(key, place, What::Missing, was, is)),
        (None, _) => changes.push(changed(key, place, What::Added, was, is)),
    }
}

fn changed(key: &str, place: &str, what: What, was: Option<&Value>, is: Option<&Value>) -> Change {
    Change { dedupe_key: Some(key.to_owned()), field: place.to_owned(), what, was: was.map(shown), is: is.map(shown) }
}

fn shown(value: &Value) -> Value {
    shown_within(value, VALUE_MAX)
}

/// A value, or the begin of its text.
fn shown_within(value: &Value, most: usize) -> Value {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= most {
        return value.clone();
    }
    Value::String(text.chars().take(most).chain(['…']).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn events(events: &[(&str, Value)]) -> Seen {
        Seen::Events(events.iter().map(|(key, event)| (((*key).to_owned(), 0), event.clone())).collect())
    }

    fn told(was: &Seen, is: &Seen) -> Vec<(Option<String>, String, What)> {
        changes_of(was, is).into_iter().map(|change| (change.dedupe_key, change.field, change.what)).collect()
    }

    #[test]
    fn events_are_compared_by_key_then_by_field() {
        let was = events(&[("a", json!({"text": "x", "list": [1, 2], "gone": 1})), ("b", json!({}))]);
        let is = events(&[("a", json!({"text": "y", "list": [1], "a/b": 1})), ("c", json!({}))]);
        let a = || Some("a".to_owned());
        assert_eq!(
            told(&was, &is),
            [
                (a(), "/gone".to_owned(), What::Missing),
                (a(), "/list/1".to_owned(), What::Missing),
                (a(), "/text".to_owned(), What::Changed),
                (a(), "/a~1b".to_owned(), What::Added),
                (Some("b".to_owned()), String::new(), What::Missing),
                (Some("c".to_owned()), String::new(), What::Added),
            ]
        );
        assert!(told(&was, &was).is_empty());
    }

    #[test]
    fn what_one_version_cannot_read_is_told_and_what_neither_can_is_not() {
        let unread = |why: &str| Seen::Unread(why.to_owned());
        let faulted = Seen::Faulted("trap".to_owned());
        assert_eq!(told(&events(&[]), &faulted), [(None, String::new(), What::Unread)]);
        assert_eq!(told(&faulted, &events(&[])), [(None, String::new(), What::Read)]);
        assert_eq!(told(&unread("a"), &faulted), [(None, String::new(), What::Unread)]);
        assert!(told(&unread("a"), &unread("b")).is_empty());
        assert!(told(&faulted, &unread("b")).is_empty());
    }

    #[test]
    fn what_is_kept_holds_nothing_that_people_wrote() {
        let changes = changes_of(&events(&[("a", json!({"text": "secret"}))]), &events(&[("a", json!({"text": "other"}))]));
        assert_eq!((changes[0].was.as_ref(), changes[0].is.as_ref()), (Some(&json!("secret")), Some(&json!("other"))));
        let at = At::from_micros(0);
        let difference = Difference { webhook_id: String::new(), channel_account_id: String::new(), received_at: at, changes };
        let report = Report { former: String::new(), at, compared: 1, same: 0, different: 1, faults: 0, differing: vec![difference] };
        let kept = serde_json::to_string(&report.without_values()).unwrap();
        assert!(kept.contains("/text") && !kept.contains("secret") && !kept.contains("other"), "{kept}");
    }

    #[test]
    fn files_are_told_apart_by_their_order() {
        let made: BTreeSet<String> = ["x".to_owned(), "y".to_owned()].into();
        let mut json = json!([{"id": "y"}, "x", "y", "z"]);
        number_files(&mut json, &made, &mut HashMap::new());
        assert_eq!(json, json!([{"id": "file 0"}, "file 1", "file 0", "z"]));
    }

    #[test]
    fn a_long_value_is_cut() {
        let long = shown(&json!("ü".repeat(500)));
        assert_eq!(long.as_str().unwrap().chars().count(), VALUE_MAX + 1);
    }
}
