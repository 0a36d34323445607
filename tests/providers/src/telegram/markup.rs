//! `reply_markup`: the checks of the server, and what of it comes back in the message.

use serde_json::{Value, json};

use crate::telegram::answer::Refusal;
use crate::telegram::html;
use crate::telegram::params::{Params, flag_of, text_of};

/// In bytes.
const CALLBACK_DATA_MAX: usize = 64;
const BUTTONS_MAX: usize = 100;
/// A button does one of these.
const ACTIONS: &[&str] = &[
    "url",
    "callback_data",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
];

/// Checks the markup. Only an inline keyboard is part of the message that results: it is what is returned.
/// `private`: some buttons are for private chats alone.
pub(crate) fn read(params: &Params, private: bool, inline_only: bool) -> Result<Option<Value>, Refusal> {
    let Some(markup) = params.json("reply_markup").map_err(|_| Refusal::bad("can't parse reply keyboard markup JSON object"))? else {
        return Ok(None);
    };
    let Some(object) = markup.as_object() else { return Err(Refusal::bad("object expected as reply markup")) };
    if let Some(rows) = object.get("inline_keyboard") {
        return inline_keyboard(rows);
    }
    if inline_only && !object.is_empty() {
        return Err(Refusal::bad("inline keyboard expected"));
    }
    if let Some(rows) = object.get("keyboard") {
        reply_keyboard(rows, private)?;
    }
    Ok(None)
}

fn inline_keyboard(rows: &Value) -> Result<Option<Value>, Refusal> {
    let not_rows = || Refusal::bad("field \"inline_keyboard\" of the InlineKeyboardMarkup must be an Array of Arrays");
    let mut kept = Vec::new();
    let mut count = 0;
    for row in rows.as_array().ok_or_else(not_rows)? {
        let row = row.as_array().ok_or_else(not_rows)?;
        for button in row {
            inline_button(button)?;
        }
        count += row.len();
        if !row.is_empty() {
            kept.push(Value::Array(row.clone()));
        }
    }
    if count > BUTTONS_MAX {
        return Err(Refusal::bad("reply markup is too long"));
    }
    Ok((!kept.is_empty()).then(|| json!({"inline_keyboard": kept})))
}

fn inline_button(button: &Value) -> Result<(), Refusal> {
    let unparsable = |why: &str| Refusal::bad(&format!("can't parse inline keyboard button: {why}"));
    let Some(fields) = button.as_object() else { return Err(unparsable("InlineKeyboardButton must be an Object")) };
    let Some(text) = fields.get("text") else { return Err(unparsable("Can't find field \"text\"")) };
    if text_of(Some(text)).trim().is_empty() {
        return Err(Refusal::bad("inline keyboard button text must be non-empty"));
    }
    let mut actions = ACTIONS.iter().filter(|action| fields.contains_key(**action));
    let Some(action) = actions.next() else { return Err(unparsable("Text buttons are unallowed in the inline keyboard")) };
    if actions.next().is_some() {
        // The real server takes the first it knows; the documentation asks for exactly one, and a plugin should too.
        return Err(unparsable("exactly one of the optional fields must be used to specify type of the button"));
    }
    let value = text_of(fields.get(*action));
    match *action {
        "callback_data" if value.is_empty() || value.len() > CALLBACK_DATA_MAX => Err(Refusal::bad("BUTTON_DATA_INVALID")),
        "url" if html::link(&value).is_none() => {
            Err(Refusal::bad(&format!("inline keyboard button URL '{value}' is invalid: Wrong HTTP URL")))
        }
        _ => Ok(()),
    }
}

fn reply_keyboard(rows: &Value, private: bool) -> Result<(), Refusal> {
    let not_rows = || Refusal::bad("field \"keyboard\" of the ReplyKeyboardMarkup must be an Array of Arrays");
    let mut buttons = Vec::new();
    for row in rows.as_array().ok_or_else(not_rows)? {
        buttons.extend(row.as_array().ok_or_else(not_rows)?);
    }
    for button in buttons {
        let text = if button.is_string() { text_of(Some(button)) } else { text_of(button.get("text")) };
        if text.trim().is_empty() {
            return Err(Refusal::bad("keyboard button text must be non-empty"));
        }
        if !private && flag_of(button.get("request_contact")) {
            return Err(Refusal::bad("phone number can be requested in private chats only"));
        }
        if !private && flag_of(button.get("request_location")) {
            return Err(Refusal::bad("location can be requested in private chats only"));
        }
    }
    Ok(())
}
