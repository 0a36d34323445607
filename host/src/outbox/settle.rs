//! What an attempt came to, into the database: one transaction, by whoever still holds the claim.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};
use tracing::Instrument as _;

use super::{
    breaker::{self, Signal},
    crash, retry,
};
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
    ledger::{About, Applied, Ledger, Page, Wanted},
    plugins::Version,
    store::{self, Tx, group::Work, outbox::AttemptEnd, outbox::Claim, people::Owner},
    traces,
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
/// An extra of an accepted part: what the plugin wants back with the next message to the conversation.
const REPLY_CONTEXT: &str = "reply_context";
/// The extras that mean something here; the others are facts of the message.
const MEANT: [&str; 4] = [REF, CONVERSATION, CONVERSATION_KIND, REPLY_CONTEXT];
/// The most that is kept of that, in bytes.
const REPLY_CONTEXT_MAX: usize = 4096;

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

impl Outcome {
    fn failure(&self) -> Option<&Failure> {
        match self {
            Outcome::Sent { failure, .. } => failure.as_ref(),
            Outcome::Refused(failure) | Outcome::Postponed(failure) => Some(failure),
            Outcome::Parked | Outcome::Released => None,
        }
    }
}

/// What becomes of the queue's row.
enum Next {
    Finish { state: MessageState, failure: Option<Failure> },
    Again { due_at: At, attempts: i64, parked: Option<&'static str>, failure: Option<Failure> },
}

/// Writes the outcome; the database may be away for a moment, and then the outcome must not be lost: without it the message
/// would be uncertain. `host` is the provider's that the message went to; empty where it went nowhere.
pub(super) async fn settle(
    app: &Arc<App>,
    claim: &Claim,
    outcome: Outcome,
    version: Option<&Arc<Version>>,
    host: &str,
) -> store::Result<()> {
    let settlement =
        Arc::new(Settlement { app: Arc::clone(app), claim: claim.clone(), outcome, version: version.cloned(), host: host.to_owned() });
    let mut waits = SETTLE_WAITS.iter();
    loop {
        match (try_settle(&settlement).instrument(traces::span!("settle")).await, waits.next()) {
            (Err(error), Some(wait)) => {
                tracing::warn!(%error, message.id = %claim.message_id, "an outcome could not be written; once more in {wait:?}");
                tokio::time::sleep(*wait).await;
            }
            (done, _) => return done,
        }
    }
}

/// All that is needed to write an outcome, however often it takes.
struct Settlement {
    app: Arc<App>,
    claim: Claim,
    outcome: Outcome,
    version: Option<Arc<Version>>,
    host: String,
}

impl Work for Settlement {
    type Made = Applied;

    async fn write(&self, tx: &mut Tx) -> store::Result<Applied> {
        let Settlement { app, claim, outcome, version, host } = self;
        let applied = write(app, tx, claim, outcome, version.as_deref(), host).await?;
        crash::point(app, crash::Step::Settling);
        Ok(applied)
    }
}

async fn try_settle(settlement: &Arc<Settlement>) -> store::Result<()> {
    let Settlement { app, claim, outcome, .. } = settlement.as_ref();
    let applied = app.group.commit(settlement).await?;
    for account_id in &applied.stood {
        app.wake.account_changed(account_id);
    }
    if applied.queued > 0 {
        app.wake.tell(Topic::Outbox);
    }
    if applied.files > 0 {
        app.wake.tell(Topic::Media);
    }
    if outcome.failure().and_then(accounts::standing_after).is_some() {
        app.wake.account_changed(&claim.account_id);
    }
    app.wake.tell(Topic::Events);
    Ok(())
}

/// All of a settlement in the caller's transaction; nothing where the claim was lost.
async fn write(app: &App, tx: &mut Tx, claim: &Claim, outcome: &Outcome, version: Option<&Version>, host: &str) -> store::Result<Applied> {
    let now = app.clock.now();
    let waiting = |due_at: At, parked: Option<&'static str>, failure: Option<&Failure>| Next::Again {
        due_at: due_at.min(claim.expires_at),
        attempts: claim.attempts,
        parked,
        failure: failure.cloned(),
    };
    let failure = outcome.failure();
    let (accepted, facts): (&[Accepted], &[Fact]) = match outcome {
        Outcome::Sent { accepted, facts, .. } => (accepted, facts),
        Outcome::Refused(_) | Outcome::Postponed(_) | Outcome::Parked | Outcome::Released => (&[], &[]),
    };
    let next = match outcome {
        Outcome::Sent { failure: None, .. } => Next::Finish { state: MessageState::Sent, failure: None },
        Outcome::Sent { failure: Some(failure), .. } | Outcome::Refused(failure) => {
            next_after(app, claim, version, !accepted.is_empty(), failure.clone(), now)
        }
        // As the account stands in this transaction: what let it wait may be over.
        Outcome::Parked => waiting(now, parking(tx, &claim.account_id).await?, None),
        Outcome::Postponed(failure) => waiting(now.plus(PAUSE), None, Some(failure)),
        Outcome::Released => waiting(now, None, None),
    };
    let word = match (&next, failure) {
        (Next::Finish { state, .. }, _) => state.as_str(),
        (_, Some(failure)) => failure.class.as_str(),
        _ => "released",
    };

