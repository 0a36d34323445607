//! From what a type runs to what it is to run: nothing is touched here.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    clock::At,
    domain::{
        canary::Canary,
        plugin::{Standing, VersionState},
    },
    store::plugins::Active,
};

/// A change of what a type runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) next: Active,
    /// What becomes of each version that the change touches.
    pub(super) steps: Vec<Step>,
    /// For the audit log.
    pub(super) action: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) digest: String,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

const READY: &str = VersionState::Ready.as_str();
const CANARY: &str = Standing::Canary.as_str();
const ACTIVE: &str = Standing::Active.as_str();
const RETIRED: &str = Standing::Retired.as_str();

fn step(digest: &str, from: &'static str, to: &'static str) -> Step {
    Step { digest: digest.to_owned(), from, to }
}

fn after(standing: &Active, reason: &str, now: At) -> Active {
    Active { generation: standing.generation + 1, changed_at: now, reason: reason.to_owned(), notice: None, ..standing.clone() }
}

/// The version runs for all accounts, and a canary beside it ends; none where it does already. `watch`: for how long it is watched,
/// where there is a version to go back to.
pub(super) fn activate(
    standing: Option<&Active>,
    channel_type: &str,
    digest: &str,
    watch: Option<Duration>,
    reason: &str,
    now: At,
) -> Option<Plan> {
    let action = "plugin.activate";
    let Some(standing) = standing else {
        let next = Active {
            channel_type: channel_type.to_owned(),
            digest: digest.to_owned(),
            previous_digest: None,
            generation: 1,
            changed_at: now,
            reason: reason.to_owned(),
            active_generation: 1,
            watch_until: None,
            canary: None,
            notice: None,
        };
        return Some(Plan { next, steps: vec![step(digest, READY, ACTIVE)], action });
    };
    if standing.digest == digest {
        return None;
    }
    let mut next = after(standing, reason, now);
    next.digest = digest.to_owned();
    next.previous_digest = Some(standing.digest.clone());
    next.active_generation = next.generation;
    next.watch_until = watch.map(|watch| now.plus(watch));
    let was_canary = next.canary.take();
    let mut steps = vec![step(&standing.digest, ACTIVE, RETIRED)];
    match was_canary {
        Some(canary) if canary.digest == digest => steps.push(step(digest, CANARY, ACTIVE)),
        Some(canary) => steps.extend([step(&canary.digest, CANARY, RETIRED), step(digest, READY, ACTIVE)]),
        None => steps.push(step(digest, READY, ACTIVE)),
    }
    Some(Plan { next, steps, action })
}

/// The version runs for some accounts: a share, or those of the list. None where it does already.
pub(super) fn begin_canary(
    standing: &Active,
    digest: &str,
    share: Option<u8>,
    accounts: BTreeSet<String>,
    reason: &str,
    now: At,
) -> Option<Plan> {
    let mut next = after(standing, reason, now);
    let mut steps = Vec::new();
    let (since, generation) = match &standing.canary {
        // It goes on, for others or more: what it did counts.
        Some(canary) if canary.digest == digest => {
            if canary.share == share && canary.accounts == accounts {
                return None;
            }
            steps.push(step(digest, CANARY, CANARY));
            (canary.since, canary.generation)
        }
        other => {
            steps.extend(other.iter().map(|canary| step(&canary.digest, CANARY, RETIRED)));
            steps.push(step(digest, READY, CANARY));
            (now, next.generation)
        }
    };
    next.canary = Some(Canary { digest: digest.to_owned(), share, accounts, since, generation });
    Some(Plan { next, steps, action: "plugin.canary" })
}

/// All accounts are the active version's again; none where they are.
pub(super) fn stop_canary(standing: &Active, reason: &str, now: At) -> Option<Plan> {
    let mut next = after(standing, reason, now);
    let canary = next.canary.take()?;
    Some(Plan { next, steps: vec![step(&canary.digest, CANARY, RETIRED)], action: "plugin.stop_canary" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: At = At::from_micros(1_764_000_000_000_000);
    const WATCH: Duration = Duration::from_secs(600);

    fn first(digest: &str) -> Active {
        activate(None, "PIGEON", digest, Some(WATCH), "installed", NOW).unwrap().next
    }

    fn steps(plan: &Plan) -> Vec<(&str, &str, &str)> {
        plan.steps.iter().map(|step| (step.digest.as_str(), step.from, step.to)).collect()
    }

    fn canary(standing: &Active, digest: &str, share: u8) -> Option<Plan> {
        begin_canary(standing, digest, Some(share), BTreeSet::new(), "try", NOW)
    }

    #[test]
    fn the_first_version_has_none_to_go_back_to() {
        let first = first("a");
        assert_eq!((first.generation, first.previous_digest, first.watch_until), (1, None, None));
    }

    #[test]
    fn a_new_version_is_watched_and_knows_the_one_before() {
        let plan = activate(Some(&first("a")), "PIGEON", "b", Some(WATCH), "installed", NOW).unwrap();
        assert_eq!(steps(&plan), [("a", "active", "retired"), ("b", "ready", "active")]);
        assert_eq!((plan.next.generation, plan.next.active_generation), (2, 2));
        assert_eq!((plan.next.previous_digest.as_deref(), plan.next.watch_until), (Some("a"), Some(NOW.plus(WATCH))));
        assert_eq!(activate(Some(&plan.next), "PIGEON", "b", None, "again", NOW), None);
    }

    #[test]
    fn a_canary_leaves_the_active_version_and_its_watch_alone() {
        let second = activate(Some(&first("a")), "PIGEON", "b", Some(WATCH), "installed", NOW).unwrap().next;
        let plan = canary(&second, "c", 10).unwrap();
        assert_eq!(steps(&plan), [("c", "ready", "canary")]);
        assert_eq!((plan.next.digest.as_str(), plan.next.active_generation, plan.next.watch_until), ("b", 2, second.watch_until));
        assert_eq!(plan.next.canary.as_ref().unwrap().generation, 3);
        assert_eq!(canary(&plan.next, "c", 10), None);
        let wider = canary(&plan.next, "c", 50).unwrap().next;
        assert_eq!((wider.generation, wider.canary.as_ref().unwrap().generation), (4, 3), "what it did still counts");
        let other = canary(&wider, "d", 50).unwrap();
        assert_eq!(steps(&other), [("c", "canary", "retired"), ("d", "ready", "canary")]);
        assert_eq!(other.next.canary.unwrap().generation, 5);
    }

    #[test]
    fn a_canary_is_promoted_stopped_or_overtaken() {
        let with = canary(&first("a"), "b", 10).unwrap().next;
        let promoted = activate(Some(&with), "PIGEON", "b", Some(WATCH), "good", NOW).unwrap();
        assert_eq!(steps(&promoted), [("a", "active", "retired"), ("b", "canary", "active")]);
        assert_eq!(promoted.next.canary, None);
        let overtaken = activate(Some(&with), "PIGEON", "c", Some(WATCH), "better", NOW).unwrap();
        assert_eq!(steps(&overtaken), [("a", "active", "retired"), ("b", "canary", "retired"), ("c", "ready", "active")]);
        let stopped = stop_canary(&with, "bad", NOW).unwrap();
        assert_eq!((stopped.next.canary.as_ref(), stopped.next.generation), (None, 3));
        assert_eq!(stop_canary(&stopped.next, "bad", NOW), None);
    }
}
