//! Letters that machines write: nothing may answer them by itself, or two machines write to each other for ever.

use super::Letter;

/// Who wrote a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A person, as far as it tells.
    Direct,
    /// An absence note, a receipt, a report.
    AutoReply,
    /// A mailing list or a newsletter.
    List,
}

impl Origin {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Origin::Direct => "direct",
            Origin::AutoReply => "auto_reply",
            Origin::List => "list",
        }
    }

    pub(crate) fn is_automatic(self) -> bool {
        self != Origin::Direct
    }
}

pub(super) fn origin(letter: &Letter<'_>) -> Origin {
    let precedence = letter.text("precedence").unwrap_or_default().to_ascii_lowercase();
    let submitted = letter.text("auto-submitted").unwrap_or_default().to_ascii_lowercase();
    let submitted = submitted.split(';').next().unwrap_or_default().trim();
    if letter.has("list-id") || precedence == "list" {
        Origin::List
    } else if !matches!(submitted, "" | "no") || answers_itself(letter) || precedence == "auto_reply" {
        Origin::AutoReply
    } else if precedence == "bulk" {
        Origin::List
    } else if precedence == "junk" || letter.is_null("return-path") || is_daemon(letter) {
        Origin::AutoReply
    } else {
        Origin::Direct
    }
}

/// What programs say that are older than `Auto-Submitted`, or don't know it.
fn answers_itself(letter: &Letter<'_>) -> bool {
    let suppressed = letter.text("x-auto-response-suppress").is_some_and(|value| !value.eq_ignore_ascii_case("none"));
    suppressed || ["x-autoreply", "x-autorespond", "x-autoresponder"].iter().any(|name| letter.has(name))
}

/// Whether a mail server itself wrote.
pub(crate) fn is_daemon(letter: &Letter<'_>) -> bool {
    letter.author().is_some_and(|author| {
        let local = author.address.split('@').next().unwrap_or_default().to_ascii_lowercase();
        matches!(local.as_str(), "mailer-daemon" | "postmaster")
    })
}
