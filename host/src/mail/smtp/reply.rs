//! What the server answers, and what it offers.

use std::io;

use lettre::transport::smtp::response::Response;

use crate::mail::wire::Wire;

/// RFC 5321 has 512 for a line; real servers have long links in them.
const LINE_MAX: usize = 4096;
const LINES_MAX: usize = 128;

#[derive(Debug, Clone)]
pub(super) struct Reply {
    code: u16,
    response: Response,
}

impl Reply {
    pub(super) async fn read(wire: &mut Wire) -> io::Result<Reply> {
        let mut whole = String::new();
        for _ in 0..LINES_MAX {
            let line = wire.line(LINE_MAX).await?;
            let line = String::from_utf8_lossy(&line);
            whole.push_str(&line);
            // A code without any text is a whole reply too.
            if line.len() == 3 {
                whole.push(' ');
            }
            whole.push_str("\r\n");
            if line.as_bytes().get(3) != Some(&b'-') {
                return Reply::parse(&whole);
            }
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, format!("a reply of more than {LINES_MAX} lines")))
    }

    pub(super) fn parse(text: &str) -> io::Result<Reply> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "what was answered isn't SMTP");
        let response: Response = text.parse().map_err(|_| invalid())?;
        let code = text.get(..3).and_then(|code| code.parse().ok()).ok_or_else(invalid)?;
        Ok(Reply { code, response })
    }

    pub(super) fn is(&self, code: u16) -> bool {
        self.code == code
    }

    pub(super) fn code(&self) -> u16 {
        self.code
    }

    /// Its lines, joined.
    pub(super) fn text(&self) -> String {
        self.response.message().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned()
    }

    /// The enhanced status code (RFC 3463) that it begins with, if any.
    pub(super) fn enhanced(&self) -> Option<(u16, u16, u16)> {
        let mut parts = self.response.first_word()?.split('.').map(|part| if part.len() <= 3 { part.parse().ok() } else { None });
        let code = (parts.next()??, parts.next()??, parts.next()??);
        parts.next().is_none().then_some(code)
    }
}

/// The lines of the answer to EHLO.
#[derive(Debug, Clone, Default)]
pub(super) struct Extensions(Vec<Vec<String>>);

impl Extensions {
    pub(super) fn of(reply: &Reply) -> Extensions {
        let words = |line: &str| line.split_whitespace().map(str::to_ascii_uppercase).collect::<Vec<_>>();
        // The first line is the server's name.
        Extensions(reply.response.message().skip(1).map(words).filter(|words| !words.is_empty()).collect())
    }

    pub(super) fn has(&self, keyword: &str) -> bool {
        self.parameters(keyword).is_some()
    }

    /// Bytes of the largest letter that is taken, where it says so.
    pub(super) fn size(&self) -> Option<u64> {
        self.parameters("SIZE")?.first()?.parse().ok().filter(|most| *most > 0)
    }

    pub(super) fn takes(&self, mechanism: &str) -> bool {
        // An older notation is `AUTH=LOGIN PLAIN`.
        let listed = |line: &Vec<String>| {
            let (keyword, rest) = line.split_first()?;
            let first = if keyword == "AUTH" { Some("") } else { keyword.strip_prefix("AUTH=") }?;
            (first == mechanism || rest.iter().any(|word| word == mechanism)).then_some(())
        };
        self.0.iter().any(|line| listed(line).is_some())
    }

    pub(super) fn mechanisms(&self) -> String {
        match self.parameters("AUTH") {
            Some(mechanisms) if !mechanisms.is_empty() => mechanisms.join(", "),
            _ => "nothing of the kind".to_owned(),
        }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.0.iter().map(|words| words.join(" ")).collect()
    }

    fn parameters(&self, keyword: &str) -> Option<&[String]> {
        self.0.iter().find_map(|line| line.split_first().filter(|(first, _)| *first == keyword).map(|(_, rest)| rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_read_with_its_codes() {
        let reply = Reply::parse("550-5.1.1 no such\r\n550 5.1.1 user here\r\n").unwrap();
        assert!(reply.is(550) && reply.enhanced() == Some((5, 1, 1)));
        assert_eq!(reply.text(), "5.1.1 no such 5.1.1 user here");
        for (text, enhanced) in [
            ("250 \r\n", None),
            ("250 2.0.0\r\n", Some((2, 0, 0))),
            ("250 1.2 x\r\n", None),
            ("250 1.2.3.4 x\r\n", None),
            ("250 v1.2.3 x\r\n", None),
        ] {
            assert_eq!(Reply::parse(text).unwrap().enhanced(), enhanced, "{text}");
        }
        for text in ["", "abc\r\n", "990 x\r\n", "250-a\r\n550 b\r\n"] {
            assert!(Reply::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn extensions_are_words() {
        let reply = Reply::parse(
            "250-mx.example greets you\r\n250-size 1000\r\n250-  \r\n250-AUTH PLAIN XOAUTH2\r\n250-AUTH=LOGIN\r\n250 8BITMIME\r\n",
        )
        .unwrap();
        let extensions = Extensions::of(&reply);
        assert!(extensions.has("8BITMIME") && !extensions.has("STARTTLS") && !extensions.has("MX.EXAMPLE"));
        assert_eq!(extensions.size(), Some(1000));
        assert_eq!(["PLAIN", "XOAUTH2", "LOGIN", "OAUTHBEARER"].map(|name| extensions.takes(name)), [true, true, true, false]);
        assert_eq!(extensions.mechanisms(), "PLAIN, XOAUTH2");
        assert_eq!(Extensions::default().size(), None);
        assert_eq!(Extensions::of(&Reply::parse("250-a\r\n250 SIZE 0\r\n").unwrap()).size(), None, "0 is no bound");
    }
}
