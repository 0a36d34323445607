//! One fact into the ledger: once, whatever the number of its deliveries and their order.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    domain::{
        account::{Connection, Standing},
        content::{Choice, Content, Extras},
        event::{EventType, Fact, Happening, Inbound},
        message::{Command, Direction, Message, MessageState, Reaction, ReactionMark, VoteMark},
    },
    ledger::{About, ContactView, ConversationView, Page},
    media::wanted,
    outbox,
};

mod echo;
mod notification;
mod receipt;
#[cfg(test)]
mod tests;

/// How long a fact waits for the message that it speaks of. Providers deliver out of order within seconds; what failed at our
/// door is delivered again after minutes.
const PARKED: Duration = Duration::from_secs(600);

/// The origin of what is simply said.
const DIRECT: &str = "direct";
/// What it is where the provider holds it back until it is answered.
const REQUEST: &str = "message_request";

/// What a fact does that speaks of a message which isn't there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// It waits for the message.
    Waits,
    /// It has waited: it is told as it is.
    Ends,
}

/// Applies the fact unless it is known already, and those that waited for what it brings.
pub fn apply(page: &mut Page<'_>, fact: &Fact) {
    if !page.learn(&fact.dedupe_key) {
        Applying { page, fact, patience: Patience::Waits, told: false, waited: false }.run();
        apply_freed(page);
    }
}

/// Applies the fact although what it speaks of never came.
pub(super) fn apply_overdue(page: &mut Page<'_>, fact: &Fact) {
    Applying { page, fact, patience: Patience::Ends, told: false, waited: false }.run();
    apply_freed(page);
}

/// Applies the facts whose message came.
pub fn apply_freed(page: &mut Page<'_>) {
    while let Some(fact) = page.take_freed() {
        Applying { page, fact: &fact, patience: Patience::Ends, told: false, waited: false }.run();
    }
}

/// A fact on its way in.
struct Applying<'a, 'p> {
    page: &'a mut Page<'p>,
    fact: &'a Fact,
    patience: Patience,
    /// The fact's first event holds its dedupe key.
    told: bool,
    /// It waits for a message, or a part of it does.
    waited: bool,
}

