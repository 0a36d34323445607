//! An answer is one number: bare, in quotes, or as XML of the older service.

use patchbay_plugin::Failure;
use patchbay_plugin::failure::{Detail, Retry};
use patchbay_plugin::http::{Error, Response};

/// Characters of an answer that is no number, for people to read.
const WORDS_MAX: usize = 200;

#[derive(Debug)]
pub(super) struct Answer {
    response: Response,
    /// Without tags, quotes and spaces.
    text: String,
}

impl Answer {
    /// # Errors
    /// The status says no, and the body has no code of theirs that says more.
    pub(super) fn of(response: Response) -> Result<Self, Failure> {
        let text = bare(&String::from_utf8_lossy(response.bytes()));
        let answer = Self { response, text };
        if answer.response.is_success() || answer.text.parse::<i64>().is_ok_and(|code| code < 0) {
            return Ok(answer);
        }
        Err(answer.refused())
    }

    pub(super) fn code(&self) -> Result<i64, Failure> {
        self.text.parse().map_err(|_| self.not_understood().into())
    }

    pub(super) fn amount(&self) -> Result<f64, Failure> {
        let amount: f64 = self.text.parse().map_err(|_| self.not_understood())?;
        if amount.is_finite() { Ok(amount) } else { Err(self.not_understood().into()) }
    }

    /// A request that may be repeated is, where its answer isn't understood.
    fn not_understood(&self) -> Error {
        self.response.not_understood(&format!("a number is the answer, and this is none: {}", self.words()))
    }

    fn words(&self) -> String {
        self.text.chars().take(WORDS_MAX).collect()
    }

    fn refused(&self) -> Failure {
        let status = self.response.status();
        let detail = |code: &str, advice: &str| {
            let said = self.words();
            let message = if said.is_empty() { advice.to_owned() } else { format!("{said} ({advice})") };
            Detail::new(code, message).with("status", status.to_string())
        };
        match status {
            401 | 403 => Failure::Unauthorized(detail("credentials", "VictoryLink doesn't take the user name and password")),
            429 => Failure::Limited(Retry {
                after_ms: self.response.retry_after_ms().or(Some(super::code::PAUSE_MS)),
                detail: detail("limited", "VictoryLink throttles the account"),
            }),
            408 | 425 | 500.. => Failure::Unavailable(Retry {
                after_ms: self.response.retry_after_ms(),
                detail: detail(&status.to_string(), "VictoryLink has a fault of its own"),
            }),
            404 | 405 => Failure::Rejected(detail("not_found", "there is no VictoryLink at that address: compare the account's base_url")),
            _ => Failure::Rejected(detail(&status.to_string(), "VictoryLink refuses the request")),
        }
    }
}

/// The text between tags, without the quotes and spaces around it.
fn bare(body: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for character in body.chars() {
        match character {
            '<' => inside = true,
            '>' if inside => inside = false,
            other if !inside => text.push(other),
            _ => {}
        }
    }
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\u{feff}')).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_however_it_is_wrapped() {
        for (body, expected) in [
            ("0", "0"),
            (" -10 \r\n", "-10"),
            ("\"-19\"", "-19"),
            ("\u{feff}0", "0"),
            ("<int>0</int>", "0"),
            ("<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<int xmlns=\"http://tempuri.org/\">-5</int>", "-5"),
            ("<string>\"1250.5\"</string>", "1250.5"),
            ("", ""),
            ("<int>", ""),
            ("a < b", "a"),
        ] {
            assert_eq!(bare(body), expected, "{body}");
        }
    }
}
