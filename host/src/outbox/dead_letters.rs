//! Messages that went wrong for good: sent again as themselves, or judged by a person.

use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    enqueue::{check_active, files_until, use_media},
    preview::facts_of,
    queue_behind,
    settle::{join_conversation, parking},
};
use crate::{
    app::App,
    audit::{self, Deed},
    clock::At,
    domain::{
        account::Account,
        actor::Actor,
        event::EventType,
        failure::{Failure, FailureClass},
        message::{Direction, Message, MessageState, Priority},
    },
    error::ApiError,
    ledger::{About, Ledger, Wanted},
    store::{self, Tx, dead_letters::Filter, outbox::lane, people::Owner},
    wake::Topic,
};

/// Messages of one transaction, and of one call at most.
const PAGE: u32 = 100;
const REPLAY_MAX: u64 = 10_000;

/// What a person found out about an uncertain message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Sent,
    Failed,
}

/// What became of a replay of many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, JsonSchema)]
#[schemars(rename = "MessagesReplayed")]
pub struct Replayed {
    /// Queued again.
    pub replayed: u64,
    /// Left as they are: their account is inactive or deleted, its plugin refuses them by now, or somebody else was faster.
    pub skipped: u64,
    /// There are more: ask again.
    pub more: bool,
}

/// Queues the message again under its own id, with its attempts reset and a new time to expire. `force` sends an uncertain one,
/// which may have arrived.
///
/// # Errors
/// 409 says why it can't be sent again, or not without `force`; 422 where the plugin refuses it by now.
pub async fn replay(app: &App, message: &Message, force: bool, actor: &Actor) -> Result<Message, ApiError> {
    let account = store::accounts::find(&app.db, &message.channel_account_id).await?;
    let account =
        account.ok_or_else(|| ApiError::conflict("account_deleted", "The message's account was deleted: it can't be sent again."))?;
    check_active(&account)?;
    check_replayable(message, force)?;
    let facts = facts_of(app, &account, message).await?;
    let now = app.clock.now();
    let mut tx = app.db.begin_ordered().await?;
    // As it stands now: a receipt or another replay may have come since it was read.
    let message = store::messages::find(&mut tx, &message.id).await?.ok_or_else(|| ApiError::not_found("message", &message.id))?;
    check_replayable(&message, force)?;
    let message = requeue(app, &mut tx, &account, Message { facts, ..message }, Priority::Normal, now).await?;
    audit::record(app, &mut tx, actor, deed("message.replay", &message, json!({"force": force}))).await?;
    tx.commit().await?;
    app.wake.tell(Topic::Outbox);
    app.wake.tell(Topic::Events);
    Ok(message)
}

fn check_replayable(message: &Message, force: bool) -> Result<(), ApiError> {
    let refusal = |code, why: String| Err(ApiError::conflict(code, why));
    if message.direction == Direction::Inbound {
        return refusal("inbound", "The message came in: there is nothing to send again.".to_owned());
    }
    match message.state {
        MessageState::Failed | MessageState::Expired | MessageState::Cancelled => Ok(()),
        MessageState::Uncertain if force => Ok(()),
        MessageState::Uncertain => Err(ApiError::conflict("uncertain", "The message may have arrived: sent again, it could arrive twice.")
            .hint("Look in the provider's own inbox. If it isn't there, replay it with {\"force\": true}; if it is, POST …/resolve with {\"outcome\": \"sent\"}.")),
        MessageState::PartiallySent => {
            Err(ApiError::conflict("partially_sent", "Some parts of the message arrived: sent again, they would arrive twice.")
                .hint("Its `parts` are those that arrived; send the others as a new message."))
        }
        state => refusal("not_dead", format!("The message is {state}: only a failed, expired or cancelled one can be sent again.")),
    }
}