    let held = match &next {
        Next::Finish { .. } => store::outbox::finish(tx, claim).await?,
        Next::Again { due_at, attempts, parked, .. } => store::outbox::put_back(tx, claim, *due_at, *attempts, *parked).await?,
    };
    if !held {
        tracing::warn!(message.id = %claim.message_id, "an attempt ended after its message was taken over; nothing of it is written");
        return Ok(Applied::default());
    }
    let end = AttemptEnd { outcome: word, failure, plugin_digest: version.map(|version| version.digest.as_str()) };
    store::outbox::end_attempt(tx, claim, &end, now).await?;
    let mut applied = Applied::default();
    let mut ledger = Ledger::new(Arc::clone(&app.ids), now);
    ledger.load(tx, &wanted(claim, accepted, facts)).await?;
    if let Some(message) = ledger.message(&claim.account_id, &claim.message_id).cloned() {
        ledger.load(tx, &wanted_by(&message)).await?;
        let owner = Owner { organization_id: &message.organization_id, account_id: &claim.account_id };
        let inbox = version.is_none_or(|version| version.manifest.capabilities.inbox);
        let mut page = ledger.page(owner, inbox, version.map(|version| version.digest.as_str()));
        keep(&mut page, message.clone(), accepted, next);
        for fact in facts {
            inbox::apply(&mut page, fact);
        }
        applied = ledger.save(tx, &app.keyring).await?;
        if let Some(standing) = failure.and_then(accounts::standing_after) {
            accounts::stand(app, tx, owner, &standing, now).await?;
        }
    }
    let signal = match outcome {
        Outcome::Sent { .. } | Outcome::Refused(_) if version.is_some() => Signal::of(failure, PAUSE),
        _ => Signal::Nothing,
    };
    breaker::note(app, tx, &claim.account_id, host, &signal, now).await?;
    Ok(applied)
}

/// What the outcome is written into.
fn wanted<'a>(claim: &'a Claim, accepted: &'a [Accepted], facts: &'a [Fact]) -> Wanted<'a> {
    let mut wanted = Wanted::default();
    wanted.message(&claim.account_id, &claim.message_id);
    for part in accepted {
        for reference in references(part) {
            wanted.new_reference(&claim.account_id, reference);
        }
        if let Some(conversation) = part.extras.get(CONVERSATION) {
            wanted.conversation(&claim.account_id, conversation);
        }
    }
    for fact in facts {
        wanted.fact(&claim.account_id, fact);
    }
    wanted
}

/// What the message itself speaks of.
fn wanted_by(message: &Message) -> Wanted<'_> {
    let mut wanted = Wanted::default();
    match (&message.command, &message.to) {
        (Some(Command::Edit(edit)), _) => wanted.reference(&message.channel_account_id, &edit.target),
        (Some(Command::Delete(target)), _) => wanted.reference(&message.channel_account_id, target),
        (_, Some(to)) if message.conversation_id.is_none() => wanted.conversation(&message.channel_account_id, to),
        _ => {}
    }
    wanted
}

/// Every id by which the provider may speak of the part.
fn references(part: &Accepted) -> impl Iterator<Item = &String> {
    part.external_id.iter().chain(part.extras.get(REF))
}

/// Adds what the provider told of the parts: what it told last of the same name counts. What was told before the send as a number
/// stays one.
fn learn(facts: &mut Map<String, Value>, accepted: &[Accepted]) {
    let extras = accepted.iter().flat_map(|part| &part.extras).filter(|(name, _)| !MEANT.contains(&name.as_str()));
    for (name, told) in extras {
        let known = facts.get(name).filter(|known| !known.is_string()).map(Value::to_string);
        if known.as_ref() != Some(told) {
            facts.insert(name.clone(), Value::String(told.clone()));
        }
    }
}

