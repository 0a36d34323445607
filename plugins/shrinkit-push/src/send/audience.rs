//! Whom a push goes to: one user, or one segment. A request that names nobody would go to everybody in the project.

use patchbay_plugin::Failure;
use serde_json::{Value, json};

/// Stands before a segment's name.
const SEGMENT: &str = "segment:";
/// Stands behind our id where a push goes to many: what becomes of it on one phone isn't what becomes of the message.
const OF_MANY: &str = ".segment";
/// Characters of an id or a name.
const NAME_MAX: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Audience {
    /// The app's id of the user.
    User(String),
    /// Appgain's name of the target list.
    Segment(String),
}

impl Audience {
    pub(crate) fn parse(to: &str) -> Result<Self, Failure> {
        let to = to.trim();
        let (name, is_segment) = match to.strip_prefix(SEGMENT) {
            Some(name) => (name.trim(), true),
            None => (to, false),
        };
        let wrong = |message: &str| Err(Failure::invalid("/to", message));
        if name.is_empty() {
            return wrong("names nobody: write the app's user id, or segment: and the name of a target list at Appgain");
        }
        if name.contains(',') && !is_segment {
            return wrong("names several: send each user a message, or make a target list at Appgain and write segment: and its name");
        }
        if name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
            return wrong("is no user id: it has at most 256 characters, and no line breaks");
        }
        Ok(if is_segment { Self::Segment(name.to_owned()) } else { Self::User(name.to_owned()) })
    }

    /// Notify's field for it.
    pub(crate) fn field(&self) -> (&'static str, Value) {
        match self {
            Self::User(user) => ("receivers", json!([{"userID": user}])),
            Self::Segment(list) => ("target_list_name", json!(list)),
        }
    }

    /// Our reference of a message to it.
    pub(crate) fn client_ref(&self, message: &str) -> String {
        match self {
            Self::User(_) => message.to_owned(),
            Self::Segment(_) => format!("{message}{OF_MANY}"),
        }
    }
}

/// Whether a reference is of a push to many.
pub(crate) fn is_of_many(client_ref: &str) -> bool {
    client_ref.ends_with(OF_MANY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_goes_to_a_user_or_a_segment() {
        assert_eq!(Audience::parse(" P1NX "), Ok(Audience::User("P1NX".into())));
        assert_eq!(Audience::parse("segment: Paying, in Cairo"), Ok(Audience::Segment("Paying, in Cairo".into())));
    }

    #[test]
    fn nobody_and_several_are_refused() {
        for to in ["", "  ", "segment:", "segment:  ", "a,b", ",", "a\nb", &"x".repeat(257)] {
            assert!(matches!(Audience::parse(to), Err(Failure::Invalid(problems)) if problems[0].pointer == "/to"), "{to}");
        }
    }

    #[test]
    fn a_reference_says_whether_it_is_of_many() {
        assert!(is_of_many(&Audience::Segment("a".into()).client_ref("m")) && !is_of_many(&Audience::User("a".into()).client_ref("m")));
    }
}
