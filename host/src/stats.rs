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

use crate::{
    clock::At,
    domain::message::Message,
    store::{self, Tx},
};

/// Counts the change of one message. `before` is none where it wasn't there before; `after` is noted what the statistics keep with
/// it, and has to be stored thereafter.
pub async fn record(tx: &mut Tx, before: Option<&Message>, after: &mut Message, plugin_digest: Option<&str>, now: At) -> store::Result<()> {
    let conversation_id = after.conversation_id.clone();
    let before_it = match &conversation_id {
        Some(id) => store::stats::clock(&mut *tx, id).await?,
        None => None,
    };
    let mut clock = before_it;
    let mut tally = Tally::default();
    tally.observe(before, after, clock.as_mut(), plugin_digest, now);
    if let (Some(id), Some(clock)) = (&conversation_id, &clock)
        && before_it != Some(*clock)
    {
        store::stats::save_clock(tx, id, clock).await?;
    }
    store::stats::add(tx, &tally.into_rows()).await
}
