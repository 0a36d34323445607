//! What is done to messages and chats, not said.

use patchbay_plugin::messages::{Accepted, Custom, Reaction, Sent};
use patchbay_plugin::{Failure, log};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Context;
use super::plan::length;
use crate::address::{Chat, Target, id_value};
use crate::api::{self, Parameters, Trouble, parameters};
use crate::receive;

/// Done, about that message.
pub(super) fn done(target: Option<&str>) -> Sent {
    Sent {
        accepted: vec![Accepted { part: 0, external_id: target.map(str::to_owned), extras: Vec::new() }],
        failed: None,
        events: Vec::new(),
    }
}

/// The parameters that name a message.
pub(super) fn named(target: &str, pointer: &str) -> Result<Parameters, Failure> {
    Ok(match Target::parse(target, pointer)? {
        Target::Message { chat, id } => parameters! {"chat_id": id_value(&chat), "message_id": id},
        Target::Inline(id) => parameters! {"inline_message_id": id},
    })
}

/// A bot has one reaction on a message: setting it replaces the one before, and may be repeated.
pub(super) fn react(reaction: &Reaction) -> Result<Sent, Failure> {
    let mut parameters = named(&reaction.target, "/react/target")?;
    let reactions = match reaction.emoji.as_deref() {
        None | Some("") => json!([]),
        Some(_) if reaction.removed => json!([]),
        Some("paid") => return Err(Failure::unsupported("paid_reaction", "bots can't react with stars")),
        Some(emoji) => match emoji.strip_prefix("custom:") {
            Some(id) => json!([{"type": "custom_emoji", "custom_emoji_id": id}]),
            None => json!([{"type": "emoji", "emoji": emoji}]),
        },
    };
    parameters.insert("reaction".into(), reactions);
    match api::repeat("setMessageReaction", &parameters) {
        Err(Trouble::Refused(refusal)) if refusal.says("REACTION_INVALID") => {
            Err(Failure::rejected("reaction_invalid", "Telegram has no such reaction, or the chat doesn't allow it"))
        }
        other => Ok(other.map(|_| done(Some(&reaction.target)))?),
    }
}

/// It ends by itself within 5 s, or with the next message.
pub(super) fn typing(chat: &Chat, on: bool) -> Result<Sent, Failure> {
    if on {
        let mut parameters = parameters! {"chat_id": chat.id_value(), "action": "typing"};
        if let Some(topic) = chat.topic {
            parameters.insert("message_thread_id".into(), topic.into());
        }
        api::repeat("sendChatAction", &parameters)?;
    }
    Ok(done(None))
}

pub(super) fn custom(context: &Context<'_>, custom: &Custom) -> Result<Sent, Failure> {
    match custom.kind.as_str() {
        "callback_answer" => answer(&read(custom)?),
        "poll_stop" => stop(context, &read(custom)?),
        other => Err(Failure::unsupported("command", format!("there is no command {other}: callback_answer and poll_stop are"))),
    }
}

fn read<'a, T: Deserialize<'a>>(custom: &'a Custom) -> Result<T, Failure> {
    serde_json::from_str(&custom.json).map_err(|error| Failure::invalid("/custom/data", error.to_string()))
}

/// `callback_answer`: ends the waiting of a pressed button, with a word to the person if there is one.
#[derive(Deserialize)]
struct Answer {
    callback_query_id: String,
    text: Option<String>,
    #[serde(default)]
    show_alert: bool,
    url: Option<String>,
    /// Seconds.
    cache_time: Option<u32>,
}

fn answer(answer: &Answer) -> Result<Sent, Failure> {
    let mut parameters = parameters! {"callback_query_id": answer.callback_query_id};
    if let Some(text) = &answer.text {
        length(text, 0, 200, "/custom/data/text")?;
        parameters.insert("text".into(), text.as_str().into());
    }
    if answer.show_alert {
        parameters.insert("show_alert".into(), true.into());
    }
    if let Some(url) = &answer.url {
        parameters.insert("url".into(), url.as_str().into());
    }
    if let Some(seconds) = answer.cache_time {
        parameters.insert("cache_time".into(), seconds.into());
    }
    match api::repeat("answerCallbackQuery", &parameters) {
        // Too late, or answered already: nobody waits for it any more.
        Err(Trouble::Refused(refusal)) if refusal.says("query is too old") || refusal.says("query ID is invalid") => {
            log::debug("a button press was answered too late", &[]);
            Ok(done(None))
        }
        other => Ok(other.map(|_| done(None))?),
    }
}

/// `poll_stop`: closes a poll of the bot's.
#[derive(Deserialize)]
struct Stop {
    /// `<chat id>:<message id>`.
    target: String,
}

fn stop(context: &Context<'_>, stop: &Stop) -> Result<Sent, Failure> {
    let parameters = named(&stop.target, "/custom/data/target")?;
    let mut sent = done(Some(&stop.target));
    match api::repeat("stopPoll", &parameters) {
        Ok(poll) => {
            let mut totals = receive::poll_state(&poll);
            totals.dedupe_key = format!("tg:{}:poll_stop:{}", context.bot, stop.target);
            sent.events.push(totals);
        }
        Err(Trouble::Refused(refusal)) if refusal.says("poll has already been closed") => {}
        Err(trouble) => return Err(trouble.into()),
    }
    Ok(sent)
}

/// Whether an edit changed nothing, which is what was wanted.
pub(super) fn unchanged(result: &Result<Value, Trouble>) -> bool {
    matches!(result, Err(Trouble::Refused(refusal)) if refusal.says("message is not modified"))
}
