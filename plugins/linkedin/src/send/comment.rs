//! A text below a post, or below another comment.

use patchbay_plugin::messages::{Content, Sent};
use patchbay_plugin::{Failure, Field};
use serde_json::{Value, json};

use super::{Context, accepted};
use crate::api;
use crate::json::Json as _;
use crate::urn;

/// Characters.
pub(super) const TEXT_MAX: usize = 1250;

pub(super) fn comment(context: &Context<'_>, target: &str, contents: &[Content]) -> Result<Sent, Failure> {
    let [Content::Text(text)] = contents else {
        return Err(Failure::unsupported("content", "a comment is one text: posts, files and polls go to feed"));
    };
    let text = checked(&text.body, "/content/0/text")?;
    // What is answered may be a comment: its answer stands below it.
    let parent = [context.message.reply_to.as_deref(), Some(target)].into_iter().flatten().find(|urn| urn::comment(urn).is_some());
    let object = match urn::comment(target) {
        Some((object, _)) => root(object),
        None => target,
    };
    let mut body = json!({"actor": context.author, "object": object, "message": {"text": text}});
    if let Some(parent) = parent {
        body.put("parentComment", parent);
    }
    let path = format!("/rest/socialActions/{}/comments", urn::encoded(parent.unwrap_or(object)));
    let response = api::act(api::request(&context.settings, "POST", path).json(&body)?).map_err(|trouble| trouble.on(context.call))?;
    let told: Value = response.json().unwrap_or_default();
    let id = told.text("commentUrn").or_else(|| told.text("$URN")).map(str::to_owned).or_else(|| {
        let id = api::made(&response)?;
        Some(if urn::kind(&id) == "comment" { id } else { format!("urn:li:comment:({object},{id})") })
    });
    let mut extras = Vec::new();
    if object != context.message.to {
        extras.push(Field::new("conversation", object));
    }
    extras.push(Field::new("conversation_kind", "group"));
    Ok(accepted(id, extras))
}

/// The post below which a comment of a comment stands.
fn root(object: &str) -> &str {
    let mut object = object;
    while let Some((above, _)) = urn::comment(object) {
        object = above;
    }
    object
}

pub(super) fn checked<'a>(text: &'a str, at: &str) -> Result<&'a str, Failure> {
    let text = text.trim();
    match text.chars().count() {
        1..=TEXT_MAX => Ok(text),
        _ => Err(Failure::invalid(at, format!("a comment has 1 to {TEXT_MAX} characters"))),
    }
}
