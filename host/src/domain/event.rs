//! Facts: as a plugin parsed them ([`Fact`]), and as the gateway tells them ([`Event`]).

use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};
use serde_json::{Map, Value};

use super::{
    content::{Choice, Content, Custom, Extras},
    failure::Failure,
    message::{Command, Reaction},
    people::{ConversationRef, Party},
    words,
};
use crate::clock::At;

/// One normalised fact from a webhook, a poll, or the answer to a send. Its JSON is for facts that wait for what they speak of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// Equal for every delivery of the same fact.
    pub dedupe_key: String,
    pub conversation: Option<ConversationRef>,
    pub actor: Option<Party>,
    pub at: Option<At>,
    pub what: Happening,
    /// Queued for sending where the fact is new.
    pub follow_up: Option<Command>,
    /// What the contract has no word for: told on with the fact's events.
    #[serde(default, skip_serializing_if = "Extras::is_empty")]
    pub extras: Extras,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Happening {
    Message(Box<Inbound>),
    Edited(Box<Inbound>),
    /// The provider's id of the message.
    Deleted(String),
    Reacted(Reaction),
    Chose(Choice),
    /// Indexes of the options, from 0; none where the vote was taken back.
    Voted {
        poll: String,
        options: Vec<u32>,
    },
    Receipt(Receipt),
    Typing(bool),
    Subscription(Subscription),
    Interacted(Interaction),
    OptedOut {
        code: String,
        message: String,
    },
    OptedIn,
    Template(Value),
    AccountStatus {
        state: String,
        code: String,
        message: String,
        /// In place of the account's facts of the same names.
        #[serde(default)]
        facts: Map<String, Value>,
    },
    /// The conversation continues under this external id.
    Moved(String),
    Custom(Custom),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inbound {
    pub external_id: String,
    pub conversation: ConversationRef,
    pub sender: Party,
    /// True for what the business wrote elsewhere.
    pub echo: bool,
    pub content: Vec<Content>,
    pub reply_to: Option<String>,
    /// Ids of earlier messages of its thread, the nearest first.
    #[serde(default)]
    pub related: Vec<String>,
    /// Written by a machine.
    #[serde(default)]
    pub automatic: bool,
    pub origin: String,
    pub sent_at: Option<At>,
    pub reply_context: Option<Vec<u8>>,
    pub extras: Extras,
}

/// One device or browser that takes notifications.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    /// The plugin's, the same for the same endpoint.
    pub id: String,
    pub endpoint: String,
    pub keys: Extras,
    pub active: bool,
    /// What is told of the device.
    pub extras: Extras,
}

/// What somebody did with a notification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interaction {
    /// The message, by the provider's id or ours.
    pub target: String,
    pub kind: InteractionKind,
    /// The id of the button that was pressed.
    pub action: Option<String>,
    pub url: Option<String>,
}

words! {
    pub enum InteractionKind {
        Opened = "opened",
        Dismissed = "dismissed",
    }
}

impl Fact {
    /// All that is said in it, and in what follows from it.
    pub fn content(&self) -> impl Iterator<Item = &Content> {
        let said = match &self.what {
            Happening::Message(inbound) | Happening::Edited(inbound) => inbound.content.as_slice(),
            _ => &[],
        };
        let follows = match &self.follow_up {
            Some(Command::Message(content)) => content.as_slice(),
            Some(Command::Edit(edit)) => std::slice::from_ref(&edit.content),
            _ => &[],
        };
        said.iter().chain(follows)
    }

    /// Whether a machine wrote it.
    pub fn is_automatic(&self) -> bool {
        matches!(&self.what, Happening::Message(inbound) | Happening::Edited(inbound) if inbound.automatic)
    }

    /// With names that the database can keep: it has no NUL, and what is looked up has to be what was stored.
    #[must_use]
    pub fn with_storable_names(mut self) -> Fact {
        clean(&mut self.dedupe_key);
        if let Some(conversation) = &mut self.conversation {
            clean(&mut conversation.external_id);
        }
        if let Some(actor) = &mut self.actor {
            clean_party(actor);
        }
        match &mut self.what {
            Happening::Message(inbound) | Happening::Edited(inbound) => {
                clean(&mut inbound.external_id);
                clean(&mut inbound.conversation.external_id);
                clean_party(&mut inbound.sender);
                inbound.related.iter_mut().for_each(clean);
            }
            Happening::Deleted(reference) | Happening::Moved(reference) => clean(reference),
            Happening::Reacted(reaction) => clean(&mut reaction.target),
            Happening::Voted { poll, .. } => clean(poll),
            Happening::Receipt(receipt) => {
                receipt.conversation.iter_mut().for_each(clean);
                if let ReceiptTarget::Messages(ids) = &mut receipt.target {
                    ids.iter_mut().for_each(clean);
                }
            }
            Happening::Subscription(subscription) => {
                clean(&mut subscription.id);
                clean(&mut subscription.endpoint);
            }
            Happening::Interacted(interaction) => clean(&mut interaction.target),
            Happening::Chose(_)
            | Happening::Typing(_)
            | Happening::OptedOut { .. }
            | Happening::OptedIn
            | Happening::Template(_)
            | Happening::AccountStatus { .. }
            | Happening::Custom(_) => {}
        }
        self
    }
}

