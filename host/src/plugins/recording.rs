//! What a call was told, kept while it runs, so that one that failed can be run again: on its author's machine, with the same
//! outcome. [`Recorded`] notes every question of the plugin's and every answer of the host's on a [`Tape`]; a call that ends well
//! drops it, and of one that failed a [`CallRecord`] is made, without secrets, which [`Recordings`] stores.
//!
//! Touches the database. Start at [`Tape`]; `replay` runs a record.

mod exchange;
mod input;
mod kept;
mod outcome;
mod record;
mod recorded;
mod recordings;
mod redact;
mod tape;

pub use exchange::{Answer, Asked, Exchange};
pub use input::Input;
pub use kept::{Kept, Room};
pub use outcome::{Outcome, of_answer, of_sent};
pub use record::{CallRecord, FORMAT, Limits, Line};
pub use recorded::Recorded;
pub use recordings::{Failed, Recordings};
pub use tape::{Ended, Tape};
