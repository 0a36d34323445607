//! Where records of failed calls go: to a writer that frees them of secrets and stores them, while whoever called goes on. What comes
//! too fast is left out: a plugin that fails at everything fails in the same way.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::sync::mpsc;

use super::{
    Input, Outcome, Tape,
    record::{CallRecord, FORMAT, Limits},
    redact,
    tape::Ended,
};
use crate::{
    clock::{At, Clock},
    domain::account::Account,
    ids::Ids,
    plugins::Version,
    secrets::Secret,
    store::{self, Db, plugin_calls::Kept},
    tasks::Tasks,
};

/// Records that wait for the writer.
const WAITING_MAX: usize = 16;
/// Of one hook of one component.
const PER_MINUTE: u32 = 10;
const MINUTE: Duration = Duration::from_secs(60);
/// Hooks of components that are counted at the same time.
const COUNTED_MAX: usize = 1_000;
/// Bytes of one record.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// The way in for records.
pub struct Recordings {
    clock: Arc<dyn Clock>,
    ids: Arc<Ids>,
    /// Of one type and version; 0 keeps none.
    most: u32,
    waiting: Mutex<Option<mpsc::Sender<Unwritten>>>,
    counts: Mutex<HashMap<(String, &'static str), Count>>,
    writer: Tasks,
}

struct Count {
    since: At,
    records: u32,
}

/// In memory only: it may hold secrets.
struct Unwritten {
    record: CallRecord,
    secrets: Vec<(String, Secret)>,
}

/// A call that failed.
pub struct Failed<'a> {
    pub version: &'a Version,
    pub account: Option<&'a Account>,
    pub limits: Limits,
    pub took: Duration,
    pub input: Input,
    pub outcome: Outcome,
}

impl Recordings {
    /// Starts the writer, which keeps the newest `most` records of each type and version.
    pub fn start(db: Db, clock: Arc<dyn Clock>, ids: Arc<Ids>, most: u32) -> Recordings {
        let (sender, mut receiver) = mpsc::channel::<Unwritten>(WAITING_MAX);
        let writer = Tasks::default();
        writer.spawn(async move {
            while let Some(unwritten) = receiver.recv().await {
                if let Err(error) = write(&db, unwritten, most).await {
                    tracing::error!(%error, "the record of a failed call could not be stored");
                }
            }
        });
        Recordings { clock, ids, most, waiting: Mutex::new(Some(sender)), counts: Mutex::default(), writer }
    }

    /// For one call.
    pub fn tape(&self) -> Tape {
        if self.most == 0 { Tape::off() } else { Tape::new() }
    }

    /// Keeps what is on the tape; answers the record's id. Never waits: none where there is no tape, or too many came before.
    pub fn keep(&self, tape: &Tape, failed: Failed<'_>) -> Option<String> {
        let ended = tape.end()?;
        let now = self.clock.now();
        if !self.has_room(&failed, now) {
            return None;
        }
        let id = self.ids.next(now);
        let unwritten = unwritten(id.clone(), now, ended, failed);
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.as_ref()?.try_send(unwritten).ok()?;
        Some(id)
    }

    fn has_room(&self, failed: &Failed<'_>, now: At) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |count: &Count| now.since(count.since).is_none_or(|span| span >= MINUTE);
        if counts.len() >= COUNTED_MAX {
            counts.retain(|_, count| !is_over(count));
        }
        let key = (failed.version.digest.clone(), failed.input.hook());
        if counts.len() >= COUNTED_MAX && !counts.contains_key(&key) {
            return false;
        }
        let count = counts.entry(key).or_insert(Count { since: now, records: 0 });
        if is_over(count) {
            *count = Count { since: now, records: 0 };
        }
        count.records = count.records.saturating_add(1);
        count.records <= PER_MINUTE
    }

    /// Writes what waits and ends.
    pub async fn close(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.writer.join().await;
    }
}

fn unwritten(id: String, at: At, ended: Ended, failed: Failed<'_>) -> Unwritten {
    let Failed { version, account, limits, took, input, outcome } = failed;
    let mut secrets: Vec<(String, Secret)> = ended.secrets.into_iter().collect();
    secrets.extend(
        account
            .and_then(|account| account.webhook_token.as_ref())
            .map(|token| ("webhook_token".to_owned(), Secret::from(token.0.as_str()))),
    );
    secrets.extend(devices(&input));
    let (private, is_readable) = private_members(version, &input);
    secrets.extend(private);
    let withheld =
        (!is_readable).then(|| "what a browser sent may hold a device's keys, and isn't JSON, in which they could be told".to_owned());
    let record = CallRecord {
        format: FORMAT,
        id,
        at,
        channel_type: version.manifest.channel_type.clone(),
        version: version.manifest.version.clone(),
        digest: version.digest.clone(),
        account_id: account.map(|account| account.id.clone()),
        organization_id: account.map(|account| account.organization_id.clone()),
        hook: input.hook().to_owned(),
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        limits,
        input: is_readable.then_some(input),
        withheld,
        exchanges: ended.exchanges,
        left_out: ended.left_out,
        log: ended.log,
        outcome,
        instance_calls: ended.instance_calls,
        blanked: Vec::new(),
    };
    Unwritten { record, secrets }
}

