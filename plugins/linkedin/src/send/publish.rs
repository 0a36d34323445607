//! A post goes out, and is read back: LinkedIn cuts text off without a word.

use patchbay_plugin::messages::Sent;
use patchbay_plugin::{Failure, Field, Fields as _, log};
use serde_json::{Value, json};

use super::attachment::{Attachment, Kind};
use super::post::Draft;
use super::{Context, accepted, upload};
use crate::api::{self, Trouble};
use crate::json::Json as _;
use crate::{little, urn};

pub(super) fn publish(context: &Context<'_>, draft: &Draft) -> Result<Sent, Failure> {
    let mut files = Vec::with_capacity(draft.attachments.len());
    for attachment in &draft.attachments {
        files.push((attachment, upload::upload(context, attachment)?));
    }
    let body = body(context, draft, &files);
    let request = api::request(&context.settings, "POST", "/rest/posts").json(&body)?;
    match api::act(request) {
        Ok(response) => {
            let id = api::made(&response).ok_or_else(|| response.not_understood("a post has an id in x-restli-id"))?;
            let mut facts = facts(&id);
            facts.extend(truncated(context, &id, &draft.commentary));
            Ok(accepted(Some(id), facts))
        }
        // It was published before: by an attempt whose answer was lost, or by somebody.
        Err(Trouble::Refused(refusal)) if refusal.duplicate_of().is_some() => {
            let id = refusal.duplicate_of().unwrap_or_default().to_owned();
            let mut facts = facts(&id);
            facts.push(Field::new("duplicate_of", &id));
            facts.push(Field::new("note", format!("LinkedIn has this post already: {}", refusal.message)));
            Ok(accepted(Some(id), facts))
        }
        Err(trouble) => Err(trouble.on(context.call)),
    }
}

fn body(context: &Context<'_>, draft: &Draft, files: &[(&Attachment, String)]) -> Value {
    let mut body = json!({
        "author": context.author,
        "commentary": draft.commentary,
        "visibility": draft.visibility.as_str(),
        "distribution": {"feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": []},
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": context.message.extras.flag("no_reshare"),
    });
    let image = |(attachment, id): &(&Attachment, String)| {
        let mut image = json!({"id": id});
        if let Some(words) = &attachment.alt_text {
            image.put("altText", words.as_str());
        }
        image
    };
    let content = match files {
        [] => draft.content.clone(),
        [one @ (attachment, _)] => {
            let mut media = image(one);
            if let Some(title) = attachment.title.as_ref().filter(|_| attachment.kind != Kind::Image) {
                media.put("title", title.as_str());
            }
            Some(json!({"media": media}))
        }
        several => Some(json!({"multiImage": {"images": several.iter().map(image).collect::<Vec<_>>()}})),
    };
    if let Some(content) = content {
        body.put("content", content);
    }
    if let Some(parent) = &draft.parent {
        body.put("reshareContext", json!({"parent": parent}));
    }
    body
}

/// Comments to it come in under its URN.
fn facts(id: &str) -> Vec<Field> {
    vec![
        Field::new("conversation", id),
        Field::new("conversation_kind", "group"),
        Field::new("post_url", format!("https://www.linkedin.com/feed/update/{id}")),
    ]
}

/// What LinkedIn kept of it, where that is less. That it can't be read says nothing: reading takes a permission of its own.
fn truncated(context: &Context<'_>, id: &str, commentary: &str) -> Option<Field> {
    let told = match api::read(&context.settings, format!("/rest/posts/{}", urn::encoded(id)), &[]) {
        Ok(told) => told,
        Err(trouble) => {
            log::debug("the post could not be read back", &[("why", &format!("{trouble:?}"))]);
            return None;
        }
    };
    let (kept, sent) = (told.get("commentary")?.as_str()?, little::shown(commentary));
    // Some tell the text itself, without its escapes.
    if kept.trim_end() == sent.trim_end() {
        return None;
    }
    let kept = little::shown(kept);
    let (kept_count, sent_count) = (kept.trim_end().chars().count(), sent.trim_end().chars().count());
    if kept_count >= sent_count {
        return None;
    }
    log::warn("LinkedIn has cut a post off", &[("post", id)]);
    Some(Field::new("truncated", format!("LinkedIn kept {kept_count} of {sent_count} characters: look at the post, and edit it")))
}
