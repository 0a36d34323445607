//! Messages changed, taken back, reacted to.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::clock;
use crate::telegram::answer::{Outcome, Refusal};
use crate::telegram::bots::Bot;
use crate::telegram::chats::Chat;
use crate::telegram::markup;
use crate::telegram::message::set_words;
use crate::telegram::methods::{done, send};
use crate::telegram::params::Params;
use crate::telegram::server::Server;
use crate::telegram::text;

const NOT_MODIFIED: &str = "message is not modified: specified new message content and reply markup are exactly the same as a current \
                            content and reply markup of the message";
/// Parts of a message that hold its media.
const MEDIA: &[&str] = &["photo", "video", "animation", "audio", "document", "voice"];
/// Everything that new media replaces.
const REPLACED: &[&str] = &["photo", "video", "animation", "audio", "document", "caption", "caption_entities", "has_media_spoiler"];
const DELETE_MAX: usize = 100;
/// What bots may react with.
const REACTIONS: &str = "❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 \
                         🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡";

pub(crate) fn text(server: &Arc<Server>, bot: &Bot, params: &Params) -> Outcome {
    let target = Target::read(server, params)?;
    let words = text::text(params)?;
    let options = send::link_preview_options(params)?;
    target.change(server, bot, |message| {
        if !message.contains_key("text") {
            return Err(Refusal::bad("there is no text in the message to edit"));
        }
        set_words(message, "text", "entities", words);
        match options {
            Some(options) => message.insert("link_preview_options".into(), options),
            None => message.remove("link_preview_options"),
        };
        Ok(())
    })
}

pub(crate) fn caption(server: &Arc<Server>, bot: &Bot, params: &Params) -> Outcome {
    let target = Target::read(server, params)?;
    let words = text::caption(&params.text("caption"), &params.text("parse_mode"), params.json("caption_entities")?.as_deref())?;
    target.change(server, bot, |message| {
        if !MEDIA.iter().any(|part| message.contains_key(*part)) {
            return Err(Refusal::bad("there is no caption in the message to edit"));
        }
        set_words(message, "caption", "caption_entities", words.unwrap_or_default());
        message.retain(|name, value| name != "caption" || value != "");
        Ok(())
    })
}

pub(crate) async fn media(server: &Arc<Server>, bot: &Bot, params: &Params) -> Outcome {
    let target = Target::read(server, params)?;
    let media = params.json("media").map_err(|_| Refusal::bad("can't parse media JSON object"))?;
    let Some(item) = media.as_deref().and_then(Value::as_object) else { return Err(Refusal::bad("media must be a JSON object")) };
    let (_, content) = send::input_media(server, item, params).await?;
    target.change(server, bot, |message| {
        if !MEDIA.iter().any(|part| message.contains_key(*part)) {
            return Err(Refusal::bad("there is no media in the message to edit"));
        }
        message.retain(|name, _| !REPLACED.contains(&name.as_str()));
        message.extend(content);
        Ok(())
    })
}

pub(crate) fn reply_markup(server: &Arc<Server>, bot: &Bot, params: &Params) -> Outcome {
    Target::read(server, params)?.change(server, bot, |_| Ok(()))
}

/// A message of the bot, and the keyboard that it will have.
struct Target {
    chat: Chat,
    message_id: i64,
    reply_markup: Option<Value>,
}

impl Target {
    fn read(server: &Server, params: &Params) -> Result<Self, Refusal> {
        let message_id = params.number("message_id").filter(|id| *id != 0);
        let message_id = message_id.ok_or_else(|| Refusal::bad("message identifier is not specified"))?;
        let chat = server.chats.find(&params.text("chat_id"))?;
        server.chats.check_writable(&chat, None)?;
        Ok(Self { chat, message_id, reply_markup: markup::read(params, false, true)? })
    }

