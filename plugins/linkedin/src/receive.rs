//! Notifications → events. A body has a kind and a batch; what isn't known gives no event, and harms none beside it.

mod direct;
mod social;

use patchbay_plugin::Failure;
use patchbay_plugin::crypto::{self, HashAlgorithm};
use patchbay_plugin::hooks::{Parsed, Webhook};
use patchbay_plugin::messages::{Conversation, ConversationKind, Event, Happening, Identity, Party};
use serde_json::Value;

use crate::json::Json as _;

/// How people are known: their URN.
const SCHEME: &str = "linkedin";

pub(crate) fn webhook(webhook: &Webhook) -> Result<Parsed, Failure> {
    let body: Value = serde_json::from_slice(&webhook.body).map_err(|error| Failure::invalid("", format!("not JSON: {error}")))?;
    if !body.is_object() {
        return Err(Failure::invalid("", "a webhook of LinkedIn is a JSON object"));
    }
    let read = match body.text("type").unwrap_or_default() {
        "ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS" => social::event,
        "MESSAGE_CREATED" => direct::event,
        _ => return Ok(Parsed::events(Vec::new())),
    };
    Ok(Parsed::events(body.list("notifications").iter().filter_map(read).collect()))
}

/// An event of a notification. It is known by the notification's id, which every delivery of it has.
fn event(kind: &str, notification: &Value, what: Happening) -> Event {
    let id = notification.id("notificationId").unwrap_or_else(|| fingerprint(notification));
    let mut event = Event::new(format!("li:{kind}:{id}"), what);
    event.account = account(notification).map(str::to_owned);
    event
}

/// Whose it is: the organisation's, or the member's who subscribed.
fn account(notification: &Value) -> Option<&str> {
    ["organizationalEntity", "owner", "subscriber"].iter().find_map(|name| notification.text(name))
}

fn fingerprint(value: &Value) -> String {
    let digest = crypto::digest(HashAlgorithm::Sha256, value.to_string().as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn person(urn: &str, name: Option<&str>) -> Party {
    Party { identities: vec![Identity::new(SCHEME, urn)], name: name.map(str::to_owned) }
}

/// Below a post many write.
fn below(post: &str) -> Conversation {
    Conversation { external_id: post.to_owned(), kind: ConversationKind::Group, title: None }
}

#[cfg(test)]
mod tests;
