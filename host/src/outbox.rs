//! What goes out. A request is checked and stored with its place in the queue in one transaction ([`enqueue`]); workers
//! claim, send and settle ([`worker`]). The outcome of an attempt has three values: accepted, refused, uncertain.

mod attempt;
mod breaker;
mod cancel;
mod check;
mod claim;
mod crash;
mod dead_letters;
mod enqueue;
mod outbound;
mod preview;
mod rates;
pub mod retry;
mod settle;
mod slots;
mod sweep;
pub mod worker;

pub use breaker::sending;
pub use cancel::{cancel, cancel_waiting};
pub(crate) use check::check;
pub use dead_letters::{Replayed, Verdict, replay, replay_all, resolve};
pub(crate) use enqueue::command_of;
pub use enqueue::{KeptAnswer, Prepared, SendRequest, enqueue, prepare, store_prepared};
pub use sweep::{KEPT_FOR, forget};

use std::time::Duration;

use serde_json::Map;

use crate::{
    clock::At,
    domain::{
        content::Extras,
        message::{Direction, Message, MessageState, Priority},
        stats::Measures,
    },
    ledger::Page,
    store::{outbox::Queued, people::Owner},
};

/// A follow-up (the answer to a button press) is worth nothing after this time.
const FOLLOW_UP_EXPIRES: Duration = Duration::from_secs(60);

/// A message with nothing in it.
pub fn blank_message(id: String, owner: Owner<'_>, direction: Direction, state: MessageState, now: At) -> Message {
    Message {
        id,
        organization_id: owner.organization_id.to_owned(),
        channel_account_id: owner.account_id.to_owned(),
        conversation_id: None,
        contact_id: None,
        direction,
        kind: "message".to_owned(),
        to: None,
        external_id: None,
        command: None,
        content: Vec::new(),
        origin: None,
        echo: false,
        automatic: false,
        reply_to: None,
        reactions: Vec::new(),
        votes: Vec::new(),
        interactions: Vec::new(),
        extras: Extras::new(),
        facts: Map::new(),
        state,
        failure: None,
        attempts: 0,
        provider_at: None,
        send_at: None,
        expires_at: None,
        sent_at: None,
        delivered_at: None,
        read_at: None,
        played_at: None,
        failed_at: None,
        edited_at: None,
        deleted_at: None,
        created_at: now,
        measures: Measures::default(),
    }
}

/// Stores the message with its place in the queue. What shares a lane is sent one after another.
pub fn queue(page: &mut Page<'_>, message: Message, lane: String, parked: Option<&'static str>) {
    queue_behind(page, message, lane, Priority::Normal, parked);
}

/// The same with the priority given.
fn queue_behind(page: &mut Page<'_>, message: Message, lane: String, priority: Priority, parked: Option<&'static str>) {
    let now = page.now();
    page.queue(Queued {
        message_id: message.id.clone(),
        account_id: message.channel_account_id.clone(),
        lane,
        priority,
        due_at: message.send_at.unwrap_or(now),
        expires_at: message.expires_at.unwrap_or_else(|| now.plus(FOLLOW_UP_EXPIRES)),
        parked,
    });
    page.save(message);
}
