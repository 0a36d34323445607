//! What is counted of messages, and what a message and its conversation carry for it.

use std::{
    fmt,
    ops::{AddAssign, Neg},
    time::Duration,
};

use super::{
    event::InteractionKind,
    failure::FailureClass,
    message::{Direction, Message, MessageState},
    words,
};
use crate::clock::At;

/// A conversation that was silent so long begins anew: who writes first then opens an episode.
pub const EPISODE_IDLE: Duration = Duration::from_secs(24 * 3600);

/// The kind of what counts: reactions, edits and the like don't.
const MESSAGE: &str = "message";

words! {
    /// What is counted. Those named `…_of_…` count in the quarter of an hour of the second, so that a rate never exceeds 1.
    #[derive(PartialOrd, Ord)]
    pub enum Metric {
        Received = "received",
        Sent = "sent",
        /// Of those sent, what the business wrote elsewhere.
        SentNative = "sent_native",
        /// What was sent, failed or is uncertain.
        Attempted = "attempted",
        Delivered = "delivered",
        DeliveredOfSent = "delivered_of_sent",
        Read = "read",
        ReadOfSent = "read_of_sent",
        /// By class of failure.
        Failed = "failed",
        /// By class of failure.
        FailedOfAttempted = "failed_of_attempted",
        Uncertain = "uncertain",
        ConversationsNew = "conversations_new",
        /// The other side wrote first, after [`EPISODE_IDLE`] or for the first time.
        Episodes = "episodes",
        EpisodesAnswered = "episodes_answered",
        /// Notifications, when somebody first opened them.
        Opened = "opened",
        /// Notifications, when somebody first put them away.
        Dismissed = "dismissed",
        /// From the episode's begin to our first reply, at the reply; by bucket of duration.
        FirstResponse = "first_response",
        /// From the first message that waits to our reply, at the reply; by bucket of duration.
        ReplyTime = "reply_time",
    }
}

/// What a metric is split by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    Whole,
    Class(&'static str),
    /// The number of a bucket of durations: see [`Label::duration`].
    Bucket(u16),
}

impl Label {
    /// The class of a failure that gave none.
    pub const UNSPECIFIED: &'static str = "unspecified";

    fn class(class: Option<FailureClass>) -> Label {
        Label::Class(class.map_or(Label::UNSPECIFIED, FailureClass::as_str))
    }

    /// Logarithmic buckets of milliseconds: sixteen for each doubling, so that one is at most a sixteenth wide.
    pub fn duration(duration: Duration) -> Label {
        const STEPS: u32 = 4;
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let octave = (u64::BITS - millis.leading_zeros()).saturating_sub(STEPS + 1);
        // Below 1024: 60 octaves of 16, and 16 more.
        Label::Bucket(u16::try_from((u64::from(octave) << STEPS) + (millis >> octave)).unwrap_or(u16::MAX))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Label::Whole => Ok(()),
            Label::Class(class) => f.write_str(class),
            Label::Bucket(bucket) => write!(f, "{bucket}"),
        }
    }
}

/// A quarter of an hour of UTC, by its begin. Every zone's days begin at one: India is at +05:30, Nepal at +05:45.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(i64);

impl Slot {
    pub const SPAN: Duration = Duration::from_secs(15 * 60);

    pub fn of(at: At) -> Slot {
        let span = Slot::SPAN.as_micros() as i64;
        Slot(at.micros().div_euclid(span).saturating_mul(span))
    }

    pub fn start(self) -> At {
        At::from_micros(self.0)
    }
}

/// What is added up: how many, and of a duration how long together, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    pub count: i64,
    pub sum: i64,
}

impl Amount {
    pub const ONE: Amount = Amount { count: 1, sum: 0 };

    pub fn lasting(duration: Duration) -> Amount {
        Amount { count: 1, sum: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX) }
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Amount) {
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
    }
}

impl Neg for Amount {
    type Output = Amount;
    fn neg(self) -> Amount {
        Amount { count: self.count.saturating_neg(), sum: self.sum.saturating_neg() }
    }
}

/// One count: what is counted where, and how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Increment {
    pub account_id: String,
    pub slot: Slot,
    pub metric: Metric,
    /// [`Label`] as text.
    pub label: String,
    /// Empty where no version is known.
    pub plugin_digest: String,
    pub amount: Amount,
}

