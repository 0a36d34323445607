//! Finds an account's secrets in bytes: in what a plugin would send, and in what a provider answers.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem::Finder;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

use super::address::SEGMENT;
use crate::secrets::Secret;

/// A shorter value would be found by chance.
const LENGTH_MIN: usize = 8;

pub(crate) struct Scanner(Vec<(String, Finder<'static>)>);

impl Scanner {
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = (&'a str, &'a Secret)>) -> Self {
        let mut forms = BTreeSet::new();
        for (name, secret) in secrets {
            if secret.expose().len() >= LENGTH_MIN {
                forms.extend(written(secret.expose()).into_iter().map(|form| (form, name)));
            }
        }
        let finder = |(form, name): (Vec<u8>, &str)| (name.to_owned(), Finder::new(&form).into_owned());
        Self(forms.into_iter().map(finder).collect())
    }

    /// Whether there is nothing to look for.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name of a secret that these bytes hold, as they are or percent-encoded anyhow.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<&str> {
        let found = |bytes: &[u8]| self.0.iter().find(|(_, finder)| finder.find(bytes).is_some()).map(|(name, _)| name.as_str());
        found(bytes).or_else(|| bytes.contains(&b'%').then(|| found(&percent_decode(bytes).collect::<Vec<u8>>())).flatten())
    }

    /// Overwrites every occurrence with as many `*`.
    pub(crate) fn blank(&self, bytes: &mut [u8]) {
        for (_, finder) in &self.0 {
            let found: Vec<usize> = finder.find_iter(bytes).collect();
            for at in found {
                if let Some(secret) = bytes.get_mut(at..at + finder.needle().len()) {
                    secret.fill(b'*');
                }
            }
        }
    }

    pub(crate) fn blank_text(&self, text: String) -> String {
        let mut bytes = text.into_bytes();
        self.blank(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The ways in which a value may stand in a text.
fn written(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![
        secret.as_bytes().to_vec(),
        utf8_percent_encode(secret, SEGMENT).to_string().into_bytes(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string().into_bytes(),
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>().into_bytes(),
        secret.replace('/', "\\/").into_bytes(),
        serde_json::Value::from(secret).to_string().trim_matches('"').as_bytes().to_vec(),
    ];
    // Within longer base64, a value begins at one of three places in a group of four characters.
    for before in 0..3 {
        let padded = [vec![0; before], secret.as_bytes().to_vec()].concat();
        // Characters that no byte but the value's has a part in.
        let (from, to) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            forms.extend(engine.encode(&padded).as_bytes().get(from..to).map(<[u8]>::to_vec));
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanner(value: &str) -> Scanner {
        Scanner::new([("token", &Secret::from(value))])
    }

    #[test]
    fn a_secret_is_found_in_every_form() {
        let scanner = scanner("12345:AB/cd+ef\"é");
        for text in [
            "12345:AB/cd+ef\"é",
            "x12345:AB/cd+ef\"éx",
            "12345%3AAB%2fcd%2Bef%22%C3%A9",
            "%31%32345:AB/cd+ef\"é",
            "12345:AB\\/cd+ef\"é",
            r#"12345:AB/cd+ef\"é"#,
        ] {
            assert_eq!(scanner.find(text.as_bytes()), Some("token"), "{text}");
        }
        for around in ["", "a", "ab", "abc"] {
            let text = format!("{around}12345:AB/cd+ef\"é{around}");
            for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                assert_eq!(scanner.find(encoded.as_bytes()), Some("token"), "{text}");
            }
        }
        assert_eq!(scanner.find(b"12345:AB/cd+ef"), None);
    }

    #[test]
    fn a_short_secret_is_not_looked_for() {
        assert_eq!(scanner("1234567").find(b"1234567"), None);
        assert_eq!(scanner("12345678").find(b"12345678"), Some("token"));
    }

    #[test]
    fn blanking_keeps_the_length() {
        let mut body = br#"{"a":"12345:AB\/cd","b":"12345:AB/cd","c":1}"#.to_vec();
        scanner("12345:AB/cd").blank(&mut body);
        assert_eq!(body, br#"{"a":"************","b":"***********","c":1}"#);
    }
}
