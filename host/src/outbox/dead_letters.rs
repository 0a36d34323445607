//! Messages that went wrong for good: sent again as themselves, or judged by a person.

use std::time::Duration;

use serde::Deserialize;

use super::{
    enqueue::{check_active, tell},
    lane_of, place,
    settle::{join_conversation, parking},
};
use crate::{
    app::App,
    clock::At,
    domain::{
        account::Account,
        event::EventType,
        failure::{Failure, FailureClass},
        message::{Direction, Message, MessageState, Priority},
    },
    error::ApiError,
    store::{self, Tx, dead_letters::Filter},
};

/// Messages of one transaction, and of one call at most.
const PAGE: u32 = 100;
const REPLAY_MAX: u64 = 10_000;

/// What a person found out about an uncertain message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Sent,
    Failed,
}

/// What became of a replay of many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Replayed {
    /// Queued again.
    pub replayed: u64,
    /// Left as they are: their account is inactive or deleted, or somebody else was faster.
    pub skipped: u64,
    /// There are more: ask again.
    pub more: bool,
}

/// Queues the message again under its own id, with its attempts reset and a new time to expire. `force` sends an uncertain one,
/// which may have arrived.
///
/// # Errors
/// 409 says why it can't be sent again, or not without `force`.
pub async fn replay(app: &App, message: &Message, force: bool) -> Result<Message, ApiError> {
    let account = store::accounts::find(&app.db, &message.channel_account_id).await?;
    let account =
        account.ok_or_else(|| ApiError::conflict("account_deleted", "The message's account was deleted: it can't be sent again."))?;
    check_active(&account)?;
    let now = app.clock.now();
    let mut tx = app.db.begin_ordered().await?;
    // As it stands now: a receipt or another replay may have come since it was read.
    let message = store::messages::find(&mut tx, &message.id).await?.ok_or_else(|| ApiError::not_found("message", &message.id))?;
    check_replayable(&message, force)?;
    let message = requeue(app, &mut tx, &account, message, Priority::Normal, now).await?;
    tx.commit().await?;
    app.wake.outbox.notify_one();
    app.wake.events.notify_waiters();
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

async fn requeue(app: &App, tx: &mut Tx, account: &Account, mut message: Message, priority: Priority, now: At) -> store::Result<Message> {
    message.state = MessageState::Queued;
    message.failure = None;
    message.attempts = 0;
    message.failed_at = None;
    message.send_at = None;
    message.expires_at = Some(now.plus(Duration::from_secs(app.config.outbox.expires_s)));
    store::dead_letters::revive(tx, &message).await?;
    let parked = parking(tx, &account.id).await?;
    let lane = lane_of(&account.id, message.to.as_deref().unwrap_or(&message.id));
    store::outbox::insert_again(tx, &place(&message, &lane, priority, parked, now)).await?;
    tell(app, tx, EventType::MessageQueued, &message, now).await?;
    Ok(message)
}

/// Queues all failed and expired messages again that the filter fits, oldest first, behind what is normal. Uncertain ones aren't
/// among them: each needs a person.
pub async fn replay_all(app: &App, filter: &Filter) -> Result<Replayed, ApiError> {
    let mut done = Replayed::default();
    let mut after = String::new();
    // What fails again meanwhile isn't taken up again.
    let filter = Filter { until: Some(filter.until.unwrap_or_else(|| app.clock.now())), ..filter.clone() };
    loop {
        let ids = store::dead_letters::replayable(&app.db, &filter, &after, PAGE).await?;
        let Some(last) = ids.last() else { break };
        after.clone_from(last);
        let now = app.clock.now();
        let mut tx = app.db.begin_ordered().await?;
        for id in &ids {
            if revive(app, &mut tx, id, now).await? {
                done.replayed += 1;
            } else {
                done.skipped += 1;
            }
        }
        tx.commit().await?;
        app.wake.outbox.notify_one();
        app.wake.events.notify_waiters();
        if done.replayed + done.skipped >= REPLAY_MAX {
            done.more = !store::dead_letters::replayable(&app.db, &filter, &after, 1).await?.is_empty();
            break;
        }
    }
    Ok(done)
}

async fn revive(app: &App, tx: &mut Tx, id: &str, now: At) -> store::Result<bool> {
    let Some(message) = store::messages::find(&mut *tx, id).await? else { return Ok(false) };
    let account = store::accounts::find(&mut *tx, &message.channel_account_id).await?.filter(|account| account.is_active);
    let Some(account) = account.filter(|_| check_replayable(&message, false).is_ok()) else { return Ok(false) };
    requeue(app, tx, &account, message, Priority::Bulk, now).await?;
    Ok(true)
}

/// Settles an uncertain message as a person found it; nothing is sent.
///
/// # Errors
/// 409 where the message isn't uncertain.
pub async fn resolve(app: &App, message: &Message, verdict: Verdict) -> Result<Message, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.begin_ordered().await?;
    let mut message = store::messages::find(&mut tx, &message.id).await?.ok_or_else(|| ApiError::not_found("message", &message.id))?;
    if message.state != MessageState::Uncertain {
        let why = format!("The message is {}: only an uncertain one can be resolved.", message.state);
        return Err(ApiError::conflict("not_uncertain", why));
    }
    let event = match verdict {
        Verdict::Sent => {
            message.state = MessageState::Sent;
            message.failure = None;
            message.sent_at = Some(dispatched_at(&mut tx, &message).await?.unwrap_or(now));
            join_conversation(app, &mut tx, &mut message, &[], now).await?;
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
    store::messages::save_state(&mut tx, &message).await?;
    tell(app, &mut tx, event, &message, now).await?;
    tx.commit().await?;
    app.wake.events.notify_waiters();
    Ok(message)
}

/// When bytes of its last attempt left.
async fn dispatched_at(tx: &mut Tx, message: &Message) -> store::Result<Option<At>> {
    let attempts = store::outbox::attempts_of(tx, &[&message.id]).await?;
    Ok(attempts.iter().rev().find_map(|attempt| attempt.dispatched_at))
}
