//! Messages to members, in the form of LinkedIn's Messages API, which approved partners alone may use.

use patchbay_plugin::http::Request;
use patchbay_plugin::messages::{Content, Sent, Source};
use patchbay_plugin::{Failure, Field, Fields as _};
use serde_json::{Value, json};

use super::{Context, Destination, accepted};
use crate::api::{self, Trouble};
use crate::json::Json as _;
use crate::urn;

/// Characters.
const TEXT_MAX: usize = 8000;

pub(super) fn send(context: &Context<'_>, to: Destination<'_>, contents: &[Content]) -> Result<Sent, Failure> {
    let mut body = match to {
        Destination::Thread(thread) => json!({"thread": thread}),
        Destination::Person(person) => json!({"recipients": [person]}),
        Destination::Feed | Destination::Comments(_) => return Err(Failure::fault("direct", "that is no member")),
    };
    let (mut text, mut attachments) = (None, Vec::new());
    for (index, content) in contents.iter().enumerate() {
        match content {
            Content::Text(written) if text.is_none() => text = Some((written.body.trim(), format!("/content/{index}/text"))),
            Content::Media(media) => match &media.source {
                Source::ProviderRef(asset) if urn::kind(asset) == "digitalmediaAsset" => attachments.push(Value::from(asset.as_str())),
                _ => {
                    let words = "files of messages are named by LinkedIn's URN (urn:li:digitalmediaAsset:…): provider_ref";
                    return Err(Failure::invalid(format!("/content/{index}"), words));
                }
            },
            _ => return Err(Failure::unsupported("content", "a message to a member is one text, and LinkedIn's own assets")),
        }
    }
    let (text, at) = text.unwrap_or(("", "/content/0/text".into()));
    if text.is_empty() || text.chars().count() > TEXT_MAX {
        return Err(Failure::invalid(at, format!("a message has a text of 1 to {TEXT_MAX} characters")));
    }
    body.put("body", text);
    body.put("messageType", "MEMBER_TO_MEMBER");
    // A subject opens a conversation.
    if let Some(subject) =
        context.message.extras.value("subject").filter(|subject| !subject.is_empty() && matches!(to, Destination::Person(_)))
    {
        body.put("subject", subject);
    }
    if !attachments.is_empty() {
        body.put("attachments", attachments);
    }
    let request = api::headed(&context.settings, Request::post(context.settings.messages_target(), "/v2/messages")).json(&body)?;
    let response = api::act(request).map_err(|trouble| refused(context, trouble))?;
    let told: Value = response.json().unwrap_or_default();
    let thread = told.text("thread").filter(|thread| *thread != context.message.to);
    let extras = thread.map(|thread| Field::new("conversation", thread)).into_iter().collect();
    Ok(accepted(api::made(&response), extras))
}

/// The rest of the account works without the permission, so its queue isn't parked.
fn refused(context: &Context<'_>, trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Refused(refusal) if refusal.status == 403 && !refusal.is_version() => Failure::rejected(
            "messages_not_permitted",
            format!(
                "LinkedIn lets approved partners alone send messages, and this app isn't one, or the members aren't connected: {}. Apply for the Messages API, or set messaging_base_url to a partner's server",
                if refusal.message.is_empty() { "it refuses it" } else { &refusal.message }
            ),
        ),
        other => other.on(context.call),
    }
}
