//! Delivery status notifications (RFC 3464): what became of a letter, recipient by recipient.

use patchbay_plugin::Failure;
use patchbay_plugin::messages::{Event, Identity, Party, ReceiptState};

use super::fields::Fields;
use super::{address_of, is_ours, original_id, part, receipt};
use crate::letter::Letter;
use crate::thread;

/// Words of a server that are kept.
const WORDS_MAX: usize = 500;

/// None where no message of ours is meant.
pub(super) fn events(letter: &Letter<'_>, own: &str) -> Option<Vec<Event>> {
    let blocks = part(letter, &["delivery-status", "global-delivery-status"])?;
    let message = original_id(letter, own).or_else(|| by_envelope(&blocks, own)).or_else(|| by_recipient(letter, own))?;
    let told = blocks.iter().filter(|block| block.value("action").is_some() || block.value("status").is_some());
    let told: Vec<&Fields> = told.collect();
    if told.is_empty() {
        return None;
    }
    Some(told.into_iter().filter_map(|block| outcome(block, &message)).collect())
}

/// One recipient's block. A delay is no outcome, and neither is a letter handed on to a server that tells nothing.
fn outcome(block: &Fields, message: &str) -> Option<Event> {
    let recipient = ["final-recipient", "original-recipient"].iter().find_map(|name| block.value(name)).map(address_of).unwrap_or_default();
    let status = status(block);
    let action = block.value("action").unwrap_or_default().split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    let key = |word: &str| format!("dsn:{message}:{}:{word}", thread::fold(&recipient));
    // As it was written to, where a server handed it on to another address.
    let written = block.value("original-recipient").map_or_else(|| recipient.clone(), address_of);
    match action.as_str() {
        "delivered" => Some(of(receipt(key("delivered"), message, ReceiptState::Delivered, None), &written)),
        "failed" => Some(of(failed(key("failed"), message, &recipient, &status, block), &written)),
        // Without its word, a status of class 5 says it.
        "" if status.starts_with('5') => Some(of(failed(key("failed"), message, &recipient, &status, block), &written)),
        _ => None,
    }
}

/// Names whom it tells of: one of several recipients of a letter.
pub(super) fn of(event: Event, recipient: &str) -> Event {
    let address = thread::fold(recipient);
    let party = || Party { identities: vec![Identity::new("email", address.clone())], name: None };
    Event { actor: address.contains('@').then(party), ..event }
}

fn failed(key: String, message: &str, recipient: &str, status: &str, block: &Fields) -> Event {
    let diagnostic = block.value("diagnostic-code").map(|value| value.split_once(';').map_or(value, |(_, words)| words).trim());
    let words = diagnostic.filter(|words| !words.is_empty()).map_or_else(|| format!("{recipient} could not be reached"), str::to_owned);
    receipt(key, message, ReceiptState::Failed, Some(failure(status, recipient, &words)))
}

/// A refusal for good: of the address, or for another reason.
pub(super) fn failure(status: &str, recipient: &str, words: &str) -> Failure {
    let words: String = words.chars().take(WORDS_MAX).collect();
    let mut detail = patchbay_plugin::failure::Detail::new(status, words);
    if !recipient.is_empty() {
        detail = detail.with("recipient", recipient);
    }
    if is_address_dead(status) { Failure::Recipient(detail) } else { Failure::Rejected(detail) }
}

/// Whether nobody will ever be reached there: no such mailbox, mailbox given up, no such host. A full mailbox, a policy, or an address
/// of the sender's that is refused isn't the recipient's end.
pub(super) fn is_address_dead(status: &str) -> bool {
    let mut digits = status.split('.');
    let (class, subject, detail) = (digits.next(), digits.next(), digits.next());
    match (class, subject, detail) {
        (Some("5"), Some("1"), Some("7" | "8")) => false,
        (Some("5"), Some("1"), Some(_)) | (Some("5"), Some("2"), Some("1")) | (Some("5"), Some("4"), Some("1" | "4" | "310")) => true,
        _ => false,
    }
}

/// The status; where it says nothing (`5.0.0`), the one in the words of the server that refused.
fn status(block: &Fields) -> String {
    let said = block.value("status").and_then(enhanced).unwrap_or_default();
    if said.is_empty() || said.ends_with(".0.0") {
        let words = block.value("diagnostic-code").and_then(enhanced);
        return words.unwrap_or(if said.is_empty() { "5.0.0".to_owned() } else { said });
    }
    said
}

/// The first enhanced status code in a text: `5.1.1`.
pub(super) fn enhanced(text: &str) -> Option<String> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.').find_map(|word| {
        let word = word.trim_matches('.');
        let digits: Vec<&str> = word.split('.').collect();
        let whole = digits.len() == 3 && digits.iter().all(|digits| (1..=3).contains(&digits.len()));
        (whole && matches!(digits.first(), Some(&("2" | "4" | "5")))).then(|| word.to_owned())
    })
}

/// `Original-Envelope-Id`: the message's id, as it was given to the server with the letter.
fn by_envelope(blocks: &[Fields], own: &str) -> Option<String> {
    let envelope = blocks.first()?.value("original-envelope-id")?;
    let id = thread::id(&decode_xtext(envelope))?;
    if id.contains('@') {
        return Some(id).filter(|id| is_ours(id, own));
    }
    Some(thread::own_id(&id, own)).filter(|id| thread::is_own_id(id, own))
}

/// A report that came to an address with a token of ours.
fn by_recipient(letter: &Letter<'_>, own: &str) -> Option<String> {
    let people = ["to", "delivered-to", "x-original-to"].iter().flat_map(|name| letter.people(name));
    people
        .into_iter()
        .find_map(|person| thread::message_of_reply_address(own, &person.address))
        .map(|message| thread::own_id(&message, own))
}

/// RFC 3461: `+3D` is `=`.
fn decode_xtext(text: &str) -> String {
    let mut decoded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('+') {
        decoded.push_str(before);
        match after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if byte.is_ascii_graphic() => {
                decoded.push(char::from(byte));
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                decoded.push('+');
                rest = after;
            }
        }
    }
    decoded.push_str(rest);
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_found_in_words() {
        assert_eq!(enhanced("smtp; 550 5.1.1 <gone@ex.test>: user unknown").as_deref(), Some("5.1.1"));
        assert_eq!(enhanced("550-5.1.1 The email account"), Some("5.1.1".to_owned()));
        assert_eq!(enhanced("host mx.ex.test[10.1.2.3] said: 550 nope"), None, "an address is no status");
        assert_eq!(enhanced("(#5.2.2)"), Some("5.2.2".to_owned()));
        assert_eq!(enhanced(""), None);
    }

    #[test]
    fn dead_addresses_are_told_from_refusals() {
        for status in ["5.1.1", "5.1.2", "5.1.10", "5.1.0", "5.2.1", "5.4.1", "5.4.310"] {
            assert!(is_address_dead(status), "{status}");
        }
        for status in ["5.2.2", "5.7.1", "5.1.8", "4.4.7", "5.0.0", "5.3.4", "", "x"] {
            assert!(!is_address_dead(status), "{status}");
        }
    }

    #[test]
    fn xtext_is_decoded() {
        assert_eq!(decode_xtext("a+2Bb+3Dc"), "a+b=c");
        assert_eq!(decode_xtext("a+zz+"), "a+zz+");
        assert_eq!(decode_xtext("é+é"), "é+é");
    }
}
