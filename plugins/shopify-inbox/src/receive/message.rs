//! Messages, and their edits.

use patchbay_plugin::messages::{Event, Happening, Inbound};
use patchbay_plugin::{Failure, Field};
use serde_json::{Value, json};

use super::{Delivery, content, fingerprint, people, time};
use crate::json::Json as _;

pub(super) fn created(delivery: &Delivery) -> Result<Vec<Event>, Failure> {
    let (message, id) = delivery.message()?;
    let inbound = inbound(delivery, message, id.clone())?;
    let at_ms = inbound.sent_at_ms;
    Ok(vec![event(delivery, &format!("message:{id}"), at_ms, inbound, Happening::Message)])
}

/// An edit is told by its time and by what the message says now: two edits may share a second.
pub(super) fn updated(delivery: &Delivery) -> Result<Vec<Event>, Failure> {
    let (message, id) = delivery.message()?;
    let inbound = inbound(delivery, message, id.clone())?;
    let updated_at = message.text("updated_at");
    let said = json!([message.get("body"), message.get("attachments")]);
    let mark = format!("{}:{}", updated_at.unwrap_or_default(), fingerprint(&said));
    let at_ms = updated_at.and_then(time::parse);
    Ok(vec![event(delivery, &format!("message:{id}:updated:{mark}"), at_ms, inbound, Happening::Edited)])
}

fn event(delivery: &Delivery, about: &str, at_ms: Option<f64>, inbound: Inbound, what: impl Fn(Inbound) -> Happening) -> Event {
    let conversation = inbound.conversation.clone();
    let actor = (!inbound.echo).then(|| inbound.sender.clone());
    let mut event = delivery.event(about, what(inbound));
    event.at_ms = at_ms.or(event.at_ms);
    event.conversation = Some(conversation);
    event.actor = actor;
    event
}

fn inbound(delivery: &Delivery, message: &Value, external_id: String) -> Result<Inbound, Failure> {
    let conversation = delivery.conversation()?;
    let customer = people::of(&delivery.body, &conversation.external_id);
    let author = Author::of(message);
    Ok(Inbound {
        external_id,
        sender: customer,
        echo: author.staff,
        content: content::of(message),
        reply_to: message.id("reply_to"),
        related: Vec::new(),
        automatic: false,
        origin: "direct".into(),
        sent_at_ms: message.text("created_at").and_then(time::parse),
        reply_context: None,
        extras: extras(&delivery.body, &author),
        conversation,
    })
}

fn extras(body: &Value, author: &Author<'_>) -> Vec<Field> {
    let mut extras = Vec::new();
    let conversation = body.get("conversation").unwrap_or(&Value::Null);
    extras.extend(conversation.text("url").map(|url| Field::new("page_url", url)));
    extras.extend(body.get("customer").and_then(|customer| customer.text("locale")).map(|locale| Field::new("locale", locale)));
    if author.staff {
        extras.push(Field::new("author", author.kind));
        extras.extend(author.name.map(|name| Field::new("author_name", name)));
    }
    extras
}

/// `"customer"`, `"staff"`, or `{"type": "staff", "name": "Sam"}`.
struct Author<'a> {
    kind: &'a str,
    name: Option<&'a str>,
    /// The shop's side: a person of theirs, or a program.
    staff: bool,
}

impl<'a> Author<'a> {
    fn of(message: &'a Value) -> Self {
        let author = message.get("author");
        let kind = author.and_then(|author| author.as_str().or_else(|| author.text("type"))).unwrap_or("customer");
        let name = author.and_then(|author| author.text("name"));
        Self { kind, name, staff: !matches!(kind, "" | "customer" | "visitor" | "anonymous") }
    }
}
