//! Whom it goes to: a phone number, somebody without one that we may know, or a group.

use patchbay_plugin::Failure;
use serde_json::{Map, Value};

use crate::receive::GROUP;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Recipient {
    /// Digits with the country's code.
    Phone(String),
    /// A business-scoped user id.
    User(String),
    Group(String),
}

impl Recipient {
    pub(super) fn parse(to: &str) -> Result<Self, Failure> {
        let to = to.trim();
        if let Some(group) = to.strip_prefix(GROUP) {
            return if group.is_empty() { Err(wrong()) } else { Ok(Self::Group(group.to_owned())) };
        }
        if is_user(to) {
            return Ok(Self::User(to.to_owned()));
        }
        let written = to.strip_prefix('+').unwrap_or(to);
        let digits: String = written.chars().filter(char::is_ascii_digit).collect();
        let plain = written.chars().all(|letter| letter.is_ascii_digit() || matches!(letter, ' ' | '-' | '.' | '(' | ')' | '/'));
        if plain && (7..=15).contains(&digits.len()) { Ok(Self::Phone(digits)) } else { Err(wrong()) }
    }

    /// Adds the fields that name it.
    pub(super) fn address(&self, body: &mut Map<String, Value>) {
        let (kind, field, id) = match self {
            Self::Phone(id) => ("individual", "to", id),
            Self::User(id) => ("individual", "recipient", id),
            Self::Group(id) => ("group", "to", id),
        };
        body.insert("recipient_type".into(), kind.into());
        body.insert(field.into(), id.as_str().into());
    }

    /// What the conversation is called.
    pub(super) fn conversation(&self) -> String {
        match self {
            Self::Phone(id) | Self::User(id) => id.clone(),
            Self::Group(id) => format!("{GROUP}{id}"),
        }
    }
}

fn wrong() -> Failure {
    Failure::invalid("/to", "is a phone number with its country's code, a business-scoped user id (EG.…), or a group: and its id")
}

/// `^[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}$`
fn is_user(to: &str) -> bool {
    let Some((country, id)) = to.split_once('.') else { return false };
    let id = id.strip_prefix("ENT.").unwrap_or(id);
    country.len() == 2
        && country.bytes().all(|byte| byte.is_ascii_uppercase())
        && (1..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_recipient_is_known() {
        let phone = |to: &str| Recipient::parse(to) == Ok(Recipient::Phone("15550002222".into()));
        assert!(["15550002222", "+15550002222", " +1 (555) 000-2222 ", "1.555.000.2222"].iter().all(|to| phone(to)));
        for user in ["EG.20000000000000000002", "US.ENT.a1"] {
            assert_eq!(Recipient::parse(user), Ok(Recipient::User(user.into())));
        }
        assert_eq!(Recipient::parse("group:Ab+/="), Ok(Recipient::Group("Ab+/=".into())));
        for wrong in
            ["", "123", "1234567890123456", "mona", "eg.200", "EGY.200", "EG.", "EG.a b", "group:", "+1555x0002222", "mailto:1555000222"]
        {
            assert!(matches!(Recipient::parse(wrong), Err(Failure::Invalid(_))), "{wrong}");
        }
    }
}
