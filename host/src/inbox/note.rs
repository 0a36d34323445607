//! What came in, as the account's log tells of it.

use super::{Ingest, Source};
use crate::{
    domain::{
        log::{LogKind, LogLevel, Note},
        webhook::WebhookState,
    },
    store::webhooks::Disposition,
};

/// The note of a unit that was stored; none of a poll that found nothing.
pub(super) fn note(ingest: &Ingest) -> Option<Note> {
    let new = |kind, level, code: &str, text: String| {
        Note::of(ingest.organization_id.clone(), ingest.account_id.clone(), kind, level, code, text)
    };
    let events = ingest.facts.len();
    match &ingest.source {
        Source::Webhook { webhook, disposition } => {
            let (level, text) = told("A webhook", disposition);
            Some(dressed(new(LogKind::Webhook, level, disposition.state.as_str(), text), disposition).of_webhook(&webhook.id))
        }
        Source::Replay { webhook_id, disposition } => {
            let (level, text) = told("A webhook that had waited", disposition);
            Some(dressed(new(LogKind::Webhook, level, disposition.state.as_str(), text), disposition).of_webhook(webhook_id))
        }
        Source::Overdue(_) => None,
        Source::Poll { .. } => (events > 0).then(|| {
            new(LogKind::Connection, LogLevel::Info, "polled", format!("A poll brought {events} events.")).detail("events", events)
        }),
    }
}

fn told(what: &str, disposition: &Disposition) -> (LogLevel, String) {
    let reason = disposition.reason.as_deref().unwrap_or("no reason is known");
    match disposition.state {
        WebhookState::Processed => (LogLevel::Info, format!("{what} was processed: {} events.", disposition.events)),
        WebhookState::Held => (LogLevel::Info, format!("{what} is held: {reason}.")),
        WebhookState::Failed => (LogLevel::Error, format!("{what} is kept as failed: {reason}")),
        WebhookState::Quarantined | WebhookState::Ignored => (LogLevel::Warn, format!("{what} was turned away: {reason}")),
    }
}

fn dressed(note: Note, disposition: &Disposition) -> Note {
    let note = note.detail("events", disposition.events);
    match &disposition.plugin_digest {
        Some(digest) => note.by_plugin(digest),
        None => note,
    }
}
