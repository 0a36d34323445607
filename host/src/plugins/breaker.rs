//! The breaker of a version, an account and a hook: a plugin that ends call after call without an answer isn't called for a while.
//! Each of its calls costs its own time alone, but many of them would cost the neighbours theirs.
//!
//! Until it opens, calls of one that faulted take turns: of several at once, each would take a processor.
//!
//! Sends have a breaker of their own, with the queue behind it (`outbox/breaker.rs`); a person's own calls (`configure`, `connect`)
//! have none. It is this node's and in memory: after a restart, and with every other version, it is closed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use patchbay_sandbox::{Fault, contract::types::Failure};

use super::Version;
use crate::{
    accounts::RELEASE,
    app::App,
    clock::At,
    domain::{
        account::Account,
        log::{LogKind, LogLevel, Note},
    },
    store,
    wake::Topic,
};

/// The one call that tries may take so long; then another may.
const PROBE: Duration = Duration::from_secs(60);

/// Of all accounts whose last calls were faults; most have no entry.
#[derive(Default)]
pub(super) struct Breakers(Mutex<HashMap<String, Vec<Breaker>>>);

struct Breaker {
    hook: &'static str,
    /// Of the version that failed: another one begins anew.
    digest: String,
    /// In a row.
    faults: u32,
    open_until: Option<At>,
    probe_until: Option<At>,
    turn: Arc<Turn>,
}

/// Whoever holds it calls.
type Turn = tokio::sync::Mutex<()>;

/// How a call may be made.
#[derive(Debug)]
enum Pass {
    Freely,
    /// The last call was a fault: one at a time, until one answers.
    InTurn(Arc<Turn>),
}

/// What a call told of its plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Answers,
    Faults,
    /// It didn't run.
    Nothing,
}

impl Breakers {
    /// Lets the call through, or answers how many faults keep it back. Of an open breaker whose time is over, one call tries.
    fn admit(&self, account_id: &str, hook: &'static str, digest: &str, now: At) -> Result<Pass, u32> {
        let mut all = self.all();
        let known = all.get_mut(account_id).and_then(|known| known.iter_mut().find(|known| known.hook == hook && known.digest == digest));
        let Some(breaker) = known else { return Ok(Pass::Freely) };
        let Some(open_until) = breaker.open_until else { return Ok(Pass::InTurn(Arc::clone(&breaker.turn))) };
        if open_until > now || breaker.probe_until.is_some_and(|until| until > now) {
            return Err(breaker.faults);
        }
        breaker.probe_until = Some(now.plus(PROBE));
        Ok(Pass::Freely)
    }

