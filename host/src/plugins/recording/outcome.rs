//! How a call ended.

use std::fmt::{self, Debug};

use patchbay_sandbox::{
    Fault,
    contract::{messages::Sent, types},
};
use serde::{Deserialize, Serialize};

use crate::{
    domain::failure::{Failure, FailureClass},
    plugins::{convert, faults::fault_word},
};

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// No answer: the word is that of the metrics and the account's log.
    Fault { word: String, text: String },
    /// The plugin answered that it can't.
    Failure { class: FailureClass, code: String, message: String },
    /// It answered; never of a call that is kept.
    Answered { shown: String },
}

impl Outcome {
    pub fn of_fault(fault: &Fault) -> Outcome {
        Outcome::Fault { word: fault_word(fault).to_owned(), text: fault.to_string() }
    }

    fn of_failure(failure: &types::Failure) -> Outcome {
        let Failure { class, code, message, fields, .. } = convert::failure_in(failure.clone());
        let fields: Vec<String> = fields.iter().map(|field| format!("{} {}", field.pointer, field.message)).collect();
        Outcome::Failure { class, code, message: if fields.is_empty() { message } else { fields.join("; ") } }
    }

    /// Of any hook but `send`.
    pub fn of<T: Debug>(answer: &Result<Result<T, types::Failure>, Fault>) -> Outcome {
        match answer {
            Ok(Ok(told)) => Outcome::Answered { shown: format!("{told:#?}") },
            Ok(Err(failure)) => Outcome::of_failure(failure),
            Err(fault) => Outcome::of_fault(fault),
        }
    }

    pub fn of_sent(answer: &Result<Sent, Fault>) -> Outcome {
        match answer {
            Ok(Sent { failed: Some(failure), .. }) => Outcome::of_failure(failure),
            Ok(sent) => Outcome::Answered { shown: format!("{sent:#?}") },
            Err(fault) => Outcome::of_fault(fault),
        }
    }

    /// The plugin's own failing, and not its provider's or the gateway's.
    pub fn is_failing(&self) -> bool {
        match self {
            // What was never run says nothing of it.
            Outcome::Fault { word, .. } => !matches!(word.as_str(), "busy" | "held"),
            Outcome::Failure { class, .. } => *class == FailureClass::Fault,
            Outcome::Answered { .. } => false,
        }
    }

    /// For lists: `trap`, `deadline`, `failure.fault`.
    pub fn word(&self) -> String {
        match self {
            Outcome::Fault { word, .. } => word.clone(),
            Outcome::Failure { class, .. } => format!("failure.{class}"),
            Outcome::Answered { .. } => "answered".to_owned(),
        }
    }

    pub fn text(&self) -> &str {
        match self {
            Outcome::Fault { text, .. } => text,
            Outcome::Failure { message, .. } => message,
            Outcome::Answered { shown } => shown,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Fault { word, text } => write!(f, "fault {word}: {text}"),
            Outcome::Failure { class, code, message } => write!(f, "failure {class} ({code}): {message}"),
            Outcome::Answered { shown } => write!(f, "answered {shown}"),
        }
    }
}

/// The outcome of a call that is to be kept; nothing is made of one that went well.
pub fn of_answer<T>(answer: &Result<Result<T, types::Failure>, Fault>) -> Option<Outcome> {
    match answer {
        Ok(Ok(_)) => None,
        Ok(Err(failure)) => Some(Outcome::of_failure(failure)),
        Err(fault) => Some(Outcome::of_fault(fault)),
    }
    .filter(Outcome::is_failing)
}

/// The same of `send`.
pub fn of_sent(answer: &Result<Sent, Fault>) -> Option<Outcome> {
    match answer {
        Ok(sent) => sent.failed.as_ref().map(Outcome::of_failure),
        Err(fault) => Some(Outcome::of_fault(fault)),
    }
    .filter(Outcome::is_failing)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn detail() -> types::Detail {
        types::Detail { code: "c".to_owned(), message: "m".to_owned(), extras: Vec::new() }
    }

    #[test]
    fn only_what_is_the_plugins_own_failing_is_kept() {
        let kept = |answer: Result<Result<(), types::Failure>, Fault>| of_answer(&answer).map(|outcome| outcome.word());
        assert_eq!(kept(Ok(Ok(()))), None);
        assert_eq!(kept(Ok(Err(types::Failure::Unauthorized(detail())))), None);
        assert_eq!(kept(Err(Fault::Busy(Duration::ZERO))), None);
        assert_eq!(kept(Err(Fault::Held { faults: 10, pause: Duration::ZERO })), None);
        assert_eq!(kept(Ok(Err(types::Failure::Fault(detail())))).as_deref(), Some("failure.fault"));
        assert_eq!(kept(Err(Fault::Trap("x".to_owned()))).as_deref(), Some("trap"));
        let sent = |failed| Ok(Sent { accepted: Vec::new(), failed, events: Vec::new() });
        assert!(of_sent(&sent(None)).is_none() && of_sent(&sent(Some(types::Failure::Rejected(detail())))).is_none());
        assert!(of_sent(&sent(Some(types::Failure::Fault(detail())))).is_some());
    }
}
