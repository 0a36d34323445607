//! The contract's types (`wit/`) to the domain's and back: the only room that names both.

mod events;
mod incoming;
mod outgoing;

pub use events::events_in;
pub use incoming::{Sent, check_in, command_in, facts_in, failure_in, list_in, sent_in};
pub use outgoing::{command_out, extras_out, failure_out, webhook_out};
