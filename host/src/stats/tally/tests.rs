use super::*;
use crate::{
    domain::{
        failure::{Failure, FailureClass},
        message::Direction,
    },
    outbox::blank_message,
    store::people::Owner,
};

const SLOT_MINUTES: i64 = 15;

fn at(minutes: i64) -> At {
    At::from_micros(minutes * 60_000_000)
}

/// One conversation, and what was counted of it.
#[derive(Default)]
struct World {
    clock: ConversationClock,
    tally: Tally,
    made: i64,
}

impl World {
    fn observe(&mut self, before: Option<&Message>, mut after: Message, now: i64) -> Message {
        self.tally.observe(before, &mut after, Some(&mut self.clock), Some("v1"), at(now));
        after
    }

    fn blank(&mut self, direction: Direction, state: MessageState, now: i64) -> Message {
        self.made += 1;
        let owner = Owner { organization_id: "o", account_id: "a" };
        Message { conversation_id: Some("c".to_owned()), ..blank_message(format!("m{}", self.made), owner, direction, state, at(now)) }
    }

    fn receive(&mut self, now: i64) -> Message {
        let message = self.blank(Direction::Inbound, MessageState::Received, now);
        self.observe(None, message, now)
    }

    fn queue(&mut self, now: i64) -> Message {
        let message = self.blank(Direction::Outbound, MessageState::Queued, now);
        self.observe(None, message, now)
    }

    fn send(&mut self, now: i64) -> Message {
        let queued = self.queue(now);
        self.observe(Some(&queued), Message { state: MessageState::Sent, sent_at: Some(at(now)), ..queued.clone() }, now)
    }

    fn fail(&mut self, message: &Message, class: FailureClass, now: i64) -> Message {
        let failure = Some(Failure::new(class, "code", "text"));
        let failed = Message { state: MessageState::Failed, failed_at: Some(at(now)), failure, ..message.clone() };
        self.observe(Some(message), failed, now)
    }

    /// What is counted: the metric, its label, the number of the quarter of an hour, and how many.
    fn counts(self) -> Vec<String> {
        let rows = self.tally.into_rows();
        assert!(rows.increments.iter().all(|row| row.account_id == "a" && row.plugin_digest == "v1"));
        let active = rows.activity.iter().map(|row| format!("active @{}", row.slot.start().micros() / 60_000_000 / SLOT_MINUTES));
        let counts = rows.increments.iter().map(|row| {
            let slot = row.slot.start().micros() / 60_000_000 / SLOT_MINUTES;
            let label = if row.amount.sum > 0 { format!(" {} s", row.amount.sum / 1_000_000) } else { format!(" {}", row.label) };
            format!("{}{} @{slot} {}", row.metric, label.trim_end(), row.amount.count)
        });
        let mut counts: Vec<String> = counts.chain(active).collect();
        counts.sort();
        counts
    }
}

#[test]
fn what_came_in_is_received_and_begins() {
    let mut world = World::default();
    world.receive(0);
    world.receive(1);
    world.receive(20);
    assert_eq!(world.counts(), ["active @0", "active @1", "conversations_new @0 1", "episodes @0 1", "received @0 2", "received @1 1"]);
}

#[test]
fn what_waits_or_is_cancelled_counts_for_nothing() {
    let mut world = World::default();
    let queued = world.queue(0);
    let cancelled = Message { state: MessageState::Cancelled, failed_at: Some(at(1)), ..queued.clone() };
    world.observe(Some(&queued), cancelled, 1);
    assert!(world.counts().is_empty());
}

#[test]
fn what_was_sent_is_counted_when_it_was_and_what_became_of_it_then_too() {
    let mut world = World::default();
    let sent = world.send(0);
    let delivered = world.observe(Some(&sent), Message { state: MessageState::Delivered, delivered_at: Some(at(16)), ..sent.clone() }, 20);
    world.observe(Some(&delivered), Message { state: MessageState::Read, read_at: Some(at(31)), ..delivered.clone() }, 31);
    assert_eq!(
        world.counts(),
        [
            "active @0",
            "attempted @0 1",
            "conversations_new @0 1",
            "delivered @1 1",
            "delivered_of_sent @0 1",
            "read @2 1",
            "read_of_sent @0 1",
            "sent @0 1"
        ]
    );
}

#[test]
fn what_was_read_was_delivered_when_its_receipt_says_so() {
    let mut world = World::default();
    let sent = world.send(0);
    let read = world.observe(Some(&sent), Message { state: MessageState::Read, read_at: Some(at(31)), ..sent.clone() }, 31);
    world.observe(Some(&read), Message { delivered_at: Some(at(16)), ..read.clone() }, 40);
    let counts = world.counts();
    assert!(counts.contains(&"delivered @1 1".to_owned()), "{counts:?}");
    assert!(!counts.iter().any(|count| count.starts_with("delivered @2")), "{counts:?}");
}

