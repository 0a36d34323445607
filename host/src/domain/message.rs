//! Messages, and what is asked of the outbox.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    content::{Content, Custom, Extras},
    event::InteractionKind,
    failure::Failure,
    stats::Measures,
    words,
};
use crate::clock::At;

words! {
    pub enum Direction {
        Inbound = "inbound",
        Outbound = "outbound",
    }
}

words! {
    pub enum MessageState {
        /// Came in.
        Received = "received",
        /// Waits in the outbox.
        Queued = "queued",
        /// The provider took it.
        Sent = "sent",
        Delivered = "delivered",
        Read = "read",
        Played = "played",
        /// Some parts went out and others never will.
        PartiallySent = "partially_sent",
        Failed = "failed",
        /// Perhaps it arrived: a receipt or an echo may still tell; it isn't sent again.
        Uncertain = "uncertain",
        Cancelled = "cancelled",
        Expired = "expired",
    }
}

words! {
    /// Which messages go first where not all can go at once.
    #[derive(Default)]
    pub enum Priority {
        /// Replies and single messages.
        #[default]
        Normal = "normal",
        /// Campaigns: behind what is normal, in every lane and for every slot.
        Bulk = "bulk",
    }
}

impl Priority {
    /// As the queue orders them: lower goes first.
    pub const fn number(self) -> i64 {
        match self {
            Priority::Normal => 0,
            Priority::Bulk => 1,
        }
    }

    pub const fn from_number(number: i64) -> Priority {
        if number > 0 { Priority::Bulk } else { Priority::Normal }
    }
}

impl MessageState {
    /// The order in which states outrank each other: a late receipt never lowers what is shown.
    pub fn rank(self) -> u8 {
        match self {
            MessageState::Received | MessageState::Queued => 0,
            MessageState::Cancelled | MessageState::Expired => 2,
            MessageState::Uncertain => 3,
            MessageState::Failed => 4,
            MessageState::PartiallySent => 5,
            MessageState::Sent => 6,
            MessageState::Delivered => 7,
            MessageState::Read => 8,
            MessageState::Played => 9,
        }
    }
}

/// What a plugin is asked to do. The JSON of a message's `command`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    Message(Vec<Content>),
    React(Reaction),
    Edit(Box<Edit>),
    /// The provider's id of the message.
    Delete(String),
    Typing(bool),
    /// The provider's id of the message.
    MarkRead(String),
    Custom(Custom),
}

impl Command {
    /// The word the manifest's `capabilities.commands` and a message's `kind` use.
    pub fn kind(&self) -> &'static str {
        match self {
            Command::Message(_) => "message",
            Command::React(_) => "react",
            Command::Edit(_) => "edit",
            Command::Delete(_) => "delete",
            Command::Typing(_) => "typing",
            Command::MarkRead(_) => "mark_read",
            Command::Custom(_) => "custom",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reaction {
    /// The provider's id of the message.
    pub target: String,
    #[serde(default)]
    pub emoji: Option<String>,
    /// With no emoji: whatever it was is taken back.
    #[serde(default)]
    pub removed: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Edit {
    /// The provider's id of the message.
    pub target: String,
    pub content: Content,
}

/// A reaction as it stands on a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReactionMark {
    pub emoji: String,
    /// The contact that reacted; none where the provider doesn't tell.
    pub contact_id: Option<String>,
}

/// A vote as it stands on a poll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VoteMark {
    pub contact_id: Option<String>,
    /// Indexes of the options, from 0.
    pub options: Vec<u32>,
}

/// What somebody did with a message that is a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InteractionMark {
    pub kind: InteractionKind,
    /// The id of the button that was pressed; none where it was the notification itself.
    pub action: Option<String>,
    pub url: Option<String>,
    pub at: At,
    /// None where nobody knows whose device it was.
    pub contact_id: Option<String>,
}

/// One part that the provider took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    pub part: u32,
    pub external_id: Option<String>,
    #[serde(default, skip_serializing_if = "Extras::is_empty")]
    pub extras: Extras,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Message {
    pub id: String,
    pub organization_id: String,
    pub channel_account_id: String,
    pub conversation_id: Option<String>,
    pub contact_id: Option<String>,
    pub direction: Direction,
    /// `message`, or what else was asked: `react`, `edit`, `delete`, `typing`, `mark_read`, `custom`.
    pub kind: String,
    pub to: Option<String>,
    pub external_id: Option<String>,
    /// What was asked, where it isn't content.
    pub command: Option<Command>,
    pub content: Vec<Content>,
    pub origin: Option<String>,
    pub echo: bool,
    /// Written by a machine: an absence note, a mailing list.
    pub automatic: bool,
    /// The provider's id of the message answered.
    pub reply_to: Option<String>,
    pub reactions: Vec<ReactionMark>,
    pub votes: Vec<VoteMark>,
    /// What was done with it where it is a notification; the earliest first, a hundred at most.
    pub interactions: Vec<InteractionMark>,
    pub extras: Extras,
    /// What the channel tells of it: before it is sent, like the number of its parts, and with the provider's answer, like its price.
    pub facts: Map<String, Value>,
    pub state: MessageState,
    pub failure: Option<Failure>,
    pub attempts: i64,
    /// The provider's time of it.
    pub provider_at: Option<At>,
    pub send_at: Option<At>,
    pub expires_at: Option<At>,
    pub sent_at: Option<At>,
    pub delivered_at: Option<At>,
    pub read_at: Option<At>,
    pub played_at: Option<At>,
    pub failed_at: Option<At>,
    pub edited_at: Option<At>,
    pub deleted_at: Option<At>,
    pub created_at: At,
    #[serde(skip)]
    pub measures: Measures,
}

impl Message {
    /// When somebody first did that with it.
    pub fn first(&self, kind: InteractionKind) -> Option<At> {
        self.interactions.iter().filter(|mark| mark.kind == kind).map(|mark| mark.at).min()
    }
}
