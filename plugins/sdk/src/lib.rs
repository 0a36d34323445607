#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

#[doc(hidden)]
pub mod bindings;
pub mod blob;
pub mod crypto;
#[doc(hidden)]
pub mod export;
pub mod failure;
pub mod field;
pub mod hooks;
mod host;
pub mod http;
pub mod kv;
pub mod log;
pub mod mail;
pub mod messages;
pub mod progress;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use blob::Blob;
pub use failure::Failure;
pub use field::{Field, Fields};
pub use hooks::{Call, Channel, MediaDownload, Polling, Preview, Templates};