async fn requeue(app: &App, tx: &mut Tx, account: &Account, message: Message, priority: Priority, now: At) -> store::Result<Message> {
    let message = Message {
        state: MessageState::Queued,
        failure: None,
        attempts: 0,
        failed_at: None,
        // The next one is another message to the provider; the old ids stay among its references.
        external_id: None,
        send_at: None,
        expires_at: Some(now.plus(Duration::from_secs(app.config.outbox.expires_s))),
        ..message
    };
    // One of its files that is gone is told when it is sent.
    let manifest = app.plugins.manifest_for(account);
    let files_until = files_until(&manifest.map(|manifest| manifest.capabilities.clone()).unwrap_or_default(), &message, now);
    use_media(tx, &message, files_until).await?;
    let parked = parking(tx, &account.id).await?;
    let mut ledger = load(app, tx, &message, now).await?;
    let owner = Owner { organization_id: &message.organization_id, account_id: &account.id };
    let mut page = ledger.page(owner, true, None);
    let lane = lane(&account.id, message.to.as_deref().unwrap_or(&message.id));
    queue_behind(&mut page, message.clone(), lane, priority, parked);
    page.tell_message(EventType::MessageQueued, &message, None, &About::default(), None);
    ledger.save(tx, &app.keyring).await?;
    store::outbox::continue_attempts(tx, &message.id).await?;
    Ok(message)
}

/// The message as it is stored, with its conversation.
async fn load(app: &App, tx: &mut Tx, message: &Message, now: At) -> store::Result<Ledger> {
    let mut wanted = Wanted::default();
    wanted.message(&message.channel_account_id, &message.id);
    if let Some(to) = &message.to {
        wanted.conversation(&message.channel_account_id, to);
    }
    let mut ledger = Ledger::new(Arc::clone(&app.ids), now);
    ledger.load(tx, &wanted).await?;
    Ok(ledger)
}

/// Queues all failed and expired messages again that the filter fits, oldest first, behind what is normal. Uncertain ones aren't
/// among them: each needs a person.
pub async fn replay_all(app: &App, filter: &Filter, actor: &Actor) -> Result<Replayed, ApiError> {
    let organization_id = match (&filter.organization_id, &filter.account_id) {
        (None, Some(account_id)) => store::accounts::find(&app.db, account_id).await?.map(|account| account.organization_id),
        (organization_id, _) => organization_id.clone(),
    };
    // Before the first: each page has a transaction of its own.
    let deed = Deed {
        action: "dead_letters.replay",
        subject_kind: if filter.account_id.is_some() { "channel_account" } else { "organization" },
        subject_id: filter.account_id.as_ref().or(filter.organization_id.as_ref()).map(String::as_str).unwrap_or_default(),
        organization_id: organization_id.as_deref(),
        detail: json!({"class": filter.class, "since": filter.since, "until": filter.until}),
    };
    audit::note(app, actor, deed).await?;
    let mut done = Replayed::default();
    let mut after = String::new();
    // What fails again meanwhile isn't taken up again.
    let filter = Filter { until: Some(filter.until.unwrap_or_else(|| app.clock.now())), ..filter.clone() };
    loop {
        let ids = store::dead_letters::replayable(&app.db, &filter, &after, PAGE).await?;
        let Some(last) = ids.last() else { break };
        after.clone_from(last);
        let mut judged = Vec::with_capacity(ids.len());
        for id in &ids {
            judged.push((id, judge(app, id).await?));
        }
        let now = app.clock.now();
        let mut tx = app.db.begin_ordered().await?;
        for (id, facts) in judged {
            let revived = match facts {
                Some(facts) => revive(app, &mut tx, id, facts, now).await?,
                None => false,
            };
            if revived {
                done.replayed += 1;
            } else {
                done.skipped += 1;
            }
        }
        tx.commit().await?;
        app.wake.tell(Topic::Outbox);
        app.wake.tell(Topic::Events);
        if done.replayed + done.skipped >= REPLAY_MAX {
            done.more = !store::dead_letters::replayable(&app.db, &filter, &after, 1).await?.is_empty();
            break;
        }
    }
    Ok(done)
}

