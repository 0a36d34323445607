//! Messages, and what comes in the shape of one: presses, reactions, edits, deletions, changed numbers.

use patchbay_plugin::Field;
use patchbay_plugin::messages::{Choice, Content, Conversation, Event, Happening, Inbound, Party, Reaction};
use serde_json::{Value, json};

use super::people::{self, Person};
use super::wire::{Contact, Message};
use super::{Place, bounded, content, custom};

/// What the message is one of.
pub(super) struct Among<'a> {
    pub(super) contacts: &'a [Contact],
    pub(super) index: usize,
    pub(super) of: usize,
    /// What the business wrote elsewhere: on its phone, with the WhatsApp Business app.
    pub(super) echo: bool,
}

/// `raw` is asked for where the message isn't understood.
pub(super) fn events(place: &Place, mut message: Message, among: &Among<'_>, raw: impl Fn() -> Value) -> Vec<Event> {
    let Some(id) = message.id.0.clone() else { return vec![place.ignored("message_without_id", &raw())] };
    let kind = message.kind.clone().unwrap_or_default();
    if kind == "system" {
        return system(place, &id, &message, &raw);
    }
    let person = if among.echo {
        Person::written_to(&message, among.contacts, among.index, among.of)
    } else {
        Person::who_wrote(&message, among.contacts, among.index, among.of)
    };
    let conversation = match &message.group_id.0 {
        Some(group) => Some(people::group(group)),
        None => person.conversation(),
    };
    let Some(conversation) = conversation else { return vec![place.ignored("message_without_sender", &raw())] };
    let party = if among.echo { business(&message) } else { person.party() };
    let about = About { place, id, conversation, party, echo: among.echo, at_ms: message.timestamp.0 };
    let target = || message.context.as_ref().and_then(|context| context.id.0.clone());
    let what = match kind.as_str() {
        "reaction" => match message.reaction.take().and_then(|reaction| Some((reaction.message_id.0?, reaction.emoji))) {
            Some((target, emoji)) => {
                let emoji = emoji.filter(|emoji| !emoji.is_empty());
                Happening::Reacted(Reaction { target, removed: emoji.is_none(), emoji })
            }
            None => return vec![place.ignored("reaction_without_message", &raw())],
        },
        "button" if message.button.is_some() => {
            let button = message.button.take().unwrap_or_default();
            let title = button.text.unwrap_or_default();
            chose(&about, target(), button.payload.0.unwrap_or_else(|| title.clone()), title)
        }
        "interactive" if pressed(&message) => {
            let target = target();
            let interactive = message.interactive.take().unwrap_or_default();
            let reply = interactive.button_reply.or(interactive.list_reply).unwrap_or_default();
            let title = reply.title.unwrap_or_default();
            chose(&about, target, reply.id.0.unwrap_or_else(|| title.clone()), title)
        }
        "revoke" => match message.revoke.take().and_then(|revoke| revoke.original_message_id.0) {
            Some(target) => Happening::Deleted(target),
            None => return vec![place.ignored("revoke_without_message", &raw())],
        },
        "edit" => match message.edit.take().map(|edit| (edit.original_message_id.0, edit.message)) {
            Some((Some(target), Some(edited))) => Happening::Edited(about.inbound(target, edited, &raw)),
            _ => return vec![place.ignored("edit_without_message", &raw())],
        },
        "request_welcome" => custom("conversation_opened", &json!({"message_id": about.id})),
        _ => Happening::Message(about.inbound(about.id.clone(), message, &raw)),
    };
    vec![about.event(what)]
}

/// Whether it is a press of a button or a row.
fn pressed(message: &Message) -> bool {
    message.interactive.as_ref().is_some_and(|interactive| interactive.button_reply.is_some() || interactive.list_reply.is_some())
}

/// `answer_ref` is the press's own id, by which it can be quoted and marked as read.
fn chose(about: &About<'_>, target: Option<String>, id: String, title: String) -> Happening {
    Happening::Chose(Choice { target, id, title, answer_ref: Some(about.id.clone()) })
}

fn business(message: &Message) -> Party {
    Person { wa_id: message.from.0.clone(), ..Person::default() }.party()
}

struct About<'a> {
    place: &'a Place,
    id: String,
    conversation: Conversation,
    party: Party,
    echo: bool,
    at_ms: Option<f64>,
}

