//! How the calls of each version ended: counted in memory as they end, added to the database now and then by every node, and judged
//! there ([`verdict`]).

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use patchbay_sandbox::{Fault, contract::types::Failure};
use schemars::JsonSchema;
use serde::Serialize;

use super::convert;
use crate::{
    app::App,
    clock::At,
    config::Plugins as Settings,
    domain::failure::FailureClass,
    store::{self, outcomes::Outcome},
};

/// The word of a call that was answered, whatever the answer.
pub const ANSWERED: &str = "answered";
/// The word of a call whose answer is that the plugin itself is at fault.
const OWN_WORD: &str = "fault";

/// What is told of the former version is what it did in this time.
pub const REMEMBERED: Duration = Duration::from_secs(24 * 3600);
/// A former version that was hardly called has no rate to speak of: it is taken to have had as many calls.
const CALLS_LEAST: i64 = 20;
const HOUR: i64 = 3_600_000_000;

/// What a call's end says of its version; none where it says nothing: there was no place for the call, or the time ran out, which is
/// the provider's doing (the version's own loops end by its processor time).
pub(super) fn outcome_of<T>(answer: &Result<Result<T, Failure>, Fault>) -> Option<&'static str> {
    match answer {
        Ok(Ok(_)) => Some(ANSWERED),
        Ok(Err(failure)) => Some(outcome_of_failure(failure)),
        Err(Fault::Busy(_) | Fault::Held { .. } | Fault::Deadline(_) | Fault::NotExported(_) | Fault::Blob(_)) => None,
        Err(fault) => Some(fault_word(fault)),
    }
}

/// A provider's refusal is an answer like another.
pub(super) fn outcome_of_failure(failure: &Failure) -> &'static str {
    if convert::failure_in(failure.clone()).class == FailureClass::Fault { OWN_WORD } else { ANSWERED }
}

/// The word of a fault.
pub(super) fn fault_word(fault: &Fault) -> &'static str {
    match fault {
        Fault::Trap(_) => "trap",
        Fault::Cpu(_) => "cpu",
        Fault::Deadline(_) => "deadline",
        Fault::Memory(_) => "memory",
        Fault::HostCalls(_) => "host_calls",
        Fault::HttpRequests(_) => "http_requests",
        Fault::Output { .. } => "output",
        Fault::Busy(_) => "busy",
        Fault::Held { .. } => "held",
        Fault::NotExported(_) => "not_exported",
        Fault::Blob(_) => "blob",
    }
}

/// Calls that ended here and aren't in the database yet.
#[derive(Default)]
pub(super) struct Ended(Mutex<HashMap<String, OfVersion>>);

/// Of one digest.
struct OfVersion {
    channel_type: String,
    /// By the type's generation at the time, and the outcome's word.
    counts: BTreeMap<(i64, &'static str), i64>,
}

impl Ended {
    fn with<T>(&self, act: impl FnOnce(&mut HashMap<String, OfVersion>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts a call.
    pub(super) fn count(&self, channel_type: &str, digest: &str, generation: i64, outcome: &'static str) {
        self.with(|versions| {
            if !versions.contains_key(digest) {
                let none = OfVersion { channel_type: channel_type.to_owned(), counts: BTreeMap::new() };
                versions.insert(digest.to_owned(), none);
            }
            if let Some(version) = versions.get_mut(digest) {
                *version.counts.entry((generation, outcome)).or_default() += 1;
            }
        });
    }

    /// Types with a fault that isn't in the database yet.
    pub(super) fn faulty(&self) -> Vec<String> {
        let is_faulty = |version: &&OfVersion| version.counts.keys().any(|(_, outcome)| *outcome != ANSWERED);
        self.with(|versions| versions.values().filter(is_faulty).map(|version| version.channel_type.clone()).collect())
    }

    fn take(&self) -> HashMap<String, OfVersion> {
        self.with(std::mem::take)
    }

    fn give_back(&self, taken: HashMap<String, OfVersion>) {
        self.with(|versions| {
            for (digest, version) in taken {
                let kept = versions
                    .entry(digest)
                    .or_insert_with(|| OfVersion { channel_type: version.channel_type.clone(), counts: BTreeMap::new() });
                for (key, count) in version.counts {
                    *kept.counts.entry(key).or_default() += count;
                }
            }
        });
    }
}

/// Adds what ended here to the database.
///
/// # Errors
/// The database failed: it is added the next time.
pub async fn flush(app: &App) -> store::Result<()> {
    let taken = app.plugins.ended().take();
    if taken.is_empty() {
        return Ok(());
    }
    let hour = hour_of(app.clock.now());
    let mut outcomes: Vec<Outcome> = Vec::new();
    for (digest, version) in &taken {
        for ((generation, outcome), calls) in &version.counts {
            let (channel_type, digest) = (version.channel_type.clone(), digest.clone());
            outcomes.push(Outcome { channel_type, digest, generation: *generation, hour, outcome: (*outcome).to_owned(), calls: *calls });
        }
    }
    // In one order on every node: two that add at the same time wait for each other, and don't get in each other's way.
    outcomes.sort_by(|a, b| (&a.digest, a.generation, &a.outcome).cmp(&(&b.digest, b.generation, &b.outcome)));
    let added = async {
        let mut tx = app.db.begin().await?;
        store::outcomes::add(&mut tx, &outcomes).await?;
        tx.commit().await
    };
    added.await.inspect_err(|_| app.plugins.ended().give_back(taken))
}

/// The hour that a moment lies in.
pub fn hour_of(at: At) -> At {
    At::from_micros(at.micros().div_euclid(HOUR) * HOUR)
}

/// Calls of a version, and how many of them were its fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Tally {
    pub calls: i64,
    pub faults: i64,
}

impl Tally {
    pub fn of(outcomes: &[(String, i64)]) -> Tally {
        outcomes.iter().fold(Tally::default(), |tally, (outcome, calls)| Tally {
            calls: tally.calls + calls,
            faults: tally.faults + if outcome == ANSWERED { 0 } else { *calls },
        })
    }

