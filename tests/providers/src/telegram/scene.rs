//! What people do in a chat, made into updates.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::clock;
use crate::telegram::bots::Bot;
use crate::telegram::message::set_words;
use crate::telegram::server::Server;
use crate::telegram::text;

/// Somebody writes a text.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Say {
    /// The person's user id, and the private chat's where `chat` is left out.
    pub from: i64,
    /// The person's first name.
    pub name: String,
    /// The person's user name.
    pub username: Option<String>,
    /// The person's language.
    pub language_code: Option<String>,
    /// What is said.
    pub text: String,
    /// The group it is said in.
    pub chat: Option<i64>,
    /// The group's topic.
    pub thread: Option<i64>,
    /// The message answered.
    pub reply_to: Option<i64>,
}

/// Somebody presses an inline button.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Press {
    /// The person's user id, and the private chat's where `chat` is left out.
    pub from: i64,
    /// The person's first name.
    pub name: String,
    /// The chat of the message.
    pub chat: Option<i64>,
    /// The message with the button; left out, the last of the chat.
    pub message_id: Option<i64>,
    /// The button's `callback_data`.
    pub data: String,
}

fn person(id: i64, name: &str) -> Value {
    let name = if name.is_empty() { format!("User {id}") } else { name.to_owned() };
    json!({"id": id, "is_bot": false, "first_name": name})
}

/// A private chat has the person's names.
fn chat(server: &Server, person: &Value, chat: Option<i64>) -> Value {
    match chat {
        Some(chat) if chat < 0 => server.chats.find(&chat.to_string()).map(|chat| chat.json).unwrap_or_default(),
        _ => {
            let mut chat = json!({"id": person["id"], "type": "private", "first_name": person["first_name"]});
            if let Some(username) = person["username"].as_str() {
                chat["username"] = username.into();
            }
            chat
        }
    }
}

pub(crate) fn say(server: &Server, bot: &Bot, say: &Say) -> Map<String, Value> {
    let mut from = person(say.from, &say.name);
    if let Some(username) = &say.username {
        from["username"] = username.clone().into();
    }
    if let Some(language_code) = &say.language_code {
        from["language_code"] = language_code.clone().into();
    }
    let chat = chat(server, &from, say.chat);
    let chat_id = chat["id"].as_i64().unwrap_or_default();
    let mut message = Map::new();
    set_words(&mut message, "text", "entities", text::typed(&say.text));
    message.extend([("from".to_owned(), from), ("chat".to_owned(), chat), ("date".to_owned(), clock::now_s().into())]);
    if let Some(thread) = say.thread {
        message.extend([("message_thread_id".to_owned(), thread.into()), ("is_topic_message".to_owned(), true.into())]);
    }
    server.chats.with(bot.id, chat_id, |conversation| {
        if let Some(answered) = say.reply_to.and_then(|id| conversation.message(id)) {
            message.insert("reply_to_message".into(), answered.clone());
        }
        message.insert("message_id".into(), conversation.next_id().into());
    });
    Map::from_iter([("message".to_owned(), Value::Object(message))])
}

pub(crate) fn press(server: &Server, bot: &Bot, press: &Press) -> Map<String, Value> {
    let from = person(press.from, &press.name);
    let chat = chat(server, &from, press.chat);
    let chat_id = chat["id"].as_i64().unwrap_or_default();
    let message = server.chats.with(bot.id, chat_id, |conversation| {
        let message_id = press.message_id.or_else(|| conversation.newest()).unwrap_or(1);
        // A message that is gone is told without its content and with no date.
        conversation.message(message_id).cloned().unwrap_or_else(|| json!({"message_id": message_id, "date": 0, "chat": chat}))
    });
    let callback_query = json!({
        "id": format!("4382{}", server.next_number()), "from": from, "message": message, "chat_instance": format!("-{chat_id}"),
        "data": press.data,
    });
    Map::from_iter([("callback_query".to_owned(), callback_query)])
}
