//! Statistics: how much each account sent and received, how it fared, how fast it replied. Counters move in the transaction of
//! the fact that they count ([`Tally`]); each is the sum of what the messages count for as they stand
//! ([`Facts`](crate::domain::stats::Facts)), so that a recomputation gives the same ([`recompute`]). `docs/statistics.md` has
//! every formula.

mod durations;
mod recompute;
mod report;
mod span;
mod tally;

pub use recompute::{Recomputation, recompute};
pub use report::{By, Figures, Report, list, named, summarise};
pub use span::{Asked, Granularity, Span};
pub use tally::Tally;
