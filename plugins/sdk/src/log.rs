//! The account's log. Bodies, tokens and addresses don't belong in it.

pub use crate::bindings::plugin::patchbay::channel::log::Level;
use crate::host;

/// Writes a line with fields at a level. At most 64 KiB a call reach the log.
pub fn write(level: Level, message: &str, fields: &[(&str, &str)]) {
    host::log(level, message, fields);
}

/// For whoever looks for a fault.
pub fn debug(message: &str, fields: &[(&str, &str)]) {
    write(Level::Debug, message, fields);
}

/// What happened, and is fine.
pub fn info(message: &str, fields: &[(&str, &str)]) {
    write(Level::Info, message, fields);
}

/// What somebody should look at some day.
pub fn warn(message: &str, fields: &[(&str, &str)]) {
    write(Level::Warn, message, fields);
}

/// What is broken.
pub fn error(message: &str, fields: &[(&str, &str)]) {
    write(Level::Error, message, fields);
}
