//! The failures that aren't a server's reply.

use patchbay_sandbox::services::Denial;

use crate::domain::failure::{Failure, FailureClass};

/// The gateway wouldn't do it: the plugin's or the operator's matter.
pub(super) fn denied(denial: Denial, why: impl Into<String>) -> Failure {
    let code = match denial {
        Denial::UnknownTarget => "unknown_target",
        Denial::NotGranted => "not_granted",
        Denial::BlockedAddress => "blocked_address",
        Denial::CredentialMissing => "credential_missing",
        Denial::TooLarge => "too_large",
        Denial::Quota => "quota",
    };
    Failure::new(FailureClass::Fault, code, why)
}

/// Surely not done: it may be tried again.
pub(super) fn unavailable(code: &str, why: impl Into<String>) -> Failure {
    Failure::new(FailureClass::Unavailable, code, why)
}

pub(super) fn rejected(code: &str, why: impl Into<String>) -> Failure {
    Failure::new(FailureClass::Rejected, code, why)
}

/// The connection broke, or its time was over.
pub(super) fn broken(error: &std::io::Error, doing: &str) -> Failure {
    let code = if error.kind() == std::io::ErrorKind::TimedOut { "timed_out" } else { "connection_lost" };
    unavailable(code, format!("{doing}: {error}"))
}
