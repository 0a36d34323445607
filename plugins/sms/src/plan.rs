//! What a message becomes before anybody is asked: one text, one number.

use patchbay_plugin::Failure;
use patchbay_plugin::failure::FieldProblem;
use patchbay_plugin::messages::{Command, Content, Outbound};

use crate::recipient::Recipient;
use crate::segments::Segments;
use crate::settings::Settings;
use crate::smart;

/// Characters (Unicode scalar values) of a text.
pub(crate) const TEXT_MAX: usize = 1600;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) to: Recipient,
    /// As it goes out.
    pub(crate) text: String,
    pub(crate) segments: Segments,
}

impl Plan {
    /// # Errors
    /// [`Failure::Invalid`] names every wrong field; [`Failure::Unsupported`] is for what no SMS can be.
    pub(crate) fn of(settings: &Settings, message: &Outbound) -> Result<Self, Failure> {
        let written = text(message)?;
        let text = if settings.smart_encoding { smart::plain(written) } else { written.to_owned() };
        let segments = Segments::of(&text);
        let recipient = Recipient::read(&message.to, &settings.default_country);
        let mut problems = Vec::new();
        if text.trim().is_empty() {
            problems.push(wrong("/content/0/text", "is empty: an SMS is a text"));
        }
        if segments.chars > TEXT_MAX {
            let count = segments.chars;
            let why = format!("has {count} characters, and an SMS takes {TEXT_MAX}: shorten it by {}", count - TEXT_MAX);
            problems.push(wrong("/content/0/text", why));
        }
        match recipient {
            Ok(to) if problems.is_empty() => return Ok(Self { to, text, segments }),
            Ok(_) => {}
            Err(why) => problems.push(wrong("/to", why)),
        }
        Err(Failure::Invalid(problems))
    }
}

fn wrong(pointer: &str, message: impl Into<String>) -> FieldProblem {
    FieldProblem { pointer: pointer.to_owned(), message: message.into() }
}

fn text(message: &Outbound) -> Result<&str, Failure> {
    let Command::Message(contents) = &message.command else {
        return Err(Failure::unsupported("command", "an SMS that is sent can't be edited, deleted, marked or reacted to"));
    };
    match contents.as_slice() {
        [Content::Text(text)] => Ok(&text.body),
        [] => Err(Failure::invalid("/content", "an SMS is one text: give it")),
        [Content::Text(_), Content::Text(_), ..] => {
            Err(Failure::invalid("/content/1", "an SMS is one text: join the texts, or send a message for each"))
        }
        _ => Err(Failure::unsupported("content", "an SMS is one text: put a link to the file into it")),
    }
}
