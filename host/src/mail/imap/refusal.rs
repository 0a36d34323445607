//! What a status that refuses means for the gateway.

use super::said::{Said, Status};
use crate::domain::failure::{Failure, FailureClass};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Greeting,
    Login,
    /// Opening a folder.
    Folder,
    Other,
}

/// A limit without a number.
const LIMITED_MS: u64 = 5 * 60_000;

pub(super) fn refused(doing: Doing, said: &Said) -> Failure {
    let word = said.word();
    let (class, retry_after_ms) = class(doing, said.status, &word, &said.text);
    let status = format!("{:?}", said.status).to_ascii_uppercase();
    let code = match word.as_str() {
        "" | "ALERT" => status.to_ascii_lowercase(),
        word => word.to_ascii_lowercase(),
    };
    let told = if said.code.is_empty() { String::new() } else { format!("[{}] ", said.code) };
    Failure { retry_after_ms, ..Failure::new(class, code, format!("{status} {told}{}", said.text)) }
}

fn class(doing: Doing, status: Status, word: &str, text: &str) -> (FailureClass, Option<u64>) {
    use FailureClass::{Forbidden, Limited, Rejected, Unauthorized, Unavailable};
    let text = text.to_ascii_lowercase();
    match word {
        "AUTHENTICATIONFAILED" | "EXPIRED" => return (Unauthorized, None),
        "AUTHORIZATIONFAILED" | "NOPERM" | "PRIVACYREQUIRED" | "CONTACTADMIN" | "WEBALERT" => return (Forbidden, None),
        "UNAVAILABLE" | "INUSE" | "SERVERBUG" => return (Unavailable, None),
        "LIMIT" | "OVERQUOTA" | "THROTTLED" => return (Limited, Some(LIMITED_MS)),
        "NONEXISTENT" => return (Rejected, None),
        _ => {}
    }
    if ["too many", "rate limit", "throttl", "bandwidth"].iter().any(|words| text.contains(words)) {
        return (Limited, Some(LIMITED_MS));
    }
    match (status, doing) {
        (Status::Bye, _) | (_, Doing::Greeting) => (Unavailable, None),
        (Status::No, Doing::Login) => (Unauthorized, None),
        (Status::No, Doing::Folder) => (Rejected, None),
        (Status::No, Doing::Other) => (Unavailable, None),
        _ => (Rejected, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_has_its_class() {
        use FailureClass::{Forbidden, Limited, Rejected, Unauthorized, Unavailable};
        for (doing, line, class, code) in [
            (Doing::Login, "NO [AUTHENTICATIONFAILED] no", Unauthorized, "authenticationfailed"),
            (Doing::Login, "NO [EXPIRED] password", Unauthorized, "expired"),
            (Doing::Login, "NO LOGIN failed.", Unauthorized, "no"),
            (Doing::Login, "NO [ALERT] Too many simultaneous connections.", Limited, "no"),
            (Doing::Login, "NO [UNAVAILABLE] backend", Unavailable, "unavailable"),
            (Doing::Login, "NO [AUTHORIZATIONFAILED] not yours", Forbidden, "authorizationfailed"),
            (Doing::Login, "BAD syntax", Rejected, "bad"),
            (Doing::Folder, "NO [INUSE] locked", Unavailable, "inuse"),
            (Doing::Folder, "NO [NOPERM] not for you", Forbidden, "noperm"),
            (Doing::Folder, "NO Mailbox doesn't exist: x", Rejected, "no"),
            (Doing::Folder, "NO [NONEXISTENT] x", Rejected, "nonexistent"),
            (Doing::Other, "NO [LIMIT] slow", Limited, "limit"),
            (Doing::Other, "NO [OVERQUOTA] full", Limited, "overquota"),
            (Doing::Other, "NO something", Unavailable, "no"),
            (Doing::Other, "BAD what?", Rejected, "bad"),
            (Doing::Other, "BYE shutting down", Unavailable, "bye"),
            (Doing::Greeting, "BYE not now", Unavailable, "bye"),
            (Doing::Other, "BYE [THROTTLED] wait", Limited, "throttled"),
        ] {
            let failure = refused(doing, &Said::parse(line).unwrap());
            assert_eq!((failure.class, failure.code.as_str(), failure.message.as_str()), (class, code, line));
            assert_eq!(failure.retry_after_ms.is_some(), class == Limited, "{line}");
        }
    }
}
