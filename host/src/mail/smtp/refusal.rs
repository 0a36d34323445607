//! What a reply that refuses means for the gateway.

use super::reply::Reply;
use crate::domain::failure::{Failure, FailureClass};

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Greeting,
    Login,
    Sender,
    Recipient,
    Letter,
}

/// A throttle without a number: the longest that servers commonly ask for is a quarter of an hour.
const THROTTLED_MS: u64 = 5 * 60_000;
const MAILBOX_FULL_MS: u64 = 15 * 60_000;
const DAILY_QUOTA_MS: u64 = 24 * 3_600_000;

pub(super) fn refused(stage: Stage, reply: &Reply) -> Failure {
    let (class, retry_after_ms) = class(stage, reply.code(), reply.enhanced(), &reply.text());
    let code = reply.enhanced().map_or_else(|| reply.code().to_string(), |(class, subject, detail)| format!("{class}.{subject}.{detail}"));
    Failure { retry_after_ms, ..Failure::new(class, code, format!("{} {}", reply.code(), reply.text())) }
}

/// The enhanced code says more than the basic one, and is looked at first.
fn class(stage: Stage, code: u16, enhanced: Option<(u16, u16, u16)>, text: &str) -> (FailureClass, Option<u64>) {
    use FailureClass::{Limited, Recipient, Rejected, Unauthorized, Unavailable};
    let text = text.to_ascii_lowercase();
    let is_unknown =
        ["user unknown", "unknown user", "does not exist", "no such user", "no such recipient"].iter().any(|words| text.contains(words));
    let of_recipient = stage == Stage::Recipient;
    match (code, enhanced) {
        // Logging in.
        (454, _) => (Unavailable, None),
        (530 | 534 | 535 | 538, _) => (Unauthorized, None),
        (500..=599, Some((5, 7, 8 | 9))) => (Unauthorized, None),
        (501, Some((5, 1, _))) if of_recipient => (Recipient, None),
        (500..=504 | 555, _) => (Rejected, None),
        (500..=599, _) if stage == Stage::Login => (Unauthorized, None),
        // Too much, or too fast.
        (_, Some((_, 4, 5))) => (Limited, Some(DAILY_QUOTA_MS)),
        (432, Some((4, 3, 2))) | (400..=499, Some((4, 7, 0 | 1 | 66) | (4, 2, 1))) => (Limited, Some(THROTTLED_MS)),
        (400..=499, None)
            if ["too many", "too fast", "rate limit", "greylist", "graylist", "throttl"].iter().any(|words| text.contains(words)) =>
        {
            (Limited, Some(THROTTLED_MS))
        }
        (_, Some((_, 2, 2))) => (Unavailable, Some(MAILBOX_FULL_MS)),
        (400..=499, _) => (Unavailable, None),
        // For good.
        (552, Some((_, 3, 4) | (_, 2, 3))) => (Rejected, None),
        (_, Some((_, 1, 7 | 8))) => (Rejected, None),
        (500..=599, Some((_, 1, _))) => (Recipient, None),
        (500..=599, Some((_, 2, 1) | (_, 4, 1))) if of_recipient => (Recipient, None),
        (550 | 551 | 553, None) if of_recipient => (Recipient, None),
        (550 | 551 | 553, _) if is_unknown => (Recipient, None),
        _ => (Rejected, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(stage: Stage, line: &str) -> Failure {
        refused(stage, &Reply::parse(&format!("{line}\r\n")).unwrap())
    }

    #[test]
    fn every_row_of_the_table_has_its_class() {
        use FailureClass::{Limited, Recipient, Rejected, Unauthorized, Unavailable};
        for (stage, line, class) in [
            (Stage::Greeting, "421 4.3.0 try later", Unavailable),
            (Stage::Greeting, "421 4.3.2 shutting down", Unavailable),
            (Stage::Sender, "451 4.3.2 not accepting network messages", Unavailable),
            (Stage::Greeting, "421 closing", Unavailable),
            (Stage::Greeting, "554 no service here", Rejected),
            (Stage::Recipient, "450 busy", Unavailable),
            (Stage::Letter, "451 4.3.0 local error", Unavailable),
            (Stage::Letter, "452 4.3.1 full", Unavailable),
            (Stage::Recipient, "451 4.7.1 greylisted", Limited),
            (Stage::Recipient, "450 Greylisted, come back", Limited),
            (Stage::Greeting, "421 4.7.0 try again later", Limited),
            (Stage::Greeting, "421 Too many connections", Limited),
            (Stage::Recipient, "450 4.2.1 receiving too fast", Limited),
            (Stage::Login, "432 4.3.2 concurrent connections", Limited),
            (Stage::Greeting, "421 4.7.66 throttled", Limited),
            (Stage::Login, "454 4.7.0 temporary", Unavailable),
            (Stage::Sender, "530 5.7.0 must log in", Unauthorized),
            (Stage::Sender, "530 5.7.1 client was not authenticated", Unauthorized),
            (Stage::Login, "534 5.7.9 please log in with your web browser", Unauthorized),
            (Stage::Login, "535 5.7.8 bad credentials", Unauthorized),
            (Stage::Login, "535 no", Unauthorized),
            (Stage::Login, "550 5.7.1 disabled", Unauthorized),
            (Stage::Login, "504 5.5.4 unknown mechanism", Rejected),
            (Stage::Recipient, "550 5.1.1 gone", Recipient),
            (Stage::Letter, "550 5.1.1 gone", Recipient),
            (Stage::Recipient, "551 5.1.6 moved", Recipient),
            (Stage::Recipient, "553 5.1.3 bad address", Recipient),
            (Stage::Recipient, "501 5.1.3 bad syntax", Recipient),
            (Stage::Recipient, "550 5.2.1 disabled", Recipient),
            (Stage::Recipient, "550 5.4.1 access denied", Recipient),
            (Stage::Recipient, "550 mailbox unavailable", Recipient),
            (Stage::Letter, "550 user unknown", Recipient),
            (Stage::Letter, "550 that address does not exist", Recipient),
            (Stage::Letter, "550 no", Rejected),
            (Stage::Sender, "550 5.1.8 sender's domain", Rejected),
            (Stage::Sender, "553 5.1.7 sender's address", Rejected),
            (Stage::Recipient, "552 5.2.2 mailbox full", Unavailable),
            (Stage::Recipient, "452 4.2.2 over quota", Unavailable),
            (Stage::Letter, "552 5.3.4 too big", Rejected),
            (Stage::Letter, "552 5.2.3 too big for it", Rejected),
            (Stage::Letter, "552 too big", Rejected),
            (Stage::Sender, "550 5.4.5 daily quota", Limited),
            (Stage::Recipient, "550 5.7.1 relaying denied", Rejected),
            (Stage::Letter, "554 5.7.1 spam", Rejected),
            (Stage::Letter, "550 5.7.26 DMARC", Rejected),
            (Stage::Letter, "554 no", Rejected),
            (Stage::Sender, "503 bad sequence", Rejected),
            (Stage::Sender, "501 5.5.4 syntax", Rejected),
            (Stage::Sender, "555 5.5.2 parameters", Rejected),
        ] {
            assert_eq!(judged(stage, line).class, class, "{stage:?} {line}");
        }
    }

    #[test]
    fn waits_are_told_and_codes_kept() {
        for (line, code, wait) in [
            ("451 4.7.1 greylisted", "4.7.1", Some(THROTTLED_MS)),
            ("550 5.4.5 daily quota", "5.4.5", Some(DAILY_QUOTA_MS)),
            ("552 5.2.2 full", "5.2.2", Some(MAILBOX_FULL_MS)),
            ("451 local error", "451", None),
        ] {
            let failure = judged(Stage::Recipient, line);
            assert_eq!((failure.code.as_str(), failure.retry_after_ms, failure.message.as_str()), (code, wait, line));
        }
    }
}
