//! What people and businesses say to each other: the same words for every channel, both ways. The types are those of
//! `wit/messages.wit`.

pub use crate::bindings::plugin::patchbay::channel::messages::{
    Accepted, AccountStatus, Action, Button, Card, Choice, Choices, Command, ContactCard, Content, Conversation, ConversationKind, Custom,
    Edit, Email, Event, Happening, Identity, Inbound, Interaction, InteractionKind, Interactive, Location, Media, MediaKind, Menu,
    Notification, Outbound, Party, Poll, Post, Reaction, Receipt, ReceiptState, ReceiptTarget, Row, Section, Sent, Source, Sticker,
    Subscription, Template, TemplateButton, TemplateStatus, TemplateValue, Text, TextFormat, Vote,
};

impl Text {
    /// Text as it stands, with link previews.
    pub fn plain(body: impl Into<String>) -> Self {
        Self { body: body.into(), format: TextFormat::Plain, preview_links: true }
    }
}

impl Identity {
    /// An id of that kind.
    pub fn new(scheme: impl Into<String>, value: impl Into<String>) -> Self {
        Self { scheme: scheme.into(), value: value.into() }
    }
}

impl Custom {
    /// A kind that the manifest names, with its JSON.
    pub fn new(kind: impl Into<String>, json: &serde_json::Value) -> Self {
        Self { kind: kind.into(), json: json.to_string() }
    }
}

impl Event {
    /// A fact. `dedupe_key` has to be equal for every delivery of it.
    pub fn new(dedupe_key: impl Into<String>, what: Happening) -> Self {
        let dedupe_key = dedupe_key.into();
        Self { dedupe_key, account: None, conversation: None, actor: None, at_ms: None, what, follow_up: None, extras: Vec::new() }
    }
}

impl Sent {
    /// Nothing was accepted.
    pub fn failed(failure: impl Into<crate::Failure>) -> Self {
        Self { accepted: Vec::new(), failed: Some(failure.into()), events: Vec::new() }
    }

    /// One part was accepted, under the provider's id where it tells one.
    pub fn accepted(external_id: Option<String>) -> Self {
        Self { accepted: vec![Accepted { part: 0, external_id, extras: Vec::new() }], failed: None, events: Vec::new() }
    }
}

impl From<Result<Sent, crate::Failure>> for Sent {
    fn from(result: Result<Sent, crate::Failure>) -> Self {
        result.unwrap_or_else(Sent::failed)
    }
}
