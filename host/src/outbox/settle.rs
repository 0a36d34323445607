//! What an attempt came to, into the database: one transaction, by whoever still holds the claim.

use std::time::Duration;

use super::{enqueue::tell, retry};
use crate::{
    accounts,
    app::App,
    clock::At,
    domain::{
        event::{EventType, Fact},
        failure::{Failure, FailureClass},
        message::{Accepted, Command, Message, MessageState},
        people::{ConversationKind, ConversationRef},
    },
    inbox,
    plugins::Version,
    store::{self, Tx, messages, outbox::AttemptEnd, outbox::Claim, people::Owner},
    wake::Topic,
};

/// A plugin that faults on a message is asked once more, in case another call was to blame.
const FAULTS_MAX: i64 = 2;
/// The wait where the provider throttles without saying for how long, and where no plugin can run.
const PAUSE: Duration = Duration::from_secs(5);
/// The waits of an outcome that the database doesn't take; well within the lease together.
const SETTLE_WAITS: [Duration; 4] = [Duration::from_millis(50), Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5)];
/// An extra of an accepted part that names another id by which the provider speaks of it, like a poll's.
const REF: &str = "ref";
/// An extra of an accepted part that names the conversation it went to, where it isn't the recipient as given.
const CONVERSATION: &str = "conversation";
/// An extra of an accepted part: `direct`, `group` or `broadcast`.
const CONVERSATION_KIND: &str = "conversation_kind";

/// How an attempt ended.
pub(super) enum Outcome {
    /// The plugin answered: what was accepted, and why the rest wasn't.
    Sent {
        accepted: Vec<Accepted>,
        failure: Option<Failure>,
        facts: Vec<Fact>,
    },
    Refused(Failure),
    /// It waits for the account to be active and connected.
    Parked,
    /// Nothing was tried: a little later, and it doesn't count.
    Postponed(Failure),
    /// The worker is gone and nothing left: at once, and it doesn't count.
    Released,
}

/// What becomes of the queue's row.
enum Next {
    Finish { state: MessageState, failure: Option<Failure> },
    Again { due_at: At, attempts: i64, parked: Option<&'static str>, failure: Option<Failure> },
}

/// Writes the outcome; the database may be away for a moment, and then the outcome must not be lost: without it the message
/// would be uncertain.
pub(super) async fn settle(app: &App, claim: &Claim, outcome: &Outcome, version: Option<&Version>) -> store::Result<()> {
    let mut waits = SETTLE_WAITS.iter();
    loop {
        match (try_settle(app, claim, outcome, version).await, waits.next()) {
            (Err(error), Some(wait)) => {
                tracing::warn!(%error, message.id = %claim.message_id, "an outcome could not be written; once more in {wait:?}");
                tokio::time::sleep(*wait).await;
            }
            (done, _) => return done,
        }
    }
}

async fn try_settle(app: &App, claim: &Claim, outcome: &Outcome, version: Option<&Version>) -> store::Result<()> {
    let now = app.clock.now();
    let waiting = |due_at: At, parked: Option<&'static str>, failure: Option<&Failure>| Next::Again {
        due_at: due_at.min(claim.expires_at),
        attempts: claim.attempts,
        parked,
        failure: failure.cloned(),
    };
    let mut tx = app.db.begin_ordered().await?;
    let (accepted, facts, failure): (&[Accepted], &[Fact], Option<&Failure>) = match outcome {
        Outcome::Sent { accepted, failure, facts } => (accepted, facts, failure.as_ref()),
        Outcome::Refused(failure) | Outcome::Postponed(failure) => (&[], &[], Some(failure)),
        Outcome::Parked | Outcome::Released => (&[], &[], None),
    };
    let next = match outcome {
        Outcome::Sent { failure: None, .. } => Next::Finish { state: MessageState::Sent, failure: None },
        Outcome::Sent { failure: Some(failure), .. } | Outcome::Refused(failure) => {
            next_after(app, claim, version, !accepted.is_empty(), failure.clone(), now)
        }
        // As the account stands in this transaction: what let it wait may be over.
        Outcome::Parked => waiting(now, parking(&mut tx, &claim.account_id).await?, None),
        Outcome::Postponed(failure) => waiting(now.plus(PAUSE), None, Some(failure)),
        Outcome::Released => waiting(now, None, None),
    };
    let word = match (&next, failure) {
        (Next::Finish { state, .. }, _) => state.as_str(),
        (_, Some(failure)) => failure.class.as_str(),
        _ => "released",
    };

