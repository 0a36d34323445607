//! What waits to be written, and what was left out of it. Pure: the time comes in.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use prometheus_client::metrics::counter::Counter;

use crate::{
    clock::At,
    domain::log::{LogEntry, LogKind, LogLevel, Note},
    ids::Ids,
};

/// Written in one transaction.
pub(super) const FLUSH_AT: usize = 200;
/// Entries that wait; when there are more, new ones are lost.
const WAITING_MAX: usize = 10_000;
/// Entries of level info that one account may have in a second.
const INFOS_MAX: u32 = 50;
const SECOND: Duration = Duration::from_secs(1);

pub(super) struct Queue {
    waiting: VecDeque<LogEntry>,
    tallies: HashMap<String, Tally>,
    repeats: HashMap<(String, LogKind, String), Repeat>,
    lost: Counter,
}

/// What came of an account within a second.
struct Tally {
    organization_id: String,
    kind: LogKind,
    since: At,
    infos: u32,
    /// Beyond [`INFOS_MAX`].
    left_out: u32,
    /// The queue was full.
    lost: u32,
}

/// The first of several alike, and how many there were.
struct Repeat {
    first: LogEntry,
    times: u32,
}

impl Queue {
    pub(super) fn new(lost: Counter) -> Queue {
        Queue { waiting: VecDeque::new(), tallies: HashMap::new(), repeats: HashMap::new(), lost }
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether there will be nothing to write, however long one waits.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.tallies.is_empty() && self.repeats.is_empty()
    }

    pub(super) fn add(&mut self, entry: LogEntry) {
        if entry.note.level == LogLevel::Info {
            let tally = self.tally(&entry);
            tally.infos += 1;
            if tally.infos > INFOS_MAX {
                tally.left_out += 1;
                return;
            }
        }
        if self.waiting.len() >= WAITING_MAX {
            self.lose(&entry);
            return;
        }
        self.waiting.push_back(entry);
    }

    pub(super) fn count(&mut self, entry: LogEntry) {
        let key = (entry.note.account_id.clone(), entry.note.kind, entry.note.code.clone());
        if let Some(repeat) = self.repeats.get_mut(&key) {
            repeat.times += 1;
        } else if self.repeats.len() < WAITING_MAX {
            self.repeats.insert(key, Repeat { first: entry, times: 1 });
        } else {
            self.lose(&entry);
        }
    }

    fn lose(&mut self, entry: &LogEntry) {
        self.lost.inc();
        // One row for each account: they are bounded like what waits.
        if self.tallies.len() < WAITING_MAX || self.tallies.contains_key(&entry.note.account_id) {
            self.tally(entry).lost += 1;
        }
    }

    fn tally(&mut self, entry: &LogEntry) -> &mut Tally {
        let note = &entry.note;
        self.tallies.entry(note.account_id.clone()).or_insert_with(|| Tally {
            organization_id: note.organization_id.clone(),
            kind: note.kind,
            since: entry.at,
            infos: 0,
            left_out: 0,
            lost: 0,
        })
    }

    /// What is to be written now; `all` doesn't wait for a second to end.
    pub(super) fn take(&mut self, now: At, all: bool, ids: &Ids) -> Vec<LogEntry> {
        let most = if all { self.waiting.len() } else { FLUSH_AT };
        let mut taken: Vec<LogEntry> = self.waiting.drain(..most.min(self.waiting.len())).collect();
        let is_over = |since: At| all || now.since(since).is_none_or(|span| span >= SECOND);
        taken.extend(self.repeats.extract_if(|_, repeat| is_over(repeat.first.at)).map(|(_, repeat)| repeat.told()));
        for (account_id, tally) in self.tallies.extract_if(|_, tally| is_over(tally.since)) {
            let entry = |note| LogEntry { id: ids.next(now), at: now, note };
            taken.extend(tally.told(&account_id).into_iter().map(entry));
        }
        taken
    }
}

