//! Changing the words of a post or a comment, and taking them back.

use patchbay_plugin::messages::{Content, Edit, Sent};
use patchbay_plugin::{Failure, http::Request};
use serde_json::json;

use super::{Context, accepted, comment, post};
use crate::api::{self, Trouble};
use crate::urn;

/// The same words twice are the same as once, so it may be repeated.
pub(super) fn edit(context: &Context<'_>, edit: &Edit) -> Result<Sent, Failure> {
    let (text, at) = match &edit.content {
        Content::Text(text) => (text.body.as_str(), "/edit/content/text"),
        Content::Post(post) if post.media.is_empty() && post.link.is_none() => (post.text.as_str(), "/edit/content/text"),
        Content::Post(_) => {
            return Err(Failure::invalid(
                "/edit/content",
                "the files and the link of a post stay as they are: its text alone can be changed",
            ));
        }
        _ => return Err(Failure::unsupported("edit", "the text of a post or a comment can be changed")),
    };
    let (request, body) = match urn::comment(&edit.target) {
        Some(_) => {
            let text = comment::checked(text, at)?;
            (
                request(context, "POST", &edit.target, "/edit/target")?.query("actor", context.author),
                json!({"patch": {"message": {"$set": {"text": text}}}}),
            )
        }
        None => {
            let commentary = post::commentary(text, at)?;
            (request(context, "POST", &edit.target, "/edit/target")?, json!({"patch": {"$set": {"commentary": commentary}}}))
        }
    };
    let request = request.header("x-restli-method", "PARTIAL_UPDATE").json(&body)?;
    match api::repeat(request) {
        Ok(_) => Ok(accepted(Some(edit.target.clone()), Vec::new())),
        Err(Trouble::Refused(refusal)) if refusal.status == 404 => {
            Err(Failure::rejected("not_found", "LinkedIn doesn't have it any more, or it is somebody else's"))
        }
        Err(trouble) => Err(trouble.on(context.call)),
    }
}

/// What is gone already counts as taken back.
pub(super) fn delete(context: &Context<'_>, target: &str) -> Result<Sent, Failure> {
    let mut request = request(context, "DELETE", target, "/delete")?;
    if urn::comment(target).is_some() {
        request = request.query("actor", context.author);
    }
    match api::repeat(request) {
        Ok(_) => Ok(accepted(Some(target.to_owned()), Vec::new())),
        Err(Trouble::Refused(refusal)) if matches!(refusal.status, 404 | 410) => Ok(accepted(Some(target.to_owned()), Vec::new())),
        Err(trouble) => Err(trouble.on(context.call)),
    }
}

fn request(context: &Context<'_>, method: &str, target: &str, at: &str) -> Result<Request, Failure> {
    let path = match urn::comment(target) {
        Some((object, id)) => format!("/rest/socialActions/{}/comments/{}", urn::encoded(object), urn::encoded(id)),
        None if urn::is_post(target) => format!("/rest/posts/{}", urn::encoded(target)),
        None => return Err(Failure::invalid(at, "is the URN of a post or a comment: messages to members stay as they are")),
    };
    Ok(api::request(&context.settings, method, path))
}
