//! One fact into the database: once, whatever the number of its deliveries and their order.

use std::ops::AddAssign;

use serde_json::{Map, Value, json};

use crate::{
    clock::At,
    domain::{
        account::{Connection, Standing},
        content::{Choice, Content, Extras},
        event::{Event, EventType, Fact, Happening, Inbound},
        message::{Command, Direction, Message, MessageState, Reaction, ReactionMark, VoteMark},
        people::{Conversation, ConversationKind, Party},
    },
    ids::Ids,
    outbox, stats,
    store::{Result, Tx, accounts, events, messages, people},
};

mod receipt;

/// What a commit set in motion.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    pub events: usize,
    pub queued: usize,
}

impl AddAssign for Applied {
    fn add_assign(&mut self, other: Applied) {
        self.events += other.events;
        self.queued += other.queued;
    }
}

/// A fact on its way in.
struct Applying<'a> {
    tx: &'a mut Tx,
    owner: people::Owner<'a>,
    fact: &'a Fact,
    plugin_digest: Option<&'a str>,
    ids: &'a Ids,
    now: At,
    applied: Applied,
}

/// Stores the fact, which that version of the plugin told, unless it is known already.
pub async fn apply(tx: &mut Tx, owner: people::Owner<'_>, fact: &Fact, plugin_digest: Option<&str>, ids: &Ids, now: At) -> Result<Applied> {
    if events::is_known(tx, owner.account_id, &fact.dedupe_key).await? {
        return Ok(Applied::default());
    }
    let mut applying = Applying { tx, owner, fact, plugin_digest, ids, now, applied: Applied::default() };
    applying.happen().await?;
    if let Some(command) = &fact.follow_up {
        applying.follow_up(command).await?;
    }
    Ok(applying.applied)
}

/// What an event is about.
#[derive(Default)]
struct About {
    conversation_id: Option<String>,
    message_id: Option<String>,
}

