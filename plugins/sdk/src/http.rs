//! The only way out. A request names one of the manifest's egress targets, which fixes the host and the credential:
//! the plugin never sees the credential.
//!
//! ```
//! # use patchbay_plugin::{Failure, http, testing};
//! # let provider = testing::Provider::new();
//! # provider.on("POST api /sendMessage").answer(200, &serde_json::json!({"result": {"message_id": 7}}));
//! # fn send() -> Result<i64, Failure> {
//! let body = serde_json::json!({"chat_id": 1, "text": "hello"});
//! let answer: serde_json::Value = http::Request::post("api", "/sendMessage").json(&body)?.send()?.json()?;
//! # Ok(answer["result"]["message_id"].as_i64().unwrap_or_default())
//! # }
//! # assert_eq!(send(), Ok(7));
//! ```
//!
//! # What a broken connection means
//!
//! A request that writes may have been carried out although no answer came: its error becomes [`Failure::Uncertain`],
//! which the gateway never resends blindly. A request whose repetition does no harm says so with
//! [`Request::repeatable`] (`GET` and `HEAD` are from the start): then it becomes [`Failure::Unavailable`], and is tried again.
//!
//! [`Failure::Uncertain`]: crate::Failure::Uncertain
//! [`Failure::Unavailable`]: crate::Failure::Unavailable

mod error;
mod request;
mod response;

pub use error::Error;
pub use request::{Body, Content, Part, Piece, Request};
pub(crate) use response::RawResponse;
pub use response::{Payload, Response};

pub use crate::bindings::plugin::patchbay::channel::http::{Capture, Denial, Problem};