impl<'a> Applying<'a, '_> {
    fn run(&mut self) {
        self.happen();
        // What changed nothing was there before, and was answered then.
        // A machine gets no answer: two of them would never end.
        let answers = (self.told || self.waited) && !self.fact.is_automatic();
        if let Some(command) = self.fact.follow_up.as_ref().filter(|_| answers) {
            self.follow_up(command);
        }
    }

    fn happen(&mut self) {
        match &self.fact.what {
            Happening::Message(inbound) if inbound.echo => self.echo(inbound),
            Happening::Message(inbound) => self.message(inbound),
            Happening::Edited(inbound) => self.edited(inbound),
            Happening::Deleted(reference) => self.deleted(reference),
            Happening::Reacted(reaction) => self.reacted(reaction),
            Happening::Chose(choice) => self.chose(choice),
            Happening::Voted { poll, options } => self.voted(poll, options),
            Happening::Receipt(receipt) => self.receipt(receipt),
            Happening::OptedOut { code, message } => {
                self.opted(EventType::ContactOptedOut, Some(message), json!({"code": code, "message": message}));
            }
            Happening::OptedIn => self.opted(EventType::ContactOptedIn, None, json!({})),
            Happening::Moved(to) => self.moved(to),
            Happening::AccountStatus { state, code, message, facts } => self.account_status(state, code, message, facts),
            Happening::Typing(on) => self.plain(EventType::ConversationTyping, json!({"typing": on})),
            Happening::Subscription(subscription) => self.subscribed(subscription),
            Happening::Interacted(interaction) => self.interacted(interaction),
            Happening::Template(data) => self.plain(EventType::TemplateStatus, json!({"template": data})),
            Happening::Custom(custom) => self.plain(EventType::ChannelCustom, json!({"kind": custom.kind, "data": custom.data})),
        }
    }

    /// When it happened, and the fact's key for its first event.
    fn about<'f>(&mut self) -> About<'f>
    where
        'a: 'f,
    {
        let fact = self.fact;
        let first = !std::mem::replace(&mut self.told, true);
        let extras = (!fact.extras.is_empty()).then_some(&fact.extras);
        About { occurred_at: fact.at, dedupe_key: first.then_some(fact.dedupe_key.as_str()), extras, ..About::default() }
    }

    fn tell(&mut self, event_type: EventType, conversation_id: Option<&str>, data: &impl Serialize) {
        let about = About { conversation_id, ..self.about() };
        self.page.tell(event_type, &about, data);
    }

    fn tell_message(&mut self, event_type: EventType, message: &Message, more: Option<Value>) {
        let fact = self.fact;
        let party = match &fact.what {
            Happening::Message(inbound) | Happening::Edited(inbound) if !inbound.sender.identities.is_empty() => Some(&inbound.sender),
            _ => fact.actor.as_ref(),
        };
        let about = self.about();
        self.page.tell_message(event_type, message, party, &about, more);
    }

    /// An event that is about no message, with the conversation and the contact that the fact names.
    fn plain(&mut self, event_type: EventType, fields: Value) {
        #[derive(Serialize)]
        struct Data<'a> {
            conversation: Option<ConversationView<'a>>,
            contact: Option<ContactView<'a>>,
            #[serde(flatten)]
            fields: Value,
        }
        let (conversation_id, contact_id) = self.place();
        let conversation = conversation_id.as_deref().and_then(|id| self.page.conversation(id)).cloned();
        let data = Data {
            conversation: conversation.as_ref().map(ConversationView::from),
            contact: self.fact.actor.as_ref().map(|actor| ContactView::of(contact_id.as_deref(), actor)),
            fields,
        };
        self.tell(event_type, conversation_id.as_deref(), &data);
    }

    /// The ids of the conversation and the contact that the fact names, met or made.
    fn place(&mut self) -> (Option<String>, Option<String>) {
        let contact_id = self.actor();
        // Its thread may have taken it elsewhere than where it says.
        if let Happening::Message(inbound) | Happening::Edited(inbound) = &self.fact.what
            && let Some(message) = self.page.message_by_ref(&inbound.external_id)
        {
            return (message.conversation_id.clone(), contact_id.or_else(|| message.contact_id.clone()));
        }
        let conversation = self.fact.conversation.as_ref().and_then(|reference| self.page.converse(reference, contact_id.as_deref()));
        (conversation.map(|conversation| conversation.id.clone()), contact_id)
    }

    fn actor(&mut self) -> Option<String> {
        self.fact.actor.as_ref().and_then(|actor| self.page.meet(actor))
    }

    /// The fact waits for the message of that id, if it may. Answers whether it does.
    fn waits(&mut self, reference: &str) -> bool {
        // What follows from it is queued now.
        self.parks(Fact { follow_up: None, ..self.fact.clone() }, reference)
    }

    fn parks(&mut self, fact: Fact, reference: &str) -> bool {
        let waits = self.patience == Patience::Waits;
        self.waited |= waits;
        if waits {
            self.page.park(fact, reference, self.page.now().plus(PARKED));
        }
        waits
    }

    fn message(&mut self, inbound: &Inbound) {
        // Known: another road brought it before, a poll and a webhook.
        if self.page.message_by_ref(&inbound.external_id).is_none() {
            let message = self.insert_inbound(inbound);
            let event = if inbound.automatic { EventType::MessageAutomatic } else { EventType::MessageReceived };
            self.tell_message(event, &message, None);
        }
    }

    fn insert_inbound(&mut self, inbound: &Inbound) -> Message {
        let contact_id = if inbound.echo { None } else { self.page.meet(&inbound.sender) };
        let conversation_id = self.page.join(inbound, contact_id.as_deref());
        match &conversation_id {
            Some(id) if inbound.automatic => self.page.touch_by_machine(id, inbound.reply_context.clone()),
            Some(id) => self.page.touch(id, inbound.reply_context.clone()),
            None => {}
        }
        if let Some(id) = contact_id.as_deref().filter(|_| !inbound.automatic) {
            self.page.set_reached(id);
        }
        let (direction, state) = match inbound.echo {
            true => (Direction::Outbound, MessageState::Sent),
            false => (Direction::Inbound, MessageState::Received),
        };
        let provider_at = inbound.sent_at.or(self.fact.at);
        let is_request = inbound.origin == DIRECT && conversation_id.as_deref().is_some_and(|id| !inbound.echo && self.page.is_request(id));
        let origin = if is_request { REQUEST } else { &inbound.origin };
        let message = Message {
            conversation_id,
            contact_id,
            external_id: Some(inbound.external_id.clone()),
            content: inbound.content.clone(),
            origin: Some(origin.to_owned()),
            echo: inbound.echo,
            automatic: inbound.automatic,
            reply_to: inbound.reply_to.clone(),
            extras: inbound.extras.clone(),
            provider_at,
            sent_at: inbound.echo.then_some(provider_at.unwrap_or(self.page.now())),
            ..self.blank_message(direction, state)
        };
        self.page.save(message.clone());
        self.page.name(&inbound.external_id, &message.id, 0);
        self.page.fetch(wanted(&message));
        self.page.keep(&message.content, self.page.now());
        message
    }

    fn blank_message(&self, direction: Direction, state: MessageState) -> Message {
        outbox::blank_message(self.page.new_id(), self.page.owner(), direction, state, self.page.now())
    }

    fn edited(&mut self, inbound: &Inbound) {
        let edited_at = Some(self.fact.at.unwrap_or(self.page.now()));
        let message = match self.page.message_by_ref(&inbound.external_id).cloned() {
            // An edit that was overtaken by a later one.
            Some(known) if known.edited_at > edited_at => known,
            Some(known) => Message { content: inbound.content.clone(), extras: inbound.extras.clone(), edited_at, ..known },
            // The message itself never came: its edit is the first we see of it.
            None => Message { edited_at, ..self.insert_inbound(inbound) },
        };
        self.page.save(message.clone());
        self.page.fetch(wanted(&message));
        self.page.keep(&message.content, self.page.now());
        self.tell_message(EventType::MessageEdited, &message, None);
    }

    fn deleted(&mut self, reference: &str) {
        let at = self.fact.at.unwrap_or(self.page.now());
        match self.page.message_by_ref(reference).cloned() {
            Some(known) => {
                let message = Message { deleted_at: known.deleted_at.or(Some(at)), ..known };
                self.page.save(message.clone());
                self.tell_message(EventType::MessageDeleted, &message, None);
            }
            None if self.waits(reference) => {}
            None => self.plain(EventType::MessageDeleted, json!({"external_id": reference})),
        }
    }

    fn reacted(&mut self, reaction: &Reaction) {
        let contact_id = self.actor();
        let told = json!({"emoji": reaction.emoji, "removed": reaction.removed, "target": reaction.target});
        let Some(mut known) = self.page.message_by_ref(&reaction.target).cloned() else {
            if !self.waits(&reaction.target) {
                self.plain(EventType::MessageReaction, json!({"reaction": told}));
            }
            return;
        };
        match (&reaction.emoji, reaction.removed) {
            (None, _) => known.reactions.retain(|mark| mark.contact_id != contact_id),
            (Some(emoji), true) => known.reactions.retain(|mark| mark.contact_id != contact_id || mark.emoji != *emoji),
            (Some(emoji), false) => {
                let mark = ReactionMark { emoji: emoji.clone(), contact_id };
                if !known.reactions.contains(&mark) {
                    known.reactions.push(mark);
                }
            }
        }
        self.page.save(known.clone());
        self.tell_message(EventType::MessageReaction, &known, Some(json!({"reaction": told})));
    }

    /// A pressed button is something the other side says: it stands in the conversation.
    fn chose(&mut self, choice: &Choice) {
        let (conversation_id, contact_id) = self.place();
        if let Some(id) = &conversation_id {
            self.page.touch(id, None);
        }
        let message = Message {
            conversation_id,
            contact_id,
            content: vec![Content::Choice(choice.clone())],
            origin: Some("choice".to_owned()),
            reply_to: choice.target.clone(),
            provider_at: self.fact.at,
            ..self.blank_message(Direction::Inbound, MessageState::Received)
        };
        self.page.save(message.clone());
        self.tell_message(EventType::MessageChoice, &message, None);
    }

    fn voted(&mut self, poll: &str, options: &[u32]) {
        let contact_id = self.actor();
        let told = json!({"poll": poll, "options": options});
        let Some(mut known) = self.page.message_by_ref(poll).cloned() else {
            if !self.waits(poll) {
                self.plain(EventType::MessageVote, json!({"vote": told}));
            }
            return;
        };
        known.votes.retain(|mark| mark.contact_id != contact_id);
        if !options.is_empty() {
            known.votes.push(VoteMark { contact_id, options: options.to_vec() });
        }
        self.page.save(known.clone());
        self.tell_message(EventType::MessageVote, &known, Some(json!({"vote": told})));
    }

    fn opted(&mut self, event_type: EventType, reason: Option<&String>, fields: Value) {
        let (conversation_id, contact_id) = self.place();
        let of_conversation = || self.page.conversation(conversation_id.as_deref()?)?.contact_id.clone();
        if let Some(contact_id) = contact_id.or_else(of_conversation) {
            self.page.set_opted_out(&contact_id, reason.map(String::as_str));
        }
        self.plain(event_type, fields);
    }

    fn moved(&mut self, to: &str) {
        let Some(from) = &self.fact.conversation else {
            return self.plain(EventType::ConversationMoved, json!({"to": to}));
        };
        let id = self.page.move_conversation(&from.external_id, to);
        self.tell(EventType::ConversationMoved, id.as_deref(), &json!({"from": from.external_id, "to": to}));
    }

    fn account_status(&mut self, state: &str, code: &str, message: &str, facts: &Map<String, Value>) {
        self.page.note_facts(facts);
        if let Ok(connection) = state.parse::<Connection>() {
            let action = match connection {
                Connection::Connected | Connection::Degraded => "Nothing.",
                Connection::Connecting => "Nothing: the gateway goes on by itself.",
                _ => "Connect the account again: POST /rest/v1/channel_accounts/{id}/connect.",
            };
            self.page.stand(Standing::because(connection, code, message, action));
        }
        self.plain(EventType::AccountStatus, json!({"state": state, "code": code, "message": message, "facts": facts}));
    }

    /// Queues what the plugin wants sent in answer. It has a lane of its own: it must not wait behind a conversation's messages.
    fn follow_up(&mut self, command: &Command) {
        let (conversation_id, contact_id) = self.place();
        let to = self.fact.conversation.as_ref().map(|conversation| conversation.external_id.clone());
        let message = Message {
            conversation_id,
            contact_id,
            kind: command.kind().to_owned(),
            to,
            command: Some(command.clone()),
            origin: Some("follow_up".to_owned()),
            extras: Extras::new(),
            ..self.blank_message(Direction::Outbound, MessageState::Queued)
        };
        let lane = format!("follow-up:{}", message.id);
        self.page.keep(self.fact.content(), self.page.now());
        outbox::queue(self.page, message, lane, None);
    }
}
