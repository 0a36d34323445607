use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use super::SecretError;

/// A credential in the clear: wiped when dropped, never printed, never serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The last four characters, by which a person tells two apart. None of a secret under 12 characters, of which they
    /// would be too much.
    pub fn last4(&self) -> Option<String> {
        let count = self.0.chars().count();
        (count >= 12).then(|| self.0.chars().skip(count - 4).collect())
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A token of so many characters out of `A-Za-z0-9_-`, six random bits each.
///
/// # Errors
/// The machine gives no random numbers.
pub fn generate(length: usize) -> Result<Secret, SecretError> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    SystemRandom::new().fill(&mut bytes).map_err(|_| SecretError::NoRandomness)?;
    // Four characters from three bytes: there are more than are asked for, and every prefix is as random.
    let mut token = URL_SAFE_NO_PAD.encode(&*bytes);
    token.truncate(length);
    Ok(Secret::new(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::from("hunter2-hunter2");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "Secret(…) Some(Secret(…))");
    }

    #[test]
    fn the_last_four_are_told_of_long_secrets_alone() {
        assert_eq!(Secret::from("123456:abcdEFGH").last4().as_deref(), Some("EFGH"));
        assert_eq!(Secret::from("hunter2").last4(), None);
    }

    #[test]
    fn generated_tokens_have_their_length_and_alphabet_and_differ() {
        for length in [16, 17, 48, 255, 256] {
            let token = generate(length).unwrap();
            assert_eq!(token.expose().len(), length);
            assert!(token.expose().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
            assert!(token != generate(length).unwrap());
        }
    }
}
