//! Failures on demand: what should go wrong next, and how.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A failure that requests will meet. Say what it strikes (`method`, `account`, `chat`; left out is any), how often,
/// and what happens: an error of the provider (`error_code`…), a bare HTTP answer (`status`, `body`), a wait
/// (`hang_ms`), a cut connection (`break`), or several of them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Failure {
    /// In any case; left out or `*` strikes every method.
    pub method: Option<String>,
    /// The provider's account id: a bot's id.
    pub account: Option<String>,
    /// The recipient, as the request writes it.
    pub chat: Option<String>,
    /// So many requests pass before the first is struck.
    pub skip: u32,
    /// How many requests are struck; 1 where left out.
    pub times: Option<u32>,
    /// The provider's error, in the provider's envelope, with this HTTP status.
    pub error_code: Option<u32>,
    /// The text that goes with `error_code`.
    pub description: Option<String>,
    /// What else the provider tells with `error_code`: `{"retry_after":3}`.
    pub parameters: Option<Value>,
    /// An answer that doesn't come from the provider's program but from a proxy before it: HTML by default.
    pub status: Option<u16>,
    /// The body that goes with `status`.
    pub body: Option<String>,
    /// The answer waits so many milliseconds.
    pub hang_ms: Option<u64>,
    /// Whether it waits before the request is processed (default) or after.
    pub hang: Moment,
    /// The connection is cut without an answer, before or after the request is processed.
    #[serde(rename = "break")]
    pub cut: Option<Moment>,
}

/// When it happens, seen from the processing of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// The provider has done nothing yet.
    #[default]
    Before,
    /// The provider has done it: the caller can't know.
    After,
}

impl Failure {
    /// `error_code` with its text, for the next request of `method`.
    #[must_use]
    pub fn error(method: &str, error_code: u32, description: &str) -> Self {
        Self { method: Some(method.into()), error_code: Some(error_code), description: Some(description.into()), ..Self::default() }
    }

    /// The connection breaks at the next request of `method`.
    #[must_use]
    pub fn cut(method: &str, moment: Moment) -> Self {
        Self { method: Some(method.into()), cut: Some(moment), ..Self::default() }
    }

    /// The next answer to `method` takes so long.
    #[must_use]
    pub fn hang(method: &str, hang_ms: u64, hang: Moment) -> Self {
        Self { method: Some(method.into()), hang_ms: Some(hang_ms), hang, ..Self::default() }
    }

    /// The next answer to `method` is a proxy's.
    #[must_use]
    pub fn status(method: &str, status: u16) -> Self {
        Self { method: Some(method.into()), status: Some(status), ..Self::default() }
    }

    /// Strikes so many requests instead of one.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn strikes(&self, method: &str, account: &str, chat: &str) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted == "*" || wanted.eq_ignore_ascii_case(method))
            && self.account.as_deref().is_none_or(|wanted| wanted == account)
            && self.chat.as_deref().is_none_or(|wanted| wanted == chat)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Failures {
    planned: Mutex<Vec<Failure>>,
    /// The number of planned ones, so that a request without failures takes no lock.
    open: AtomicUsize,
}

impl Failures {
    pub(crate) fn plan(&self, failure: Failure) {
        let mut planned = self.planned.lock();
        planned.push(failure);
        self.open.store(planned.len(), Ordering::Release);
    }

    pub(crate) fn list(&self) -> Vec<Failure> {
        self.planned.lock().clone()
    }

    pub(crate) fn clear(&self) {
        let mut planned = self.planned.lock();
        planned.clear();
        self.open.store(0, Ordering::Release);
    }

    pub(crate) fn any(&self) -> bool {
        self.open.load(Ordering::Acquire) > 0
    }

    /// The first planned failure that strikes this request, counted down.
    pub(crate) fn take(&self, method: &str, account: &str, chat: &str) -> Option<Failure> {
        let mut planned = self.planned.lock();
        let mut struck = None;
        for failure in planned.iter_mut().filter(|failure| failure.strikes(method, account, chat)) {
            if failure.skip > 0 {
                failure.skip -= 1;
                continue;
            }
            let left = failure.times.unwrap_or(1);
            if left > 0 {
                failure.times = Some(left - 1);
                struck = Some(failure.clone());
                break;
            }
        }
        planned.retain(|failure| failure.times != Some(0));
        self.open.store(planned.len(), Ordering::Release);
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_strikes_as_often_as_told_after_the_skipped_ones() {
        let failures = Failures::default();
        failures.plan(Failure { skip: 1, ..Failure::error("sendMessage", 429, "slow").times(2) });
        let struck: Vec<bool> = (0..5).map(|_| failures.take("sendmessage", "42", "7").is_some()).collect();
        assert_eq!(struck, [false, true, true, false, false]);
        assert!(!failures.any());
    }

    #[test]
    fn a_failure_for_one_chat_spares_the_others() {
        let failures = Failures::default();
        failures.plan(Failure { chat: Some("7".into()), ..Failure::status("sendMessage", 502) });
        assert!(failures.take("sendMessage", "42", "8").is_none());
        assert!(failures.take("sendMessage", "42", "7").is_some());
    }
}