    let held = match &next {
        Next::Finish { .. } => store::outbox::finish(&mut tx, claim).await?,
        Next::Again { due_at, attempts, parked, .. } => store::outbox::put_back(&mut tx, claim, *due_at, *attempts, *parked).await?,
    };
    if !held {
        tracing::warn!(message.id = %claim.message_id, "an attempt ended after its message was taken over; nothing of it is written");
        return Ok(());
    }
    let end = AttemptEnd { outcome: word, failure, plugin_digest: version.map(|version| version.digest.as_str()) };
    store::outbox::end_attempt(&mut tx, claim, &end, now).await?;
    if let Some(message) = messages::find(&mut tx, &claim.message_id).await? {
        let told = keep(app, &mut tx, message, accepted, next, now).await?;
        let owner = Owner { organization_id: &told.organization_id, account_id: &told.channel_account_id };
        for fact in facts {
            inbox::apply(&mut tx, owner, fact, &app.ids, now).await?;
        }
        if let Some(standing) = failure.and_then(accounts::standing_after) {
            accounts::stand(app, &mut tx, owner, &standing, now).await?;
        }
    }
    if failure.and_then(accounts::standing_after).is_some() {
        return accounts::commit(app, tx, &claim.account_id).await;
    }
    tx.commit().await?;
    app.wake.tell(Topic::Events);
    Ok(())
}

/// Writes the message as it stands now and tells of it; answers it.
async fn keep(app: &App, tx: &mut Tx, mut message: Message, accepted: &[Accepted], next: Next, now: At) -> store::Result<Message> {
    for part in accepted {
        for reference in part.external_id.iter().chain(part.extras.get(REF)) {
            messages::add_ref(tx, &message.channel_account_id, reference, &message.id, part.part).await?;
        }
    }
    if message.external_id.is_none() {
        message.external_id = accepted.iter().find_map(|part| part.external_id.clone());
    }
    match next {
        Next::Again { attempts, failure, .. } => {
            message.attempts = attempts;
            message.failure = failure;
            messages::save_state(tx, &message).await?;
            Ok(message)
        }
        Next::Finish { state, failure } => {
            message.attempts += 1;
            if matches!(state, MessageState::Sent | MessageState::PartiallySent) {
                message.sent_at.get_or_insert(now);
                join_conversation(app, tx, &mut message, accepted, now).await?;
                keep_effect(tx, &message, now).await?;
            } else if state != MessageState::Uncertain {
                message.failed_at.get_or_insert(now);
            }
            // A receipt may have come first: it outranks the answer to the send.
            if state.rank() >= message.state.rank() {
                message.state = state;
                message.failure = failure;
            }
            messages::save_state(tx, &message).await?;
            let event = match state {
                MessageState::Sent => EventType::MessageSent,
                MessageState::Uncertain => EventType::MessageUncertain,
                _ => EventType::MessageFailed,
            };
            tell(app, tx, event, &message, now).await?;
            Ok(message)
        }
    }
}

/// What was done to another message shows there.
async fn keep_effect(tx: &mut Tx, done: &Message, now: At) -> store::Result<()> {
    let target = match &done.command {
        Some(Command::Edit(edit)) => &edit.target,
        Some(Command::Delete(target)) => target,
        _ => return Ok(()),
    };
    let Some(mut message) = messages::find_by_ref(&mut *tx, &done.channel_account_id, target).await? else { return Ok(()) };
    match &done.command {
        Some(Command::Edit(edit)) => {
            message.content = vec![edit.content.clone()];
            message.edited_at = Some(now);
            messages::save_edit(tx, &message).await
        }
        _ => messages::set_deleted(tx, &message.id, now).await,
    }
}