    /// Faults of a hundred calls.
    fn percent(self) -> f64 {
        if self.calls == 0 { 0.0 } else { 100.0 * self.faults as f64 / self.calls as f64 }
    }

    fn told(self) -> String {
        format!("{} of {} calls failed ({:.1} %)", self.faults, self.calls, self.percent())
    }
}

/// Why the newer version is to go, in words; none where it may stay.
pub fn verdict(newer: Tally, former: Tally, settings: &Settings) -> Option<String> {
    let usual = Tally { calls: former.calls.max(CALLS_LEAST), ..former };
    let goes = newer.faults >= i64::from(settings.watch_min_faults)
        && newer.percent() > settings.watch_fault_percent
        && newer.percent() > settings.watch_times_former * usual.percent();
    let before = if former.calls == 0 { "it wasn't called of late".to_owned() } else { former.told() };
    goes.then(|| format!("{}; of the version before: {before}", newer.told()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Overrides};

    fn judged(newer: (i64, i64), former: (i64, i64)) -> Option<String> {
        let tally = |(faults, calls)| Tally { calls, faults };
        verdict(tally(newer), tally(former), &Config::load(None, &Overrides::default()).unwrap().plugins)
    }

    #[test]
    fn many_faults_against_few_are_the_end() {
        let reason = judged((5, 20), (1, 100)).unwrap();
        assert_eq!(reason, "5 of 20 calls failed (25.0 %); of the version before: 1 of 100 calls failed (1.0 %)");
        assert!(judged((5, 5), (0, 0)).unwrap().ends_with("it wasn't called of late"));
    }

    #[test]
    fn few_faults_rare_ones_and_usual_ones_are_borne() {
        assert_eq!(judged((4, 4), (0, 100)), None, "fewer than watch_min_faults");
        assert_eq!(judged((5, 100), (0, 100)), None, "no more than 5 %");
        assert!(judged((6, 100), (0, 100)).is_some());
        assert_eq!(judged((30, 100), (10, 100)), None, "no more than three times as many");
        assert!(judged((31, 100), (10, 100)).is_some());
        // Its only call failed: that is no rate of 100 %.
        assert!(judged((50, 100), (1, 1)).is_some());
    }

    #[test]
    fn what_is_the_providers_doing_is_no_fault() {
        let detail = || patchbay_sandbox::contract::types::Detail { code: String::new(), message: String::new(), extras: Vec::new() };
        let answer = |answer: Result<Result<(), Failure>, Fault>| outcome_of(&answer);
        assert_eq!(answer(Ok(Ok(()))), Some(ANSWERED));
        assert_eq!(answer(Ok(Err(Failure::Unauthorized(detail())))), Some(ANSWERED));
        assert_eq!(answer(Ok(Err(Failure::Fault(detail())))), Some("fault"));
        assert_eq!(answer(Err(Fault::Deadline(Duration::ZERO))), None);
        assert_eq!(answer(Err(Fault::Busy(Duration::ZERO))), None);
        assert_eq!(answer(Err(Fault::Cpu(Duration::ZERO))), Some("cpu"));
    }

    #[test]
    fn what_could_not_be_added_is_added_later() {
        let ended = Ended::default();
        ended.count("PIGEON", "d", 1, ANSWERED);
        ended.count("PIGEON", "d", 1, ANSWERED);
        let taken = ended.take();
        assert!(ended.faulty().is_empty());
        ended.count("PIGEON", "d", 1, ANSWERED);
        ended.count("PIGEON", "d", 2, "trap");
        ended.give_back(taken);
        assert_eq!(ended.faulty(), ["PIGEON"]);
        let counts = &ended.take()["d"].counts;
        assert_eq!((counts[&(1, ANSWERED)], counts[&(2, "trap")]), (3, 1));
    }
}