/// A conversation had a message in that quarter of an hour.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Activity {
    pub account_id: String,
    pub slot: Slot,
    pub conversation_id: String,
}

/// What the statistics keep with a message: columns of its row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measures {
    /// The version of the plugin with which it first counted: that received it, or that sent or failed it.
    pub plugin_digest: Option<String>,
    /// When its outcome became uncertain.
    pub uncertain_at: Option<At>,
    /// It is the first of its conversation.
    pub starts_conversation: bool,
    /// It opens an episode.
    pub opens_episode: bool,
    /// It is a reply: since when the other side waited for it.
    pub answers_since: Option<At>,
    /// It is the first response of an episode: when that began.
    pub responds_since: Option<At>,
}

/// What a conversation carries from one message to the next: columns of its row. Messages pass it in the order in which the
/// gateway stores them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConversationClock {
    /// Since when the other side waits for a reply.
    pub waiting_since: Option<At>,
    /// When the episode began that had no response yet.
    pub episode_since: Option<At>,
    /// The latest message that counted, in or out; none before the first.
    pub last_active_at: Option<At>,
    /// When somebody on our side first wrote; none before.
    pub answered_at: Option<At>,
}

impl ConversationClock {
    /// The other side wrote; answers whether that opens an episode.
    fn receive(&mut self, at: At) -> bool {
        let opens = self.last_active_at.is_none_or(|last| at.since(last).is_some_and(|idle| idle >= EPISODE_IDLE));
        if opens {
            self.episode_since = Some(at);
        }
        self.waiting_since.get_or_insert(at);
        self.pass(at);
        opens
    }

    /// We replied; answers since when that was waited for, and when the episode began whose first response it is. What was sent
    /// before the other side wrote answers nothing.
    fn reply(&mut self, at: At) -> (Option<At>, Option<At>) {
        let answered = (self.waiting_since.take_if(|since| *since <= at), self.episode_since.take_if(|since| *since <= at));
        self.pass(at);
        answered
    }

    fn pass(&mut self, at: At) {
        self.last_active_at = self.last_active_at.max(Some(at));
    }

    /// What two conversations that become one carry on.
    #[must_use]
    pub fn join(self, other: ConversationClock) -> ConversationClock {
        let earliest = |a: Option<At>, b: Option<At>| a.into_iter().chain(b).min();
        ConversationClock {
            waiting_since: earliest(self.waiting_since, other.waiting_since),
            episode_since: earliest(self.episode_since, other.episode_since),
            last_active_at: self.last_active_at.max(other.last_active_at),
            answered_at: earliest(self.answered_at, other.answered_at),
        }
    }
}

impl Message {
    /// Notes on the message, which just entered the conversation, what it is to it. Answers when it entered.
    pub fn enter(&mut self, conversation: &mut ConversationClock) -> Option<At> {
        let at = Facts::of(self)?.entered_at()?;
        self.measures.starts_conversation = conversation.last_active_at.is_none();
        if self.direction == Direction::Outbound && !self.automatic {
            conversation.answered_at.get_or_insert(at);
        }
        match self.direction {
            Direction::Inbound => self.measures.opens_episode = conversation.receive(at),
            Direction::Outbound if self.is_reply() => {
                (self.measures.answers_since, self.measures.responds_since) = conversation.reply(at);
            }
            Direction::Outbound => conversation.pass(at),
        }
        Some(at)
    }

    /// Sent by a client of ours or by a person elsewhere; what the gateway sends by itself has an origin, and what a machine wrote
    /// answers nobody.
    fn is_reply(&self) -> bool {
        !self.automatic && (self.echo || self.origin.is_none())
    }
}

/// All that a message's counts depend on. The first word on any count: a counter is the sum of [`Facts::count`] over the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub direction: Direction,
    pub echo: bool,
    pub automatic: bool,
    pub state: MessageState,
    pub failure: Option<FailureClass>,
    pub created_at: At,
    pub sent_at: Option<At>,
    pub delivered_at: Option<At>,
    pub read_at: Option<At>,
    pub failed_at: Option<At>,
    pub uncertain_at: Option<At>,
    pub opened_at: Option<At>,
    pub dismissed_at: Option<At>,
    pub starts_conversation: bool,
    pub opens_episode: bool,
    pub answers_since: Option<At>,
    pub responds_since: Option<At>,
}

