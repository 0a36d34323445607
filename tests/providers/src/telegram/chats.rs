//! Chats: who they are, what state they are in for the bots, and what has been said in them.

use std::collections::{BTreeMap, HashMap};

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::telegram::answer::Refusal;

/// So many messages of each chat are kept for edits, replies and people who look.
const HISTORY_MAX: usize = 500;
/// Conversations are spread over so many locks.
const SHARDS: usize = 64;

/// What a bot meets when it writes to a chat.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ChatState {
    /// It can write.
    #[default]
    Active,
    /// 403: the user has blocked the bot.
    Blocked,
    /// 403: the user has deleted the account.
    Deactivated,
    /// 403: the user has never pressed Start.
    Unstarted,
    /// 403: the recipient is a bot.
    Bot,
    /// 403: the bot was removed from the group or channel.
    Kicked,
    /// 403: the bot was never a member.
    NotMember,
    /// 403: the basic group was deleted.
    Deleted,
    /// 400: the group goes on as a supergroup under another id.
    Migrated {
        /// The supergroup's id, −100….
        migrate_to_chat_id: i64,
    },
    /// 400: chat not found.
    NotFound,
    /// 400: the bot may not write there.
    NoRights,
    /// 400: the forum topic is closed.
    TopicClosed,
    /// 400: there is no such forum topic.
    ThreadNotFound,
}

#[derive(Debug, Default)]
struct Card {
    state: ChatState,
    /// The chat object, as far as it is known.
    facts: Map<String, Value>,
}

/// A chat as a request names it.
#[derive(Debug, Clone)]
pub(crate) struct Chat {
    pub(crate) id: i64,
    /// The chat object of messages.
    pub(crate) json: Value,
}

impl Chat {
    pub(crate) fn kind(&self) -> &str {
        self.json["type"].as_str().unwrap_or_default()
    }
}

/// What was said in one chat.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    last_id: i64,
    messages: BTreeMap<i64, Value>,
    deleted: Vec<i64>,
}

impl Conversation {
    /// The id of the next message.
    pub(crate) fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    /// The newest message that has been said and not been deleted.
    pub(crate) fn newest(&self) -> Option<i64> {
        self.messages.last_key_value().map(|(id, _)| *id)
    }

    pub(crate) fn keep(&mut self, id: i64, message: Value) {
        self.last_id = self.last_id.max(id);
        self.messages.insert(id, message);
        if self.messages.len() > HISTORY_MAX {
            self.messages.pop_first();
        }
    }

    pub(crate) fn message(&self, id: i64) -> Option<&Value> {
        self.messages.get(&id)
    }

    pub(crate) fn message_mut(&mut self, id: i64) -> Option<&mut Value> {
        self.messages.get_mut(&id)
    }

    pub(crate) fn delete(&mut self, id: i64) -> bool {
        let deleted = self.messages.remove(&id).is_some();
        if deleted {
            self.deleted.push(id);
        }
        deleted
    }

    pub(crate) fn was_deleted(&self, id: i64) -> bool {
        self.deleted.contains(&id)
    }

    pub(crate) fn messages(&self) -> Vec<Value> {
        self.messages.values().cloned().collect()
    }
}

#[derive(Debug)]
pub(crate) struct Chats {
    cards: RwLock<HashMap<i64, Card>>,
    names: RwLock<HashMap<String, i64>>,
    conversations: Vec<Mutex<HashMap<(i64, i64), Conversation>>>,
}

impl Default for Chats {
    fn default() -> Self {
        let conversations = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { cards: RwLock::default(), names: RwLock::default(), conversations }
    }
}

impl Chats {
    /// Finds the chat that a request names. Any number is a chat, unless its state says otherwise.
    pub(crate) fn find(&self, chat_id: &str) -> Result<Chat, Refusal> {
        let chat_id = chat_id.trim();
        if chat_id.is_empty() {
            return Err(Refusal::bad("chat_id is empty"));
        }
        let id = match chat_id.strip_prefix('@') {
            Some(name) => self.id_of(name),
            None => chat_id.parse().ok().filter(|id| *id != 0).ok_or_else(|| Refusal::bad("chat not found"))?,
        };
        let cards = self.cards.read();
        let card = cards.get(&id);
        if card.is_some_and(|card| card.state == ChatState::NotFound) {
            return Err(Refusal::bad("chat not found"));
        }
        Ok(Chat { id, json: card.map_or_else(|| default_card(id), |card| Value::Object(card.facts.clone())) })
    }

