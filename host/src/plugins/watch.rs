//! What a version did, into the account's log and the metrics: one function for each hook, called when its answer is there.

use std::time::Duration;

use patchbay_sandbox::{
    Fault,
    contract::{channel, messages, types},
};

use super::{
    Version, convert,
    faults::{ANSWERED, fault_word, outcome_of, outcome_of_failure},
    http_trace::HttpTraces,
};
use crate::{
    app::App,
    domain::{
        account::Account,
        failure::{Failure, FailureClass},
        log::{LogKind, LogLevel, Note},
    },
};

/// One call of a hook that has ended.
pub(super) struct Call<'a> {
    pub(super) app: &'a App,
    pub(super) version: &'a Version,
    pub(super) account: &'a Account,
    pub(super) hook: &'static str,
    pub(super) took: Duration,
    pub(super) traces: HttpTraces,
    /// The record's, of one that failed.
    pub(super) call_id: Option<String>,
}

type Answer<T> = Result<Result<T, types::Failure>, Fault>;

impl Call<'_> {
    /// `looks`: the step only looked, as it does every two seconds while a code is to be scanned. That nothing has changed is no news.
    pub(super) fn connected(&self, looks: bool, answer: &Answer<channel::Outcome>) {
        self.count(answer);
        if looks {
            match answer {
                Ok(Ok(channel::Outcome { progress: channel::Progress::Scan(_) | channel::Progress::Wait(_), .. })) => return,
                Ok(Err(failure)) => {
                    self.app.logbook.count(self.failed(LogKind::Connection, "The connection failed", failure));
                    return;
                }
                _ => {}
            }
        }
        let note = match answer {
            Ok(Ok(outcome)) => {
                let (code, message) = match &outcome.progress {
                    channel::Progress::Connected(_) => ("connected", "The provider took the connection."),
                    channel::Progress::Ask(_) => ("questions", "The provider leaves a choice to the user."),
                    channel::Progress::Scan(_) => ("scan", "A code is to be scanned."),
                    channel::Progress::Wait(_) => ("waiting", "The provider isn't ready yet."),
                };
                self.note(LogKind::Connection, LogLevel::Info, code, message)
            }
            Ok(Err(failure)) => self.failed(LogKind::Connection, "The connection failed", failure),
            Err(fault) => self.faulted(LogKind::Connection, fault),
        };
        self.app.logbook.note(note);
    }

    /// Health is logged where its result changes, by whoever keeps it; a fault is logged here.
    pub(super) fn checked(&self, answer: &Answer<channel::Report>) {
        self.count(answer);
        match answer {
            Ok(Err(failure)) if self.call_id.is_some() => {
                self.app.logbook.note(self.failed(LogKind::Health, "The connection could not be checked", failure));
            }
            Ok(_) => {}
            Err(fault) => self.app.logbook.note(self.faulted(LogKind::Health, fault)),
        }
    }

    pub(super) fn parsed(&self, answer: &Answer<channel::Parsed>) {
        self.count(answer);
        self.app.metrics.parsed(&self.account.channel_type, self.took);
        match answer {
            Ok(Err(failure)) if self.call_id.is_some() => {
                self.app.logbook.count(self.failed(LogKind::Webhook, "A webhook could not be read", failure));
            }
            Ok(_) => {}
            Err(fault) => self.app.logbook.count(self.faulted(LogKind::Webhook, fault)),
        }
    }

    /// A list that was read is no news.
    pub(super) fn listed<T>(&self, answer: &Answer<T>) {
        self.count(answer);
        match answer {
            Ok(Ok(_)) => {}
            Ok(Err(failure)) => self.app.logbook.note(self.failed(LogKind::Connection, "The templates could not be listed", failure)),
            Err(fault) => self.app.logbook.note(self.faulted(LogKind::Connection, fault)),
        }
    }

    /// A page that was read is no news.
    pub(super) fn polled<T>(&self, answer: &Answer<T>) {
        self.count(answer);
        match answer {
            Ok(Ok(_)) => {}
            Ok(Err(failure)) => self.app.logbook.count(self.failed(LogKind::Connection, "A poll failed", failure)),
            Err(fault) => self.app.logbook.count(self.faulted(LogKind::Connection, fault)),
        }
    }

    pub(super) fn downloaded<T>(&self, answer: &Answer<T>) {
        self.count(answer);
        let note = match answer {
            Ok(Ok(_)) => self.note(LogKind::Media, LogLevel::Info, "fetched", "A file was fetched from the provider."),
            Ok(Err(failure)) => self.failed(LogKind::Media, "A file could not be fetched", failure),
            Err(fault) => self.faulted(LogKind::Media, fault),
        };
        self.app.logbook.note(note);
    }

    /// What it refuses is the client's to hear; a fault is the operator's.
    pub(super) fn previewed<T>(&self, answer: &Answer<T>) {
        self.count(answer);
        if let Err(fault) = answer {
            self.app.logbook.count(self.faulted(LogKind::Send, fault));
        }
    }

    pub(super) fn sent(&self, message_id: &str, attempt: u32, answer: &Result<messages::Sent, Fault>) {
        let (class, note) = match answer {
            Ok(sent) => match &sent.failed {
                None => {
                    let text = format!("Attempt {attempt}: the provider accepted the message.");
                    ("accepted", self.note(LogKind::Send, LogLevel::Info, "accepted", text))
                }
                Some(failure) => {
                    let accepted = sent.accepted.len();
                    let what = match accepted {
                        0 => format!("Attempt {attempt}: the message wasn't sent"),
                        _ => format!("Attempt {attempt}: a part of the message wasn't sent"),
                    };
                    let class = convert::failure_in(failure.clone()).class.as_str();
                    let word = if accepted > 0 { "partial" } else { class };
                    (word, self.failed(LogKind::Send, &what, failure))
                }
            },
            Err(fault) if fault.is_unrun() => (fault_word(fault), self.faulted(LogKind::Send, fault)),
            Err(fault) => (FailureClass::Fault.as_str(), self.faulted(LogKind::Send, fault)),
        };
        self.app.metrics.attempted(&self.account.channel_type, class, self.took);
        let (word, outcome) = match answer {
            Ok(messages::Sent { failed: Some(failure), .. }) => (class, Some(outcome_of_failure(failure))),
            Ok(_) => (ANSWERED, Some(ANSWERED)),
            Err(fault) => (fault_word(fault), outcome_of::<()>(&Err(fault.clone()))),
        };
        count(self.app, self.version, self.hook, word, outcome, self.took);
        self.app.logbook.note(note.of_message(message_id).detail("attempt", attempt));
    }

    fn count<T>(&self, answer: &Answer<T>) {
        count(self.app, self.version, self.hook, word_of(answer), outcome_of(answer), self.took);
    }

    fn note(&self, kind: LogKind, level: LogLevel, code: impl Into<String>, message: impl Into<String>) -> Note {
        let note = Note::new(self.account, kind, level, code, message)
            .by_plugin(&self.version.digest)
            .detail("elapsed_ms", u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX))
            .detail("http", self.traces.shown());
        match &self.call_id {
            Some(id) => note.detail("call_id", id.as_str()),
            None => note,
        }
    }

    fn failed(&self, kind: LogKind, what: &str, failure: &types::Failure) -> Note {
        let Failure { class, code, message, retry_after_ms, .. } = convert::failure_in(failure.clone());
        // What waits for better times is no error yet.
        let level = match class {
            FailureClass::Limited | FailureClass::Unavailable => LogLevel::Warn,
            _ => LogLevel::Error,
        };
        let note = self.note(kind, level, class.as_str(), format!("{what}: {message}"));
        note.detail("class", class.as_str()).detail("code", code).detail("retry_after_ms", retry_after_ms)
    }

    fn faulted(&self, kind: LogKind, fault: &Fault) -> Note {
        let word = fault_word(fault);
        self.app.metrics.faulted(&self.account.channel_type, &self.version.manifest.version, self.hook, word);
        let level = if fault.is_unrun() { LogLevel::Warn } else { LogLevel::Error };
        self.note(kind, level, "plugin_fault", format!("The plugin gave no answer: {fault}.")).detail("fault", word)
    }
}

