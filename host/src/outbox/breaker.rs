//! What an outcome means for the messages behind it: a pause that the provider asked for, and the breaker of the account and the
//! provider's host.

use std::time::Duration;

use crate::{
    app::App,
    clock::At,
    domain::{
        account::Account,
        failure::{Failure, FailureClass},
        sending::{Sending, SendingState},
    },
    store::{
        self, Tx,
        sending::{Hold, HoldKind},
    },
};

/// The code of a `limited` failure that speaks of one conversation; any other pauses the whole account.
const CONVERSATION_LIMITED: &str = "conversation_limited";
/// The longest pause that a provider can ask for.
const PAUSE_MAX: Duration = Duration::from_secs(86_400);

/// What an attempt told of the provider.
pub(super) enum Signal<'a> {
    /// It answered, whatever it said.
    Answers,
    /// It throttles.
    Limits { failure: &'a Failure, wait: Duration },
    /// It is away, silent or broken; or the plugin is.
    Fails(&'a Failure),
    /// Nothing was asked of it.
    Nothing,
}

impl Signal<'_> {
    pub(super) fn of(failure: Option<&Failure>, pause: Duration) -> Signal<'_> {
        let Some(failure) = failure else { return Signal::Answers };
        match failure.class {
            FailureClass::Limited => {
                let wait = failure.retry_after_ms.map_or(pause, Duration::from_millis).min(PAUSE_MAX);
                Signal::Limits { failure, wait }
            }
            FailureClass::Unavailable | FailureClass::Fault | FailureClass::Uncertain => Signal::Fails(failure),
            FailureClass::Expired | FailureClass::Cancelled => Signal::Nothing,
            _ => Signal::Answers,
        }
    }
}

/// Writes it. The last statement of a settlement: claims take the queue's rows before these.
pub(super) async fn note(app: &App, tx: &mut Tx, account_id: &str, host: &str, signal: &Signal<'_>, now: At) -> store::Result<()> {
    match signal {
        Signal::Answers => store::sending::forget_failures(tx, account_id, host).await,
        Signal::Limits { failure, wait } => {
            store::sending::forget_failures(tx, account_id, host).await?;
            if failure.code != CONVERSATION_LIMITED {
                store::sending::pause(tx, account_id, now.plus(*wait), &failure.message).await?;
            }
            Ok(())
        }
        Signal::Fails(failure) => {
            let outbox = &app.config.outbox;
            let open_until = now.plus(Duration::from_secs(outbox.breaker_s));
            if store::sending::count_failure(tx, account_id, host, outbox.breaker_failures, open_until, &failure.message).await? {
                tracing::warn!(account.id = %account_id, host, until = %open_until, reason = %failure.message, "the provider fails: messages wait");
            }
            Ok(())
        }
        Signal::Nothing => store::sending::end_probe(tx, account_id).await,
    }
}

/// How sending goes for an account, given what holds it back.
pub fn sending(account: &Account, holds: &[Hold], now: At) -> Sending {
    let connection = account.standing.connection;
    if !account.is_active {
        return Sending { state: SendingState::Parked, until: None, reason: Some("The account is inactive.".to_owned()) };
    }
    if !connection.is_connected() {
        let reason = account.standing.reason.clone().unwrap_or_else(|| format!("The account is {connection}."));
        return Sending { state: SendingState::Parked, until: None, reason: Some(reason) };
    }
    let shown = |hold: &Hold| match hold.kind {
        HoldKind::Breaker { open_until, .. } if open_until > now => (2, SendingState::Broken, Some(open_until)),
        HoldKind::Breaker { .. } => (0, SendingState::Probing, None),
        HoldKind::Pause { until } => (1, SendingState::Paused, Some(until)),
    };
    let worst = holds.iter().filter(|hold| hold.account_id == account.id).max_by_key(|hold| shown(hold).0);
    worst.map_or(Sending::FLOWING, |hold| {
        let (_, state, until) = shown(hold);
        Sending { state, until, reason: Some(hold.reason.clone()) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(class: FailureClass) -> &'static str {
        let failure = Failure::new(class, "code", "message");
        match Signal::of(Some(&failure), Duration::from_secs(5)) {
            Signal::Answers => "answers",
            Signal::Limits { .. } => "limits",
            Signal::Fails(_) => "fails",
            Signal::Nothing => "nothing",
        }
    }

    #[test]
    fn a_recipients_fault_is_none_of_the_providers() {
        for class in [FailureClass::Recipient, FailureClass::WindowClosed, FailureClass::Rejected, FailureClass::Invalid] {
            assert_eq!(signal(class), "answers", "{class}");
        }
        for class in [FailureClass::Unavailable, FailureClass::Fault, FailureClass::Uncertain] {
            assert_eq!(signal(class), "fails", "{class}");
        }
        assert_eq!(signal(FailureClass::Limited), "limits");
        assert_eq!(signal(FailureClass::Expired), "nothing");
    }

    #[test]
    fn a_pause_is_a_day_at_most() {
        let failure = Failure { retry_after_ms: Some(u64::MAX), ..Failure::new(FailureClass::Limited, "code", "message") };
        let Signal::Limits { wait, .. } = Signal::of(Some(&failure), Duration::ZERO) else { panic!("a limit") };
        assert_eq!(wait, PAUSE_MAX);
    }
}
