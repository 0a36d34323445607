//! What people do with an organisation's posts.

use patchbay_plugin::Field;
use patchbay_plugin::messages::{Content, Custom, Event, Happening, Inbound, Party, Reaction, Text};
use serde_json::{Value, json};

use super::{below, person};
use crate::json::Json as _;
use crate::urn;

const KIND: &str = "social";

/// LinkedIn's reactions with the pictures that its pages show.
const REACTIONS: [(&str, &str); 8] = [
    ("LIKE", "👍"),
    ("PRAISE", "👏"),
    ("EMPATHY", "❤️"),
    ("INTEREST", "💡"),
    ("APPRECIATION", "🫶"),
    ("ENTERTAINMENT", "😂"),
    ("MAYBE", "🤔"),
    ("CELEBRATE", "👏"),
];

pub(super) fn event(notification: &Value) -> Option<Event> {
    let action = notification.text("action")?;
    let source = notification.text("sourcePost");
    let what = match action {
        "COMMENT" | "ADMIN_COMMENT" => Happening::Message(comment(notification, action)?),
        "COMMENT_EDIT" => Happening::Edited(comment(notification, action)?),
        "COMMENT_DELETE" => Happening::Deleted(comment_urn(notification)?.to_owned()),
        "SHARE_MENTION" => Happening::Message(mention(notification)?),
        "SHARE" => Happening::Custom(Custom::new("share", &share(notification))),
        other => match reaction(notification, other) {
            Some(reaction) => Happening::Reacted(reaction),
            None => Happening::Custom(Custom::new(
                "social_action",
                &json!({"action": other, "post": source, "activity": notification.text("generatedActivity")}),
            )),
        },
    };
    let conversation = match &what {
        Happening::Message(inbound) | Happening::Edited(inbound) => Some(inbound.conversation.clone()),
        _ => source.map(below),
    };
    let actor = actor(notification);
    let mut event = super::event(KIND, notification, what);
    event.conversation = conversation;
    event.actor = actor;
    event.at_ms = notification.time_ms("lastModifiedAt");
    Some(event)
}

fn generated(notification: &Value, name: &str) -> Value {
    notification.object("decoratedGeneratedActivity").and_then(|activity| activity.object(name)).cloned().unwrap_or_default()
}

fn comment_urn(notification: &Value) -> Option<&str> {
    let decorated = notification.object("decoratedGeneratedActivity").and_then(|activity| activity.object("comment"));
    let urn = decorated.and_then(|comment| comment.text("entity")).or_else(|| notification.text("generatedActivity"));
    urn.filter(|urn| urn::kind(urn) == "comment")
}

fn comment(notification: &Value, action: &str) -> Option<Inbound> {
    let told = generated(notification, "comment");
    let id = comment_urn(notification)?;
    let post = notification.text("sourcePost").or_else(|| urn::comment(id).map(|(object, _)| object))?;
    let organization = notification.text("organizationalEntity");
    let owner = told.text("owner");
    // Below another comment, that one is answered.
    let above =
        told.text("parentComment").or_else(|| urn::comment(id).map(|(object, _)| object).filter(|object| urn::comment(object).is_some()));
    let mut extras = vec![Field::new("action", action)];
    extras.extend(notification.text("subscriber").map(|urn| Field::new("subscriber", urn)));
    Some(Inbound {
        external_id: id.to_owned(),
        conversation: below(post),
        sender: owner.or(organization.filter(|_| action == "ADMIN_COMMENT")).map_or_else(nobody, |urn| person(urn, told.text("ownerName"))),
        // What an administrator writes for the page is the page's word.
        echo: action == "ADMIN_COMMENT" || (owner.is_some() && owner == organization),
        content: vec![said(told.text("text"), "comment")],
        reply_to: Some(above.unwrap_or(post).to_owned()),
        related: Vec::new(),
        automatic: false,
        origin: "comment".into(),
        sent_at_ms: notification.time_ms("lastModifiedAt"),
        reply_context: None,
        extras,
    })
}

/// Somebody's post that names the organisation.
fn mention(notification: &Value) -> Option<Inbound> {
    let told = generated(notification, "share");
    let post = told.text("entity").or_else(|| notification.text("generatedActivity")).or_else(|| notification.text("sourcePost"))?;
    Some(Inbound {
        external_id: post.to_owned(),
        conversation: below(post),
        sender: told.text("owner").map_or_else(nobody, |urn| person(urn, told.text("ownerName"))),
        echo: false,
        content: vec![said(told.text("text"), "mention")],
        reply_to: None,
        related: Vec::new(),
        automatic: false,
        origin: "mention".into(),
        sent_at_ms: notification.time_ms("lastModifiedAt"),
        reply_context: None,
        extras: vec![Field::new("action", "SHARE_MENTION")],
    })
}

fn share(notification: &Value) -> Value {
    let told = generated(notification, "share");
    json!({"post": notification.text("sourcePost"), "share": told.text("entity").or_else(|| notification.text("generatedActivity")),
        "by": told.text("owner"), "text": told.text("text")})
}

/// Text, or word that there is some at LinkedIn: not every app is told it.
fn said(text: Option<&str>, kind: &str) -> Content {
    match text {
        Some(text) => Content::Text(Text::plain(text)),
        None => Content::Custom(Custom::new("unsupported", &json!({"kind": kind}))),
    }
}

fn nobody() -> Party {
    Party { identities: Vec::new(), name: None }
}

/// `urn:li:like:(urn:li:person:abc,urn:li:activity:71)`: of whom, and what is liked where it is a comment.
fn reaction(notification: &Value, action: &str) -> Option<Reaction> {
    let told = ["like", "reaction"].map(|name| generated(notification, name));
    let word = told.iter().find_map(|told| told.text("reactionType")).unwrap_or(action);
    let (_, emoji) = REACTIONS.iter().find(|(name, _)| *name == word)?;
    let object = notification.text("generatedActivity").and_then(liked).map(|(_, object)| object);
    let target = object.filter(|object| urn::comment(object).is_some()).or_else(|| notification.text("sourcePost")).or(object)?;
    Some(Reaction { target: target.to_owned(), emoji: Some((*emoji).to_owned()), removed: false })
}

/// The person, and the object: a comment's URN has a comma of its own.
fn liked(urn: &str) -> Option<(&str, &str)> {
    if !matches!(urn::kind(urn), "like" | "reaction") {
        return None;
    }
    urn::key(urn).strip_prefix('(')?.strip_suffix(')')?.split_once(',').filter(|(person, object)| !person.is_empty() && !object.is_empty())
}

fn actor(notification: &Value) -> Option<Party> {
    let owner = ["comment", "share", "like", "reaction"].into_iter().find_map(|name| {
        let told = generated(notification, name);
        let owner = told.text("owner").or_else(|| told.text("actor"))?;
        Some(person(owner, told.text("ownerName")))
    });
    owner.or_else(|| notification.text("generatedActivity").and_then(liked).map(|(urn, _)| person(urn, None)))
}
