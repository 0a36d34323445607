//! The one error type: each case says what the gateway does next.

use std::fmt;

pub use crate::bindings::plugin::patchbay::channel::types::{Detail, Failure, FieldProblem, Retry};
use crate::field::Field;

impl Detail {
    /// A provider's code, or one of the plugin's README, and words for the operator.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), extras: Vec::new() }
    }

    /// Adds what else the provider told.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.extras.push(Field::new(name, value));
        self
    }
}

impl Failure {
    /// The settings or the message are wrong. `pointer` is the JSON pointer of the field: `/bot_token`.
    pub fn invalid(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldProblem { pointer: pointer.into(), message: message.into() }])
    }

    /// The credential is dead: the account waits for a new one, its queue is parked.
    pub fn unauthorized(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Unauthorized(Detail::new(code, message))
    }

    /// The session was ended at the provider: the account is `logged_out` until it is connected again, its queue is parked.
    pub fn logged_out(message: impl Into<String>) -> Self {
        Self::unauthorized("logged_out", message)
    }

    /// The credential lives but lacks a permission: the account is degraded, its queue is parked.
    pub fn forbidden(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Forbidden(Detail::new(code, message))
    }

    /// The provider throttles. `after_ms`: how long it asks to wait, in milliseconds; the attempt isn't counted.
    pub fn limited(after_ms: Option<f64>, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Limited(Retry { after_ms, detail: Detail::new(code, message) })
    }

    /// Certainly not accepted: the gateway sends it again.
    pub fn unavailable(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Unavailable(Retry { after_ms: None, detail: Detail::new(code, message) })
    }

    /// Perhaps accepted: the gateway never resends it blindly.
    pub fn uncertain(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Uncertain(Detail::new(code, message))
    }

    /// The recipient can't be reached, now or later.
    pub fn recipient(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Recipient(Detail::new(code, message))
    }

    /// The reply window is closed. Name the way out in the message.
    pub fn window_closed(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::WindowClosed(Detail::new(code, message))
    }

    /// Refused for good for another reason.
    pub fn rejected(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Rejected(Detail::new(code, message))
    }

    /// This channel can't carry that content.
    pub fn unsupported(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Unsupported(Detail::new(code, message))
    }

    /// A fault of the plugin itself: it counts towards its breaker.
    pub fn fault(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Fault(Detail::new(code, message))
    }

    /// What the case tells, where it is one problem and not a list of fields.
    #[must_use]
    pub fn detail(&self) -> Option<&Detail> {
        match self {
            Self::Invalid(_) => None,
            Self::Limited(retry) | Self::Unavailable(retry) => Some(&retry.detail),
            Self::Unauthorized(detail)
            | Self::Forbidden(detail)
            | Self::Uncertain(detail)
            | Self::Recipient(detail)
            | Self::WindowClosed(detail)
            | Self::Rejected(detail)
            | Self::Unsupported(detail)
            | Self::Fault(detail) => Some(detail),
        }
    }
}

/// The words of a failure, on one line.
impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Failure::Invalid(problems) => {
                for (index, problem) in problems.iter().enumerate() {
                    if index > 0 {
                        f.write_str("; ")?;
                    }
                    write!(f, "{}: {}", problem.pointer, problem.message)?;
                }
                Ok(())
            }
            other => match other.detail() {
                Some(detail) => write!(f, "{}: {}", detail.code, detail.message),
                None => Ok(()),
            },
        }
    }
}

/// Shows a [`Failure`] to people: `Words(&failure).to_string()`. (The generated `Display` is its debug form.)
#[derive(Debug, Clone, Copy)]
pub struct Words<'a>(pub &'a Failure);
