//! What has to be loaded before facts can be applied.

use std::collections::BTreeSet;

use super::devices::REPLACES;
use super::threads::related;
use crate::{
    clock::At,
    domain::{
        event::{Fact, Happening, Inbound, Receipt, ReceiptTarget},
        people::{Identity, Party},
    },
};

/// Names of rows, each with its account.
#[derive(Default)]
pub struct Wanted<'a> {
    pub(super) keys: BTreeSet<(&'a str, &'a str)>,
    pub(super) identities: BTreeSet<(&'a str, &'a Identity)>,
    /// External ids of conversations.
    pub(super) conversations: BTreeSet<(&'a str, &'a str)>,
    /// Provider's ids of messages, or ours.
    pub(super) refs: BTreeSet<(&'a str, &'a str)>,
    /// Provider's ids that messages will have: facts may wait for them.
    pub(super) new_refs: BTreeSet<(&'a str, &'a str)>,
    /// Provider's ids of messages that others may have named before they came.
    pub(super) mentions: BTreeSet<(&'a str, &'a str)>,
    /// Conversations that an echo came from.
    pub(super) echoes: BTreeSet<(&'a str, &'a str)>,
    /// All of our messages in the conversation of that external id up to then.
    pub(super) watermarks: BTreeSet<(&'a str, &'a str, At)>,
    /// Our ids of messages.
    pub(super) messages: BTreeSet<(&'a str, &'a str)>,
    /// Plugins' ids of subscriptions.
    pub(super) devices: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> Wanted<'a> {
    /// What the fact speaks of.
    pub fn fact(&mut self, account_id: &'a str, fact: &'a Fact) {
        self.keys.insert((account_id, &fact.dedupe_key));
        if let Some(conversation) = &fact.conversation {
            self.conversations.insert((account_id, &conversation.external_id));
        }
        if let Some(actor) = &fact.actor {
            self.party(account_id, actor);
        }
        match &fact.what {
            Happening::Message(inbound) | Happening::Edited(inbound) => self.inbound(account_id, inbound),
            Happening::Deleted(reference) => self.reference(account_id, reference),
            Happening::Reacted(reaction) => self.reference(account_id, &reaction.target),
            Happening::Voted { poll, .. } => self.reference(account_id, poll),
            Happening::Receipt(receipt) => self.receipt(account_id, fact, receipt),
            Happening::Interacted(interaction) => self.reference(account_id, &interaction.target),
            Happening::Subscription(subscription) => {
                self.subscription(account_id, &subscription.id);
                if let Some(replaced) = subscription.extras.get(REPLACES) {
                    self.subscription(account_id, replaced);
                }
            }
            Happening::Moved(to) => {
                self.conversations.insert((account_id, to));
            }
            Happening::Chose(_)
            | Happening::Typing(_)
            | Happening::OptedOut { .. }
            | Happening::OptedIn
            | Happening::Template(_)
            | Happening::AccountStatus { .. }
            | Happening::Custom(_) => {}
        }
    }

    /// A message of ours, by our id.
    pub fn message(&mut self, account_id: &'a str, id: &'a str) {
        self.messages.insert((account_id, id));
    }

    /// A conversation, by the provider's id.
    pub fn conversation(&mut self, account_id: &'a str, external_id: &'a str) {
        self.conversations.insert((account_id, external_id));
    }

    /// A message, by the provider's id.
    pub fn reference(&mut self, account_id: &'a str, reference: &'a str) {
        self.refs.insert((account_id, reference));
    }

    /// An id that a message will have at the provider.
    pub fn new_reference(&mut self, account_id: &'a str, reference: &'a str) {
        self.refs.insert((account_id, reference));
        self.new_refs.insert((account_id, reference));
    }

    /// A device that takes notifications, by the plugin's id.
    pub fn subscription(&mut self, account_id: &'a str, id: &'a str) {
        self.devices.insert((account_id, id));
    }

    fn party(&mut self, account_id: &'a str, party: &'a Party) {
        self.identities.extend(party.identities.iter().map(|identity| (account_id, identity)));
    }

    fn inbound(&mut self, account_id: &'a str, inbound: &'a Inbound) {
        self.conversations.insert((account_id, &inbound.conversation.external_id));
        self.new_reference(account_id, &inbound.external_id);
        self.mentions.insert((account_id, &inbound.external_id));
        for id in related(inbound) {
            self.reference(account_id, id);
            self.mentions.insert((account_id, id));
        }
        if inbound.echo {
            self.echoes.insert((account_id, &inbound.conversation.external_id));
            if let Some(ours) = inbound.our_id() {
                self.messages.insert((account_id, ours));
            }
        } else {
            self.party(account_id, &inbound.sender);
        }
    }

    fn receipt(&mut self, account_id: &'a str, fact: &'a Fact, receipt: &'a Receipt) {
        match &receipt.target {
            ReceiptTarget::Messages(ids) => self.refs.extend(ids.iter().map(|id| (account_id, id.as_str()))),
            ReceiptTarget::UpTo(until) => {
                if let Some(external_id) = receipt.conversation_of(fact) {
                    self.conversations.insert((account_id, external_id));
                    self.watermarks.insert((account_id, external_id, *until));
                }
            }
        }
    }
}
