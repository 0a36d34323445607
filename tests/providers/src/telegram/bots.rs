//! The bots of this server and their tokens.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};
use serde_json::{Value, json};

use crate::telegram::answer::Refusal;
use crate::telegram::updates::Feed;

/// At most this many ids of button presses wait for their answer.
const PRESSES_MAX: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Bot {
    pub(crate) id: i64,
    pub(crate) feed: Feed,
    names: RwLock<Names>,
    /// The only token that opens this bot; none where any of the right shape does.
    token: RwLock<Option<String>>,
    revoked: AtomicBool,
    presses: Mutex<Vec<String>>,
}

#[derive(Debug, Clone)]
struct Names {
    username: String,
    first_name: String,
}

impl Bot {
    fn new(id: i64) -> Self {
        let names = Names { username: format!("standin_{id}_bot"), first_name: format!("Stand-in {id}") };
        Self {
            id,
            feed: Feed::default(),
            names: RwLock::new(names),
            token: RwLock::default(),
            revoked: AtomicBool::new(false),
            presses: Mutex::default(),
        }
    }

    fn opens(&self, token: &str, only_registered: bool) -> bool {
        !self.revoked.load(Ordering::Relaxed) && self.token.read().as_deref().map_or(!only_registered, |registered| registered == token)
    }

    /// As it appears in messages.
    pub(crate) fn user(&self) -> Value {
        let names = self.names.read();
        json!({"id": self.id, "is_bot": true, "first_name": names.first_name, "username": names.username})
    }

    /// As `getMe` tells it.
    pub(crate) fn me(&self) -> Value {
        let names = self.names.read();
        json!({
            "id": self.id, "is_bot": true, "first_name": names.first_name, "username": names.username,
            "can_join_groups": true, "can_read_all_group_messages": false, "supports_inline_queries": false,
            "can_connect_to_business": false, "has_main_web_app": false, "has_topics_enabled": false,
        })
    }

    /// A press that may be answered once.
    pub(crate) fn expect_answer(&self, callback_query_id: &str) {
        let mut presses = self.presses.lock();
        if presses.len() == PRESSES_MAX {
            presses.remove(0);
        }
        presses.push(callback_query_id.to_owned());
    }

    /// False for an unknown press and for one that has been answered.
    pub(crate) fn take_press(&self, callback_query_id: &str) -> bool {
        let mut presses = self.presses.lock();
        let found = presses.iter().position(|id| id == callback_query_id);
        if let Some(at) = found {
            presses.remove(at);
        }
        found.is_some()
    }
}

#[derive(Debug)]
pub(crate) struct Bots {
    by_id: RwLock<HashMap<i64, Arc<Bot>>>,
    only_registered: bool,
}

impl Bots {
    pub(crate) fn new(only_registered: bool) -> Self {
        Self { by_id: RwLock::default(), only_registered }
    }

    /// Who calls. A token of the wrong shape is no path of the server (404); one that opens nothing is 401.
    pub(crate) fn authenticate(&self, token: &str) -> Result<Arc<Bot>, Refusal> {
        let id = shape(token).ok_or_else(|| Refusal::new(404, "Not Found"))?;
        if token.starts_with('0') {
            return Err(Refusal::new(401, "Unauthorized: invalid token specified"));
        }
        let unauthorized = || Refusal::new(401, "Unauthorized");
        let known = self.by_id.read().get(&id).cloned();
        let bot = match known {
            Some(bot) => bot,
            None if self.only_registered => return Err(unauthorized()),
            None => self.bot(id),
        };
        if bot.opens(token, self.only_registered) { Ok(bot) } else { Err(unauthorized()) }
    }

    /// The bot of this id, made where there is none.
    pub(crate) fn bot(&self, id: i64) -> Arc<Bot> {
        Arc::clone(self.by_id.write().entry(id).or_insert_with(|| Arc::new(Bot::new(id))))
    }

    /// From now on this token alone opens its bot, which also ends a revocation. None for a token of the wrong shape.
    pub(crate) fn register(&self, token: &str, username: Option<&str>, first_name: Option<&str>) -> Option<Arc<Bot>> {
        let bot = self.bot(shape(token)?);
        *bot.token.write() = Some(token.to_owned());
        bot.revoked.store(false, Ordering::Relaxed);
        let mut names = bot.names.write();
        if let Some(username) = username {
            names.username = username.to_owned();
        }
        if let Some(first_name) = first_name {
            names.first_name = first_name.to_owned();
        }
        drop(names);
        Some(bot)
    }

    pub(crate) fn set_revoked(&self, id: i64, revoked: bool) {
        self.bot(id).revoked.store(revoked, Ordering::Relaxed);
    }

    pub(crate) fn list(&self) -> Vec<Arc<Bot>> {
        let mut bots: Vec<_> = self.by_id.read().values().cloned().collect();
        bots.sort_by_key(|bot| bot.id);
        bots
    }
}

/// The bot's id where the token is `^\d{6,}:[A-Za-z0-9_-]{30,}$`.
fn shape(token: &str) -> Option<i64> {
    let (id, key) = token.split_once(':')?;
    let right = id.len() >= 6
        && id.bytes().all(|digit| digit.is_ascii_digit())
        && key.len() >= 30
        && key.bytes().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'_' | b'-'));
    if right { id.parse().ok() } else { None }
}
