//! Receipts: one timestamp for each state, and the highest state is shown, whatever the order they come in.

use serde_json::json;

use super::{About, Applying};
use crate::{
    clock::At,
    domain::{
        event::{EventType, Receipt, ReceiptState, ReceiptTarget},
        failure::Failure,
        message::{Message, MessageState},
    },
    stats,
    store::{Result, messages, people},
};

impl Applying<'_> {
    pub(super) async fn receipt(&mut self, receipt: &Receipt) -> Result<()> {
        let at = receipt.at.or(self.fact.at).unwrap_or(self.now);
        let meant = self.meant(receipt).await?;
        let mut told = false;
        for known in meant {
            if let Some(mut message) = receive(&known, receipt.state, at, receipt.failure.as_ref()) {
                stats::record(self.tx, Some(&known), &mut message, self.plugin_digest, self.now).await?;
                messages::save_state(self.tx, &message).await?;
                self.tell_message(event_type(receipt.state), &message, None).await?;
                told = true;
            }
        }
        if !told {
            // It changed nothing we know of: it is told as it is, and its key is kept.
            let target = match &receipt.target {
                ReceiptTarget::Messages(ids) => json!({"external_ids": ids}),
                ReceiptTarget::UpTo(until) => json!({"up_to": until}),
            };
            self.tell(event_type(receipt.state), About::default(), json!({"receipt": target, "at": at})).await?;
        }
        Ok(())
    }

    async fn meant(&mut self, receipt: &Receipt) -> Result<Vec<Message>> {
        match &receipt.target {
            ReceiptTarget::Messages(ids) => {
                let mut meant = Vec::with_capacity(ids.len());
                for id in ids {
                    meant.extend(messages::find_by_ref(&mut *self.tx, self.owner.account_id, id).await?);
                }
                Ok(meant)
            }
            ReceiptTarget::UpTo(until) => {
                let external_id = receipt.conversation.as_ref().or(self.fact.conversation.as_ref().map(|at| &at.external_id));
                let Some(external_id) = external_id else { return Ok(Vec::new()) };
                match people::find_conversation_by_external_id(&mut *self.tx, self.owner.account_id, external_id).await? {
                    Some(conversation) => messages::sent_up_to(&mut *self.tx, &conversation.id, *until).await,
                    None => Ok(Vec::new()),
                }
            }
        }
    }

    /// The provider showed us a message of ours that we weren't sure of: it went out.
    pub(super) async fn receipt_of_echo(&mut self, known: Message) -> Result<()> {
        let at = self.fact.at.unwrap_or(self.now);
        let mut message = receive(&known, ReceiptState::Sent, at, None).unwrap_or_else(|| known.clone());
        stats::record(self.tx, Some(&known), &mut message, self.plugin_digest, self.now).await?;
        messages::save_state(self.tx, &message).await?;
        self.tell_message(EventType::MessageSent, &message, None).await
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
fn receive(known: &Message, state: ReceiptState, at: At, failure: Option<&Failure>) -> Option<Message> {
    let mut message = known.clone();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::message::Direction, outbox::blank_message, store::people::Owner};

    fn sent() -> Message {
        let owner = Owner { organization_id: "o", account_id: "a" };
        Message {
            sent_at: Some(At::from_micros(1)),
            ..blank_message("m".into(), owner, Direction::Outbound, MessageState::Sent, At::from_micros(0))
        }
    }

    #[test]
    fn a_late_receipt_fills_its_timestamp_and_never_lowers_the_state() {
        let read = receive(&sent(), ReceiptState::Read, At::from_micros(9), None).unwrap();
        assert_eq!(read.state, MessageState::Read);
        let late = receive(&read, ReceiptState::Delivered, At::from_micros(5), None).unwrap();
        assert_eq!(late.state, MessageState::Read);
        assert_eq!(late.delivered_at, Some(At::from_micros(5)));
    }

    #[test]
    fn a_receipt_that_comes_twice_changes_nothing() {
        let read = receive(&sent(), ReceiptState::Read, At::from_micros(9), None).unwrap();
        assert!(receive(&read, ReceiptState::Read, At::from_micros(10), None).is_none());
    }

    #[test]
    fn a_failure_ends_what_was_only_taken_and_a_delivery_outranks_it() {
        let failed = receive(&sent(), ReceiptState::Failed, At::from_micros(3), None).unwrap();
        assert_eq!(failed.state, MessageState::Failed);
        let delivered = receive(&failed, ReceiptState::Delivered, At::from_micros(4), None).unwrap();
        assert_eq!(delivered.state, MessageState::Delivered);
        assert!(receive(&delivered, ReceiptState::Failed, At::from_micros(5), None).is_none());
    }
}