/// A message to somebody who never wrote opens the conversation.
async fn join_conversation(app: &App, tx: &mut Tx, message: &mut Message, accepted: &[Accepted], now: At) -> store::Result<()> {
    if message.kind != "message" {
        return Ok(());
    }
    if message.conversation_id.is_none() {
        let named = accepted.iter().find_map(|part| part.extras.get(CONVERSATION)).or(message.to.as_ref());
        let Some(external_id) = named else { return Ok(()) };
        let owner = Owner { organization_id: &message.organization_id, account_id: &message.channel_account_id };
        let kind = accepted.iter().find_map(|part| part.extras.get(CONVERSATION_KIND)?.parse().ok()).unwrap_or(ConversationKind::Direct);
        let reference = ConversationRef { external_id: external_id.clone(), kind, title: None };
        let met = store::people::converse(tx, owner, &reference, None, &app.ids.next(now), now).await?;
        message.contact_id.clone_from(&met.conversation.contact_id);
        message.conversation_id = Some(met.conversation.id);
    }
    if let Some(id) = &message.conversation_id {
        store::people::touch_conversation(tx, id, None, now).await?;
    }
    Ok(())
}

/// What the failure means for the message.
fn next_after(app: &App, claim: &Claim, version: Option<&Version>, some_accepted: bool, failure: Failure, now: At) -> Next {
    let idempotent = version.is_some_and(|version| version.manifest.capabilities.idempotent_send);
    let asked = failure.retry_after_ms.map(Duration::from_millis);
    let attempts = claim.attempts + 1;
    let later = |failure: Failure| {
        let wait = retry::wait(&app.config.retry_waits(), attempts, app.ids.below(1000));
        let due_at = now.plus(asked.map_or(wait, |asked| asked.max(wait)));
        if due_at >= claim.expires_at {
            let why = Failure::new(FailureClass::Expired, failure.code, format!("It could not be sent in time. Last: {}", failure.message));
            return Next::Finish { state: MessageState::Expired, failure: Some(why) };
        }
        Next::Again { due_at, attempts, parked: None, failure: Some(failure) }
    };
    match failure.class {
        FailureClass::Unavailable => later(failure),
        FailureClass::Uncertain if idempotent => later(failure),
        FailureClass::Fault if attempts < FAULTS_MAX => later(failure),
        FailureClass::Limited => Next::Again {
            due_at: now.plus(asked.unwrap_or(PAUSE)).min(claim.expires_at),
            attempts: claim.attempts,
            parked: None,
            failure: Some(failure),
        },
        FailureClass::Unauthorized | FailureClass::Forbidden => {
            Next::Again { due_at: now, attempts: claim.attempts, parked: Some(failure.class.as_str()), failure: Some(failure) }
        }
        FailureClass::Uncertain => Next::Finish { state: MessageState::Uncertain, failure: Some(failure) },
        FailureClass::Expired => Next::Finish { state: MessageState::Expired, failure: Some(failure) },
        FailureClass::Cancelled => Next::Finish { state: MessageState::Cancelled, failure: Some(failure) },
        _ if some_accepted => Next::Finish { state: MessageState::PartiallySent, failure: Some(failure) },
        _ => Next::Finish { state: MessageState::Failed, failure: Some(failure) },
    }
}

/// Why the account's messages wait, as it stands now; none where they needn't.
pub(super) async fn parking(tx: &mut Tx, account_id: &str) -> store::Result<Option<&'static str>> {
    Ok(match store::accounts::find(tx, account_id).await? {
        Some(account) if !account.is_active => Some("inactive"),
        Some(account) if !account.standing.connection.is_connected() => Some("not_connected"),
        _ => None,
    })
}
