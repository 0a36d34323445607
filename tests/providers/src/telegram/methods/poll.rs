//! Polls: sent, and stopped.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::telegram::answer::{Outcome, Refusal};
use crate::telegram::bots::Bot;
use crate::telegram::delivery;
use crate::telegram::markup;
use crate::telegram::message::{Destination, fields, post};
use crate::telegram::params::Params;
use crate::telegram::server::Server;

/// In UTF-16 units.
const QUESTION_MAX: usize = 300;
const OPTION_MAX: usize = 100;
const EXPLANATION_MAX: usize = 200;
const OPTIONS_MIN: usize = 2;
const OPTIONS_MAX: usize = 12;
/// Seconds.
const OPEN_PERIOD: std::ops::RangeInclusive<i64> = 5..=2_628_000;

pub(crate) fn send(server: &Arc<Server>, bot: &Arc<Bot>, params: &Params) -> Outcome {
    let to = Destination::read(server, bot, params)?;
    let question = params.text("question").trim().to_owned();
    match units(&question) {
        0 => return Err(Refusal::bad("poll question must be non-empty")),
        length if length > QUESTION_MAX => return Err(Refusal::bad("poll question length must not exceed 300")),
        _ => {}
    }
    let options = options(params)?;
    let is_quiz = match params.text("type").as_ref() {
        "" | "regular" => false,
        "quiz" => true,
        _ => return Err(Refusal::bad("unsupported poll type specified")),
    };
    // Left out it is true.
    let is_anonymous = !params.has("is_anonymous") || params.flag("is_anonymous");
    let id = (5_000_000_000_000_000_000 + server.next_number()).to_string();
    let total: Vec<Value> = options
        .iter()
        .enumerate()
        .map(|(index, text)| json!({"persistent_id": format!("o{index}"), "text": text, "voter_count": 0}))
        .collect();
    let mut poll = json!({
        "id": id, "question": question, "options": total, "total_voter_count": 0, "is_closed": params.flag("is_closed"),
        "is_anonymous": is_anonymous, "type": if is_quiz { "quiz" } else { "regular" },
        "allows_multiple_answers": params.flag("allows_multiple_answers"),
    });
    if is_quiz {
        let correct = correct_options(params, options.len())?;
        poll["correct_option_id"] = correct.first().copied().into();
        poll["correct_option_ids"] = correct.into();
        let explanation = params.text("explanation");
        if units(&explanation) > EXPLANATION_MAX {
            return Err(Refusal::bad("quiz explanation is too long"));
        }
        if !explanation.is_empty() {
            poll["explanation"] = explanation.into();
        }
    }
    if let Some(period) = params.number("open_period") {
        if !OPEN_PERIOD.contains(&period) {
            return Err(Refusal::bad("open period must be 5-2628000 seconds"));
        }
        poll["open_period"] = period.into();
    }
    if let Some(date) = params.number("close_date") {
        poll["close_date"] = date.into();
    }
    Ok(post(server, bot, &to, fields(json!({"poll": poll}))).into())
}

/// Objects since Bot API 7.3, plain strings before it: both are read.
fn options(params: &Params) -> Result<Vec<String>, Refusal> {
    let options = params.json("options").map_err(|_| Refusal::bad("can't parse options JSON object"))?;
    let Some(options) = options.as_deref().and_then(Value::as_array) else {
        return Err(Refusal::bad("expected an Array of String as options"));
    };
    let mut texts = Vec::with_capacity(options.len());
    for option in options {
        let text = option.as_str().or_else(|| option["text"].as_str()).unwrap_or_default().trim();
        match units(text) {
            0 => return Err(Refusal::bad("poll options must be non-empty")),
            length if length > OPTION_MAX => return Err(Refusal::bad("poll options length must not exceed 100")),
            _ => texts.push(text.to_owned()),
        }
    }
    match texts.len() {
        count if count < OPTIONS_MIN => Err(Refusal::bad("poll must have at least 2 option")),
        count if count > OPTIONS_MAX => Err(Refusal::bad("poll can't have more than 12 options")),
        _ => Ok(texts),
    }
}

/// `correct_option_ids` of newer servers, `correct_option_id` of older ones.
fn correct_options(params: &Params, count: usize) -> Result<Vec<i64>, Refusal> {
    let several = params.json("correct_option_ids")?.as_deref().and_then(Value::as_array).cloned();
    let chosen: Vec<i64> = match several {
        Some(several) => several.iter().filter_map(Value::as_i64).collect(),
        None => params.number("correct_option_id").into_iter().collect(),
    };
    let inside = chosen.iter().all(|option| usize::try_from(*option).is_ok_and(|option| option < count));
    if chosen.is_empty() || !inside { Err(Refusal::bad("wrong correct option ID specified")) } else { Ok(chosen) }
}

/// Answers the final poll, and tells the bot of it in an update, as the real server does.
pub(crate) fn stop(server: &Arc<Server>, bot: &Arc<Bot>, params: &Params) -> Outcome {
    let chat = server.chats.find(&params.text("chat_id"))?;
    let message_id = params.number("message_id").ok_or_else(|| Refusal::bad("message identifier is not specified"))?;
    let reply_markup = markup::read(params, false, true)?;
    let poll = server.chats.with(bot.id, chat.id, |conversation| {
        let not_found = || Refusal::bad("message with poll to stop not found");
        let message = conversation.message_mut(message_id).and_then(Value::as_object_mut).ok_or_else(not_found)?;
        let Some(poll) = message.get_mut("poll").and_then(Value::as_object_mut) else { return Err(not_found()) };
        if poll.get("is_closed") == Some(&Value::Bool(true)) {
            return Err(Refusal::bad("poll has already been closed"));
        }
        poll.insert("is_closed".into(), true.into());
        let poll = poll.clone();
        match reply_markup {
            Some(reply_markup) => message.insert("reply_markup".into(), reply_markup),
            None => message.remove("reply_markup"),
        };
        Ok(Value::Object(poll))
    })?;
    delivery::emit(server, bot, Map::from_iter([("poll".to_owned(), poll.clone())]));
    Ok(poll.into())
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}