/// A webhook of an app: there is no account yet whose log could tell of a fault.
pub(super) fn parsed_for_app(app: &App, version: &Version, took: Duration, call_id: Option<&str>, answer: &Answer<channel::Parsed>) {
    let channel_type = &version.manifest.channel_type;
    app.metrics.parsed(channel_type, took);
    count(app, version, "parse", word_of(answer), outcome_of(answer), took);
    if let Err(fault) = answer {
        tracing::error!(channel.type = %channel_type, plugin.digest = %version.digest, call.id = call_id, %fault, "a plugin gave no answer to a webhook of an app");
        app.metrics.faulted(channel_type, &version.manifest.version, "parse", fault_word(fault));
    }
}

/// Counts a call for the metrics, by its word; and by what it says of its version, where it says something.
fn count(app: &App, version: &Version, hook: &'static str, word: &'static str, outcome: Option<&'static str>, took: Duration) {
    app.metrics.called(&version.manifest.channel_type, &version.manifest.version, hook, word, took);
    if let Some(outcome) = outcome {
        app.plugins.count(version, outcome);
    }
}

fn word_of<T>(answer: &Answer<T>) -> &'static str {
    match answer {
        Ok(Ok(_)) => ANSWERED,
        Ok(Err(failure)) => convert::failure_in(failure.clone()).class.as_str(),
        Err(fault) => fault_word(fault),
    }
}
