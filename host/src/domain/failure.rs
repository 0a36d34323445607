//! Why something could not be done: the contract's one error type, with what the gateway does about each case.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::words;

words! {
    /// What the gateway does next.
    pub enum FailureClass {
        /// The settings or the message are wrong: each field is named.
        Invalid = "invalid",
        /// The credential is dead: the account needs to be connected again, its queue is parked.
        Unauthorized = "unauthorized",
        /// The credential lives but lacks a permission: the account is degraded, its queue is parked.
        Forbidden = "forbidden",
        /// The provider throttles: it waits, and the attempt isn't counted.
        Limited = "limited",
        /// Certainly not accepted: it is sent again.
        Unavailable = "unavailable",
        /// Perhaps accepted: never sent again blindly.
        Uncertain = "uncertain",
        /// The recipient can't be reached.
        Recipient = "recipient",
        /// The reply window is closed.
        WindowClosed = "window_closed",
        /// Refused for good for another reason.
        Rejected = "rejected",
        /// The channel can't carry that content.
        Unsupported = "unsupported",
        /// A fault in the plugin: it counts towards its breaker.
        Fault = "fault",
        /// Not sent before its time was over.
        Expired = "expired",
        /// Taken back before it was sent.
        Cancelled = "cancelled",
    }
}

impl FailureClass {
    /// What an operator or a client can do about it.
    pub fn way_out(self) -> &'static str {
        match self {
            FailureClass::Invalid => "Correct the fields named and send it again.",
            FailureClass::Unauthorized => "Connect the account again: POST /rest/v1/channel_accounts/{id}/connect.",
            FailureClass::Forbidden => "Give the account the missing permission at the provider, then connect it again.",
            FailureClass::Limited => "Nothing: it is sent when the provider allows.",
            FailureClass::Unavailable => "Nothing: it is tried again until it expires.",
            FailureClass::Uncertain => "Look in the provider's own inbox whether it arrived; send it again only if it didn't.",
            FailureClass::Recipient => "Check the recipient: it blocked the account, left, or never existed.",
            FailureClass::WindowClosed => "Wait for the recipient to write, or send an approved template.",
            FailureClass::Rejected => "Read the provider's reason; change the message or the account.",
            FailureClass::Unsupported => "Send another kind of content: GET /rest/v1/channel_types lists what the channel carries.",
            FailureClass::Fault => "Look at the plugin's log, roll it back or install a mended version; then send it again.",
            FailureClass::Expired => "Send it again, with a later expires_at.",
            FailureClass::Cancelled => "Nothing: it was cancelled.",
        }
    }
}

/// One field that is wrong: a JSON pointer and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldProblem {
    pub pointer: String,
    pub message: String,
}

impl FieldProblem {
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> FieldProblem {
        FieldProblem { pointer: pointer.into(), message: message.into() }
    }
}

/// The code of an `unauthorized` failure that means the end of a session, and not of a credential.
const LOGGED_OUT: &str = "logged_out";

/// A failure as it is kept and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    pub class: FailureClass,
    /// The provider's own code, or one of the plugin's.
    pub code: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldProblem>,
    /// The wait that the provider asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    #[serde(default)]
    pub way_out: String,
}

impl Failure {
    pub fn new(class: FailureClass, code: impl Into<String>, message: impl Into<String>) -> Failure {
        Failure {
            class,
            code: code.into(),
            message: message.into(),
            fields: Vec::new(),
            retry_after_ms: None,
            way_out: class.way_out().to_owned(),
        }
    }

    /// Whether the account's session was ended at the provider: only connecting it again brings it back.
    pub fn ended_session(&self) -> bool {
        self.class == FailureClass::Unauthorized && self.code == LOGGED_OUT
    }
}
