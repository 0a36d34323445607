//! One try at one message.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use patchbay_sandbox::{Fault, contract::messages as wit};
use tracing::{Instrument as _, Span};

use super::{
    crash,
    outbound::outbound,
    settle::{Outcome, settle},
};
use crate::{
    accounts,
    app::App,
    clock::At,
    domain::{
        account::Account,
        failure::{Failure, FailureClass},
        message::Message,
    },
    egress::Dispatch,
    plugins::{self, Version, convert},
    store::{self, Tx, group::Work, outbox::Claim},
    traces,
};

/// Sends what was claimed and settles it. A failure of the database leaves the claim to the sweep.
pub(super) async fn attempt(app: &Arc<App>, claim: Claim, claimed_in: &Span) {
    let span = traces::span!("attempt", message.id = %claim.message_id, account.id = %claim.account_id, attempt = claim.attempts + 1);
    // The claim is one for many: a link, not a parent.
    span.follows_from(claimed_in);
    if let Err(error) = try_attempt(app, &claim).instrument(span).await {
        tracing::error!(%error, message.id = %claim.message_id, "an attempt could not be settled; its lease will run out");
    }
}

async fn try_attempt(app: &Arc<App>, claim: &Claim) -> store::Result<()> {
    let now = app.clock.now();
    let message = store::messages::find(&app.db, &claim.message_id).await?;
    let account = store::accounts::find(&app.db, &claim.account_id).await?;
    let (Some(message), Some(account)) = (message, account) else {
        let failure = Failure::new(FailureClass::Cancelled, "account_deleted", "The account was deleted.");
        return settle(app, claim, Outcome::Refused(failure), None, "").await;
    };
    if claim.expires_at <= now {
        return expire(app, claim).await;
    }
    if !account.is_active || !account.standing.connection.is_connected() {
        return settle(app, claim, Outcome::Parked, None, "").await;
    }
    let Some(version) = app.plugins.for_account(&account) else {
        let failure = Failure::new(FailureClass::Fault, "plugin_missing", format!("No plugin for {} can run.", account.channel_type));
        return settle(app, claim, Outcome::Postponed(failure), None, "").await;
    };
    let (dispatched, host) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(String::new())));
    let dispatch = MarkDispatched {
        app: Arc::clone(app),
        claim: claim.clone(),
        digest: version.digest.clone(),
        dispatched: Arc::clone(&dispatched),
        host: Arc::clone(&host),
    };
    let outcome = match send(app, &version, &account, &message, claim, dispatch).await {
        // Nothing was asked of the plugin yet.
        Err(error) => Outcome::Postponed(Failure::new(FailureClass::Unavailable, "database", error.to_string())),
        Ok(Ok(sent)) => {
            let sent = convert::sent_in(sent).await;
            let facts = if sent.facts.is_empty() {
                Vec::new()
            } else {
                plugins::withhold(app, &version, &accounts::open_secrets(app, &account).await?, sent.facts)
            };
            Outcome::Sent { accepted: sent.accepted, failure: sent.failed, facts }
        }
        Ok(Err(fault)) => fault_outcome(&fault, dispatched.load(Ordering::SeqCst)),
    };
    let outcome = renewed(app, &account, outcome).await;
    crash::point(app, crash::Step::Answered);
    let host = host.lock().unwrap_or_else(PoisonError::into_inner).clone();
    settle(app, claim, outcome, Some(&version), &host).await
}

/// Of a message that was refused for a token that died early, and of which nothing went: it goes with the new one.
async fn renewed(app: &App, account: &Account, outcome: Outcome) -> Outcome {
    let Outcome::Sent { accepted, failure: Some(failure), facts } = &outcome else { return outcome };
    match accounts::is_renewed(app, account, failure).await {
        Ok(true) if accepted.is_empty() && facts.is_empty() => Outcome::Postponed(failure.clone()),
        Ok(_) => outcome,
        Err(error) => {
            tracing::error!(account.id = %account.id, %error, "a new access token could not be asked for");
            outcome
        }
    }
}