fn clean_party(party: &mut Party) {
    for identity in &mut party.identities {
        clean(&mut identity.scheme);
        clean(&mut identity.value);
    }
}

/// As the store would write it.
fn clean(name: &mut String) {
    if name.contains('\0') {
        *name = name.replace('\0', "\u{FFFD}");
    }
}

impl Inbound {
    /// An extra by which a plugin tells of an echo which of our messages it is of, where the provider gives our id back.
    const MESSAGE_ID: &str = "message_id";

    /// Our id of the message that this is an echo of.
    pub fn our_id(&self) -> Option<&str> {
        self.extras.get(Inbound::MESSAGE_ID).map(String::as_str)
    }
}

words! {
    pub enum ReceiptState {
        Sent = "sent",
        Delivered = "delivered",
        Read = "read",
        Played = "played",
        Failed = "failed",
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    pub conversation: Option<String>,
    pub target: ReceiptTarget,
    pub state: ReceiptState,
    pub at: Option<At>,
    pub failure: Option<Failure>,
}

impl Receipt {
    /// The provider's id of the conversation that a watermark is of.
    pub fn conversation_of<'a>(&'a self, fact: &'a Fact) -> Option<&'a str> {
        self.conversation.as_deref().or(fact.conversation.as_ref().map(|conversation| conversation.external_id.as_str()))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ReceiptTarget {
    Messages(Vec<String>),
    /// Everything sent up to then.
    UpTo(At),
}

words! {
    /// What is told to those who listen. The list is published: a word is added, never changed.
    pub enum EventType {
        MessageReceived = "message.received",
        MessageAutomatic = "message.automatic",
        MessageEcho = "message.echo",
        MessageEdited = "message.edited",
        MessageDeleted = "message.deleted",
        MessageReaction = "message.reaction",
        MessageChoice = "message.choice",
        MessageVote = "message.vote",
        MessageQueued = "message.queued",
        MessageSent = "message.sent",
        MessageDelivered = "message.delivered",
        MessageRead = "message.read",
        MessagePlayed = "message.played",
        MessageFailed = "message.failed",
        MessageUncertain = "message.uncertain",
        ConversationTyping = "conversation.typing",
        ConversationMoved = "conversation.moved",
        ContactOptedOut = "contact.opted_out",
        ContactOptedIn = "contact.opted_in",
        ContactMerged = "contact.merged",
        ContactSubscription = "contact.subscription",
        NotificationOpened = "notification.opened",
        NotificationDismissed = "notification.dismissed",
        TemplateStatus = "template.status",
        /// A file that a message brought can be had.
        MediaStored = "media.stored",
        /// A file that a message brought can't be had.
        MediaFailed = "media.failed",
        AccountStatus = "account.status",
        AccountConnection = "account.connection",
        /// There is a code to scan, or another one.
        AccountPairing = "account.pairing",
        ChannelCustom = "channel.custom",
        EndpointDisabled = "endpoint.disabled",
        /// Told to the endpoint alone that is tested.
        EndpointTest = "endpoint.test",
    }
}

/// An event. Its JSON is what every listener gets, however it listens; [`payload::Told`](super::payload::Told) is its schema.
#[derive(Debug, Clone)]
pub struct Event {
    pub id: String,
    pub event_type: EventType,
    /// The shape of `data`; it rises when that changes.
    pub version: u32,
    pub organization_id: String,
    /// Empty where it is about no account.
    pub channel_account_id: String,
    pub conversation_id: Option<String>,
    pub message_id: Option<String>,
    pub occurred_at: At,
    pub data: Value,
    /// The place to resume from.
    pub seq: i64,
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let account = Some(&self.channel_account_id).filter(|id| !id.is_empty());
        let mut told = serializer.serialize_struct("Event", 10)?;
        told.serialize_field("id", &self.id)?;
        told.serialize_field("type", &self.event_type)?;
        // Standard Webhooks' name for the time of the event; `occurred_at` is what the rest of the API calls it.
        told.serialize_field("timestamp", &self.occurred_at)?;
        told.serialize_field("version", &self.version)?;
        told.serialize_field("organization_id", &self.organization_id)?;
        told.serialize_field("channel_account_id", &account)?;
        told.serialize_field("conversation_id", &self.conversation_id)?;
        told.serialize_field("message_id", &self.message_id)?;
        told.serialize_field("occurred_at", &self.occurred_at)?;
        told.serialize_field("data", &self.data)?;
        told.end()
    }
}
