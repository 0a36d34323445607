//! The contract's data, as `bindgen!` makes it from `wit/`: what the host hands to a plugin and gets back.

pub use crate::bindings::exports::patchbay::channel::{channel, media_download, polling, preview, templates};
pub use crate::bindings::patchbay::channel::{messages, types};

/// The version of `wit/` that this gateway speaks.
pub const VERSION: &str = "0.1.0";
