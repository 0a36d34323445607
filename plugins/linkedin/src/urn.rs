//! LinkedIn's names of things: `urn:li:organization:5590506`, `urn:li:comment:(urn:li:activity:71,9)`.

use std::fmt::Write as _;

/// The kind of what a URN names; empty where it is none.
pub(crate) fn kind(urn: &str) -> &str {
    urn.strip_prefix("urn:li:").and_then(|rest| rest.split_once(':')).map_or("", |(kind, _)| kind)
}

/// What stands behind the kind.
pub(crate) fn key(urn: &str) -> &str {
    urn.strip_prefix("urn:li:").and_then(|rest| rest.split_once(':')).map_or("", |(_, key)| key)
}

pub(crate) fn is_author(urn: &str) -> bool {
    matches!(kind(urn), "organization" | "organizationBrand" | "person")
}

pub(crate) fn is_organization(urn: &str) -> bool {
    matches!(kind(urn), "organization" | "organizationBrand")
}

/// What can be commented.
pub(crate) fn is_post(urn: &str) -> bool {
    matches!(kind(urn), "share" | "ugcPost" | "activity" | "groupPost" | "instantRepost")
}

pub(crate) fn is_thread(urn: &str) -> bool {
    matches!(kind(urn), "messageThread" | "messagingThread")
}

/// A comment's post and number: `(urn:li:activity:71,9)`.
pub(crate) fn comment(urn: &str) -> Option<(&str, &str)> {
    if kind(urn) != "comment" {
        return None;
    }
    pair(urn)
}

/// The two parts of a key in brackets.
pub(crate) fn pair(urn: &str) -> Option<(&str, &str)> {
    key(urn).strip_prefix('(')?.strip_suffix(')')?.rsplit_once(',').filter(|(first, last)| !first.is_empty() && !last.is_empty())
}

/// For a path's segment, or a value within one: everything but unreserved characters is encoded.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing into a string doesn't fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urns_are_taken_apart() {
        assert_eq!((kind("urn:li:share:71"), key("urn:li:share:71")), ("share", "71"));
        assert_eq!((kind("share:71"), kind("urn:li:"), kind("")), ("", "", ""));
        assert_eq!(comment("urn:li:comment:(urn:li:activity:71,9)"), Some(("urn:li:activity:71", "9")));
        assert_eq!(
            comment("urn:li:comment:(urn:li:comment:(urn:li:activity:71,9),10)"),
            Some(("urn:li:comment:(urn:li:activity:71,9)", "10"))
        );
        assert_eq!((comment("urn:li:comment:9"), comment("urn:li:like:(a,b)"), comment("urn:li:comment:(,)")), (None, None, None));
    }

    #[test]
    fn a_urn_in_a_path_is_encoded_whole() {
        assert_eq!(encoded("urn:li:comment:(urn:li:activity:71,9)"), "urn%3Ali%3Acomment%3A%28urn%3Ali%3Aactivity%3A71%2C9%29");
        assert_eq!(encoded("a/../é"), "a%2F..%2F%C3%A9");
    }
}
