//! Headers that a message gives itself.

use patchbay_plugin::Field;

use super::{Draft, Problems};
use crate::compose::header::{WORD_MAX, holds_control};

/// Headers that are made of other fields of the message or of the account's settings, and those fields.
const MADE: &[(&str, &str)] = &[
    ("from", "the account's email_address and display_name"),
    ("sender", "the account's email_address"),
    ("to", "to"),
    ("cc", "content.cc"),
    ("bcc", "content.bcc"),
    ("subject", "content.subject"),
    ("in-reply-to", "reply_to"),
    ("references", "reply_to"),
];
/// Headers that the gateway or servers write.
const RESERVED: &[&str] = &[
    "date",
    "message-id",
    "mime-version",
    "received",
    "return-path",
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "dkim-signature",
    "domainkey-signature",
    "authentication-results",
    "received-spf",
    "bimi-indicator",
];
const RESERVED_BEGINNINGS: &[&str] = &["content-", "arc-", "resent-"];
/// Headers of one letter, and characters of one.
const HEADERS_MAX: usize = 50;
const NAME_MAX: usize = 70;
const VALUE_MAX: usize = 4000;

pub(super) fn headers(draft: &mut Draft, fields: &[Field], pointer: &str, problems: &mut Problems) {
    if fields.len() > HEADERS_MAX {
        problems.add(format!("{pointer}/headers"), format!("has {} headers; {HEADERS_MAX} are the most", fields.len()));
        return;
    }
    for field in fields {
        let pointer = format!("{pointer}/headers/{}", field.name.replace('~', "~0").replace('/', "~1"));
        if let Some(why) = problem(&field.name, &field.value) {
            problems.add(pointer, why);
        } else if field.name.eq_ignore_ascii_case("reply-to") {
            draft.reply_to.extend(problems.mailbox(pointer, &field.value));
        } else {
            draft.headers.push((field.name.clone(), field.value.clone()));
        }
    }
}

fn problem(name: &str, value: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') {
        return Some(format!("isn't the name of a header: at most {NAME_MAX} letters, digits and hyphens"));
    }
    if let Some((_, field)) = MADE.iter().find(|(made, _)| *made == lower) {
        return Some(format!("is made of {field}"));
    }
    if RESERVED.contains(&lower.as_str()) || RESERVED_BEGINNINGS.iter().any(|beginning| lower.starts_with(beginning)) {
        return Some("is written by the gateway or by servers: it can't be given".to_owned());
    }
    if holds_control(value) {
        return Some("holds a line break or another control character".to_owned());
    }
    if value.trim().is_empty() {
        return Some("is empty".to_owned());
    }
    if value.chars().count() > VALUE_MAX || value.split([' ', '\t']).any(|word| word.len() > WORD_MAX) {
        return Some(format!("has more than {VALUE_MAX} characters, or more than {WORD_MAX} bytes without a space"));
    }
    None
}
