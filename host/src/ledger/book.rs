//! One account's rows, as they were loaded and as they stand now.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::{
    domain::{
        event::Fact,
        message::Message,
        people::{Contact, Conversation, Identity},
        stats::ConversationClock,
        subscription::{Endpoint, Subscriber},
    },
    store::messages::Reference,
};

/// A row, and whether it has to be written.
pub(super) struct Kept<T> {
    pub(super) now: T,
    pub(super) changed: bool,
}

impl<T> Kept<T> {
    pub(super) fn loaded(row: T) -> Kept<T> {
        Kept { now: row, changed: false }
    }

    pub(super) fn made(row: T) -> Kept<T> {
        Kept { now: row, changed: true }
    }

    /// The row, to be changed.
    pub(super) fn change(&mut self) -> &mut T {
        self.changed = true;
        &mut self.now
    }
}

/// A conversation with what is written beside it.
pub(super) struct Talk {
    pub(super) conversation: Conversation,
    /// What the plugin wants back with the next message out, where it said so now.
    pub(super) reply_context: Option<Vec<u8>>,
    pub(super) clock: ConversationClock,
    /// Made here: nothing was said in it before.
    pub(super) is_new: bool,
}

/// Whose an identity is.
pub(super) struct Holder {
    pub(super) contact_id: String,
    pub(super) changed: bool,
}

/// A device that takes notifications.
pub(super) struct Device {
    /// None where it takes none any more.
    pub(super) subscriber: Option<Subscriber>,
    /// Where to push, where that was told now.
    pub(super) endpoint: Option<Endpoint>,
}

#[derive(Default)]
pub(super) struct Book {
    /// Dedupe keys of facts that are stored.
    pub(super) known: HashSet<String>,
    pub(super) contacts: HashMap<String, Kept<Contact>>,
    pub(super) identities: HashMap<Identity, Holder>,
    pub(super) conversations: HashMap<String, Kept<Talk>>,
    /// Ids of conversations by their external ids.
    pub(super) by_external_id: HashMap<String, String>,
    pub(super) messages: HashMap<String, Kept<Message>>,
    /// By the provider's id.
    pub(super) refs: HashMap<String, Kept<Reference>>,
    /// Ids of messages that others name and that aren't there, with the conversation of those.
    pub(super) mentions: HashMap<String, Kept<String>>,
    /// Facts that wait, by the provider's id of the message that they speak of.
    pub(super) parked: HashMap<String, Vec<Fact>>,
    /// Facts that wait no more: what they waited for, and their dedupe keys.
    pub(super) unparked: Vec<(String, String)>,
    /// Those whose message came: to be applied, oldest first.
    pub(super) freed: VecDeque<Fact>,
    /// External ids of conversations that a send is on its way to.
    pub(super) in_flight: HashSet<String>,
    /// Ids of messages that perhaps arrived, by recipient.
    pub(super) uncertain: HashMap<String, Vec<String>>,
    /// By the plugin's ids.
    pub(super) devices: HashMap<String, Kept<Device>>,
}