#[test]
fn a_change_that_is_told_again_counts_once() {
    let mut world = World::default();
    let sent = world.send(0);
    world.observe(Some(&sent), sent.clone(), 5);
    let edited = Message { edited_at: Some(at(9)), ..sent.clone() };
    world.observe(Some(&sent), edited, 9);
    assert_eq!(world.counts(), ["active @0", "attempted @0 1", "conversations_new @0 1", "sent @0 1"]);
}

#[test]
fn a_failure_counts_by_class_where_it_was_attempted() {
    let mut world = World::default();
    let sent = world.send(0);
    world.fail(&sent, FailureClass::Recipient, 20);
    let queued = world.queue(31);
    world.fail(&queued, FailureClass::Fault, 31);
    assert_eq!(
        world.counts(),
        [
            "active @0",
            "attempted @0 1",
            "attempted @2 1",
            "conversations_new @0 1",
            "failed fault @2 1",
            "failed recipient @1 1",
            "failed_of_attempted fault @2 1",
            "failed_of_attempted recipient @0 1",
            "sent @0 1"
        ]
    );
}

#[test]
fn what_arrived_after_all_is_no_failure_any_more() {
    let mut world = World::default();
    let sent = world.send(0);
    let failed = world.fail(&sent, FailureClass::Recipient, 20);
    let arrived = Message { state: MessageState::Delivered, delivered_at: Some(at(31)), failure: None, ..failed.clone() };
    world.observe(Some(&failed), arrived, 31);
    assert_eq!(
        world.counts(),
        ["active @0", "attempted @0 1", "conversations_new @0 1", "delivered @2 1", "delivered_of_sent @0 1", "sent @0 1"]
    );
}

#[test]
fn what_is_uncertain_counts_as_such_until_it_is_known() {
    let mut world = World::default();
    let queued = world.queue(0);
    let uncertain = world.observe(Some(&queued), Message { state: MessageState::Uncertain, ..queued.clone() }, 1);
    assert_eq!(uncertain.measures.uncertain_at, Some(at(1)));
    let mut second = World { clock: world.clock, tally: Tally::default(), made: 1 };
    assert_eq!(world.counts(), ["attempted @0 1", "uncertain @0 1"]);
    second.observe(Some(&uncertain), Message { state: MessageState::Sent, sent_at: Some(at(20)), ..uncertain.clone() }, 20);
    assert_eq!(
        second.counts(),
        ["active @1", "attempted @0 -1", "attempted @1 1", "conversations_new @1 1", "sent @1 1", "uncertain @0 -1"]
    );
}

#[test]
fn a_reply_is_timed_at_the_reply_and_the_first_of_an_episode_apart() {
    let mut world = World::default();
    world.receive(0);
    world.send(20);
    world.receive(21);
    world.send(22);
    let counts = world.counts();
    for expected in
        ["episodes @0 1", "episodes_answered @0 1", "first_response 1200 s @1 1", "reply_time 1200 s @1 1", "reply_time 60 s @1 1"]
    {
        assert!(counts.contains(&expected.to_owned()), "{expected}: {counts:?}");
    }
}

#[test]
fn what_the_gateway_sends_by_itself_answers_nobody_and_a_native_message_does() {
    let mut world = World::default();
    world.receive(0);
    let automatic = Message { origin: Some("follow_up".to_owned()), ..world.blank(Direction::Outbound, MessageState::Queued, 1) };
    let sent = world.observe(Some(&automatic), Message { state: MessageState::Sent, sent_at: Some(at(1)), ..automatic.clone() }, 1);
    assert_eq!(sent.measures.answers_since, None);
    let echo = world.blank(Direction::Outbound, MessageState::Sent, 6);
    let native = Message { echo: true, origin: Some("direct".to_owned()), sent_at: Some(at(5)), ..echo };
    let native = world.observe(None, native, 6);
    assert_eq!((native.measures.answers_since, native.measures.responds_since), (Some(at(0)), Some(at(0))));
    let counts = world.counts();
    assert!(counts.contains(&"sent @0 2".to_owned()) && counts.contains(&"sent_native @0 1".to_owned()), "{counts:?}");
}

#[test]
fn reactions_and_other_commands_are_no_messages() {
    let mut world = World::default();
    let reaction = Message { kind: "react".to_owned(), ..world.blank(Direction::Outbound, MessageState::Queued, 0) };
    let done = Message { state: MessageState::Sent, sent_at: Some(at(1)), ..reaction.clone() };
    world.observe(Some(&reaction), done, 1);
    assert!(world.counts().is_empty());
}

#[test]
fn a_message_stays_with_the_version_that_first_worked_on_it() {
    let mut world = World::default();
    let sent = world.send(0);
    let mut delivered = Message { state: MessageState::Delivered, delivered_at: Some(at(1)), ..sent.clone() };
    world.tally.observe(Some(&sent), &mut delivered, Some(&mut world.clock), Some("v2"), at(1));
    assert_eq!(delivered.measures.plugin_digest.as_deref(), Some("v1"));
    world.counts();
}
