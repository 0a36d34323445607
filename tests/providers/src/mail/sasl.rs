//! What a client says to log in, whatever protocol carries it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::mail::server::Server;

/// The mechanisms that there are, in the order of their announcement.
pub(crate) const MECHANISMS: &[&str] = &["PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"];

/// What the server says where a token isn't good, before the refusal itself.
pub(crate) const TOKEN_REFUSED: &str = r#"{"status":"401","schemes":"bearer","scope":"https://mail.google.com/"}"#;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    Password { user: String, password: String },
    Token { user: String, token: String },
}

impl Credentials {
    /// Of a mechanism whose client speaks once.
    pub(crate) fn read(mechanism: &str, said: &[u8]) -> Option<Self> {
        let said = std::str::from_utf8(said).ok()?;
        match mechanism {
            "PLAIN" => {
                let mut parts = said.split('\0');
                let (_, user, password) = (parts.next()?, parts.next()?, parts.next()?);
                Some(Self::Password { user: user.to_owned(), password: password.to_owned() })
            }
            "XOAUTH2" => Some(Self::Token { user: field(said, "user=")?, token: field(said, "auth=Bearer ")? }),
            "OAUTHBEARER" => {
                let user = said.strip_prefix("n,")?.split(',').next()?.strip_prefix("a=")?;
                Some(Self::Token { user: user.to_owned(), token: field(said, "auth=Bearer ")? })
            }
            _ => None,
        }
    }

    pub(crate) fn is_token(&self) -> bool {
        matches!(self, Self::Token { .. })
    }

    /// Who it is, where they are right.
    pub(crate) fn check(&self, server: &Server) -> Option<String> {
        if server.knobs.lock().refuse_logins {
            return None;
        }
        let world = server.world.lock();
        match self {
            Self::Password { user, password } => world.knows_password(user, password).then(|| user.clone()),
            Self::Token { user, token } => world.knows_token(user, token).then(|| user.clone()),
        }
    }
}

fn field(said: &str, prefix: &str) -> Option<String> {
    said.split('\u{1}').find_map(|part| part.strip_prefix(prefix)).map(str::to_owned)
}

pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    // An initial response of nothing is written so.
    if text == "=" { Some(Vec::new()) } else { STANDARD.decode(text.trim()).ok() }
}

pub(crate) fn encode(text: &str) -> String {
    STANDARD.encode(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_xoauth2_string_is_read() {
        let said = "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==";
        let read = Credentials::read("XOAUTH2", &decode(said).unwrap()).unwrap();
        let token = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg";
        assert_eq!(read, Credentials::Token { user: "someuser@example.com".into(), token: token.into() });
        let bearer = format!("n,a=user@example.com,\u{1}host=mx\u{1}port=143\u{1}auth=Bearer {token}\u{1}\u{1}");
        let read = Credentials::read("OAUTHBEARER", bearer.as_bytes()).unwrap();
        assert_eq!(read, Credentials::Token { user: "user@example.com".into(), token: token.into() });
    }
}
