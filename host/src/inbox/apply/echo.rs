//! Echoes: what the business wrote elsewhere, or what we sent ourselves and the provider shows us. An echo of ours is found by
//! the provider's id, then by our own id, then by its words among the messages that perhaps arrived; while a send to the same
//! conversation is on its way it waits a little for its id to be known; what is left was written elsewhere.

use std::time::Duration;

use super::Applying;
use crate::domain::{
    content::Content,
    event::{EventType, Inbound, ReceiptState},
    message::{Direction, Message, MessageState},
};

/// How long an echo waits for the answer to a send.
const HELD: Duration = Duration::from_secs(10);

impl Applying<'_, '_> {
    pub(super) fn echo(&mut self, inbound: &Inbound) {
        let external_id = &inbound.external_id;
        if let Some(known) = self.page.message_by_ref(external_id).cloned() {
            return self.confirm(known);
        }
        let to = &inbound.conversation.external_id;
        let ours = inbound.our_id().and_then(|id| self.page.message(id));
        let ours = ours.filter(|message| message.direction == Direction::Outbound && message.external_id.is_none());
        let ours = ours.or_else(|| self.page.uncertain_to(to).find(|message| says_the_same(message, inbound)));
        if let Some(mut ours) = ours.cloned() {
            self.page.name(external_id, &ours.id, 0);
            ours.external_id = Some(external_id.clone());
            return self.confirm(ours);
        }
        if self.page.is_in_flight(to) {
            // Again and again, if need be: the send's lease bounds it.
            return self.page.park(self.fact.clone(), external_id, self.page.now().plus(HELD));
        }
        let message = self.insert_inbound(inbound);
        self.tell_message(EventType::MessageEcho, &message, None);
    }

    /// The provider shows us a message of ours: it went out. One that was known to be out tells nothing new.
    fn confirm(&mut self, known: Message) {
        if known.echo || known.state.rank() >= MessageState::Sent.rank() {
            return;
        }
        let at = self.fact.at.unwrap_or(self.page.now());
        self.receive(known, ReceiptState::Sent, at, None);
    }
}

/// Whether the echo has the message's words. What has none could be any of them.
fn says_the_same(message: &Message, inbound: &Inbound) -> bool {
    let words = |content: &[Content]| match content.first() {
        Some(Content::Text(text)) => Some(text.text.trim().to_owned()),
        _ => None,
    };
    words(&message.content).is_some_and(|ours| words(&inbound.content).as_ref() == Some(&ours))
}