    /// Notes how a call ended; `most` faults in a row open the breaker for `pause`. Answers how many there were where it does.
    fn note(&self, account_id: &str, hook: &'static str, digest: &str, told: Told, most: u32, pause: Duration, now: At) -> Option<u32> {
        let mut all = self.all();
        match told {
            Told::Answers => {
                if let Some(known) = all.get_mut(account_id) {
                    known.retain(|known| known.hook != hook);
                    if known.is_empty() {
                        all.remove(account_id);
                    }
                }
                None
            }
            Told::Nothing => {
                let known = all.get_mut(account_id)?.iter_mut().find(|known| known.hook == hook)?;
                known.probe_until = None;
                None
            }
            Told::Faults => {
                let known = all.entry(account_id.to_owned()).or_default();
                known.retain(|known| known.hook != hook || known.digest == digest);
                let place = known.iter().position(|known| known.hook == hook).unwrap_or_else(|| {
                    known.push(Breaker {
                        hook,
                        digest: digest.to_owned(),
                        faults: 0,
                        open_until: None,
                        probe_until: None,
                        turn: Arc::default(),
                    });
                    known.len() - 1
                });
                let breaker = known.get_mut(place)?;
                breaker.faults = breaker.faults.saturating_add(1);
                breaker.probe_until = None;
                (breaker.faults >= most).then(|| {
                    breaker.open_until = Some(now.plus(pause));
                    breaker.faults
                })
            }
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Vec<Breaker>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Answer<T> = Result<Result<T, Failure>, Fault>;

/// Whose call it is.
#[derive(Clone, Copy)]
pub(super) enum Caller<'a> {
    Account(&'a Account),
    /// An app's URL, by the app's id.
    App(&'a str),
}

impl Caller<'_> {
    fn id(&self) -> &str {
        match self {
            Caller::Account(account) => &account.id,
            Caller::App(id) => id,
        }
    }
}

/// Makes the call, unless the breaker is open: [`Fault::Held`] then.
pub(super) async fn call<T>(
    app: &App,
    version: &Version,
    caller: Caller<'_>,
    hook: &'static str,
    call: impl Future<Output = Answer<T>>,
) -> Answer<T> {
    let sandbox = &app.config.sandbox;
    let (most, pause) = (sandbox.breaker_faults, Duration::from_secs(sandbox.breaker_s));
    let breakers = &app.plugins.breakers;
    let admit = || breakers.admit(caller.id(), hook, &version.digest, app.clock.now()).map_err(|faults| Fault::Held { faults, pause });
    let turn = match admit()? {
        Pass::Freely => None,
        Pass::InTurn(turn) => {
            let turn = turn.lock_owned().await;
            // Those before may have opened it.
            admit()?;
            Some(turn)
        }
    };
    let answer = call.await;
    let told = match &answer {
        Err(Fault::NotExported(_)) => Told::Nothing,
        Err(fault) if fault.is_unrun() => Told::Nothing,
        Err(_) | Ok(Err(Failure::Fault(_))) => Told::Faults,
        Ok(_) => Told::Answers,
    };
    let now = app.clock.now();
    let opens = breakers.note(caller.id(), hook, &version.digest, told, most, pause, now);
    drop(turn);
    if let Some(faults) = opens {
        opened(app, version, caller, hook, faults, now.plus(pause)).await;
    }
    answer
}

/// Tells of it. What is kept back of an account's webhooks is taken up when the time is over.
async fn opened(app: &App, version: &Version, caller: Caller<'_>, hook: &'static str, faults: u32, until: At) {
    let (channel_type, plugin_version) = (&version.manifest.channel_type, &version.manifest.version);
    tracing::warn!(channel.type = %channel_type, plugin.version = %plugin_version, plugin.digest = %version.digest, caller = caller.id(), hook, faults, %until, "a plugin's breaker opens");
    app.metrics.breaker_opened(channel_type, plugin_version, hook);
    let Caller::Account(account) = caller else { return };
    let text = format!("{faults} calls of {hook} in a row ended without an answer: the plugin isn't called for it until {until}.");
    app.logbook.count(
        Note::new(account, LogKind::Plugin, LogLevel::Error, "plugin_breaker", text).by_plugin(&version.digest).detail("hook", hook),
    );
    let release = async {
        let mut tx = app.db.begin().await?;
        store::jobs::ensure(&mut tx, &account.id, RELEASE, until).await?;
        tx.commit().await
    };
    if let Err(error) = release.await {
        tracing::error!(%error, account.id = %account.id, "what waits for a breaker could not be scheduled; the next version takes it up");
    }
    app.wake.tell(Topic::Jobs);
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(30);

    fn at(second: i64) -> At {
        At::from_micros(second * 1_000_000)
    }

    fn admit(breakers: &Breakers, account: &str, hook: &'static str, digest: &str, now: At) -> Result<(), u32> {
        breakers.admit(account, hook, digest, now).map(drop)
    }

    fn faults(breakers: &Breakers, second: i64) -> Option<u32> {
        breakers.note("a", "parse", "1", Told::Faults, 3, PAUSE, at(second))
    }

    fn open() -> Breakers {
        let breakers = Breakers::default();
        assert_eq!([faults(&breakers, 0), faults(&breakers, 0), faults(&breakers, 0)], [None, None, Some(3)]);
        breakers
    }

    #[test]
    fn faults_in_a_row_open_it_for_that_hook_of_that_account_and_version() {
        let breakers = open();
        assert_eq!(admit(&breakers, "a", "parse", "1", at(1)), Err(3));
        for (account, hook, digest) in [("b", "parse", "1"), ("a", "poll", "1"), ("a", "parse", "2")] {
            assert_eq!(admit(&breakers, account, hook, digest, at(1)), Ok(()), "{account} {hook} {digest}");
        }
    }

    #[test]
    fn after_a_fault_one_calls_at_a_time_until_one_answers() {
        let breakers = Breakers::default();
        let pass = || breakers.admit("a", "parse", "1", at(0)).unwrap();
        assert!(matches!(pass(), Pass::Freely));
        faults(&breakers, 0);
        let (Pass::InTurn(first), Pass::InTurn(second)) = (pass(), pass()) else { panic!("at once") };
        let called = first.try_lock().unwrap();
        assert!(second.try_lock().is_err());
        drop(called);
        assert!(second.try_lock().is_ok());
        breakers.note("a", "parse", "1", Told::Answers, 3, PAUSE, at(0));
        assert!(matches!(pass(), Pass::Freely));
    }

    #[test]
    fn an_answer_in_between_ends_the_row() {
        let breakers = Breakers::default();
        for _ in 0..5 {
            assert_eq!([faults(&breakers, 0), faults(&breakers, 0)], [None, None]);
            breakers.note("a", "parse", "1", Told::Answers, 3, PAUSE, at(0));
        }
        assert!(breakers.all().is_empty(), "and nothing is remembered");
    }

    #[test]
    fn after_its_time_one_call_tries() {
        let breakers = open();
        assert_eq!(admit(&breakers, "a", "parse", "1", at(30)), Ok(()));
        assert_eq!(admit(&breakers, "a", "parse", "1", at(30)), Err(3), "one alone");
        assert_eq!(faults(&breakers, 31), Some(4), "it is open again");
        assert_eq!(admit(&breakers, "a", "parse", "1", at(60)), Err(4));
        assert_eq!(admit(&breakers, "a", "parse", "1", at(61)), Ok(()));
        breakers.note("a", "parse", "1", Told::Answers, 3, PAUSE, at(62));
        assert_eq!([(); 2].map(|()| admit(&breakers, "a", "parse", "1", at(62))), [Ok(()), Ok(())]);
    }

    #[test]
    fn a_try_that_could_not_run_or_never_ended_is_anothers() {
        let breakers = open();
        admit(&breakers, "a", "parse", "1", at(30)).unwrap();
        breakers.note("a", "parse", "1", Told::Nothing, 3, PAUSE, at(31));
        assert_eq!(admit(&breakers, "a", "parse", "1", at(31)), Ok(()));
        assert_eq!(admit(&breakers, "a", "parse", "1", at(90)), Err(3));
        assert_eq!(admit(&breakers, "a", "parse", "1", at(91)), Ok(()));
    }

    #[test]
    fn another_version_begins_anew() {
        let breakers = open();
        assert_eq!(breakers.note("a", "parse", "2", Told::Faults, 3, PAUSE, at(1)), None);
        assert_eq!(admit(&breakers, "a", "parse", "2", at(1)), Ok(()));
    }
}
