//! What is said to log in, before it is encoded: RFC 4616, RFC 7628, and XOAUTH2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::server::Server;
use crate::manifest::MailAuth;

/// The first words of a mechanism, in base64. None where the server speaks first, or nobody logs in.
pub(super) fn first_words(server: &Server) -> Option<Zeroizing<String>> {
    let Server { host, port, username, credential, .. } = server;
    let secret = credential.expose();
    let words = Zeroizing::new(match server.auth {
        MailAuth::Plain => format!("\0{username}\0{secret}"),
        MailAuth::Xoauth2 => format!("user={username}\x01auth=Bearer {secret}\x01\x01"),
        MailAuth::Oauthbearer => {
            let name = username.replace('=', "=3D").replace(',', "=2C");
            format!("n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer {secret}\x01\x01")
        }
        MailAuth::Login | MailAuth::None => return None,
    });
    Some(encoded(&words))
}

pub(super) fn encoded(text: &str) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(text))
}

/// What is answered to a challenge that tells why a token was refused: only then comes the refusal itself.
pub(super) fn after_refusal(auth: MailAuth) -> &'static str {
    // A single 0x01.
    if auth == MailAuth::Oauthbearer { "AQ==" } else { "" }
}

/// The mechanism's name. None where nobody logs in.
pub(super) fn name(auth: MailAuth) -> Option<&'static str> {
    match auth {
        MailAuth::Plain => Some("PLAIN"),
        MailAuth::Login => Some("LOGIN"),
        MailAuth::Xoauth2 => Some("XOAUTH2"),
        MailAuth::Oauthbearer => Some("OAUTHBEARER"),
        MailAuth::None => None,
    }
}

/// The JSON of such a challenge, if it is some: `{"status":"400",…}`.
pub(super) fn explained(challenge: &str) -> Option<String> {
    let decoded = String::from_utf8(STANDARD.decode(challenge.trim()).ok()?).ok()?;
    decoded.trim_start().starts_with('{').then_some(decoded)
}

/// A server's words without what it was told at the login, whatever it repeats of it.
pub(super) fn without(text: &str, told: &[&str]) -> String {
    told.iter().filter(|told| told.len() > 3).fold(text.to_owned(), |text, told| text.replace(told, "…"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::mail::tests::manifest;
    use crate::manifest::MailProtocol;
    use crate::secrets::Secret;

    fn said(auth: &str, username: &str, secret: &str) -> String {
        let settings = json!({"smtp_host": "mail.example.com", "smtp_port": 587, "smtp_auth": auth, "smtp_username": username});
        let secrets = BTreeMap::from([("password".to_owned(), Secret::from(secret)), ("access_token".to_owned(), Secret::from(secret))]);
        let server = Server::find(&manifest(), &settings, &secrets, "out", MailProtocol::Smtp).unwrap();
        first_words(&server).unwrap().to_string()
    }

    #[test]
    fn the_published_vectors_come_out() {
        let token = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg";
        assert_eq!(
            said("xoauth2", "someuser@example.com", token),
            "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ=="
        );
        // RFC 4616 has this user with this password.
        assert_eq!(said("plain", "tim", "tanstaaftanstaaf"), STANDARD.encode("\0tim\0tanstaaftanstaaf"));
        let bearer = STANDARD.decode(said("oauthbearer", "a=b,c", "tok")).unwrap();
        assert_eq!(String::from_utf8(bearer).unwrap(), "n,a=a=3Db=2Cc,\x01host=mail.example.com\x01port=587\x01auth=Bearer tok\x01\x01");
    }

    #[test]
    fn a_challenge_that_explains_is_read() {
        assert_eq!(explained("eyJzdGF0dXMiOiI0MDAifQ==").as_deref(), Some(r#"{"status":"400"}"#));
        assert_eq!(explained("VXNlcm5hbWU6"), None);
        assert_eq!(explained("?"), None);
    }

    #[test]
    fn what_was_told_is_taken_out_of_the_answer() {
        assert_eq!(without("500 what is AGEAYg==?", &["AGEAYg==", ""]), "500 what is …?");
    }
}
