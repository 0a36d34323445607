//! Text: its format, its length, its keyboard.

use patchbay_plugin::messages::{Text, TextFormat};
use patchbay_plugin::{Failure, Fields as _};
use serde_json::{Value, json};

use super::plan::Step;
use super::split::{TEXT_MAX, split};
use super::{Context, markdown};
use crate::api::parameters;
use crate::settings::ParseMode;

/// A text as Telegram takes it.
pub(super) struct Formatted {
    pub(super) body: String,
    pub(super) html: bool,
}

/// Plain text is as the message's `parse_mode` says, or else the account's.
pub(super) fn formatted(context: &Context<'_>, body: &str, format: TextFormat) -> Formatted {
    match format {
        TextFormat::Html => Formatted { body: body.to_owned(), html: true },
        TextFormat::Markdown => Formatted { body: markdown::html(body), html: true },
        TextFormat::Plain => {
            let html = match context.message.extras.value("parse_mode") {
                Some(mode) if mode.eq_ignore_ascii_case("markdown") => return Formatted { body: markdown::html(body), html: true },
                Some(mode) => mode.eq_ignore_ascii_case("html"),
                None => context.settings.parse_mode == ParseMode::Html,
            };
            Formatted { body: body.to_owned(), html }
        }
    }
}

/// As many messages as it takes; the keyboard hangs on the last. `at`: where the client wrote the words.
pub(super) fn steps(context: &Context<'_>, text: &Text, markup: Option<Value>, at: &str) -> Result<Vec<Step>, Failure> {
    let formatted = formatted(context, &text.body, text.format);
    if formatted.body.trim().is_empty() {
        return Err(Failure::invalid(at, "the text is empty"));
    }
    let mut steps: Vec<Step> = split(&formatted.body, formatted.html, TEXT_MAX)
        .into_iter()
        .map(|part| {
            let mut parameters = parameters! {"text": part};
            if formatted.html {
                parameters.insert("parse_mode".into(), "HTML".into());
            }
            if !text.preview_links {
                parameters.insert("link_preview_options".into(), json!({"is_disabled": true}));
            }
            Step::new("sendMessage", parameters)
        })
        .collect();
    if let (Some(last), Some(markup)) = (steps.last_mut(), markup) {
        last.parameters.insert("reply_markup".into(), markup);
    }
    Ok(steps)
}
