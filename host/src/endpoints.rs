//! Events out: to URLs, signed as Standard Webhooks say, and to the operator's NATS. An endpoint has a cursor over the events; the
//! node that holds its lease gives every event behind the cursor a delivery of its own and makes it, in order for each
//! conversation, until the receiver takes it or the waits are used up. What is taken is settled after the answer, so that a
//! crash delivers again and loses nothing.
//!
//! Touches: the store, egress, NATS. Start at [`create`] and [`run`].

mod change;
mod keys;
mod nats;
mod node;
mod post;
mod publish;
mod replay;
mod serve;

pub use change::{Created, EndpointChange, NewEndpoint, Rotated, create, delete, rotate, update};
pub use nats::Nats;
pub use node::run;
pub use post::{TestResult, test};
pub use replay::{Replay, Replayed, replay};
