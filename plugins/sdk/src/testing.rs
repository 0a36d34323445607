//! What a plugin's own tests need: they run natively, with plain `cargo test`.
//!
//! A [`Provider`] is scripted, records the requests and holds the account's secrets and store. It belongs to the thread
//! of the test, so tests don't see each other; dropping it fails the test if an answer was never asked for.
//!
//! ```
//! use patchbay_plugin::{http, testing};
//! use serde_json::json;
//!
//! let provider = testing::Provider::new();
//! provider.on("POST api /getMe").answer(200, &json!({"ok": true}));
//! provider.on("POST api /sendMessage").broken("connection reset");
//!
//! assert_eq!(http::Request::post("api", "/getMe").send().map(|answer| answer.status()), Ok(200));
//! assert!(http::Request::post("api", "/sendMessage").send().is_err());
//! assert_eq!(provider.requests().len(), 2);
//! ```

pub mod fixtures;
mod mail;
mod provider;
pub(crate) mod world;

pub use mail::{ScriptedFolder, ScriptedLetter, SentLetter};
pub use provider::{Provider, Route};
pub use world::{LogLine, Recorded, RecordedBody, RecordedPart};

use serde_json::Value;

use crate::hooks::{Account, Call, Webhook};
use crate::messages::{Command, Outbound};

/// A call for an account with these settings, with ten seconds to go.
#[must_use]
pub fn call(external_id: Option<&str>, settings: &Value) -> Call {
    Call { account: account(external_id, settings), attempt: 1, deadline_ms: 10_000.0, extras: Vec::new() }
}

/// An account with these settings.
#[must_use]
pub fn account(external_id: Option<&str>, settings: &Value) -> Account {
    Account {
        id: "019a0000-0000-7000-8000-000000000001".into(),
        external_id: external_id.map(str::to_owned),
        settings: settings.to_string(),
    }
}

/// A webhook of an account with that body, proven by the manifest's recipe.
#[must_use]
pub fn webhook(account: Account, body: impl Into<Vec<u8>>) -> Webhook {
    Webhook {
        account: Some(account),
        method: "POST".into(),
        path: String::new(),
        query: Vec::new(),
        headers: Vec::new(),
        body: body.into(),
        verified_by: Some("test".into()),
        extras: Vec::new(),
    }
}

/// An outbound message or command to a recipient, with nothing else said.
#[must_use]
pub fn outbound(to: &str, command: Command) -> Outbound {
    Outbound {
        id: "019a0000-0000-7000-8000-0000000000aa".into(),
        to: to.into(),
        conversation: None,
        reply_to: None,
        command,
        reply_context: None,
        subscriptions: Vec::new(),
        extras: Vec::new(),
    }
}
