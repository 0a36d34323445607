//! A bot's updates: numbered, kept until they are delivered, handed to a webhook or to `getUpdates`.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::clock;
use crate::telegram::answer::Refusal;

/// What a bot gets only where it asked for it.
const ONLY_ASKED_FOR: &[&str] = &["chat_member", "message_reaction", "message_reaction_count"];
const FIRST_UPDATE_ID: i64 = 900_000_001;
/// Undelivered updates expire after a day.
const KEPT_MS: u64 = 24 * 60 * 60 * 1000;

/// How the delivery of an update went, as far as its first attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// 0 where the bot doesn't want such updates: it was never numbered.
    pub update_id: i64,
    /// The webhook answered 2xx.
    pub delivered: bool,
    /// What the webhook answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it isn't delivered: queued for `getUpdates`, waiting behind another of its chat, the connection's error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Delivery {
    pub(crate) fn pending(update_id: i64, note: &str) -> Self {
        Self { update_id, delivered: false, status: None, note: Some(note.to_owned()) }
    }
}

#[derive(Debug)]
pub(crate) struct Webhook {
    pub(crate) url: String,
    pub(crate) secret_token: String,
    pub(crate) max_connections: usize,
    pub(crate) ip_address: Option<String>,
    pub(crate) permits: Semaphore,
    /// Counts the webhooks of a bot: a worker of an older one stops.
    generation: u64,
}

#[derive(Debug)]
struct Pending {
    lane: i64,
    at_ms: u64,
    update: Value,
    told: Option<oneshot::Sender<Delivery>>,
}

#[derive(Debug, Default)]
struct State {
    last_id: i64,
    pending: BTreeMap<i64, Pending>,
    webhook: Option<Arc<Webhook>>,
    generation: u64,
    /// None is the default: everything but what is only got where asked for.
    allowed: Option<Vec<String>>,
    /// Updates of one chat in their order. A lane exists while a worker drains it.
    lanes: HashMap<i64, VecDeque<i64>>,
    /// Counts the calls of `getUpdates`: an older one that still waits is terminated.
    poll: u64,
    last_error: Option<(u64, String)>,
}

#[derive(Debug, Default)]
pub(crate) struct Feed {
    state: Mutex<State>,
    changed: Notify,
}

/// A lane to be drained by a new worker.
pub(crate) type Lane = (Arc<Webhook>, i64);

pub(crate) struct Accepted {
    pub(crate) update_id: i64,
    /// None: the update waits for `getUpdates`.
    pub(crate) attempt: Option<oneshot::Receiver<Delivery>>,
    pub(crate) start: Option<Lane>,
}

impl Feed {
    /// Numbers an update and queues it. None where the bot doesn't want its kind.
    pub(crate) fn accept(&self, mut update: Map<String, Value>) -> Option<Accepted> {
        let kind = update.keys().find(|name| *name != "update_id").cloned().unwrap_or_default();
        let mut state = self.state.lock();
        let wanted = state.allowed.as_ref().map_or_else(|| !ONLY_ASKED_FOR.contains(&kind.as_str()), |allowed| allowed.contains(&kind));
        if !wanted {
            return None;
        }
        let update_id = update.get("update_id").and_then(Value::as_i64).unwrap_or_else(|| (state.last_id + 1).max(FIRST_UPDATE_ID));
        state.last_id = state.last_id.max(update_id);
        update.insert("update_id".into(), update_id.into());
        // What belongs to no chat waits for nothing.
        let lane = chat_of(&update).unwrap_or(i64::MIN / 2 + update_id);
        let (told, attempt) = oneshot::channel();
        let pending = Pending { lane, at_ms: clock::now_ms(), update: Value::Object(update), told: Some(told) };
        state.pending.insert(update_id, pending);
        let Some(webhook) = state.webhook.clone() else {
            drop(state);
            self.changed.notify_waiters();
            return Some(Accepted { update_id, attempt: None, start: None });
        };
        let fresh = !state.lanes.contains_key(&lane);
        state.lanes.entry(lane).or_default().push_back(update_id);
        Some(Accepted { update_id, attempt: Some(attempt), start: fresh.then_some((webhook, lane)) })
    }

    /// The update at the head of a lane. None ends its worker: the lane is empty, or the webhook is another.
    pub(crate) fn head(&self, (webhook, lane): &Lane) -> Option<(i64, Value)> {
        let mut state = self.state.lock();
        if state.generation != webhook.generation {
            return None;
        }
        let now = clock::now_ms();
        while let Some(update_id) = state.lanes.get(lane).and_then(|ids| ids.front()).copied() {
            match state.pending.get(&update_id) {
                Some(pending) if now.saturating_sub(pending.at_ms) < KEPT_MS => return Some((update_id, pending.update.clone())),
                _ => {
                    state.pending.remove(&update_id);
                    state.lanes.get_mut(lane).map(VecDeque::pop_front);
                }
            }
        }
        state.lanes.remove(lane);
        None
    }

