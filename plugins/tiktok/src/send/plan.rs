//! A message's contents → the calls that they take, everything checked before the first of them.

use patchbay_plugin::Failure;
use patchbay_plugin::messages::{Content, Custom, Media, MediaKind};
use serde_json::{Value, json};

use super::card;
use super::image::{self, Image};
use crate::json::Json as _;

/// Characters of a text.
pub(super) const TEXT_MAX: usize = 6000;

/// One call: a message of TikTok's.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Text(String),
    Image(Image),
    /// One of the account's own posts.
    SharePost(String),
    Template(Value),
}

impl Step {
    /// What it adds to the call.
    pub(super) fn fields(&self, media_id: Option<&str>) -> Value {
        match self {
            Self::Text(body) => json!({"message_type": "TEXT", "text": {"body": body}}),
            Self::Image(_) => json!({"message_type": "IMAGE", "image": {"media_id": media_id}}),
            Self::SharePost(id) => json!({"message_type": "SHARE_POST", "share_post": {"item_id": id}}),
            Self::Template(template) => json!({"message_type": "TEMPLATE", "template": template}),
        }
    }
}

pub(super) fn steps(contents: &[Content]) -> Result<Vec<Step>, Failure> {
    if contents.is_empty() {
        return Err(Failure::invalid("/content", "is empty"));
    }
    let mut steps = Vec::with_capacity(contents.len());
    for (index, content) in contents.iter().enumerate() {
        let at = format!("/content/{index}");
        match content {
            Content::Text(text) => steps.push(self::text(&text.body, &format!("{at}/text"))?),
            Content::Media(one) => media(one, &at, &mut steps)?,
            Content::Album(items) if items.is_empty() => return Err(Failure::invalid(format!("{at}/items"), "the album is empty")),
            Content::Album(items) => {
                for (number, item) in items.iter().enumerate() {
                    media(item, &format!("{at}/items/{number}"), &mut steps)?;
                }
            }
            Content::Interactive(asked) => steps.push(card::step(asked, &at)?),
            Content::Custom(custom) => steps.push(self::custom(custom, &at)?),
            Content::Sticker(_) => return Err(unsupported("sticker", "TikTok takes no stickers: send a picture")),
            Content::Location(_) => return Err(unsupported("location", "TikTok carries no locations: write the address")),
            Content::Contacts(_) => return Err(unsupported("contacts", "TikTok carries no contact cards: write them as text")),
            Content::Poll(_) => return Err(unsupported("poll", "TikTok has no polls in conversations: use buttons")),
            Content::Template(_) => {
                return Err(unsupported("template", "TikTok approves no templates: outside the window nothing can be sent"));
            }
            Content::Email(_) => return Err(unsupported("email", "TikTok carries no e-mail")),
            Content::Notification(_) => return Err(unsupported("notification", "TikTok carries no push notifications")),
            Content::Post(_) => {
                return Err(unsupported("post", "posts are published in TikTok; one that is there is shared as a custom share_post"));
            }
        }
    }
    Ok(steps)
}

fn unsupported(code: &str, words: &str) -> Failure {
    Failure::unsupported(code, words)
}

pub(super) fn text(body: &str, pointer: &str) -> Result<Step, Failure> {
    length(body, 1, TEXT_MAX, pointer)?;
    Ok(Step::Text(body.to_owned()))
}

/// A picture and its caption are two messages: TikTok has none that holds both.
fn media(media: &Media, at: &str, steps: &mut Vec<Step>) -> Result<(), Failure> {
    match media.kind {
        MediaKind::Image => steps.push(Step::Image(image::image(media, at)?)),
        MediaKind::Video | MediaKind::Animation => {
            let words =
                r#"TikTok takes no video files: publish it as a post of the account, and send a custom share_post {"item_id": "…"}"#;
            return Err(unsupported("video", words));
        }
        MediaKind::Audio | MediaKind::Voice => return Err(unsupported("audio", "TikTok takes no sounds: JPG and PNG pictures only")),
        MediaKind::Document => return Err(unsupported("document", "TikTok takes no documents: send a link as text")),
    }
    if let Some(caption) = media.caption.as_deref().filter(|caption| !caption.is_empty()) {
        steps.push(text(caption, &format!("{at}/caption"))?);
    }
    Ok(())
}

fn custom(custom: &Custom, at: &str) -> Result<Step, Failure> {
    if custom.kind != "share_post" {
        return Err(unsupported(
            "custom",
            &format!("there is no custom content {}: share_post shows one of the account's own posts", custom.kind),
        ));
    }
    let json: Value = serde_json::from_str(&custom.json).unwrap_or_default();
    match json.id("item_id") {
        Some(id) if id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) => Ok(Step::SharePost(id)),
        Some(_) => Err(Failure::invalid(format!("{at}/data/item_id"), "is the id of one of the account's own posts, and no address")),
        None => Err(Failure::invalid(format!("{at}/data/item_id"), "is missing: the id of one of the account's own posts")),
    }
}

/// Characters as people count them; the field is named.
pub(super) fn length(text: &str, least: usize, most: usize, pointer: &str) -> Result<(), Failure> {
    match text.chars().count() {
        count if count < least => Err(Failure::invalid(pointer, "is empty")),
        count if count > most => Err(Failure::invalid(pointer, format!("has {count} characters; {most} are the most"))),
        _ => Ok(()),
    }
}
