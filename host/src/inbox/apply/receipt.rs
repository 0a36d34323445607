//! Receipts: one timestamp for each state, and the highest state is shown, whatever the order they come in. A message of
//! several parts stands where all of its parts do.

use serde_json::json;

use super::Applying;
use crate::{
    clock::At,
    domain::{
        event::{EventType, Fact, Happening, Receipt, ReceiptState, ReceiptTarget},
        failure::{Failure, FailureClass},
        message::{Message, MessageState},
    },
};

impl Applying<'_, '_> {
    pub(super) fn receipt(&mut self, receipt: &Receipt) {
        let at = receipt.at.or(self.fact.at).unwrap_or(self.page.now());
        match &receipt.target {
            ReceiptTarget::Messages(ids) => {
                for id in ids {
                    self.receipt_of(receipt, ids.len(), id, at);
                }
            }
            ReceiptTarget::UpTo(until) => {
                let conversation = receipt.conversation_of(self.fact).and_then(|id| self.page.conversation_by_external_id(id));
                let Some(conversation_id) = conversation.map(|conversation| conversation.id.clone()) else {
                    return self.tell(event_type(receipt.state), None, &json!({"receipt": {"up_to": until}, "at": at}));
                };
                for message in self.page.unread_up_to(&conversation_id, *until) {
                    self.receive(message, receipt.state, at, receipt.failure.as_ref());
                }
            }
        }
    }

    fn receipt_of(&mut self, receipt: &Receipt, of: usize, id: &str, at: At) {
        let Some(message) = self.page.message_by_ref(id).cloned() else {
            // It waits alone, so that the others of its webhook needn't.
            let alone = Receipt { target: ReceiptTarget::Messages(vec![id.to_owned()]), ..receipt.clone() };
            let dedupe_key = if of > 1 { format!("{}/{id}", self.fact.dedupe_key) } else { self.fact.dedupe_key.clone() };
            let fact = Fact { dedupe_key, what: Happening::Receipt(alone), follow_up: None, ..self.fact.clone() };
            if !self.parks(fact, id) {
                self.tell(event_type(receipt.state), None, &json!({"receipt": {"external_ids": [id]}, "at": at}));
            }
            return;
        };
        if let Some(at) = self.all_parts(&message.id, id, receipt.state, at) {
            self.receive(message, receipt.state, at, receipt.failure.as_ref());
        }
    }

    /// Notes what one part came to. Answers the time at which the last part did, once all of them have; a failure of one is the
    /// message's.
    fn all_parts(&mut self, message_id: &str, id: &str, state: ReceiptState, at: At) -> Option<At> {
        // Named by our own id, it is of all parts.
        let Some(part) = self.page.reference(id).map(|reference| reference.part) else { return Some(at) };
        if !self.page.references_of(message_id).any(|reference| reference.part != part) {
            return Some(at);
        }
        let reference = self.page.reference_mut(id)?;
        match state {
            ReceiptState::Delivered => reference.delivered_at = reference.delivered_at.or(Some(at)),
            ReceiptState::Read => reference.read_at = reference.read_at.or(Some(at)),
            ReceiptState::Failed => reference.failed_at = reference.failed_at.or(Some(at)),
            ReceiptState::Sent | ReceiptState::Played => return Some(at),
        }
        let mut parts = std::collections::BTreeMap::<u32, Option<At>>::new();
        for reference in self.page.references_of(message_id) {
            let stamp = match state {
                // Who has read it has it.
                ReceiptState::Delivered => reference.delivered_at.or(reference.read_at),
                ReceiptState::Read => reference.read_at,
                _ => return Some(at),
            };
            let of_part = parts.entry(reference.part).or_default();
            *of_part = of_part.or(stamp);
        }
        parts.into_values().try_fold(at, |last, stamp| stamp.map(|stamp| last.max(stamp)))
    }

    /// The message after the receipt; nothing where it tells nothing new.
    pub(super) fn receive(&mut self, known: Message, state: ReceiptState, at: At, failure: Option<&Failure>) {
        if let Some(message) = after(known, state, at, failure) {
            self.page.save(message.clone());
            self.note_reach(&message, state, failure);
            self.tell_message(event_type(state), &message, None);
        }
    }
}

impl Applying<'_, '_> {
    /// Whether somebody is there: who the receipt names, where that is one of several recipients, else who the message is to.
    fn note_reach(&mut self, message: &Message, state: ReceiptState, failure: Option<&Failure>) {
        let reached = match (state, failure) {
            (ReceiptState::Delivered | ReceiptState::Read | ReceiptState::Played, _) => true,
            (ReceiptState::Failed, Some(failure)) if failure.class == FailureClass::Recipient => false,
            _ => return,
        };
        let named = self.fact.actor.as_ref().and_then(|actor| self.page.known(actor));
        let contact_id = match named {
            // Somebody to whom we alone have written is no contact yet: who can't be reached has to be known the next time. Where
            // the receipt names a copy's recipient, it says nothing of whom the message is to.
            None if !reached && self.fact.actor.is_some() => self.actor(),
            None => self.page.contact_of(message),
            named => named,
        };
        let Some(contact_id) = contact_id else { return };
        match failure.filter(|_| !reached) {
            Some(failure) => self.page.set_unreachable(&contact_id, &failure.message),
            None => self.page.set_reached(&contact_id),
        }
    }
}

fn event_type(state: ReceiptState) -> EventType {
    match state {
        ReceiptState::Sent => EventType::MessageSent,
        ReceiptState::Delivered => EventType::MessageDelivered,
        ReceiptState::Read => EventType::MessageRead,
        ReceiptState::Played => EventType::MessagePlayed,
        ReceiptState::Failed => EventType::MessageFailed,
    }
}

/// The message after the receipt; none where it tells nothing new.
fn after(mut message: Message, state: ReceiptState, at: At, failure: Option<&Failure>) -> Option<Message> {
    let (stamp, shown) = match state {
        ReceiptState::Sent => (&mut message.sent_at, MessageState::Sent),
        ReceiptState::Delivered => (&mut message.delivered_at, MessageState::Delivered),
        ReceiptState::Read => (&mut message.read_at, MessageState::Read),
        ReceiptState::Played => (&mut message.played_at, MessageState::Played),
        ReceiptState::Failed => (&mut message.failed_at, MessageState::Failed),
    };
    if stamp.is_some() {
        return None;
    }
    *stamp = Some(at);
    if matches!(shown, MessageState::Delivered | MessageState::Read | MessageState::Played) {
        // What arrived was sent, whatever came of the answer to the send.
        message.sent_at.get_or_insert(at);
    }
    // A provider that takes a message and fails it later has failed it: `sent` was only its word of having it.
    let fails_sent = shown == MessageState::Failed && message.state == MessageState::Sent;
    if shown.rank() > message.state.rank() || fails_sent {
        message.state = shown;
        message.failure = if shown == MessageState::Failed { failure.cloned() } else { None };
    }
    Some(message)
}
