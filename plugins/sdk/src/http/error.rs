use std::fmt;

use super::{Denial, Problem};
use crate::failure::Failure;

/// Why there is no (usable) response.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The gateway refused to send it: nothing left.
    Denied(Denial),
    /// DNS, connecting or TLS failed: nothing left.
    NotSent(String),
    /// Bytes left, then the connection broke or the time was up: the provider may have acted.
    Broken {
        /// What broke.
        reason: String,
        /// Whether the request was [`repeatable`](super::Request::repeatable).
        repeatable: bool,
    },
    /// A response came, in a shape that the plugin doesn't understand.
    NotUnderstood {
        /// HTTP status.
        status: u16,
        /// What was expected.
        reason: String,
        /// Whether the request was [`repeatable`](super::Request::repeatable).
        repeatable: bool,
    },
    /// The body could not be written: nothing left.
    Encoding(String),
}

impl Error {
    pub(crate) fn from_problem(problem: Problem, repeatable: bool) -> Self {
        match problem {
            Problem::Denied(denial) => Self::Denied(denial),
            Problem::NotSent(reason) => Self::NotSent(reason),
            Problem::Broken(reason) => Self::Broken { reason, repeatable },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(denial) => f.write_str(match denial {
                Denial::UnknownTarget => "the manifest has no such egress target",
                Denial::NotGranted => "the operator hasn't granted this egress target",
                Denial::BlockedAddress => "the host resolves to an address that the gateway doesn't call",
                Denial::CredentialMissing => "a credential of this egress target isn't set",
                Denial::TooLarge => "the request or the response is larger than the egress target allows",
                Denial::Quota => "the call has used up its requests",
            }),
            Self::NotSent(reason) => write!(f, "nothing was sent: {reason}"),
            Self::Broken { reason, .. } => write!(f, "the connection broke after the request was sent: {reason}"),
            Self::NotUnderstood { status, reason, .. } => write!(f, "the provider answered {status}, and not as expected: {reason}"),
            Self::Encoding(reason) => write!(f, "the request could not be written: {reason}"),
        }
    }
}

impl std::error::Error for Error {}

/// What is known to have been sent decides. `NotSent` is safe to repeat; `Broken` is too, for a repeatable request, and
/// else it is [`Failure::Uncertain`].
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let words = error.to_string();
        match error {
            Error::Denied(Denial::UnknownTarget) => Failure::fault("egress_unknown_target", words),
            Error::Denied(Denial::NotGranted) => Failure::forbidden("egress_not_granted", words),
            Error::Denied(Denial::BlockedAddress) => Failure::forbidden("egress_blocked_address", words),
            Error::Denied(Denial::CredentialMissing) => Failure::unauthorized("credential_missing", words),
            Error::Denied(Denial::TooLarge) => Failure::rejected("egress_too_large", words),
            Error::Denied(Denial::Quota) => Failure::unavailable("egress_quota", words),
            Error::NotSent(_) => Failure::unavailable("not_sent", words),
            Error::Broken { repeatable: true, .. } => Failure::unavailable("broken", words),
            Error::Broken { repeatable: false, .. } => Failure::uncertain("broken", words),
            // A success that can't be read may still have been one.
            Error::NotUnderstood { status, repeatable: false, .. } if status < 300 => Failure::uncertain("not_understood", words),
            Error::NotUnderstood { .. } => Failure::unavailable("not_understood", words),
            Error::Encoding(_) => Failure::fault("encoding", words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_connection_is_a_doubt_only_where_repeating_does_harm() {
        let broken = |repeatable| Failure::from(Error::Broken { reason: "reset".into(), repeatable });
        assert!(matches!(broken(false), Failure::Uncertain(_)));
        assert!(matches!(broken(true), Failure::Unavailable(_)));
    }

    #[test]
    fn what_was_never_sent_is_safe_to_repeat() {
        assert!(matches!(Failure::from(Error::NotSent("dns".into())), Failure::Unavailable(_)));
        assert!(matches!(Failure::from(Error::Denied(Denial::Quota)), Failure::Unavailable(_)));
    }

    #[test]
    fn an_unreadable_success_is_a_doubt_and_an_unreadable_error_is_not() {
        let unreadable = |status| Failure::from(Error::NotUnderstood { status, reason: "html".into(), repeatable: false });
        assert!(matches!(unreadable(200), Failure::Uncertain(_)));
        assert!(matches!(unreadable(502), Failure::Unavailable(_)));
    }
}
