//! The counters told anew from the messages. They have to be the same; where they aren't, that is a defect, and can be mended.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::Tally;
use crate::{
    clock::At,
    domain::stats::{Activity, Amount, Increment, Slot},
    store::{
        self, Db,
        stats::{Additions, Stretch},
    },
};

/// Messages read at a time.
const PAGE: u32 = 1000;
/// Differences that are shown.
const SHOWN_MAX: usize = 100;
/// The metric of a conversation that was active.
const ACTIVE: &str = "conversations_active";

/// What a recomputation found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Recomputation {
    pub channel_account_id: String,
    pub from: At,
    /// Excluded; none where it had no end.
    pub to: Option<At>,
    /// Messages that were read.
    pub messages: usize,
    /// Counters that differ: 0, unless something is wrong.
    pub drift: usize,
    /// The first of them.
    pub differences: Vec<Difference>,
    /// Whether the counters are now what the messages tell.
    pub mended: bool,
}

/// A counter that isn't what the messages tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "StatsDifference")]
pub struct Difference {
    pub slot: At,
    pub metric: &'static str,
    /// The class of a failure, the bucket of a duration, the conversation that was active.
    pub label: String,
    pub plugin_digest: String,
    pub counted: i64,
    pub told: i64,
    /// Microseconds, of a duration.
    pub counted_sum: i64,
    pub told_sum: i64,
}

type Key = (Slot, &'static str, String, String);

/// Tells an account's counters of the stretch anew and compares; with `mend`, writes them where they differ. It holds up whatever
/// else is to be stored meanwhile: about a second for some hundred thousand messages.
///
/// Messages that were purged tell nothing any more: mending forgets what they counted for.
///
/// # Errors
/// When the database fails; then nothing is changed.
pub async fn recompute(db: &Db, account_id: &str, stretch: Stretch, mend: bool) -> store::Result<Recomputation> {
    // No fact may come in between the reading of the one and of the other.
    let mut tx = db.begin_ordered().await?;
    let mut tally = Tally::default();
    let mut messages = 0;
    let mut after = String::new();
    loop {
        let page = store::stats::facts(&mut tx, account_id, stretch, &after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.message_id);
        messages += page.len();
        for message in &page {
            tally.count(account_id, message.conversation_id.as_deref(), message.plugin_digest.as_deref(), &message.facts);
        }
    }
    let within = |slot: Slot| slot.start() >= stretch.0 && slot.start() < stretch.1;
    let Additions { mut increments, mut activity } = tally.into_rows();
    increments.retain(|increment| within(increment.slot));
    activity.retain(|activity| within(activity.slot));
    let told = Additions { increments, activity };

    let differences = differences(store::stats::kept(&mut tx, account_id, stretch).await?, told.clone());
    let drift = differences.len();
    if mend && drift > 0 {
        store::stats::clear(&mut tx, account_id, stretch).await?;
        store::stats::add(&mut tx, &told).await?;
        tx.commit().await?;
        tracing::warn!(account.id = %account_id, drift, "counters were mended");
    }
    Ok(Recomputation {
        channel_account_id: account_id.to_owned(),
        from: stretch.0,
        to: (stretch.1 < At::from_micros(i64::MAX)).then_some(stretch.1),
        messages,
        drift,
        differences: differences.into_iter().take(SHOWN_MAX).collect(),
        mended: mend && drift > 0,
    })
}

fn differences(counted: Additions, told: Additions) -> Vec<Difference> {
    let counted = by_key(counted);
    let mut both: BTreeMap<Key, (Amount, Amount)> = by_key(told).into_iter().map(|(key, told)| (key, (Amount::default(), told))).collect();
    for (key, amount) in counted {
        both.entry(key).or_default().0 += amount;
    }
    both.into_iter()
        .filter(|(_, (counted, told))| counted != told)
        .map(|((slot, metric, label, plugin_digest), (counted, told))| Difference {
            slot: slot.start(),
            metric,
            label,
            plugin_digest,
            counted: counted.count,
            told: told.count,
            counted_sum: counted.sum,
            told_sum: told.sum,
        })
        .collect()
}

fn by_key(rows: Additions) -> BTreeMap<Key, Amount> {
    let counters = rows
        .increments
        .into_iter()
        .map(|Increment { slot, metric, label, plugin_digest, amount, .. }| ((slot, metric.as_str(), label, plugin_digest), amount));
    let active = rows
        .activity
        .into_iter()
        .map(|Activity { slot, conversation_id, .. }| ((slot, ACTIVE, conversation_id, String::new()), Amount::ONE));
    counters.chain(active).collect()
}

#[cfg(test)]
mod tests;
