//! Messages that bots send: where they go, and the full object that the server gives back.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::clock;
use crate::telegram::answer::Refusal;
use crate::telegram::bots::Bot;
use crate::telegram::chats::Chat;
use crate::telegram::html::Formatted;
use crate::telegram::markup;
use crate::telegram::params::{Params, flag_of};
use crate::telegram::server::Server;

/// Where a message goes, with what surrounds its content.
pub(crate) struct Destination {
    pub(crate) chat: Chat,
    thread: Option<i64>,
    reply_to: Option<Value>,
    reply_markup: Option<Value>,
    protected: bool,
}

impl Destination {
    pub(crate) fn read(server: &Server, bot: &Bot, params: &Params) -> Result<Self, Refusal> {
        let chat = server.chats.find(&params.text("chat_id"))?;
        let thread = params.number("message_thread_id").filter(|thread| *thread != 0);
        let reply_markup = markup::read(params, chat.kind() == "private", false)?;
        server.chats.check_writable(&chat, thread)?;
        // 1 is the General topic, which is written to without a thread.
        if thread == Some(1) || (thread.is_some() && chat.json["is_forum"] == false) {
            return Err(Refusal::bad("message thread not found"));
        }
        let reply_to = reply_to(server, bot, params, &chat)?;
        Ok(Self { chat, thread, reply_to, reply_markup, protected: params.flag("protect_content") })
    }
}

/// The message answered, as it appears in the answer.
fn reply_to(server: &Server, bot: &Bot, params: &Params, chat: &Chat) -> Result<Option<Value>, Refusal> {
    let reply = params.json("reply_parameters").map_err(|_| Refusal::bad("can't parse reply parameters JSON object"))?;
    let (message_id, lenient) = match reply.as_deref() {
        None => (params.number("reply_to_message_id"), params.flag("allow_sending_without_reply")),
        Some(Value::Object(reply)) => {
            let id = reply.get("message_id").and_then(|id| id.as_i64().or_else(|| id.as_str()?.parse().ok()));
            (id, flag_of(reply.get("allow_sending_without_reply")))
        }
        Some(_) => return Err(Refusal::bad("object expected as reply parameters")),
    };
    let Some(message_id) = message_id.filter(|id| *id != 0) else { return Ok(None) };
    let found = server.chats.with(bot.id, chat.id, |conversation| match conversation.message(message_id) {
        Some(message) => Some(message.clone()),
        // What was said before this server started is believed, unless the option asks for proof.
        None if conversation.was_deleted(message_id) || server.options.strict_history || message_id < 0 => None,
        None => Some(json!({"message_id": message_id, "date": clock::now_s(), "chat": chat.json})),
    });
    match found {
        Some(mut message) => {
            if let Some(fields) = message.as_object_mut() {
                // Replies aren't nested.
                fields.remove("reply_to_message");
            }
            Ok(Some(message))
        }
        None if lenient => Ok(None),
        None => Err(Refusal::bad("message to be replied not found")),
    }
}

/// Adds `text` and `entities`, or `caption` and `caption_entities`.
pub(crate) fn set_words(content: &mut Map<String, Value>, field: &str, entities_field: &str, words: Formatted) {
    content.insert(field.to_owned(), words.text.into());
    if words.entities.is_empty() {
        content.remove(entities_field);
    } else {
        content.insert(entities_field.to_owned(), words.entities.into());
    }
}

/// Puts content into the chat under the next id and returns the message.
pub(crate) fn post(server: &Arc<Server>, bot: &Bot, to: &Destination, mut content: Map<String, Value>) -> Value {
    content.insert("date".into(), clock::now_s().into());
    content.insert("chat".into(), to.chat.json.clone());
    if to.chat.kind() == "channel" {
        content.insert("sender_chat".into(), to.chat.json.clone());
    } else {
        content.insert("from".into(), bot.user());
    }
    if let Some(thread) = to.thread {
        content.insert("message_thread_id".into(), thread.into());
        content.insert("is_topic_message".into(), true.into());
    }
    if let Some(reply_to) = &to.reply_to {
        content.insert("reply_to_message".into(), reply_to.clone());
    }
    if let Some(reply_markup) = &to.reply_markup {
        content.insert("reply_markup".into(), reply_markup.clone());
    }
    if to.protected {
        content.insert("has_protected_content".into(), true.into());
    }
    server.chats.with(bot.id, to.chat.id, |conversation| {
        let id = conversation.next_id();
        content.insert("message_id".into(), id.into());
        let message = Value::Object(content);
        conversation.keep(id, message.clone());
        message
    })
}

/// The object inside a literal.
pub(crate) fn fields(literal: Value) -> Map<String, Value> {
    match literal {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