/// Settles a message whose time was over before it could go.
pub(super) async fn expire(app: &Arc<App>, claim: &Claim) -> store::Result<()> {
    let last = store::messages::find(&app.db, &claim.message_id).await?.and_then(|message| message.failure);
    let reason = last
        .map_or_else(|| "It could not be sent in time.".to_owned(), |last| format!("It could not be sent in time. Last: {}", last.message));
    settle(app, claim, Outcome::Refused(Failure::new(FailureClass::Expired, "expired", reason)), None, "").await
}

async fn send(
    app: &Arc<App>,
    version: &Version,
    account: &Account,
    message: &Message,
    claim: &Claim,
    dispatch: MarkDispatched,
) -> store::Result<Result<wit::Sent, Fault>> {
    let outbound = outbound(app, &version.manifest.capabilities, message).await?;
    let attempt = u32::try_from(claim.attempts + 1).unwrap_or(u32::MAX);
    version.send(app, account, attempt, &outbound, Box::new(dispatch)).await
}

/// A fault tells nothing of the provider: what matters is whether bytes may have left.
fn fault_outcome(fault: &Fault, dispatched: bool) -> Outcome {
    let text = fault.to_string();
    match fault {
        fault if fault.is_unrun() => Outcome::Postponed(Failure::new(FailureClass::Unavailable, "busy", text)),
        _ if dispatched => Outcome::Refused(Failure::new(FailureClass::Uncertain, "plugin_fault", text)),
        _ => Outcome::Refused(Failure::new(FailureClass::Fault, "plugin_fault", text)),
    }
}

/// Notes in the database that bytes are about to leave; without the note nothing leaves.
struct MarkDispatched {
    app: Arc<App>,
    claim: Claim,
    digest: String,
    dispatched: Arc<AtomicBool>,
    /// Where the last request went.
    host: Arc<Mutex<String>>,
}

#[async_trait]
impl Dispatch for MarkDispatched {
    fn heading_for(&mut self, host: &str) {
        host.clone_into(&mut self.host.lock().unwrap_or_else(PoisonError::into_inner));
    }

    async fn about_to_send(&mut self) -> Result<(), String> {
        if self.dispatched.load(Ordering::SeqCst) {
            return Ok(());
        }
        let mark = Mark { claim: self.claim.clone(), digest: self.digest.clone(), now: self.app.clock.now() };
        match self.app.group.commit(&Arc::new(mark)).await {
            Ok(true) => {
                self.dispatched.store(true, Ordering::SeqCst);
                crash::point(&self.app, crash::Step::Dispatching);
                Ok(())
            }
            Ok(false) => Err("another worker has taken the message over".to_owned()),
            Err(error) => Err(format!("the attempt could not be noted: {error}")),
        }
    }
}

/// The note that bytes may leave. Answers false where the lease was lost.
struct Mark {
    claim: Claim,
    digest: String,
    now: At,
}

impl Work for Mark {
    type Made = bool;

    async fn write(&self, tx: &mut Tx) -> store::Result<bool> {
        store::outbox::mark_dispatched(tx, &self.claim, &self.digest, self.now).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        domain::{
            account::{Connection, Standing},
            message::Accepted,
        },
        oauth::tests::world_with,
    };

    #[tokio::test]
    async fn a_message_that_was_refused_for_a_dead_token_waits_for_the_new_one() {
        let world = world_with(&json!({})).await;
        world.has(&[("token", "t1"), ("refresh", "r1")], &Standing::plain(Connection::Connected)).await;
        let account = world.account().await;
        let sent = |class, accepted: Vec<Accepted>| Outcome::Sent {
            accepted,
            failure: Some(Failure::new(class, "token_expired", "The token is dead.")),
            facts: Vec::new(),
        };
        let postponed = renewed(&world.app, &account, sent(FailureClass::Unauthorized, Vec::new())).await;
        assert!(matches!(postponed, Outcome::Postponed(failure) if failure.class == FailureClass::Unauthorized));
        let other = renewed(&world.app, &account, sent(FailureClass::Forbidden, Vec::new())).await;
        assert!(matches!(other, Outcome::Sent { .. }));
        let part: Accepted = Accepted { part: 0, external_id: Some("1".to_owned()), extras: Default::default() };
        let partly = renewed(&world.app, &account, sent(FailureClass::Unauthorized, vec![part])).await;
        assert!(matches!(partly, Outcome::Sent { .. }), "what went must be kept");
        assert_eq!(world.account().await.standing.connection, Connection::Connected);
    }
}
