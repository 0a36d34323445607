//! What one transaction adds to the counters, in memory until it is written.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    clock::At,
    domain::{
        message::{Message, MessageState},
        stats::{Activity, Amount, ConversationClock, Facts, Increment, Label, Metric, Slot},
    },
    store::stats::Additions,
};

type Counts = BTreeMap<(Slot, Metric, Label), Amount>;

/// Increments that add up. What changes counts for what it is now and no more for what it was.
#[derive(Debug, Default)]
pub struct Tally {
    /// By account, then by digest of the plugin.
    counts: BTreeMap<String, BTreeMap<String, Counts>>,
    activity: BTreeSet<Activity>,
}

impl Tally {
    /// Counts a change of a message, which the transaction stores. `before` is the message as it is stored, none where it is new;
    /// `after` is noted what the statistics keep with it. `conversation` is its conversation's clock, none where it has no
    /// conversation; it has to be stored too. `plugin_digest` is the version of the plugin at work.
    pub fn observe(
        &mut self,
        before: Option<&Message>,
        after: &mut Message,
        conversation: Option<&mut ConversationClock>,
        plugin_digest: Option<&str>,
        now: At,
    ) {
        let was = before.and_then(Facts::of);
        if after.state == MessageState::Uncertain {
            after.measures.uncertain_at.get_or_insert(now);
        }
        if was.and_then(|was| was.entered_at()).is_none() {
            self.enter(after, conversation);
        }
        let Some(is) = Facts::of(after) else { return };
        if after.measures.plugin_digest.is_none() && is.counts() && !was.is_some_and(|was| was.counts()) {
            after.measures.plugin_digest = plugin_digest.map(str::to_owned);
        }
        if was == Some(is) {
            return;
        }
        let counts = self.counts_of(&after.channel_account_id, after.measures.plugin_digest.as_deref().unwrap_or_default());
        if let Some(was) = was {
            was.count(&mut |at, metric, label, amount| *counts.entry((Slot::of(at), metric, label)).or_default() += -amount);
        }
        is.count(&mut |at, metric, label, amount| *counts.entry((Slot::of(at), metric, label)).or_default() += amount);
    }

    /// A message enters its conversation once.
    fn enter(&mut self, message: &mut Message, conversation: Option<&mut ConversationClock>) {
        let (Some(clock), Some(conversation_id)) = (conversation, message.conversation_id.clone()) else { return };
        let last = clock.last_active_at.map(Slot::of);
        let Some(slot) = message.enter(clock).map(Slot::of) else { return };
        // The last one noted the quarter of an hour already.
        if last != Some(slot) {
            self.activity.insert(Activity { account_id: message.channel_account_id.clone(), slot, conversation_id });
        }
    }

    /// Counts a stored message, of which nothing was counted yet.
    pub fn count(&mut self, account_id: &str, conversation_id: Option<&str>, plugin_digest: Option<&str>, facts: &Facts) {
        let counts = self.counts_of(account_id, plugin_digest.unwrap_or_default());
        facts.count(&mut |at, metric, label, amount| *counts.entry((Slot::of(at), metric, label)).or_default() += amount);
        if let (Some(conversation_id), Some(at)) = (conversation_id, facts.entered_at()) {
            self.activity.insert(Activity {
                account_id: account_id.to_owned(),
                slot: Slot::of(at),
                conversation_id: conversation_id.to_owned(),
            });
        }
    }

    fn counts_of(&mut self, account_id: &str, plugin_digest: &str) -> &mut Counts {
        self.counts.entry(account_id.to_owned()).or_default().entry(plugin_digest.to_owned()).or_default()
    }

    /// The rows to add, in the order of their keys; what adds up to nothing has none.
    pub fn into_rows(self) -> Additions {
        let mut increments = Vec::new();
        for (account_id, versions) in self.counts {
            for (plugin_digest, counts) in versions {
                for ((slot, metric, label), amount) in counts {
                    if amount != Amount::default() {
                        increments.push(Increment {
                            account_id: account_id.clone(),
                            slot,
                            metric,
                            label: label.to_string(),
                            plugin_digest: plugin_digest.clone(),
                            amount,
                        });
                    }
                }
            }
        }
        Additions { increments, activity: self.activity.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests;
