#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

pub mod clock;
pub mod envelope;
pub mod json;
pub mod notify;
pub mod phone;
pub mod query;
pub mod refusal;

pub use envelope::Envelope;
pub use json::Json;
pub use notify::{Delivered, Notify, Trouble};
pub use refusal::Refusal;