impl Facts {
    /// None of what isn't a message but a reaction, an edit or the like.
    pub fn of(message: &Message) -> Option<Facts> {
        (message.kind == MESSAGE).then(|| {
            // What was played was read, what was read was delivered, whatever the channel tells.
            let read_at = message.read_at.or(message.played_at);
            Facts {
                direction: message.direction,
                echo: message.echo,
                automatic: message.automatic,
                state: message.state,
                failure: message.failure.as_ref().map(|failure| failure.class),
                created_at: message.created_at,
                sent_at: message.sent_at,
                delivered_at: message.delivered_at.or(read_at),
                read_at,
                failed_at: message.failed_at,
                uncertain_at: message.measures.uncertain_at,
                opened_at: message.first(InteractionKind::Opened),
                dismissed_at: message.first(InteractionKind::Dismissed),
                starts_conversation: message.measures.starts_conversation,
                opens_episode: message.measures.opens_episode,
                answers_since: message.measures.answers_since,
                responds_since: message.measures.responds_since,
            }
        })
    }

    /// When it became one of its conversation's messages. What a machine wrote to us begins nothing, and waits for nothing.
    pub fn entered_at(&self) -> Option<At> {
        match self.direction {
            Direction::Inbound if self.automatic => None,
            Direction::Inbound => Some(self.created_at),
            Direction::Outbound => self.sent_at,
        }
    }

    /// When it failed, where nothing better came of it.
    fn failed(&self) -> Option<At> {
        self.failed_at.filter(|_| matches!(self.state, MessageState::Failed | MessageState::Expired))
    }

    fn uncertain(&self) -> Option<At> {
        self.uncertain_at.filter(|_| self.state == MessageState::Uncertain)
    }

    /// Whether it counts for anything.
    pub fn counts(&self) -> bool {
        let mut counts = false;
        self.count(&mut |_, _, _, _| counts = true);
        counts
    }

    /// Everything that the message counts for as it stands.
    pub fn count(&self, add: &mut impl FnMut(At, Metric, Label, Amount)) {
        if self.direction == Direction::Inbound {
            add(self.created_at, Metric::Received, Label::Whole, Amount::ONE);
            if self.starts_conversation {
                add(self.created_at, Metric::ConversationsNew, Label::Whole, Amount::ONE);
            }
            if self.opens_episode {
                add(self.created_at, Metric::Episodes, Label::Whole, Amount::ONE);
            }
            return;
        }
        if let Some(sent) = self.sent_at {
            self.count_sent(sent, add);
        }
        for (at, metric) in [
            (self.delivered_at, Metric::Delivered),
            (self.read_at, Metric::Read),
            (self.uncertain(), Metric::Uncertain),
            (self.opened_at, Metric::Opened),
            (self.dismissed_at, Metric::Dismissed),
        ] {
            if let Some(at) = at {
                add(at, metric, Label::Whole, Amount::ONE);
            }
        }
        let failed = self.failed();
        let attempted = self.sent_at.or(failed).or(self.uncertain());
        if let Some(at) = attempted {
            add(at, Metric::Attempted, Label::Whole, Amount::ONE);
        }
        if let (Some(failed), Some(attempted)) = (failed, attempted) {
            add(failed, Metric::Failed, Label::class(self.failure), Amount::ONE);
            add(attempted, Metric::FailedOfAttempted, Label::class(self.failure), Amount::ONE);
        }
    }

    fn count_sent(&self, sent: At, add: &mut impl FnMut(At, Metric, Label, Amount)) {
        add(sent, Metric::Sent, Label::Whole, Amount::ONE);
        for (counts, metric) in [
            (self.echo, Metric::SentNative),
            (self.starts_conversation, Metric::ConversationsNew),
            (self.delivered_at.is_some(), Metric::DeliveredOfSent),
            (self.read_at.is_some(), Metric::ReadOfSent),
        ] {
            if counts {
                add(sent, metric, Label::Whole, Amount::ONE);
            }
        }
        for (since, metric) in [(self.answers_since, Metric::ReplyTime), (self.responds_since, Metric::FirstResponse)] {
            if let Some(took) = since.and_then(|since| sent.since(since)) {
                add(sent, metric, Label::duration(took), Amount::lasting(took));
            }
        }
        if let Some(began) = self.responds_since {
            add(began, Metric::EpisodesAnswered, Label::Whole, Amount::ONE);
        }
    }
}

#[cfg(test)]
mod tests;