/// Where a message's devices are, and their keys: whoever has them may write to these.
fn devices(input: &Input) -> Vec<(String, Secret)> {
    let Input::Send { message, .. } = input else { return Vec::new() };
    let of_device = message.subscriptions.iter().flat_map(|device| {
        let keys = device.keys.iter().map(|key| key.value.as_str());
        std::iter::once(device.endpoint.as_str()).chain(keys)
    });
    of_device.map(|value| ("subscription".to_owned(), Secret::from(value))).collect()
}

/// What the manifest calls private in what browsers send; and whether it could be looked for.
fn private_members(version: &Version, input: &Input) -> (Vec<(String, Secret)>, bool) {
    let (Some(spec), Input::Parse { webhook }) = (&version.manifest.browser, input) else { return (Vec::new(), true) };
    let body = webhook.body.to_vec().unwrap_or_default();
    match serde_json::from_slice::<Value>(&body) {
        Ok(json) => {
            let mut found = Vec::new();
            collect(&json, &spec.private, false, &mut found);
            (found, true)
        }
        // A provider's webhook is vouched for, and holds no browser's keys.
        Err(_) => (Vec::new(), body.is_empty() || webhook.verified_by.is_some()),
    }
}

fn collect(json: &Value, private: &[String], inside: bool, found: &mut Vec<(String, Secret)>) {
    match json {
        Value::String(text) if inside => found.push(("browser".to_owned(), Secret::from(text.as_str()))),
        Value::Array(items) => items.iter().for_each(|item| collect(item, private, inside, found)),
        Value::Object(members) => members.iter().for_each(|(name, value)| collect(value, private, inside || private.contains(name), found)),
        _ => {}
    }
}

async fn write(db: &Db, unwritten: Unwritten, most: u32) -> store::Result<()> {
    let Unwritten { mut record, secrets } = unwritten;
    let text = stored_text(&mut record, &secrets);
    let kept = Kept {
        id: record.id,
        at: record.at,
        channel_type: record.channel_type,
        version: record.version,
        digest: record.digest,
        account_id: record.account_id,
        organization_id: record.organization_id,
        hook: record.hook,
        outcome: record.outcome.word(),
        text: outcome_text(&text),
        size: i64::try_from(text.len()).unwrap_or(i64::MAX),
    };
    let mut tx = db.begin().await?;
    store::plugin_calls::insert(&mut tx, &kept, &text).await?;
    store::plugin_calls::trim(&mut tx, &kept.channel_type, &kept.version, most).await?;
    tx.commit().await
}

/// Without secrets, and within its bound: the last exchanges go first.
fn stored_text(record: &mut CallRecord, secrets: &[(String, Secret)]) -> String {
    loop {
        match redact::redacted(record, secrets).map(|json| json.to_string()) {
            Some(text) if text.len() <= BYTES_MAX => return text,
            Some(_) if !record.exchanges.is_empty() => {
                let left = record.exchanges.len() / 2;
                let gone = record.exchanges.len() - left;
                record.exchanges.truncate(left);
                record.left_out = record.left_out.saturating_add(u32::try_from(gone).unwrap_or(u32::MAX));
            }
            Some(_) if record.input.is_some() => withhold(record, "its input has more bytes than a record may have"),
            Some(_) if !record.log.is_empty() => record.log.clear(),
            Some(text) => return text,
            None => {
                // Nothing of what was said is left, so that no secret can be.
                withhold(record, "a secret is in it in a form that could not be blanked");
                record.log.clear();
                record.exchanges.clear();
                let outcome = Outcome::Fault { word: record.outcome.word(), text: String::new() };
                record.outcome = outcome;
                return serde_json::to_string(record).unwrap_or_default();
            }
        }
    }
}

fn withhold(record: &mut CallRecord, why: &str) {
    record.input = None;
    record.withheld = Some(why.to_owned());
}

/// As it stands in what is stored: blanked.
fn outcome_text(text: &str) -> String {
    let record = serde_json::from_str::<CallRecord>(text);
    record.map(|record| record.outcome.text().to_owned()).unwrap_or_default()
}
