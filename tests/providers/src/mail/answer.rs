//! What lies between a command and its answer: it is recorded, meets the failures that were asked for, and waits.

use std::sync::Arc;

use serde_json::Value;

use crate::desk::pause;
use crate::failures::{Failure, Moment};
use crate::mail::server::Server;
use crate::recorded::Entry;

/// A command on its way.
#[derive(Debug)]
pub(crate) struct Command {
    entry: Option<Arc<Entry>>,
    failure: Option<Failure>,
}

/// What becomes of it before it is done.
pub(crate) enum Verdict {
    Done,
    /// The planned code, and words.
    Refused(u16, String),
    Cut,
}

impl Command {
    pub(crate) fn new(server: &Server, name: &str, user: &str, recipient: &str, parameters: impl FnOnce() -> Value) -> Self {
        let desk = &server.desk;
        let entry = desk.recorder.record(&user, name, parameters);
        let failure = if desk.failures.any() { desk.failures.take(name, user, recipient) } else { None };
        Self { entry, failure }
    }

    /// Asked before the command is done.
    pub(crate) async fn verdict(&self, server: &Server) -> Verdict {
        pause(server.desk.latency_ms()).await;
        let Some(failure) = &self.failure else { return Verdict::Done };
        if failure.hang == Moment::Before {
            pause(failure.hang_ms.unwrap_or_default()).await;
        }
        if failure.cut == Some(Moment::Before) {
            return Verdict::Cut;
        }
        let code = failure.error_code.and_then(|code| u16::try_from(code).ok());
        match code.or(failure.status) {
            Some(code) => Verdict::Refused(code, failure.description.clone().unwrap_or_else(|| "Refused as planned".to_owned())),
            None => Verdict::Done,
        }
    }

    /// Asked once it is done: whether the connection breaks in place of the answer.
    pub(crate) async fn breaks(&self) -> bool {
        let Some(failure) = &self.failure else { return false };
        if failure.hang == Moment::After {
            pause(failure.hang_ms.unwrap_or_default()).await;
        }
        failure.cut == Some(Moment::After)
    }

    pub(crate) fn answered(&self, code: u16) {
        if let Some(entry) = &self.entry {
            entry.answered(code);
        }
    }
}
