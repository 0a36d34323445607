//! The contract's data, as `bindgen!` makes it from `wit/`: what the host hands to a plugin and gets back.

pub use crate::bindings::plugin::exports::patchbay::channel::channel;
pub use crate::bindings::plugin::patchbay::channel::{messages, types};
pub use crate::bindings::plugin_media_download::exports::patchbay::channel::media_download;
pub use crate::bindings::plugin_polling::exports::patchbay::channel::polling;

/// The version of `wit/` that this gateway speaks.
pub const VERSION: &str = "0.1.0";