impl Tally {
    fn told(&self, account_id: &str) -> Vec<Note> {
        let left_out = (self.left_out > 0).then(|| {
            let text = format!("{} entries of level info were left out: {INFOS_MAX} a second are kept.", self.left_out);
            ("entries_left_out", text, self.left_out)
        });
        let lost = (self.lost > 0).then(|| {
            let text = format!("{} entries were lost: there were more than could be written.", self.lost);
            ("entries_lost", text, self.lost)
        });
        let note = |(code, text, count): (&str, String, u32)| {
            Note::of(self.organization_id.clone(), account_id.to_owned(), self.kind, LogLevel::Warn, code, text).detail("count", count)
        };
        left_out.into_iter().chain(lost).map(note).collect()
    }
}

impl Repeat {
    fn told(self) -> LogEntry {
        let mut entry = self.first;
        if self.times > 1 {
            entry.note.message = format!("{} {} times within a second.", entry.note.message, self.times);
        }
        entry.note.details.insert("count".to_owned(), self.times.into());
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: At = At::from_micros(1_764_000_000_000_000);

    fn entry(account: &str, level: LogLevel, code: &str, at: At) -> LogEntry {
        let note = Note::of("org".to_owned(), account.to_owned(), LogKind::Webhook, level, code, "Something happened.");
        LogEntry { id: format!("{code}-{at}"), at, note }
    }

    fn codes(entries: &[LogEntry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.note.code.as_str()).collect()
    }

    #[test]
    fn a_flood_of_infos_is_cut_and_told_while_warnings_come_through() {
        let mut queue = Queue::new(Counter::default());
        for _ in 0..70 {
            queue.add(entry("a", LogLevel::Info, "info", START));
            queue.add(entry("a", LogLevel::Warn, "warn", START));
        }
        queue.add(entry("b", LogLevel::Info, "other", START));
        let ids = Ids::default();
        let taken = queue.take(START.plus(SECOND / 2), false, &ids);
        let kept = |code: &str| codes(&taken).iter().filter(|known| **known == code).count();
        assert_eq!((kept("info"), kept("warn"), kept("other"), kept("entries_left_out")), (50, 70, 1, 0));
        let taken = queue.take(START.plus(SECOND), false, &ids);
        assert_eq!(codes(&taken), ["entries_left_out"]);
        assert_eq!(taken[0].note.details["count"], 20);
        assert!(queue.is_idle());
        queue.add(entry("a", LogLevel::Info, "info", START.plus(SECOND)));
        assert_eq!(codes(&queue.take(START.plus(SECOND), true, &ids)), ["info"], "the next second begins anew");
    }

    #[test]
    fn what_repeats_within_a_second_is_one_entry_with_its_number() {
        let mut queue = Queue::new(Counter::default());
        for _ in 0..300 {
            queue.count(entry("a", LogLevel::Warn, "refused", START));
        }
        queue.count(entry("b", LogLevel::Warn, "refused", START));
        let ids = Ids::default();
        assert!(queue.take(START.plus(SECOND / 2), false, &ids).is_empty());
        let mut taken = queue.take(START.plus(SECOND), false, &ids);
        taken.sort_by_key(|entry| entry.note.account_id.clone());
        assert_eq!(taken.iter().map(|entry| entry.note.details["count"].as_u64().unwrap()).collect::<Vec<_>>(), [300, 1]);
        assert!(taken[0].note.message.contains("300 times"), "{}", taken[0].note.message);
        assert_eq!(taken[1].note.message, "Something happened.");
    }

    #[test]
    fn a_full_queue_loses_what_is_new_and_says_so() {
        let lost = Counter::default();
        let mut queue = Queue::new(lost.clone());
        for _ in 0..WAITING_MAX + 3 {
            queue.add(entry("a", LogLevel::Error, "error", START));
        }
        assert_eq!((queue.waiting(), lost.get()), (WAITING_MAX, 3));
        let taken = queue.take(START, true, &Ids::default());
        assert_eq!(taken.len(), WAITING_MAX + 1);
        assert_eq!(taken.last().unwrap().note.code, "entries_lost");
        assert_eq!(taken.last().unwrap().note.details["count"], 3);
    }

    #[test]
    fn a_write_takes_no_more_than_its_share() {
        let mut queue = Queue::new(Counter::default());
        for _ in 0..FLUSH_AT + 5 {
            queue.add(entry("a", LogLevel::Warn, "warn", START));
        }
        let ids = Ids::default();
        assert_eq!(queue.take(START, false, &ids).len(), FLUSH_AT);
        assert_eq!(queue.take(START, false, &ids).len(), 5);
    }
}
