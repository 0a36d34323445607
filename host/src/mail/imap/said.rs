//! A status line: how something went, a code for programs, and words for people.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    No,
    Bad,
    PreAuth,
    Bye,
}

impl Status {
    fn parse(word: &str) -> Option<Status> {
        let all = [("OK", Status::Ok), ("NO", Status::No), ("BAD", Status::Bad), ("PREAUTH", Status::PreAuth), ("BYE", Status::Bye)];
        all.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, status)| status)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) status: Status,
    /// What stands in brackets, without them: `UIDNEXT 7`. imap-proto knows but some of these.
    pub(super) code: String,
    pub(super) text: String,
}

impl Said {
    /// From what stands behind the tag, or behind the star; none where it is no status.
    pub(super) fn parse(line: &str) -> Option<Said> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let status = Status::parse(word)?;
        let coded = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (code, text) = coded.unwrap_or(("", rest));
        Some(Said { status, code: code.trim().to_owned(), text: text.trim().to_owned() })
    }

    /// The code's own word, in capitals.
    pub(super) fn word(&self) -> String {
        self.code.split_whitespace().next().unwrap_or_default().to_ascii_uppercase()
    }

    /// The number behind a code: `[UIDVALIDITY 7]`.
    pub(super) fn number(&self, word: &str) -> Option<u32> {
        let mut words = self.code.split_whitespace();
        words.next().filter(|first| first.eq_ignore_ascii_case(word))?;
        words.next()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_a_code_and_words() {
        let said = Said::parse("NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)").unwrap();
        assert_eq!(
            (said.status, said.word().as_str(), said.text.as_str()),
            (Status::No, "AUTHENTICATIONFAILED", "Invalid credentials (Failure)")
        );
        assert_eq!(Said::parse("OK [UIDVALIDITY 3857529045] UIDs valid").unwrap().number("UIDVALIDITY"), Some(3_857_529_045));
        assert_eq!(Said::parse("ok done").unwrap(), Said { status: Status::Ok, code: String::new(), text: "done".to_owned() });
        assert_eq!(Said::parse("BYE").unwrap().status, Status::Bye);
        assert_eq!(Said::parse("OK [x without end").unwrap().text, "[x without end");
        assert_eq!(Said::parse("SEARCH 1 2"), None);
        assert_eq!(Said::parse("OK [UIDNEXT x]").unwrap().number("UIDNEXT"), None);
    }
}
