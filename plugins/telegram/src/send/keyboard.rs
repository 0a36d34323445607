//! Buttons below a message, and keys in the place of the keyboard.

use patchbay_plugin::Failure;
use patchbay_plugin::messages::{Action, Button, Choices, Interactive, Text};
use serde_json::{Value, json};

use super::plan::{length, unsupported};

/// Most bytes of what a press hands back.
const CALLBACK_DATA_MAX: usize = 64;
const ONLY_ANSWERS: &str = "a quick reply only answers: use buttons for links";

/// Header, body and footer as one text: Telegram has no places of their own for them.
pub(super) fn words(interactive: &Interactive) -> Text {
    let parts = [interactive.header.as_deref(), Some(interactive.body.as_str()), interactive.footer.as_deref()];
    let parts: Vec<&str> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    Text::plain(parts.join("\n\n"))
}

/// One button a row, so that titles aren't cut.
pub(super) fn markup(choices: &Choices, at: &str) -> Result<Value, Failure> {
    match choices {
        Choices::Buttons(buttons) => {
            let rows = rows(buttons, &format!("{at}/buttons"), inline)?;
            Ok(json!({"inline_keyboard": rows}))
        }
        Choices::QuickReplies(buttons) => {
            let rows = rows(buttons, &format!("{at}/quick_replies"), key)?;
            Ok(json!({"keyboard": rows, "resize_keyboard": true, "one_time_keyboard": true}))
        }
        Choices::Menu(_) => Err(unsupported("menus (use buttons)")),
        Choices::Carousel(_) => Err(unsupported("carousels (use media with buttons)")),
    }
}

fn rows(buttons: &[Button], at: &str, make: fn(&Button, &str) -> Result<Value, Failure>) -> Result<Vec<Value>, Failure> {
    if buttons.is_empty() {
        return Err(Failure::invalid(at, "there is no button"));
    }
    let row = |(index, button): (usize, &Button)| {
        let at = format!("{at}/{index}");
        if button.title.trim().is_empty() {
            return Err(Failure::invalid(format!("{at}/title"), "a button has a title"));
        }
        Ok(json!([make(button, &at)?]))
    };
    buttons.iter().enumerate().map(row).collect()
}

fn inline(button: &Button, at: &str) -> Result<Value, Failure> {
    let title = &button.title;
    match &button.action {
        Action::Reply(id) if id.is_empty() || id.len() > CALLBACK_DATA_MAX => Err(Failure::invalid(
            format!("{at}/reply"),
            format!("a button's id is 1 to {CALLBACK_DATA_MAX} bytes of UTF-8, not {}", id.len()),
        )),
        Action::Reply(id) => Ok(json!({"text": title, "callback_data": id})),
        // One wrong address and Telegram refuses the whole message.
        Action::Url(url) if !is_link(url) => {
            Err(Failure::invalid(format!("{at}/url"), "https://, http:// or tg:// and a host are expected, without spaces"))
        }
        Action::Url(url) => Ok(json!({"text": title, "url": url})),
        Action::Copy(text) => {
            length(text, 1, 256, &format!("{at}/copy"))?;
            Ok(json!({"text": title, "copy_text": {"text": text}}))
        }
        Action::Call(_) => Err(Failure::invalid(format!("{at}/call"), "Telegram has no buttons that call: send a contact")),
    }
}

/// Pressing a key sends its title as a message of the user's.
fn key(button: &Button, at: &str) -> Result<Value, Failure> {
    match &button.action {
        Action::Reply(_) => Ok(json!({"text": button.title})),
        Action::Url(_) => Err(Failure::invalid(format!("{at}/url"), ONLY_ANSWERS)),
        Action::Call(_) => Err(Failure::invalid(format!("{at}/call"), ONLY_ANSWERS)),
        Action::Copy(_) => Err(Failure::invalid(format!("{at}/copy"), ONLY_ANSWERS)),
    }
}

fn is_link(url: &str) -> bool {
    let rest = ["https://", "http://", "tg://"].iter().find_map(|scheme| url.strip_prefix(scheme));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    // localhost is refused by Telegram (BUTTON_URL_INVALID), a name without a dot likewise.
    let named = |host: &str| url.starts_with("tg://") || host.contains('.') || host.starts_with('[');
    host.is_some_and(|host| !host.is_empty() && named(host)) && !url.chars().any(|c| c.is_whitespace() || c.is_control())
}