    fn change(self, server: &Server, bot: &Bot, edit: impl FnOnce(&mut Map<String, Value>) -> Result<(), Refusal>) -> Outcome {
        server.chats.with(bot.id, self.chat.id, |conversation| {
            let current = conversation.message(self.message_id).and_then(Value::as_object);
            let current = current.ok_or_else(|| Refusal::bad("message to edit not found"))?;
            let own = self.chat.kind() == "channel" || current.get("from").is_some_and(|from| from["id"] == bot.id);
            if !own {
                return Err(Refusal::bad("message can't be edited"));
            }
            let mut edited = current.clone();
            edit(&mut edited)?;
            match self.reply_markup {
                Some(reply_markup) => edited.insert("reply_markup".into(), reply_markup),
                None => edited.remove("reply_markup"),
            };
            if edited == *current {
                return Err(Refusal::bad(NOT_MODIFIED));
            }
            edited.insert("edit_date".into(), clock::now_s().into());
            let edited = Value::Object(edited);
            conversation.keep(self.message_id, edited.clone());
            Ok(edited.into())
        })
    }
}

pub(crate) fn delete(server: &Server, bot: &Bot, params: &Params) -> Outcome {
    let chat = server.chats.find(&params.text("chat_id"))?;
    let message_id = params.number("message_id").ok_or_else(|| Refusal::bad("message identifier is not specified"))?;
    if server.chats.with(bot.id, chat.id, |conversation| conversation.delete(message_id)) {
        return done();
    }
    Err(Refusal::bad("message to delete not found"))
}

/// 1 to 100; those that can't be found are skipped.
pub(crate) fn delete_many(server: &Server, bot: &Bot, params: &Params) -> Outcome {
    let chat = server.chats.find(&params.text("chat_id"))?;
    let ids = params.json("message_ids").map_err(|_| Refusal::bad("can't parse message_ids JSON object"))?;
    let ids = ids.as_deref().and_then(Value::as_array).cloned().unwrap_or_default();
    if ids.is_empty() {
        return Err(Refusal::bad("message identifiers are not specified"));
    }
    if ids.len() > DELETE_MAX {
        return Err(Refusal::bad("too many message identifiers specified"));
    }
    server.chats.with(bot.id, chat.id, |conversation| {
        ids.iter().filter_map(Value::as_i64).for_each(|id| {
            conversation.delete(id);
        });
    });
    done()
}

/// Sets the bot's reaction, at most one; an empty list takes it back.
pub(crate) fn react(server: &Server, bot: &Bot, params: &Params) -> Outcome {
    let chat = server.chats.find(&params.text("chat_id"))?;
    server.chats.check_writable(&chat, None)?;
    let message_id = params.number("message_id").ok_or_else(|| Refusal::bad("message identifier is not specified"))?;
    let reaction = params.json("reaction").map_err(|_| Refusal::bad("can't parse reaction types JSON object"))?;
    let reactions = match reaction.as_deref() {
        None => &[][..],
        Some(Value::Array(reactions)) => reactions,
        Some(_) => return Err(Refusal::bad("expected an Array of ReactionType")),
    };
    if reactions.len() > 1 {
        return Err(Refusal::bad("REACTIONS_TOO_MANY"));
    }
    for reaction in reactions {
        match reaction["type"].as_str() {
            // The variation selector that many keyboards add isn't part of Telegram's list.
            Some("emoji") => {
                let emoji = reaction["emoji"].as_str().unwrap_or_default().replace('\u{fe0f}', "");
                if emoji.is_empty() || !REACTIONS.split_whitespace().any(|known| known == emoji) {
                    return Err(Refusal::bad("REACTION_INVALID"));
                }
            }
            Some("custom_emoji") => {}
            _ => return Err(Refusal::bad("invalid reaction type specified")),
        }
    }
    let gone = server.chats.with(bot.id, chat.id, |conversation| {
        conversation.was_deleted(message_id) || (server.options.strict_history && conversation.message(message_id).is_none())
    });
    if gone || message_id <= 0 {
        return Err(Refusal::bad("message to react not found"));
    }
    done()
}
