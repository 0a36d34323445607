//! Lifts tokens out of a JSON response before the plugin sees it.

use std::collections::BTreeMap;
use std::ops::Range;

use patchbay_sandbox::services::Capture;
use serde_json::value::RawValue;

use crate::secrets::Secret;

/// Takes the strings that the pointers name out of the body and blanks them where they stood; the rest of the body stays
/// as it is, byte for byte. A pointer that names no string captures nothing: the response may be an error.
pub(super) fn capture(body: &mut [u8], wanted: &[Capture]) -> Vec<(String, Secret)> {
    let mut captured = Vec::new();
    for want in wanted {
        let Some((place, secret)) = locate(body, &want.pointer) else { continue };
        if let Some(text) = body.get_mut(place) {
            text.fill(b'*');
        }
        captured.push((want.secret.clone(), secret));
    }
    captured
}

/// A string's place between its quotes, and its value.
fn locate(body: &[u8], pointer: &str) -> Option<(Range<usize>, Secret)> {
    let text = std::str::from_utf8(body).ok()?;
    let mut at: &RawValue = serde_json::from_str(text).ok()?;
    for token in pointer.strip_prefix('/')?.split('/') {
        let token = token.replace("~1", "/").replace("~0", "~");
        at = if at.get().starts_with('{') {
            serde_json::from_str::<BTreeMap<String, &RawValue>>(at.get()).ok()?.remove(&token)?
        } else {
            serde_json::from_str::<Vec<&RawValue>>(at.get()).ok()?.get(token.parse::<usize>().ok()?).copied()?
        };
    }
    let value: String = serde_json::from_str(at.get()).ok().filter(|value: &String| !value.is_empty())?;
    let start = at.get().as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    Some((start + 1..start + at.get().len() - 1, Secret::new(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(pointer: &str) -> Capture {
        Capture { pointer: pointer.to_owned(), secret: "token".to_owned() }
    }

    fn lifted(body: &str, pointer: &str) -> (String, Option<String>) {
        let mut bytes = body.as_bytes().to_vec();
        let captured = capture(&mut bytes, &[want(pointer)]);
        (String::from_utf8(bytes).unwrap(), captured.first().map(|(_, secret)| secret.expose().to_owned()))
    }

    #[test]
    fn a_string_is_lifted_and_the_rest_stays_byte_for_byte() {
        let (body, secret) =
            lifted(r#"{ "n": 1.10, "data": [ 0, {"a/b": "x\/y\u00e9" } ], "big": 123456789012345678901 }"#, "/data/1/a~1b");
        assert_eq!(secret.as_deref(), Some("x/yé"));
        assert_eq!(body, r#"{ "n": 1.10, "data": [ 0, {"a/b": "**********" } ], "big": 123456789012345678901 }"#);
    }

    #[test]
    fn what_is_no_string_is_not_captured() {
        for (body, pointer) in [
            (r#"{"a":1}"#, "/a"),
            (r#"{"a":null}"#, "/a"),
            (r#"{"a":""}"#, "/a"),
            (r#"{"a":"x"}"#, "/b"),
            (r#"{"a":"x"}"#, ""),
            (r#"["x"]"#, "/1"),
            (r#""x""#, "/0"),
            ("<html>", "/a"),
        ] {
            assert_eq!(lifted(body, pointer), (body.to_owned(), None), "{body} {pointer}");
        }
    }
}
