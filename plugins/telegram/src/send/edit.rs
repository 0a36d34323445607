//! Changing what was sent: which method it takes depends on what takes its place.

use patchbay_plugin::Failure;
use patchbay_plugin::messages::{Content, Edit, Media, Sent, Source, Text};
use serde_json::{Value, json};

use super::command::{done, named, unchanged};
use super::split::{CAPTION_MAX, TEXT_MAX, units};
use super::{Context, keyboard, media, text};
use crate::api::{self, File, Parameters, Trouble};

pub(super) fn edit(context: &Context<'_>, edit: &Edit) -> Result<Sent, Failure> {
    let target = named(&edit.target, "/edit/target")?;
    let result = match &edit.content {
        Content::Text(written) => words(context, target, written, None, "/edit/content/text")?,
        Content::Interactive(interactive) => {
            let markup = keyboard::markup(&interactive.choices, "/edit/content")?;
            let written = keyboard::words(interactive);
            if written.body.is_empty() {
                let mut parameters = target;
                parameters.insert("reply_markup".into(), markup);
                act("editMessageReplyMarkup", &parameters, &[])
            } else {
                words(context, target, &written, Some(markup), "/edit/content/body")?
            }
        }
        // No other file: the caption alone.
        Content::Media(Media { source: Source::ProviderRef(reference), caption, .. }) if reference.is_empty() => {
            caption_of(context, target, &Text::plain(caption.as_deref().unwrap_or_default()), "/edit/content/caption")?
        }
        Content::Media(item) => {
            let mut parameters = target;
            let (input, files) = media::input(context, item, "/edit/content")?;
            parameters.insert("media".into(), input);
            act("editMessageMedia", &parameters, &files)
        }
        Content::Location(place) => {
            let mut parameters = target;
            parameters.insert("latitude".into(), place.latitude.into());
            parameters.insert("longitude".into(), place.longitude.into());
            act("editMessageLiveLocation", &parameters, &[])
        }
        _ => return Err(Failure::unsupported("edit", "text, captions, media, buttons and live locations can be edited")),
    };
    if unchanged(&result) {
        return Ok(done(Some(&edit.target)));
    }
    Ok(result.map(|_| done(Some(&edit.target)))?)
}

fn words(
    context: &Context<'_>,
    target: Parameters,
    written: &Text,
    markup: Option<Value>,
    at: &str,
) -> Result<Result<Value, Trouble>, Failure> {
    let formatted = text::formatted(context, &written.body, written.format);
    if formatted.body.trim().is_empty() || units(&formatted.body) > TEXT_MAX {
        return Err(Failure::invalid(at, format!("an edited text has 1 to {TEXT_MAX} characters: it can't be split")));
    }
    let mut parameters = target.clone();
    parameters.insert("text".into(), formatted.body.into());
    if formatted.html {
        parameters.insert("parse_mode".into(), "HTML".into());
    }
    if !written.preview_links {
        parameters.insert("link_preview_options".into(), json!({"is_disabled": true}));
    }
    if let Some(markup) = markup {
        parameters.insert("reply_markup".into(), markup);
    }
    match act("editMessageText", &parameters, &[]) {
        // A message with media has a caption and no text.
        Err(Trouble::Refused(refusal)) if refusal.says("there is no text in the message to edit") => {
            caption_of(context, target, written, at)
        }
        other => Ok(other),
    }
}

fn caption_of(context: &Context<'_>, mut parameters: Parameters, caption: &Text, at: &str) -> Result<Result<Value, Trouble>, Failure> {
    let formatted = text::formatted(context, &caption.body, caption.format);
    if units(&formatted.body) > CAPTION_MAX {
        return Err(Failure::invalid(at, format!("a caption has at most {CAPTION_MAX} characters")));
    }
    parameters.insert("caption".into(), formatted.body.into());
    if formatted.html {
        parameters.insert("parse_mode".into(), "HTML".into());
    }
    Ok(act("editMessageCaption", &parameters, &[]))
}

/// The same edit twice is the same as once, so it may be repeated; with a file it goes out as it is.
fn act(method: &str, parameters: &Parameters, files: &[File]) -> Result<Value, Trouble> {
    let call =
        |parameters: &Parameters| if files.is_empty() { api::repeat(method, parameters) } else { api::act(method, parameters, files) };
    match call(parameters) {
        Err(Trouble::Refused(refusal)) if refusal.is_markup() && parameters.contains_key("parse_mode") => {
            let mut plain = parameters.clone();
            plain.remove("parse_mode");
            call(&plain)
        }
        other => other,
    }
}
