//! The words and numbers of delivery reports. The words are SMPP's, and what the providers make of them.

use std::collections::BTreeMap;

use patchbay_plugin::Failure;
use patchbay_plugin::failure::Detail;
use patchbay_plugin::messages::ReceiptState;

use crate::settings::Meaning;

const SENT: [&str; 8] = ["enroute", "acceptd", "accepted", "submitted", "sent", "queued", "pending", "scheduled"];
const DELIVERED: [&str; 6] = ["delivrd", "delivered", "deliverd", "success", "successful", "received"];
const FAILED: [&str; 8] = ["undeliv", "undelivered", "undeliverable", "expired", "rejectd", "rejected", "deleted", "failed"];

/// What it says of the message; none where nobody knows.
pub(super) fn state(status: &str, numbers: &BTreeMap<String, Meaning>) -> Option<ReceiptState> {
    if let Ok(number) = status.parse::<i64>() {
        let told = numbers.iter().find(|(key, _)| key.parse() == Ok(number));
        return told.and_then(|(_, meaning)| meaning.state());
    }
    let word = status.to_lowercase();
    let is = |words: &[&str]| words.contains(&word.as_str());
    if is(&SENT) {
        Some(ReceiptState::Sent)
    } else if is(&DELIVERED) {
        Some(ReceiptState::Delivered)
    } else if is(&FAILED) {
        Some(ReceiptState::Failed)
    } else {
        None
    }
}

/// Why it wasn't delivered, as far as the status tells.
/// `told`: the operator's own code.
pub(super) fn failure(status: &str, told: Option<String>) -> Failure {
    let code = status.to_lowercase();
    let message = match code.as_str() {
        "expired" => "the phone couldn't be reached in time",
        "rejectd" | "rejected" => "the operator turned the message away",
        "deleted" => "the message was deleted before it was delivered",
        _ => "the operator couldn't deliver the message",
    };
    let detail = Detail::new(code, format!("{message} ({status})"));
    Failure::Rejected(match told {
        Some(told) => detail.with("code", told),
        None => detail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_its_state_in_any_case() {
        let none = BTreeMap::new();
        for (words, expected) in [
            ("ENROUTE ACCEPTD accepted Submitted sent queued PENDING", Some(ReceiptState::Sent)),
            ("DELIVRD Delivered deliverd SUCCESS received", Some(ReceiptState::Delivered)),
            ("UNDELIV Undelivered EXPIRED REJECTD Rejected DELETED failed", Some(ReceiptState::Failed)),
            ("UNKNOWN 5 0 -1 deliveredd seen", None),
        ] {
            for word in words.split(' ') {
                assert_eq!(state(word, &none), expected, "{word}");
            }
        }
    }

    #[test]
    fn numbers_mean_what_the_settings_say() {
        let numbers =
            BTreeMap::from([("5".to_owned(), Meaning::Delivered), ("8".to_owned(), Meaning::Ignored), ("-3".to_owned(), Meaning::Failed)]);
        let told = |status: &str| state(status, &numbers);
        assert_eq!((told("5"), told("05")), (Some(ReceiptState::Delivered), Some(ReceiptState::Delivered)));
        assert_eq!((told("-3"), told("8"), told("6")), (Some(ReceiptState::Failed), None, None));
    }
}
