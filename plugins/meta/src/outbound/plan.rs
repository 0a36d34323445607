//! Which calls a message takes, and whether Meta would take them.

use patchbay_plugin::Failure;
use patchbay_plugin::messages::{Choices, Content, Custom, Interactive};
use serde_json::{Value, json};

use super::split::split;
use super::{Sending, media, template};

/// One call, which makes one message.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// The `message` of the call.
    pub(super) message: Value,
    /// A file of the gateway's that goes along.
    pub(super) file: Option<File>,
}

#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) blob_ref: String,
    pub(super) name: Option<String>,
    pub(super) mime_type: Option<String>,
}

impl Step {
    pub(super) fn new(message: Value) -> Self {
        Self { message, file: None }
    }
}

pub(super) fn steps(sending: &Sending<'_>, contents: &[Content]) -> Result<Vec<Step>, Failure> {
    let mut steps = Vec::new();
    for (index, content) in contents.iter().enumerate() {
        one(sending, content, &format!("/content/{index}"), &mut steps)?;
    }
    if steps.is_empty() {
        return Err(Failure::invalid("/content", "the message is empty"));
    }
    Ok(steps)
}

fn one(sending: &Sending<'_>, content: &Content, at: &str, steps: &mut Vec<Step>) -> Result<(), Failure> {
    let carries_no = |what: &str| sending.unsupported("content", &format!("carries no {what}"));
    match content {
        Content::Text(written) => steps.extend(text(sending, &written.body, &format!("{at}/text"))?),
        Content::Media(item) => steps.extend(media::steps(sending, item, at)?),
        // The key for several files at once isn't settled at Meta's: each is a message.
        Content::Album(items) => {
            for (index, item) in items.iter().enumerate() {
                steps.extend(media::steps(sending, item, &format!("{at}/items/{index}"))?);
            }
        }
        Content::Sticker(sticker) => steps.push(media::sticker(sending, sticker, at)?),
        Content::Interactive(interactive) => steps.extend(self::interactive(sending, interactive, at)?),
        Content::Custom(custom) => steps.push(written(sending, custom, at)?),
        Content::Location(_) => return Err(carries_no("locations: send a link to a map")),
        Content::Contacts(_) => return Err(carries_no("contacts")),
        Content::Poll(_) => return Err(carries_no("polls: use quick replies")),
        Content::Template(_) => return Err(carries_no("approved templates")),
        Content::Email(_) => return Err(carries_no("e-mail")),
        Content::Notification(_) => return Err(carries_no("notifications")),
        Content::Post(_) => return Err(carries_no("posts")),
    }
    Ok(())
}

pub(super) fn text(sending: &Sending<'_>, text: &str, at: &str) -> Result<Vec<Step>, Failure> {
    if text.trim().is_empty() {
        return Err(Failure::invalid(at, "the text is empty"));
    }
    Ok(split(text, sending.rules.measure, sending.rules.text_max).into_iter().map(|piece| Step::new(json!({"text": piece}))).collect())
}

fn interactive(sending: &Sending<'_>, interactive: &Interactive, at: &str) -> Result<Vec<Step>, Failure> {
    let words = words(interactive);
    match &interactive.choices {
        Choices::Buttons(buttons) => Ok(vec![Step::new(template::buttons(sending, &words, buttons, at)?)]),
        Choices::QuickReplies(replies) => {
            let replies = template::quick_replies(sending, replies, &format!("{at}/quick_replies"))?;
            // They belong below the last piece: any message after them takes them away.
            let mut steps = text(sending, &words, &format!("{at}/body"))?;
            if let Some(message) = steps.last_mut().and_then(|step| step.message.as_object_mut()) {
                message.insert("quick_replies".into(), replies);
            }
            Ok(steps)
        }
        Choices::Carousel(cards) => {
            let mut steps = if words.trim().is_empty() { Vec::new() } else { text(sending, &words, &format!("{at}/body"))? };
            steps.push(Step::new(template::carousel(sending, cards, &format!("{at}/carousel"))?));
            Ok(steps)
        }
        Choices::Menu(_) => Err(sending.unsupported("content", "has no menus: use quick replies or buttons")),
    }
}

/// Header, body and footer as one text: there are no places of their own for them.
fn words(interactive: &Interactive) -> String {
    let parts = [interactive.header.as_deref(), Some(interactive.body.as_str()), interactive.footer.as_deref()];
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// `message`: Meta's own `message` object, for what has no words here: receipts, media templates, one's own posts.
fn written(sending: &Sending<'_>, custom: &Custom, at: &str) -> Result<Step, Failure> {
    if custom.kind != "message" {
        return Err(sending.unsupported("content", &format!("carries no content of kind {}: message is one", custom.kind)));
    }
    match serde_json::from_str::<Value>(&custom.json) {
        Ok(message) if message.is_object() => Ok(Step::new(message)),
        _ => Err(Failure::invalid(format!("{at}/data"), "the `message` object of the Send API is expected")),
    }
}
