//! What a provider was asked: every request, in the order of arrival, for tests to look at.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::clock;

/// How many requests are kept; the oldest go first.
const KEPT_MAX: usize = 100_000;

/// How much of each request is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recording {
    /// Method, account and every parameter.
    #[default]
    Full,
    /// Method and account: for load runs that want to count.
    Summary,
    /// Nothing but the number of requests.
    Off,
}

/// One request that a stand-in got.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordedRequest {
    /// Counts from 1 since the start.
    pub number: u64,
    /// When it had arrived in full: milliseconds since 1970 UTC.
    pub at_ms: u64,
    /// The provider's id of the account asked for: a bot's id.
    pub account: String,
    /// The method under its documented name, whatever case was used.
    pub method: String,
    /// A JSON object, or null where only a summary is kept. A file is `{"file_name","mime_type","size","sha256"}`.
    pub parameters: Value,
    /// The HTTP status answered; 0 while unanswered, and for good where the connection was cut.
    pub status: u16,
}

impl RecordedRequest {
    /// A parameter as text: JSON bodies bring numbers where forms bring digits, and both read the same here.
    #[must_use]
    pub fn text(&self, parameter: &str) -> String {
        match self.parameters.get(parameter) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }
}

/// A request being answered.
#[derive(Debug)]
pub(crate) struct Entry {
    request: RecordedRequest,
    status: AtomicU16,
}

impl Entry {
    pub(crate) fn answered(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    fn snapshot(&self) -> RecordedRequest {
        RecordedRequest { status: self.status.load(Ordering::Relaxed), ..self.request.clone() }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Recorder {
    kept: Mutex<VecDeque<Arc<Entry>>>,
    count: AtomicU64,
    recording: AtomicU8,
    arrived: Notify,
}

impl Recorder {
    pub(crate) fn new(recording: Recording) -> Self {
        let recorder = Self::default();
        recorder.set(recording);
        recorder
    }

    pub(crate) fn set(&self, recording: Recording) {
        self.recording.store(recording as u8, Ordering::Relaxed);
    }

    pub(crate) fn recording(&self) -> Recording {
        match self.recording.load(Ordering::Relaxed) {
            0 => Recording::Full,
            1 => Recording::Summary,
            _ => Recording::Off,
        }
    }

    /// `parameters` is asked for only where it is kept.
    pub(crate) fn record(&self, account: &impl ToString, method: &str, parameters: impl FnOnce() -> Value) -> Option<Arc<Entry>> {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let recording = self.recording();
        if recording == Recording::Off {
            return None;
        }
        let parameters = if recording == Recording::Full { parameters() } else { Value::Null };
        let request = RecordedRequest {
            number,
            at_ms: clock::now_ms(),
            account: account.to_string(),
            method: method.to_owned(),
            parameters,
            status: 0,
        };
        let entry = Arc::new(Entry { request, status: AtomicU16::new(0) });
        {
            let mut kept = self.kept.lock();
            if kept.len() == KEPT_MAX {
                kept.pop_front();
            }
            kept.push_back(Arc::clone(&entry));
        }
        self.arrived.notify_waiters();
        Some(entry)
    }

    /// Requests got since the start, kept or not.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// `method` in any case; none is every method.
    pub(crate) fn list(&self, method: Option<&str>, account: Option<&str>) -> Vec<RecordedRequest> {
        self.kept
            .lock()
            .iter()
            .filter(|entry| method.is_none_or(|method| entry.request.method.eq_ignore_ascii_case(method)))
            .filter(|entry| account.is_none_or(|account| entry.request.account == account))
            .map(|entry| entry.snapshot())
            .collect()
    }

    pub(crate) fn clear(&self) {
        self.kept.lock().clear();
    }

    /// Waits until `count` requests of `method` are there, `within` at most, and returns those that are.
    pub(crate) async fn wait_for(&self, method: &str, count: usize, within: Duration) -> Vec<RecordedRequest> {
        let deadline = Instant::now() + within;
        loop {
            let mut arrived = std::pin::pin!(self.arrived.notified());
            arrived.as_mut().enable();
            let found = self.list(Some(method), None);
            if found.len() >= count || timeout_at(deadline, arrived).await.is_err() {
                return found;
            }
        }
    }
}
