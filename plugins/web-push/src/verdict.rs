//! What a push service's answer means for a subscription, and what all of them mean for the message.

use patchbay_plugin::Failure;
use patchbay_plugin::failure::{Detail, Retry};
use patchbay_plugin::http::{Denial, Error, Response};

/// Characters of a push service's words that are passed on.
const WORDS_MAX: usize = 300;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// Where the push service keeps it, if it says so.
    Accepted(Option<String>),
    /// The browser has ended the subscription.
    Gone(Detail),
    /// It refuses who sends. Perhaps the account's key, perhaps a subscription that was made with another.
    Refused(Detail),
    /// Later.
    Waits(Failure),
    /// Never.
    Fails(Failure),
}

impl Verdict {
    pub(crate) fn of(response: &Response) -> Self {
        let status = response.status();
        let detail =
            |code: &str, words: &str| Detail::new(code, format!("{words}: {}", words_of(response))).with("status", status.to_string());
        match status {
            200..=299 => Self::Accepted(response.header("location").map(str::to_owned)),
            404 | 410 => Self::Gone(detail("unsubscribed", "the browser has ended this subscription")),
            401 | 403 => Self::Refused(detail(
                "vapid_refused",
                "the push service refuses the account's key: it isn't the one that the browser subscribed with, or vapid_subject isn't to its liking",
            )),
            // Windows answers 406 where others answer 429.
            406 | 429 => {
                let detail = detail("throttled", "the push service asks for fewer pushes");
                Self::Waits(Failure::Limited(Retry { after_ms: response.retry_after_ms(), detail }))
            }
            413 => Self::Fails(Failure::Rejected(detail("payload_too_large", "the push service takes no push as large as this"))),
            500..=599 => {
                let detail = detail("push_service", "the push service fails at the moment");
                Self::Waits(Failure::Unavailable(Retry { after_ms: response.retry_after_ms(), detail }))
            }
            _ => Self::Fails(Failure::Rejected(detail("push_refused", "the push service refuses the push"))),
        }
    }

    /// A push may be repeated: a worker shows a message once.
    pub(crate) fn of_error(error: Error) -> Self {
        match error {
            // The operator's word about one push service isn't about the account.
            Error::Denied(Denial::NotGranted | Denial::BlockedAddress) => {
                Self::Fails(Failure::rejected("endpoint_not_allowed", error.to_string()))
            }
            error => match Failure::from(error) {
                later @ Failure::Unavailable(_) => Self::Waits(later),
                never => Self::Fails(never),
            },
        }
    }
}

/// Apple answers `{"reason": …}`, Google and Mozilla text or HTML.
fn words_of(response: &Response) -> String {
    let text = String::from_utf8_lossy(response.bytes());
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.chars().count() {
        0 => format!("it answered {}", response.status()),
        _ => line.chars().take(WORDS_MAX).collect(),
    }
}

/// What the message has come to, once every subscription was tried. Whatever waits keeps the message waiting; else one device that
/// has it is enough.
pub(crate) fn of_message(is_accepted: bool, verdicts: Vec<Verdict>) -> Option<Failure> {
    let mut waiting = None;
    let (mut refused, mut failing, mut gone) = (None, None, None);
    for verdict in verdicts {
        match verdict {
            Verdict::Accepted(_) => {}
            Verdict::Waits(failure) => waiting = Some(longer(waiting, failure)),
            Verdict::Refused(detail) => refused = refused.or(Some(Failure::Unauthorized(detail))),
            Verdict::Fails(failure) => failing = failing.or(Some(failure)),
            Verdict::Gone(detail) => gone = gone.or(Some(Failure::Recipient(detail))),
        }
    }
    if waiting.is_some() || is_accepted { waiting } else { refused.or(failing).or(gone) }
}

/// A limit goes before a fault, and a longer wait before a shorter one.
fn longer(one: Option<Failure>, other: Failure) -> Failure {
    let weight = |failure: &Failure| match failure {
        Failure::Limited(retry) => (1, retry.after_ms.unwrap_or_default()),
        Failure::Unavailable(retry) => (0, retry.after_ms.unwrap_or_default()),
        _ => (0, 0.0),
    };
    match one {
        Some(one) if weight(&one) >= weight(&other) => one,
        _ => other,
    }
}
