//! Logging: bounded by bytes and not by calls, and never a reason to end a call.

use crate::bindings::patchbay::channel::log::{Host, Level};
use crate::services::LogLevel;
use crate::state::State;

/// What a line costs beside its text, in bytes, so that empty lines come to an end too.
const LINE: usize = 16;

impl Host for State {
    fn write(&mut self, level: Level, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        self.log(level.into(), &message, &fields);
        Ok(())
    }
}

impl State {
    /// Logs a line while there is room for it, then says once that there isn't.
    pub(crate) fn log(&mut self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        let text: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        let bytes = self.spent.log_bytes.saturating_add(LINE + message.len() + text);
        let most = self.limits.log_bytes;
        if bytes <= most {
            self.spent.log_bytes = bytes;
            if let Ok(services) = self.services() {
                services.log(level, message, fields);
            }
        } else if !self.spent.log_truncated {
            self.spent.log_truncated = true;
            // A shorter line later would suggest that nothing is missing between the two.
            self.spent.log_bytes = most;
            let fields = [("most_bytes".to_owned(), most.to_string())];
            if let Ok(services) = self.services() {
                services.log(LogLevel::Warn, "log truncated", &fields);
            }
        }
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
