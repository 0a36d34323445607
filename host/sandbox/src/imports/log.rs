//! Logging: bounded by bytes and not by calls, and never a reason to end a call.

use crate::bindings::plugin::patchbay::channel::log::{Host, Level};
use crate::services::LogLevel;
use crate::state::State;

/// What a line costs beside its text, in bytes, so that empty lines come to an end too.
const LINE: usize = 16;

impl Host for State {
    fn write(&mut self, level: Level, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        let text: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        let bytes = self.spent.log_bytes.saturating_add(LINE + message.len() + text);
        if bytes <= self.limits.log_bytes {
            self.spent.log_bytes = bytes;
            self.services()?.log(level.into(), &message, &fields);
        } else if !self.spent.log_truncated {
            self.spent.log_truncated = true;
            // A shorter line later would suggest that nothing is missing between the two.
            self.spent.log_bytes = self.limits.log_bytes;
            let most = self.limits.log_bytes.to_string();
            self.services()?.log(LogLevel::Warn, "log truncated", &[("most_bytes".to_owned(), most)]);
        }
        Ok(())
    }
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> LogLevel {
        match level {
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        }
    }
}
