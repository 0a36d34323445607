//! How fast an account may send: the generic cell rate algorithm, pure. Each rate keeps one time, at which its allowance is
//! whole again; each send moves it by one interval.
//!
//! A rate of `n` in a period lets a burst of some of them go at once and spaces the others, so that no period of that length, wherever it
//! begins, sees more than `n`.

use crate::{
    clock::At,
    domain::{message::Priority, people::ConversationKind},
    manifest::Rates,
};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// A rate and the key that its time is kept under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) key: String,
    /// Between two sends when the burst is used up.
    interval: Duration,
    /// Sends that may go at once when nothing went for long.
    burst: u32,
}

impl Rate {
    /// `n` in `period`, of which `n / share` may go at once: the longer the period, the more a burst is worth.
    fn new(key: String, n: u32, period: Duration, share: u32) -> Rate {
        let burst = (n / share).max(1);
        let spaced = u64::from(n.saturating_sub(burst)) + 1;
        let micros = u64::try_from(period.as_micros()).unwrap_or(u64::MAX);
        Rate { key, interval: Duration::from_micros(micros.div_ceil(spaced)), burst }
    }

    /// One more send, where the allowance is whole again at `tat` (none: it is whole): the new time, or when it is admitted.
    /// Half of the burst is for normal messages alone, so that a campaign doesn't stand in a reply's way.
    pub(super) fn admit(&self, tat: Option<At>, priority: Priority, now: At) -> Result<At, At> {
        let burst = match priority {
            Priority::Normal => self.burst,
            Priority::Bulk => self.burst - self.burst / 2,
        };
        let tolerance = self.interval * burst.saturating_sub(1);
        let from = tat.map_or(now, |tat| tat.max(now));
        let admitted = from.minus(tolerance);
        if admitted <= now { Ok(from.plus(self.interval)) } else { Err(admitted) }
    }
}

/// What the manifest says, with what the operator sets above it; there 0 lifts a limit.
pub(super) fn effective(manifest: &Rates, operator: Option<&Rates>) -> Rates {
    let Some(operator) = operator else { return manifest.clone() };
    let above = |asked: Option<u32>, set: Option<u32>| set.or(asked).filter(|n| *n > 0);
    Rates {
        per_account_per_s: above(manifest.per_account_per_s, operator.per_account_per_s),
        per_account_per_min: above(manifest.per_account_per_min, operator.per_account_per_min),
        per_account_per_day: above(manifest.per_account_per_day, operator.per_account_per_day),
        per_conversation_per_s: above(manifest.per_conversation_per_s, operator.per_conversation_per_s),
        per_conversation_per_min: above(manifest.per_conversation_per_min, operator.per_conversation_per_min),
        per_group_per_min: above(manifest.per_group_per_min, operator.per_group_per_min),
    }
}

/// Whether rates count what is asked: messages and edits. The rest (typing, reactions, answers to a button press) is worth
/// nothing later.
pub(super) fn counts(kind: &str) -> bool {
    matches!(kind, "message" | "edit")
}

pub(super) fn of_account(rates: &Rates, account_id: &str) -> Vec<Rate> {
    let each = [
        (rates.per_account_per_s, "s", SECOND, 10),
        (rates.per_account_per_min, "min", MINUTE, 4),
        (rates.per_account_per_day, "day", DAY, 2),
    ];
    list(account_id, &each)
}

/// A lane is a conversation.
pub(super) fn of_conversation(rates: &Rates, lane: &str, kind: ConversationKind) -> Vec<Rate> {
    match kind {
        ConversationKind::Direct => {
            list(lane, &[(rates.per_conversation_per_s, "s", SECOND, 10), (rates.per_conversation_per_min, "min", MINUTE, 4)])
        }
        ConversationKind::Group | ConversationKind::Broadcast => {
            list(lane, &[(rates.per_conversation_per_s, "s", SECOND, 10), (rates.per_group_per_min, "min", MINUTE, 4)])
        }
    }
}

fn list(owner: &str, each: &[(Option<u32>, &str, Duration, u32)]) -> Vec<Rate> {
    each.iter().filter_map(|(n, name, period, share)| Some(Rate::new(format!("{owner}/{name}"), (*n)?, *period, *share))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> At {
        At::from_micros(1_764_000_000_000_000 + micros)
    }

    /// When each of `count` sends goes that all want to go at once.
    fn times(rate: &Rate, count: usize, priority: Priority) -> Vec<At> {
        let (mut now, mut tat, mut sent) = (at(0), None, Vec::new());
        while sent.len() < count {
            match rate.admit(tat, priority, now) {
                Ok(next) => {
                    tat = Some(next);
                    sent.push(now);
                }
                Err(later) => {
                    assert!(later > now);
                    now = later;
                }
            }
        }
        sent
    }

    #[test]
    fn no_period_sees_more_than_the_rate() {
        for (n, period, share) in [(1, SECOND, 10), (2, SECOND, 10), (30, SECOND, 10), (20, MINUTE, 4), (1000, DAY, 2), (7, MINUTE, 4)] {
            let rate = Rate::new(String::new(), n, period, share);
            let sent = times(&rate, n as usize * 3, Priority::Normal);
            for (first, from) in sent.iter().enumerate() {
                let within = sent.iter().skip(first).filter(|time| **time < from.plus(period)).count();
                assert!(within <= n as usize, "{within} of {n} in {period:?}");
            }
        }
    }

    #[test]
    fn a_burst_goes_at_once_and_what_follows_is_spaced() {
        let rate = Rate::new(String::new(), 20, MINUTE, 4);
        let sent = times(&rate, 7, Priority::Normal);
        assert_eq!(sent.iter().filter(|time| **time == at(0)).count(), 5);
        assert_eq!(sent[5], at(3_750_000));
        assert_eq!(sent[6], at(7_500_000));
    }

    #[test]
    fn a_campaign_leaves_some_of_the_burst_to_replies() {
        let rate = Rate::new(String::new(), 20, MINUTE, 4);
        let mut tat = None;
        while let Ok(next) = rate.admit(tat, Priority::Bulk, at(0)) {
            tat = Some(next);
        }
        assert!(rate.admit(tat, Priority::Normal, at(0)).is_ok());
    }

    #[test]
    fn an_operator_changes_a_rate_and_lifts_another() {
        let manifest = Rates { per_account_per_s: Some(30), per_conversation_per_s: Some(1), ..Rates::default() };
        let operator = Rates { per_account_per_s: Some(1000), per_conversation_per_s: Some(0), ..Rates::default() };
        let rates = effective(&manifest, Some(&operator));
        assert_eq!(rates, Rates { per_account_per_s: Some(1000), ..Rates::default() });
        assert_eq!(effective(&manifest, None), manifest);
    }

    #[test]
    fn a_group_has_a_rate_of_its_own() {
        let rates = Rates { per_conversation_per_min: Some(60), per_group_per_min: Some(20), ..Rates::default() };
        let group = of_conversation(&rates, "a/b", ConversationKind::Group);
        assert_eq!(group, [Rate::new("a/b/min".to_owned(), 20, MINUTE, 4)]);
    }
}