    /// Tells who pushed the update how its first attempt went, and forgets the update where that was well.
    pub(crate) fn attempted(&self, (webhook, lane): &Lane, delivery: Delivery) {
        let mut state = self.state.lock();
        let told = state.pending.get_mut(&delivery.update_id).and_then(|pending| pending.told.take());
        if delivery.delivered {
            state.pending.remove(&delivery.update_id);
            // The updates may have been dropped, and others come, while this one was on its way.
            if state.generation == webhook.generation
                && let Some(ids) = state.lanes.get_mut(lane)
                && ids.front() == Some(&delivery.update_id)
            {
                ids.pop_front();
            }
        } else {
            let text = delivery.status.map(|status| format!("Wrong response from the webhook: {}", reason(status)));
            state.last_error = text.or_else(|| delivery.note.clone()).map(|text| (clock::now_s(), text));
        }
        drop(state);
        if let Some(told) = told {
            told.send(delivery).ok();
        }
    }

    /// Returns the lanes to be drained to the new webhook.
    pub(crate) fn set_webhook(&self, url: &str, secret_token: &str, max_connections: usize, ip_address: Option<String>) -> Vec<Lane> {
        let mut state = self.state.lock();
        state.generation += 1;
        let webhook = Arc::new(Webhook {
            url: url.to_owned(),
            secret_token: secret_token.to_owned(),
            max_connections,
            ip_address,
            permits: Semaphore::new(max_connections),
            generation: state.generation,
        });
        state.webhook = Some(Arc::clone(&webhook));
        state.last_error = None;
        let mut lanes: HashMap<i64, VecDeque<i64>> = HashMap::new();
        for (update_id, pending) in &state.pending {
            lanes.entry(pending.lane).or_default().push_back(*update_id);
        }
        state.lanes = lanes;
        let start = state.lanes.keys().map(|lane| (Arc::clone(&webhook), *lane)).collect();
        drop(state);
        self.changed.notify_waiters();
        start
    }

    /// False where there was none.
    pub(crate) fn delete_webhook(&self) -> bool {
        let mut state = self.state.lock();
        state.generation += 1;
        state.lanes.clear();
        state.last_error = None;
        state.webhook.take().is_some()
    }

    /// The webhook is dropped by the server itself, unless it has been replaced.
    pub(crate) fn give_up(&self, webhook: &Webhook) {
        let mut state = self.state.lock();
        if state.generation == webhook.generation {
            state.generation += 1;
            state.lanes.clear();
            state.webhook = None;
        }
    }

    pub(crate) fn webhook(&self) -> Option<Arc<Webhook>> {
        self.state.lock().webhook.clone()
    }

    pub(crate) fn drop_pending(&self) {
        let mut state = self.state.lock();
        state.pending.clear();
        state.lanes.values_mut().for_each(VecDeque::clear);
    }

    /// An empty list is the default; a list left out keeps the previous one.
    pub(crate) fn allow(&self, kinds: Option<Vec<String>>) {
        if let Some(kinds) = kinds {
            self.state.lock().allowed = (!kinds.is_empty()).then_some(kinds);
        }
    }

    /// `getWebhookInfo`.
    pub(crate) fn info(&self) -> Value {
        let state = self.state.lock();
        let mut info = json!({"url": "", "has_custom_certificate": false, "pending_update_count": state.pending.len()});
        if let Some(webhook) = &state.webhook {
            info["url"] = webhook.url.clone().into();
            info["max_connections"] = webhook.max_connections.into();
            info["ip_address"] = webhook.ip_address.clone().unwrap_or_else(|| "127.0.0.1".into()).into();
        }
        if let Some((date, message)) = &state.last_error {
            info["last_error_date"] = (*date).into();
            info["last_error_message"] = message.clone().into();
        }
        if let Some(allowed) = &state.allowed {
            info["allowed_updates"] = allowed.clone().into();
        }
        info
    }

    /// `getUpdates`: confirms what is below `offset`, then waits for something to answer.
    pub(crate) async fn poll(&self, offset: i64, limit: usize, timeout: Duration) -> Result<Vec<Value>, Refusal> {
        let deadline = Instant::now() + timeout;
        let ticket = self.begin_poll(offset);
        // An older call that waits is terminated now.
        self.changed.notify_waiters();
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let updates = self.ready(ticket, limit)?;
            if !updates.is_empty() || timeout_at(deadline, changed).await.is_err() {
                return Ok(updates);
            }
        }
    }

    fn begin_poll(&self, offset: i64) -> u64 {
        let mut state = self.state.lock();
        if state.webhook.is_none() {
            let from = if offset >= 0 {
                offset
            } else {
                let back = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
                state.pending.keys().rev().nth(back.saturating_sub(1)).copied().unwrap_or_default()
            };
            state.pending = state.pending.split_off(&from);
        }
        state.poll += 1;
        state.poll
    }

    fn ready(&self, ticket: u64, limit: usize) -> Result<Vec<Value>, Refusal> {
        let state = self.state.lock();
        if state.webhook.is_some() {
            let text = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
            return Err(Refusal::new(409, text));
        }
        if state.poll != ticket {
            let text = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
            return Err(Refusal::new(409, text));
        }
        Ok(state.pending.values().take(limit).map(|pending| pending.update.clone()).collect())
    }
}

/// `503 Service Unavailable`
fn reason(status: u16) -> String {
    axum::http::StatusCode::from_u16(status).map_or_else(|_| status.to_string(), |status| status.to_string())
}

/// The chat that an update belongs to, or the user where it belongs to no chat.
fn chat_of(update: &Map<String, Value>) -> Option<i64> {
    let (_, payload) = update.iter().find(|(name, _)| *name != "update_id")?;
    [&payload["chat"], &payload["message"]["chat"], &payload["user"], &payload["from"]].iter().find_map(|place| place["id"].as_i64())
}