impl Applying<'_> {
    async fn happen(&mut self) -> Result<()> {
        match &self.fact.what {
            Happening::Message(inbound) => self.message(inbound).await,
            Happening::Edited(inbound) => self.edited(inbound).await,
            Happening::Deleted(reference) => self.deleted(reference).await,
            Happening::Reacted(reaction) => self.reacted(reaction).await,
            Happening::Chose(choice) => self.chose(choice).await,
            Happening::Voted { poll, options } => self.voted(poll, options).await,
            Happening::Receipt(receipt) => self.receipt(receipt).await,
            Happening::OptedOut { code, message } => {
                self.opted(EventType::ContactOptedOut, Some(message), [("code", json!(code)), ("message", json!(message))]).await
            }
            Happening::OptedIn => self.opted(EventType::ContactOptedIn, None, []).await,
            Happening::Moved(to) => self.moved(to).await,
            Happening::AccountStatus { state, code, message } => self.account_status(state, code, message).await,
            Happening::Typing(on) => self.plain(EventType::ConversationTyping, [("typing", json!(on))]).await,
            Happening::Subscription(data) => self.plain(EventType::ContactSubscription, [("subscription", data.clone())]).await,
            Happening::Opened(choice) => self.plain(EventType::NotificationOpened, [("choice", json!(choice))]).await,
            Happening::Template(data) => self.plain(EventType::TemplateStatus, [("template", data.clone())]).await,
            Happening::Custom(custom) => {
                self.plain(EventType::ChannelCustom, [("kind", json!(custom.kind)), ("data", custom.data.clone())]).await
            }
        }
    }

    /// Appends an event; the fact's first one holds its dedupe key.
    async fn tell(&mut self, event_type: EventType, about: About, data: Value) -> Result<()> {
        let event = Event {
            id: self.ids.next(self.now),
            event_type,
            version: 1,
            organization_id: self.owner.organization_id.to_owned(),
            channel_account_id: self.owner.account_id.to_owned(),
            conversation_id: about.conversation_id,
            message_id: about.message_id,
            occurred_at: self.fact.at.unwrap_or(self.now),
            data,
            seq: 0,
        };
        let key = (self.applied.events == 0).then_some(self.fact.dedupe_key.as_str());
        events::append(self.tx, &event, key, self.now).await?;
        self.applied.events += 1;
        Ok(())
    }

    /// An event that is about no message, with the conversation and the contact that the fact names.
    async fn plain<const N: usize>(&mut self, event_type: EventType, fields: [(&str, Value); N]) -> Result<()> {
        let (conversation, contact_id) = self.place().await?;
        let mut data: Map<String, Value> = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        data.insert("conversation".to_owned(), json!(conversation.as_ref().map(conversation_view)));
        data.insert("contact".to_owned(), json!(self.fact.actor.as_ref().map(|actor| contact_view(contact_id.as_deref(), actor))));
        let about = About { conversation_id: conversation.map(|conversation| conversation.id), message_id: None };
        self.tell(event_type, about, Value::Object(data)).await
    }

    async fn meet(&mut self, party: &Party) -> Result<Option<String>> {
        people::meet(self.tx, self.owner, party, &self.ids.next(self.now), self.now).await
    }

    /// The conversation and the contact that the fact names, met or made.
    async fn place(&mut self) -> Result<(Option<Conversation>, Option<String>)> {
        let contact_id = match &self.fact.actor {
            Some(actor) => self.meet(actor).await?,
            None => None,
        };
        let conversation = match &self.fact.conversation {
            Some(reference) => {
                let direct = contact_id.as_deref().filter(|_| reference.kind == ConversationKind::Direct);
                Some(people::converse(self.tx, self.owner, reference, direct, &self.ids.next(self.now), self.now).await?.conversation)
            }
            None => None,
        };
        Ok((conversation, contact_id))
    }

    async fn message(&mut self, inbound: &Inbound) -> Result<()> {
        if let Some(known) = messages::find_by_ref(&mut *self.tx, self.owner.account_id, &inbound.external_id).await? {
            // Another road brought it before: a poll and a webhook, an echo of what we sent.
            if inbound.echo && known.state.rank() < MessageState::Sent.rank() {
                return self.receipt_of_echo(known).await;
            }
            if inbound.echo {
                return self.tell_message(EventType::MessageEcho, &known, None).await;
            }
            let fields = [("kind", json!("duplicate")), ("data", json!({"message_id": known.id, "external_id": inbound.external_id}))];
            return self.plain(EventType::ChannelCustom, fields).await;
        }
        let message = self.insert_inbound(inbound).await?;
        let event = if inbound.echo { EventType::MessageEcho } else { EventType::MessageReceived };
        self.tell_message(event, &message, Some(&inbound.sender)).await
    }

    async fn insert_inbound(&mut self, inbound: &Inbound) -> Result<Message> {
        let contact_id = if inbound.echo { None } else { self.meet(&inbound.sender).await? };
        let direct = contact_id.as_deref().filter(|_| inbound.conversation.kind == ConversationKind::Direct);
        let conversation =
            people::converse(self.tx, self.owner, &inbound.conversation, direct, &self.ids.next(self.now), self.now).await?.conversation;
        people::touch_conversation(self.tx, &conversation.id, inbound.reply_context.as_deref(), self.now).await?;
        let (direction, state) = match inbound.echo {
            true => (Direction::Outbound, MessageState::Sent),
            false => (Direction::Inbound, MessageState::Received),
        };
        let provider_at = inbound.sent_at.or(self.fact.at);
        let mut message = Message {
            conversation_id: Some(conversation.id),
            contact_id,
            external_id: Some(inbound.external_id.clone()),
            content: inbound.content.clone(),
            origin: Some(inbound.origin.clone()),
            echo: inbound.echo,
            reply_to: inbound.reply_to.clone(),
            extras: inbound.extras.clone(),
            provider_at,
            sent_at: inbound.echo.then_some(provider_at.unwrap_or(self.now)),
            ..self.blank_message(direction, state)
        };
        stats::record(self.tx, None, &mut message, self.plugin_digest, self.now).await?;
        messages::insert(self.tx, &message).await?;
        messages::add_ref(self.tx, self.owner.account_id, &inbound.external_id, &message.id, 0).await?;
        Ok(message)
    }

    fn blank_message(&self, direction: Direction, state: MessageState) -> Message {
        outbox::blank_message(self.ids.next(self.now), self.owner, direction, state, self.now)
    }

    /// Tells of a message as it stands now.
    async fn tell_message(&mut self, event_type: EventType, message: &Message, party: Option<&Party>) -> Result<()> {
        let conversation = match &message.conversation_id {
            Some(id) => people::conversations_by_id(&mut *self.tx, &[id]).await?.remove(id),
            None => None,
        };
        let contact = party.or(self.fact.actor.as_ref()).map(|party| contact_view(message.contact_id.as_deref(), party));
        let data = json!({"message": message, "conversation": conversation.as_ref().map(conversation_view), "contact": contact});
        let about = About { conversation_id: message.conversation_id.clone(), message_id: Some(message.id.clone()) };
        self.tell(event_type, about, data).await
    }

    async fn edited(&mut self, inbound: &Inbound) -> Result<()> {
        let edited_at = Some(self.fact.at.unwrap_or(self.now));
        let message = match messages::find_by_ref(&mut *self.tx, self.owner.account_id, &inbound.external_id).await? {
            Some(known) => Message { content: inbound.content.clone(), extras: inbound.extras.clone(), edited_at, ..known },
            // The message itself never came: its edit is the first we see of it.
            None => Message { edited_at, ..self.insert_inbound(inbound).await? },
        };
        messages::save_edit(self.tx, &message).await?;
        self.tell_message(EventType::MessageEdited, &message, Some(&inbound.sender)).await
    }

    async fn deleted(&mut self, reference: &str) -> Result<()> {
        let at = self.fact.at.unwrap_or(self.now);
        match messages::find_by_ref(&mut *self.tx, self.owner.account_id, reference).await? {
            Some(known) => {
                messages::set_deleted(self.tx, &known.id, at).await?;
                self.tell_message(EventType::MessageDeleted, &Message { deleted_at: Some(at), ..known }, None).await
            }
            None => self.plain(EventType::MessageDeleted, [("external_id", json!(reference))]).await,
        }
    }

    async fn reacted(&mut self, reaction: &Reaction) -> Result<()> {
        let contact_id = match &self.fact.actor {
            Some(actor) => self.meet(actor).await?,
            None => None,
        };
        let told = json!({"emoji": reaction.emoji, "removed": reaction.removed, "target": reaction.target});
        let Some(mut known) = messages::find_by_ref(&mut *self.tx, self.owner.account_id, &reaction.target).await? else {
            return self.plain(EventType::MessageReaction, [("reaction", told)]).await;
        };
        match (&reaction.emoji, reaction.removed) {
            (None, _) => known.reactions.retain(|mark| mark.contact_id != contact_id),
            (Some(emoji), true) => known.reactions.retain(|mark| mark.contact_id != contact_id || mark.emoji != *emoji),
            (Some(emoji), false) => {
                let mark = ReactionMark { emoji: emoji.clone(), contact_id: contact_id.clone() };
                if !known.reactions.contains(&mark) {
                    known.reactions.push(mark);
                }
            }
        }
        messages::set_reactions(self.tx, &known.id, &known.reactions).await?;
        let contact = self.fact.actor.as_ref().map(|actor| contact_view(contact_id.as_deref(), actor));
        let data = json!({"reaction": told, "message": known, "contact": contact});
        let about = About { conversation_id: known.conversation_id.clone(), message_id: Some(known.id.clone()) };
        self.tell(EventType::MessageReaction, about, data).await
    }

    /// A pressed button is something the other side says: it stands in the conversation.
    async fn chose(&mut self, choice: &Choice) -> Result<()> {
        let (conversation, contact_id) = self.place().await?;
        if let Some(conversation) = &conversation {
            people::touch_conversation(self.tx, &conversation.id, None, self.now).await?;
        }
        let mut message = Message {
            conversation_id: conversation.map(|conversation| conversation.id),
            contact_id,
            content: vec![Content::Choice(choice.clone())],
            origin: Some("choice".to_owned()),
            reply_to: choice.target.clone(),
            provider_at: self.fact.at,
            ..self.blank_message(Direction::Inbound, MessageState::Received)
        };
        stats::record(self.tx, None, &mut message, self.plugin_digest, self.now).await?;
        messages::insert(self.tx, &message).await?;
        self.tell_message(EventType::MessageChoice, &message, None).await
    }

    async fn voted(&mut self, poll: &str, options: &[u32]) -> Result<()> {
        let contact_id = match &self.fact.actor {
            Some(actor) => self.meet(actor).await?,
            None => None,
        };
        let told = json!({"poll": poll, "options": options});
        let Some(mut known) = messages::find_by_ref(&mut *self.tx, self.owner.account_id, poll).await? else {
            return self.plain(EventType::MessageVote, [("vote", told)]).await;
        };
        known.votes.retain(|mark| mark.contact_id != contact_id);
        if !options.is_empty() {
            known.votes.push(VoteMark { contact_id: contact_id.clone(), options: options.to_vec() });
        }
        messages::set_votes(self.tx, &known.id, &known.votes).await?;
        let contact = self.fact.actor.as_ref().map(|actor| contact_view(contact_id.as_deref(), actor));
        let data = json!({"vote": told, "message": known, "contact": contact});
        let about = About { conversation_id: known.conversation_id.clone(), message_id: Some(known.id.clone()) };
        self.tell(EventType::MessageVote, about, data).await
    }

    async fn opted<const N: usize>(&mut self, event_type: EventType, reason: Option<&String>, fields: [(&str, Value); N]) -> Result<()> {
        let (conversation, contact_id) = self.place().await?;
        let contact_id = contact_id.or_else(|| conversation.as_ref().and_then(|conversation| conversation.contact_id.clone()));
        if let Some(contact_id) = &contact_id {
            people::set_opted_out(self.tx, contact_id, reason.map(String::as_str), self.now).await?;
        }
        self.plain(event_type, fields).await
    }

    async fn moved(&mut self, to: &str) -> Result<()> {
        let Some(from) = &self.fact.conversation else {
            return self.plain(EventType::ConversationMoved, [("to", json!(to))]).await;
        };
        let id = people::move_conversation(self.tx, self.owner.account_id, &from.external_id, to).await?;
        let data = json!({"from": from.external_id, "to": to});
        self.tell(EventType::ConversationMoved, About { conversation_id: id, message_id: None }, data).await
    }

    async fn account_status(&mut self, state: &str, code: &str, message: &str) -> Result<()> {
        if let Ok(connection) = state.parse::<Connection>() {
            let action = if connection.is_connected() { "Nothing." } else { "Connect the account again." };
            let standing = Standing::because(connection, code, message, action);
            accounts::set_standing(self.tx, self.owner.account_id, &standing, self.now).await?;
        }
        let fields = [("state", json!(state)), ("code", json!(code)), ("message", json!(message))];
        self.plain(EventType::AccountStatus, fields).await
    }

    /// Queues what the plugin wants sent in answer. It has a lane of its own: it must not wait behind a conversation's messages.
    async fn follow_up(&mut self, command: &Command) -> Result<()> {
        let (conversation, contact_id) = self.place().await?;
        let message = Message {
            conversation_id: conversation.as_ref().map(|conversation| conversation.id.clone()),
            contact_id,
            kind: command.kind().to_owned(),
            to: conversation.map(|conversation| conversation.external_id),
            command: Some(command.clone()),
            origin: Some("follow_up".to_owned()),
            extras: Extras::new(),
            ..self.blank_message(Direction::Outbound, MessageState::Queued)
        };
        let lane = format!("follow-up:{}", message.id);
        outbox::queue(self.tx, &message, &lane, None, self.now).await?;
        self.applied.queued += 1;
        Ok(())
    }
}

fn conversation_view(conversation: &Conversation) -> Value {
    json!({
        "id": conversation.id,
        "external_id": conversation.external_id,
        "kind": conversation.kind,
        "title": conversation.title,
    })
}

fn contact_view(id: Option<&str>, party: &Party) -> Value {
    json!({"id": id, "name": party.name, "identities": party.identities})
}
