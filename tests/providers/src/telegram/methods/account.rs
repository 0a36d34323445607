//! What a bot asks about itself and about others.

use std::sync::Arc;

use serde_json::json;

use crate::telegram::answer::{Outcome, Refusal};
use crate::telegram::bots::Bot;
use crate::telegram::message::fields;
use crate::telegram::methods::done;
use crate::telegram::params::Params;
use crate::telegram::server::Server;

/// In UTF-16 units.
const CALLBACK_TEXT_MAX: usize = 200;

/// Once for each press that was pushed from here.
pub(crate) fn answer_callback_query(bot: &Bot, params: &Params) -> Outcome {
    if params.text("text").encode_utf16().count() > CALLBACK_TEXT_MAX {
        return Err(Refusal::bad("MESSAGE_TOO_LONG"));
    }
    if bot.take_press(&params.text("callback_query_id")) {
        return done();
    }
    Err(Refusal::bad("query is too old and response timeout expired or query ID is invalid"))
}

pub(crate) fn file(server: &Server, params: &Params) -> Outcome {
    match params.text("file_id") {
        file_id if file_id.is_empty() => Err(Refusal::bad("file_id not specified")),
        file_id => Ok(server.files.describe(&file_id)?.into()),
    }
}

pub(crate) fn chat(server: &Arc<Server>, params: &Params) -> Outcome {
    let chat = server.chats.find(&params.text("chat_id"))?;
    let mut full = fields(chat.json);
    for (name, value) in fields(json!({"accent_color_id": 0, "max_reaction_count": 11})) {
        full.entry(name).or_insert(value);
    }
    if let Some(username) = full.get("username").cloned() {
        full.insert("active_usernames".into(), json!([username]));
    }
    Ok(serde_json::Value::Object(full).into())
}
