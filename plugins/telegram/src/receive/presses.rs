//! Buttons pressed, votes cast, and how polls stand.

use patchbay_plugin::messages::{Choice, Command, Custom, Event, Happening, Vote};
use serde_json::{Value, json};

use super::{Bot, custom, event, ignored, message};
use crate::json::Json as _;
use crate::settings::AnswerCallbacks;

pub(super) fn pressed(bot: &Bot, query: &Value) -> Vec<Event> {
    let Some(id) = query.id("id") else {
        return vec![ignored("callback_query_without_id", query)];
    };
    // A button of a game has no data.
    let data = query.text("data").or_else(|| query.text("game_short_name")).unwrap_or_default();
    let on = query.object("message");
    let mut event = event(Happening::Chose(Choice {
        target: on.and_then(message::external_id).or_else(|| query.text("inline_message_id").map(str::to_owned)),
        id: data.to_owned(),
        title: on.and_then(|on| title(on, data)).unwrap_or_default().to_owned(),
        answer_ref: Some(id.clone()),
    }));
    event.conversation = on.and_then(message::conversation);
    event.actor = query.get("from").and_then(message::party);
    if bot.answers == AnswerCallbacks::Auto {
        event.follow_up = Some(Command::Custom(Custom::new("callback_answer", &json!({"callback_query_id": id}))));
    }
    vec![event]
}

/// What the pressed button says, where the message is recent enough to carry its keyboard.
fn title<'a>(on: &'a Value, data: &str) -> Option<&'a str> {
    let rows = on.get("reply_markup")?.list("inline_keyboard");
    let mut buttons = rows.iter().filter_map(Value::as_array).flatten();
    buttons.find(|button| button.text("callback_data") == Some(data))?.text("text")
}

/// Totals of a poll, without who voted.
pub(crate) fn poll_state(poll: &Value) -> Event {
    let options: Vec<Value> = poll
        .list("options")
        .iter()
        .map(|option| json!({"text": option.text("text"), "voter_count": option.whole("voter_count").unwrap_or_default()}))
        .collect();
    event(custom(
        "poll_state",
        &json!({
            "id": poll.id("id"),
            "question": poll.text("question"),
            "is_closed": poll.flag("is_closed"),
            "total_voter_count": poll.whole("total_voter_count").unwrap_or_default(),
            "options": options,
        }),
    ))
}

/// None of the options: the vote was taken back.
pub(super) fn voted(answer: &Value) -> Event {
    let options = answer.list("option_ids").iter().filter_map(Value::as_u64).filter_map(|option| u32::try_from(option).ok());
    let mut event = event(Happening::Voted(Vote { poll: answer.id("poll_id").unwrap_or_default(), options: options.collect() }));
    // A chat that votes has a stand-in for its user.
    event.actor = answer.object("voter_chat").or_else(|| answer.object("user")).and_then(message::party);
    event
}