/// What the plugin tells of the message, before anything is written; none where it refuses it.
async fn judge(app: &App, id: &str) -> Result<Option<Map<String, Value>>, ApiError> {
    let Some(message) = store::messages::find(&app.db, id).await? else { return Ok(None) };
    let account = store::accounts::find(&app.db, &message.channel_account_id).await?.filter(|account| account.is_active);
    let Some(account) = account else { return Ok(None) };
    match facts_of(app, &account, &message).await {
        Ok(facts) => Ok(Some(facts)),
        Err(error) => {
            tracing::warn!(message.id = %id, error = %error.body.message, "a dead letter stays: its plugin doesn't take it");
            Ok(None)
        }
    }
}

async fn revive(app: &App, tx: &mut Tx, id: &str, facts: Map<String, Value>, now: At) -> store::Result<bool> {
    let Some(message) = store::messages::find(&mut *tx, id).await? else { return Ok(false) };
    let account = store::accounts::find(&mut *tx, &message.channel_account_id).await?.filter(|account| account.is_active);
    let Some(account) = account.filter(|_| check_replayable(&message, false).is_ok()) else { return Ok(false) };
    requeue(app, tx, &account, Message { facts, ..message }, Priority::Bulk, now).await?;
    Ok(true)
}

/// Settles an uncertain message as a person found it; nothing is sent.
///
/// # Errors
/// 409 where the message isn't uncertain.
pub async fn resolve(app: &App, message: &Message, verdict: Verdict, actor: &Actor) -> Result<Message, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.begin_ordered().await?;
    let mut message = store::messages::find(&mut tx, &message.id).await?.ok_or_else(|| ApiError::not_found("message", &message.id))?;
    if message.state != MessageState::Uncertain {
        let why = format!("The message is {}: only an uncertain one can be resolved.", message.state);
        return Err(ApiError::conflict("not_uncertain", why));
    }
    let sent_at = dispatched_at(&mut tx, &message).await?.unwrap_or(now);
    let mut ledger = load(app, &mut tx, &message, now).await?;
    let owner = message.clone();
    let inbox = inbox_of(app, &mut tx, &message.channel_account_id).await?;
    let mut page = ledger.page(Owner { organization_id: &owner.organization_id, account_id: &owner.channel_account_id }, inbox, None);
    let event = match verdict {
        Verdict::Sent => {
            message.state = MessageState::Sent;
            message.failure = None;
            message.sent_at = Some(sent_at);
            join_conversation(&mut page, &mut message, &[]);
            EventType::MessageSent
        }
        Verdict::Failed => {
            message.state = MessageState::Failed;
            message.failed_at = Some(now);
            let was = message.failure.take().map_or_else(String::new, |failure| format!(" It was uncertain: {}", failure.message));
            let mut failure = Failure::new(FailureClass::Rejected, "resolved", format!("A person found that it didn't arrive.{was}"));
            "Send it again: POST /rest/v1/messages/{id}/replay.".clone_into(&mut failure.way_out);
            message.failure = Some(failure);
            EventType::MessageFailed
        }
    };
    page.save(message.clone());
    page.tell_message(event, &message, None, &About::default(), None);
    ledger.save(&mut tx, &app.keyring).await?;
    audit::record(app, &mut tx, actor, deed("message.resolve", &message, json!({"outcome": message.state}))).await?;
    tx.commit().await?;
    app.wake.tell(Topic::Events);
    Ok(message)
}

/// What the audit log is told of a message.
pub(super) fn deed<'a>(action: &'a str, message: &'a Message, detail: Value) -> Deed<'a> {
    let organization_id = Some(message.organization_id.as_str());
    Deed { action, subject_kind: "message", subject_id: &message.id, organization_id, detail }
}

/// Whether the account's conversations belong in an inbox of people.
async fn inbox_of(app: &App, tx: &mut Tx, account_id: &str) -> store::Result<bool> {
    let account = store::accounts::find(tx, account_id).await?;
    let manifest = account.and_then(|account| app.plugins.manifest_for(&account));
    Ok(manifest.is_none_or(|manifest| manifest.capabilities.inbox))
}

/// When bytes of its last attempt left.
async fn dispatched_at(tx: &mut Tx, message: &Message) -> store::Result<Option<At>> {
    let attempts = store::outbox::attempts_of(tx, &[&message.id]).await?;
    Ok(attempts.iter().rev().find_map(|attempt| attempt.dispatched_at))
}