    /// Refuses where the bot can't write: the texts are those of the server.
    pub(crate) fn check_writable(&self, chat: &Chat, thread: Option<i64>) -> Result<(), Refusal> {
        let state = self.cards.read().get(&chat.id).map(|card| card.state.clone()).unwrap_or_default();
        let kind = if chat.kind() == "private" { "group" } else { chat.kind() };
        Err(match state {
            ChatState::Active => return Ok(()),
            ChatState::TopicClosed | ChatState::ThreadNotFound if thread.is_none() => return Ok(()),
            ChatState::Blocked => Refusal::forbidden("bot was blocked by the user"),
            ChatState::Deactivated => Refusal::forbidden("user is deactivated"),
            ChatState::Unstarted => Refusal::forbidden("bot can't initiate conversation with a user"),
            ChatState::Bot => Refusal::forbidden("bots can't send messages to bots"),
            ChatState::Kicked => Refusal::forbidden(&format!("bot was kicked from the {kind} chat")),
            ChatState::NotMember => Refusal::forbidden(&format!("bot is not a member of the {kind} chat")),
            ChatState::Deleted => Refusal::forbidden("the group chat was deleted"),
            ChatState::Migrated { migrate_to_chat_id } => {
                Refusal::bad("group chat was upgraded to a supergroup chat").with(json!({"migrate_to_chat_id": migrate_to_chat_id}))
            }
            ChatState::NotFound => Refusal::bad("chat not found"),
            ChatState::NoRights => Refusal::bad("not enough rights to send text messages to the chat"),
            ChatState::TopicClosed => Refusal::bad("TOPIC_CLOSED"),
            ChatState::ThreadNotFound => Refusal::bad("message thread not found"),
        })
    }

    pub(crate) fn set_state(&self, id: i64, state: ChatState) {
        self.cards.write().entry(id).or_insert_with(|| Card { facts: card_facts(id), ..Card::default() }).state = state;
    }

    pub(crate) fn state(&self, id: i64) -> ChatState {
        self.cards.read().get(&id).map(|card| card.state.clone()).unwrap_or_default()
    }

    /// What an update or a person told of a chat.
    pub(crate) fn learn(&self, chat: &Map<String, Value>) {
        let Some(id) = chat.get("id").and_then(Value::as_i64) else { return };
        let known = self.cards.read().get(&id).is_some_and(|card| chat.iter().all(|(name, value)| card.facts.get(name) == Some(value)));
        if known {
            return;
        }
        if let Some(name) = chat.get("username").and_then(Value::as_str) {
            self.names.write().insert(name.to_lowercase(), id);
        }
        let mut cards = self.cards.write();
        let card = cards.entry(id).or_insert_with(|| Card { facts: card_facts(id), ..Card::default() });
        card.facts.extend(chat.iter().map(|(name, value)| (name.clone(), value.clone())));
    }

    /// The chat of a public name: a channel is made up for one that nobody has told of.
    fn id_of(&self, name: &str) -> i64 {
        let key = name.to_lowercase();
        if let Some(id) = self.names.read().get(&key) {
            return *id;
        }
        let mut names = self.names.write();
        let id = -1_001_800_000_000 - i64::try_from(names.len()).unwrap_or_default();
        names.insert(key, id);
        drop(names);
        let facts = json!({"id": id, "type": "channel", "title": name, "username": name});
        self.learn(facts.as_object().unwrap_or(&Map::new()));
        id
    }

    /// Private chats are each bot's own; groups and channels are one for all bots.
    pub(crate) fn with<T>(&self, bot: i64, chat: i64, act: impl FnOnce(&mut Conversation) -> T) -> T {
        let key = (if chat < 0 { 0 } else { bot }, chat);
        let shard = usize::try_from(chat.unsigned_abs() % SHARDS as u64).unwrap_or_default();
        match self.conversations.get(shard) {
            Some(conversations) => act(conversations.lock().entry(key).or_default()),
            None => act(&mut Conversation::default()),
        }
    }
}

fn default_card(id: i64) -> Value {
    if id > 0 {
        json!({"id": id, "type": "private", "first_name": format!("User {id}")})
    } else if id <= -1_000_000_000_000 {
        json!({"id": id, "type": "supergroup", "title": format!("Group {id}")})
    } else {
        json!({"id": id, "type": "group", "title": format!("Group {id}"), "all_members_are_administrators": false})
    }
}

fn card_facts(id: i64) -> Map<String, Value> {
    match default_card(id) {
        Value::Object(facts) => facts,
        _ => Map::new(),
    }
}