/// Writes the message as it stands now and tells of it.
fn keep(page: &mut Page<'_>, mut message: Message, accepted: &[Accepted], next: Next) {
    if message.external_id.is_none() {
        message.external_id = accepted.iter().find_map(|part| part.external_id.clone());
    }
    learn(&mut message.facts, accepted);
    match next {
        Next::Again { attempts, failure, .. } => {
            message.attempts = attempts;
            message.failure = failure;
            page.save(message.clone());
        }
        Next::Finish { state, failure } => finish(page, &mut message, accepted, state, failure),
    }
    // Receipts that came before the answer to the send were waiting for these.
    for part in accepted {
        for reference in references(part) {
            page.name(reference, &message.id, part.part);
        }
    }
    inbox::apply_freed(page);
}

fn finish(page: &mut Page<'_>, message: &mut Message, accepted: &[Accepted], state: MessageState, failure: Option<Failure>) {
    let now = page.now();
    message.attempts += 1;
    if matches!(state, MessageState::Sent | MessageState::PartiallySent) {
        message.sent_at.get_or_insert(now);
        join_conversation(page, message, accepted);
        keep_effect(page, message);
    } else if state != MessageState::Uncertain {
        message.failed_at.get_or_insert(now);
    }
    if state == MessageState::Failed
        && let Some(failure) = failure.as_ref().filter(|failure| failure.class == FailureClass::Recipient)
        && let Some(contact_id) = page.contact_of(message)
    {
        page.set_unreachable(&contact_id, &failure.message);
    }
    // A receipt may have come first: it outranks the answer to the send.
    if state.rank() >= message.state.rank() {
        message.state = state;
        message.failure = failure;
    }
    page.save(message.clone());
    let event = match state {
        MessageState::Sent => EventType::MessageSent,
        MessageState::Uncertain => EventType::MessageUncertain,
        _ => EventType::MessageFailed,
    };
    page.tell_message(event, message, None, &About::default(), None);
}

/// What was done to another message shows there.
fn keep_effect(page: &mut Page<'_>, done: &Message) {
    let now = page.now();
    let target = match &done.command {
        Some(Command::Edit(edit)) => &edit.target,
        Some(Command::Delete(target)) => target,
        _ => return,
    };
    let Some(mut message) = page.message_by_ref(target).cloned() else { return };
    match &done.command {
        Some(Command::Edit(edit)) => {
            message.content = vec![edit.content.clone()];
            message.edited_at = Some(now);
        }
        _ => message.deleted_at = message.deleted_at.or(Some(now)),
    }
    page.save(message);
}

/// A message to somebody who never wrote opens the conversation.
pub(super) fn join_conversation(page: &mut Page<'_>, message: &mut Message, accepted: &[Accepted]) {
    if message.kind != "message" {
        return;
    }
    if message.conversation_id.is_none() {
        let named = accepted.iter().find_map(|part| part.extras.get(CONVERSATION)).or(message.to.as_ref());
        let Some(external_id) = named else { return };
        let kind = accepted.iter().find_map(|part| part.extras.get(CONVERSATION_KIND)?.parse().ok()).unwrap_or(ConversationKind::Direct);
        let reference = ConversationRef { external_id: external_id.clone(), kind, title: None };
        if let Some(conversation) = page.converse(&reference, None) {
            message.contact_id.clone_from(&conversation.contact_id);
            message.conversation_id = Some(conversation.id.clone());
        }
    }
    if let Some(id) = &message.conversation_id {
        page.touch(id, reply_context(accepted));
    }
}

/// What the answer to the send says of how to go on. It is the newest word of the conversation: an earlier one's stays only without it.
fn reply_context(accepted: &[Accepted]) -> Option<Vec<u8>> {
    let told = accepted.iter().rev().find_map(|part| part.extras.get(REPLY_CONTEXT))?;
    if told.len() > REPLY_CONTEXT_MAX {
        tracing::warn!(bytes = told.len(), "a reply context is too large to be kept");
        return None;
    }
    Some(told.clone().into_bytes())
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::content::Extras;

    fn accepted(part: u32, extras: &[(&str, &str)]) -> Accepted {
        let extras: Extras = extras.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Accepted { part, external_id: None, extras }
    }

    #[test]
    fn what_has_no_meaning_here_is_a_fact_of_the_message() {
        let parts = [
            accepted(
                0,
                &[
                    ("ref", "r"),
                    ("conversation", "c"),
                    ("conversation_kind", "group"),
                    ("reply_context", "{}"),
                    ("price", "0.05"),
                    ("currency", "EUR"),
                    ("parts", "2"),
                ],
            ),
            accepted(1, &[("price", "0.07")]),
        ];
        let mut facts = Map::from_iter([("parts".to_owned(), json!(2)), ("price".to_owned(), json!("about 0.1"))]);
        learn(&mut facts, &parts);
        assert_eq!(json!(facts), json!({"parts": 2, "price": "0.07", "currency": "EUR"}), "numbers stay text");
    }
}
