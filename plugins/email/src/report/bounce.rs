//! Bounces by servers that never read RFC 3464: words for people, and somewhere in them the letter that came back.

use patchbay_plugin::messages::{Event, ReceiptState};

use super::{delivery, is_ours, original_id, receipt};
use crate::letter::{Letter, is_daemon};
use crate::thread;

/// Bytes of a bounce's words that are searched.
const SEARCHED: usize = 256 * 1024;
/// What a bounce's subject says, in lower case.
const SUBJECTS: &[&str] = &[
    "undeliver",
    "delivery status notification (failure)",
    "delivery failure",
    "delivery failed",
    "mail delivery failed",
    "failure notice",
    "returned mail",
    "returned to sender",
    "mail system error",
    "delivery notification",
    "nondeliverable",
    "could not be delivered",
    "unzustellbar",
    "non remis",
    "no entregado",
    "rejected",
    "message not delivered",
    "لم يتم تسليم",
    "تعذر تسليم",
];
/// What says that it is only late.
const DELAYS: &[&str] = &["delay", "warning", "still trying", "will be retried"];

/// None where it isn't one, or nobody knows of which message.
pub(super) fn events(letter: &Letter<'_>, own: &str) -> Option<Vec<Event>> {
    let failed_recipients = letter.text("x-failed-recipients");
    // A null Return-Path alone is any automatic answer's.
    let by_server = is_daemon(letter) || failed_recipients.is_some();
    let subject = letter.subject().to_lowercase();
    let bounces = failed_recipients.is_some() || SUBJECTS.iter().any(|words| subject.contains(words));
    if !by_server || !bounces {
        return None;
    }
    let text = letter.bodies().text.unwrap_or_default();
    let text = text.get(..text.floor_char_boundary(SEARCHED)).unwrap_or_default();
    let message = original_id(letter, own).or_else(|| in_words(letter, text, own))?;
    if DELAYS.iter().any(|words| subject.contains(words)) {
        return Some(Vec::new());
    }
    let recipient = failed_recipients.as_deref().and_then(|list| list.split(',').next()).map(str::trim).unwrap_or_default();
    let status = delivery::enhanced(text).filter(|status| status.starts_with('5')).unwrap_or_else(|| guess(text).to_owned());
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| delivery::enhanced(line).is_some() || line.contains("550"))
        .unwrap_or("the letter came back");
    let failure = delivery::failure(&status, recipient, line);
    let key = format!("dsn:{message}:{}:failed", thread::fold(recipient));
    Some(vec![delivery::of(receipt(key, &message, ReceiptState::Failed, Some(failure)), recipient)])
}

/// A Message-ID of ours in the words, or what the bounce says that it answers.
fn in_words(letter: &Letter<'_>, text: &str, own: &str) -> Option<String> {
    let quoted = text.split('<').skip(1).filter_map(|rest| rest.split_once('>').map(|(id, _)| id)).filter_map(thread::id);
    let bare = text.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | ',' | ';')).filter_map(thread::id);
    let said = letter.in_reply_to().into_iter().chain(letter.references().into_iter().rev());
    let candidates = said.filter(|id| is_ours(id, own)).chain(quoted.chain(bare).filter(|id| thread::is_own_id(id, own)));
    candidates.into_iter().next()
}

/// A status for words without one.
fn guess(text: &str) -> &'static str {
    let text = text.to_lowercase();
    let unknown = [
        "user unknown",
        "no such user",
        "unknown user",
        "does not exist",
        "doesn't exist",
        "unknown recipient",
        "mailbox unavailable",
        "no mailbox here",
        "address not found",
    ];
    if unknown.iter().any(|words| text.contains(words)) { "5.1.1" } else { "5.0.0" }
}