impl About<'_> {
    fn event(self, what: Happening) -> Event {
        let mut event = self.place.event(format!("wa:{}", self.id), what);
        event.conversation = Some(self.conversation);
        // The business is no contact of its own.
        event.actor = (!self.echo).then_some(self.party);
        event.at_ms = self.at_ms;
        event
    }

    fn inbound(&self, external_id: String, mut message: Message, raw: impl Fn() -> Value) -> Inbound {
        let mut extras = extras(&message);
        if external_id != self.id {
            extras.push(Field::new("edit_id", &self.id));
        }
        let origin = origin(&message);
        let reply_to = message.context.as_ref().filter(|_| external_id == self.id).and_then(|context| context.id.0.clone());
        let content = content::of(&mut message).unwrap_or_else(|| content::unsupported(&message, &bounded(raw())));
        Inbound {
            external_id,
            conversation: self.conversation.clone(),
            sender: self.party.clone(),
            echo: self.echo,
            content: vec![content],
            reply_to,
            related: Vec::new(),
            automatic: false,
            origin: origin.to_owned(),
            sent_at_ms: self.at_ms,
            // Typing and marking as read have to name the last message that came in.
            reply_context: (!self.echo).then(|| self.id.clone().into_bytes()),
            extras,
        }
    }
}

fn origin(message: &Message) -> &'static str {
    let forwarded = message.context.as_ref().is_some_and(|context| context.forwarded || context.frequently_forwarded);
    match (&message.referral, forwarded) {
        (Some(_), _) => "referral",
        (None, true) => "forwarded",
        (None, false) => "direct",
    }
}

fn extras(message: &Message) -> Vec<Field> {
    let mut extras = Vec::new();
    if let Some(referral) = &message.referral {
        for (name, value) in referral {
            let name = if name.starts_with("ctwa") { name.clone() } else { format!("referral_{name}") };
            extras.push(Field::new(name, text(value)));
        }
    }
    if let Some(context) = &message.context {
        if context.frequently_forwarded {
            extras.push(Field::new("frequently_forwarded", "true"));
        }
        if let Some(product) = &context.referred_product {
            extras.extend(product.catalog_id.get().map(|id| Field::new("product_catalog_id", id)));
            extras.extend(product.product_retailer_id.get().map(|id| Field::new("product_retailer_id", id)));
        }
    }
    if let Some(cards) = &message.contacts {
        // What a contact card has no place for.
        let more = |card: &Value| ["org", "addresses", "urls", "birthday", "origin"].iter().any(|name| card.get(name).is_some());
        if cards.iter().any(more) {
            extras.push(Field::new("contacts", Value::Array(cards.clone()).to_string()));
        }
    }
    extras
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The person has another number, or another business-scoped id: both are the same person, and the conversation goes on under the
/// new one. Nothing was said.
fn system(place: &Place, id: &str, message: &Message, raw: &impl Fn() -> Value) -> Vec<Event> {
    let Some(system) = &message.system else { return vec![place.ignored("system_without_data", &raw())] };
    let old = Person { bsuid: system.previous_user_id.0.clone(), wa_id: message.from.0.clone(), ..Person::default() };
    let new_wa_id = system.wa_id.0.clone().or_else(|| system.new_wa_id.0.clone());
    let new = Person { bsuid: system.user_id.0.clone(), wa_id: new_wa_id, ..Person::default() };
    let changed = custom(
        "contact_changed",
        &json!({
            "kind": system.kind, "body": system.body,
            "old": {"wa_id": old.wa_id, "bsuid": old.bsuid}, "new": {"wa_id": new.wa_id, "bsuid": new.bsuid},
        }),
    );
    let mut party = old.party();
    let more = new.party().identities.into_iter().filter(|identity| !party.identities.contains(identity)).collect::<Vec<_>>();
    party.identities.extend(more);
    let mut told = place.event(format!("wa:{id}"), changed);
    told.actor = Some(party);
    told.at_ms = message.timestamp.0;
    let mut events = vec![told];
    if let (Some(from), Some(to)) = (old.conversation(), new.conversation())
        && from.external_id != to.external_id
    {
        let mut moved = place.event(format!("wa:{id}:moved"), Happening::Moved(to.external_id));
        moved.conversation = Some(from);
        moved.at_ms = message.timestamp.0;
        events.push(moved);
    }
    events
}

/// One whose shape isn't known: its ids are looked for, so that its place in the conversation isn't lost.
pub(super) fn broken(place: &Place, json: &Value, echo: bool) -> Event {
    let id = |name: &str| match json.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let (phone, user) = if echo { ("to", "to_user_id") } else { ("from", "from_user_id") };
    let person = Person { bsuid: id(user), wa_id: id(phone), ..Person::default() };
    let conversation = id("group_id").map(|group| people::group(&group)).or_else(|| person.conversation());
    let (Some(external_id), Some(conversation)) = (id("id"), conversation) else { return place.ignored("message_unreadable", json) };
    let raw = bounded(json.clone());
    let content = patchbay_plugin::messages::Custom::new("unsupported", &json!({"type": id("type"), "raw": raw}));
    let about = About { place, id: external_id, conversation, party: person.party(), echo, at_ms: None };
    let mut inbound = about.inbound(about.id.clone(), Message::default(), || Value::Null);
    inbound.content = vec![Content::Custom(content)];
    about.event(Happening::Message(inbound))
}
