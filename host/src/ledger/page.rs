//! What may be done to one account's people and messages.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Changes, Merge,
    book::{Book, Holder, Kept, Talk},
};
use crate::{
    clock::At,
    domain::{
        account::Standing,
        content::{Content, Extras, Source},
        event::{EventType, Fact},
        media::{MediaFile, WantedFile},
        message::{Direction, Message, MessageState},
        people::{Contact, Conversation, ConversationKind, ConversationRef, Identity, Party},
        stats::ConversationClock,
    },
    ids::Ids,
    store::{
        db::{Arg, written},
        events::Told,
        messages::Reference,
        outbox::Queued,
        parked::ParkedFact,
        people::Owner,
    },
};

/// One account in a [`Ledger`](super::Ledger).
pub struct Page<'a> {
    pub(super) book: &'a mut Book,
    pub(super) changes: &'a mut Changes,
    pub(super) ids: &'a Ids,
    pub(super) now: At,
    pub(super) owner: Owner<'a>,
    pub(super) inbox: bool,
    pub(super) marks_requests: bool,
    pub(super) plugin_digest: Option<&'a str>,
    /// Files that the plugin made along with the facts.
    pub(super) made: &'a [MediaFile],
}

/// What an event is about.
#[derive(Default, Clone, Copy)]
pub struct About<'a> {
    pub conversation_id: Option<&'a str>,
    pub message_id: Option<&'a str>,
    pub occurred_at: Option<At>,
    /// The provider's fact that it tells of: the first event of a fact holds its key.
    pub dedupe_key: Option<&'a str>,
    /// The fact's, told on under `extras` of the event's data.
    pub extras: Option<&'a Extras>,
}

impl<'a> Page<'a> {
    pub fn now(&self) -> At {
        self.now
    }

    /// What strangers write is a request until they are answered.
    #[must_use]
    pub fn marking_requests(mut self, marks: bool) -> Self {
        self.marks_requests = marks;
        self
    }

    /// What the facts name of these files is kept with them.
    #[must_use]
    pub fn with_files(self, made: &'a [MediaFile]) -> Self {
        Page { made, ..self }
    }

    /// Whether nobody on our side has written in the conversation, where that makes what comes a request.
    pub fn is_request(&self, conversation_id: &str) -> bool {
        let answered = |talk: &Kept<Talk>| talk.now.clock.answered_at.is_some();
        self.marks_requests && !self.book.conversations.get(conversation_id).is_some_and(answered)
    }

    pub fn new_id(&self) -> String {
        self.ids.next(self.now)
    }

    pub fn owner(&self) -> Owner<'_> {
        self.owner
    }

    /// Whether the fact is stored already; from now on it is.
    pub fn learn(&mut self, dedupe_key: &str) -> bool {
        !self.book.known.insert(dedupe_key.to_owned())
    }

    /// The contact that the party is, or a new one: none for a party without identities. Ids that the provider names in one
    /// breath are one person's: contacts that were two become one. A name that changes hands becomes this contact's, whoever
    /// had it.
    pub fn meet(&mut self, party: &Party) -> Option<String> {
        let lasting = |identity: &&Identity| !identity.changes_hands();
        let first = party.identities.first()?;
        let known = party.identities.iter().filter(lasting).chain([first]).find_map(|identity| self.book.identities.get(identity));
        let contact_id = match known.map(|holder| holder.contact_id.clone()) {
            Some(known) => {
                self.rename(&known, party.name.as_ref());
                known
            }
            None => self.make_contact(party.name.clone()),
        };
        for identity in &party.identities {
            match self.book.identities.get(identity).map(|holder| holder.contact_id.clone()) {
                Some(holder) if holder == contact_id => {}
                Some(holder) if !identity.changes_hands() => self.merge_contacts(&holder, &contact_id),
                _ => {
                    let holder = Holder { contact_id: contact_id.clone(), changed: true };
                    self.book.identities.insert(identity.clone(), holder);
                }
            }
        }
        Some(contact_id)
    }

    fn rename(&mut self, contact_id: &str, name: Option<&String>) {
        if let (Some(name), Some(contact)) = (name, self.book.contacts.get_mut(contact_id))
            && contact.now.name.as_ref() != Some(name)
        {
            let contact = contact.change();
            contact.name = Some(name.clone());
            contact.updated_at = self.now;
        }
    }

    fn make_contact(&mut self, name: Option<String>) -> String {
        let id = self.new_id();
        let contact = Contact {
            id: id.clone(),
            organization_id: self.owner.organization_id.to_owned(),
            channel_account_id: self.owner.account_id.to_owned(),
            name,
            identities: Vec::new(),
            opted_out_at: None,
            opted_out_reason: None,
            unreachable_at: None,
            unreachable_reason: None,
            created_at: self.now,
            updated_at: self.now,
        };
        self.book.contacts.insert(id.clone(), Kept::made(contact));
        id
    }

    fn merge_contacts(&mut self, from: &str, into: &str) {
        let gone = self.book.contacts.get(from).map(|contact| contact.now.clone());
        for holder in self.book.identities.values_mut().filter(|holder| holder.contact_id == from) {
            holder.contact_id = into.to_owned();
        }
        for talk in self.book.conversations.values_mut().filter(|talk| talk.now.conversation.contact_id.as_deref() == Some(from)) {
            talk.now.conversation.contact_id = Some(into.to_owned());
        }
        for message in self.book.messages.values_mut().filter(|message| message.now.contact_id.as_deref() == Some(from)) {
            message.now.contact_id = Some(into.to_owned());
        }
        for subscriber in self.book.devices.values_mut().filter_map(|device| device.now.subscriber.as_mut()) {
            if subscriber.contact_id.as_deref() == Some(from) {
                subscriber.contact_id = Some(into.to_owned());
            }
        }
        if let (Some(gone), Some(contact)) = (gone, self.book.contacts.get_mut(into)) {
            let contact = contact.change();
            contact.name = contact.name.take().or(gone.name);
            contact.created_at = contact.created_at.min(gone.created_at);
            if contact.opted_out_at.is_none() {
                (contact.opted_out_at, contact.opted_out_reason) = (gone.opted_out_at, gone.opted_out_reason);
            }
            contact.updated_at = self.now;
        }
        let account_id = self.owner.account_id.to_owned();
        self.changes.merges.push(Merge::Contacts { account_id, from: from.to_owned(), into: into.to_owned() });
        self.tell(EventType::ContactMerged, &About::default(), &serde_json::json!({"from": from, "into": into}));
    }

    /// The conversation of that external id, made where there is none. A channel that has no inbox has no conversations.
    pub fn converse(&mut self, reference: &ConversationRef, contact_id: Option<&str>) -> Option<&Conversation> {
        if !self.inbox {
            return None;
        }
        let direct = contact_id.filter(|_| reference.kind == ConversationKind::Direct);
        let id = match self.book.by_external_id.get(&reference.external_id) {
            Some(known) => {
                let known = known.clone();
                if let Some(talk) = self.book.conversations.get_mut(&known) {
                    let contact_missing = talk.now.conversation.contact_id.is_none() && direct.is_some();
                    let title_changed = reference.title.is_some() && reference.title != talk.now.conversation.title;
                    if contact_missing || title_changed {
                        let conversation = &mut talk.change().conversation;
                        conversation.kind = reference.kind;
                        conversation.title = reference.title.clone().or(conversation.title.take());
                        conversation.contact_id = conversation.contact_id.take().or(direct.map(str::to_owned));
                    }
                }
                known
            }
            None => self.make_conversation(reference, direct),
        };
        self.book.conversations.get(&id).map(|talk| &talk.now.conversation)
    }

    fn make_conversation(&mut self, reference: &ConversationRef, contact_id: Option<&str>) -> String {
        let id = self.new_id();
        let conversation = Conversation {
            id: id.clone(),
            organization_id: self.owner.organization_id.to_owned(),
            channel_account_id: self.owner.account_id.to_owned(),
            external_id: reference.external_id.clone(),
            kind: reference.kind,
            title: reference.title.clone(),
            contact_id: contact_id.map(str::to_owned),
            last_message_at: self.now,
            created_at: self.now,
        };
        self.book.by_external_id.insert(reference.external_id.clone(), id.clone());
        self.book
            .conversations
            .insert(id.clone(), Kept::made(Talk { conversation, reply_context: None, clock: ConversationClock::default(), is_new: true }));
        id
    }

    pub fn conversation(&self, id: &str) -> Option<&Conversation> {
        self.book.conversations.get(id).map(|talk| &talk.now.conversation)
    }

    pub fn conversation_by_external_id(&self, external_id: &str) -> Option<&Conversation> {
        self.conversation(self.book.by_external_id.get(external_id)?)
    }

    /// Notes a message in the conversation, and what the plugin wants back with the next one that goes out.
    pub fn touch(&mut self, conversation_id: &str, reply_context: Option<Vec<u8>>) {
        if let Some(talk) = self.book.conversations.get_mut(conversation_id) {
            let now = self.now;
            let talk = talk.change();
            talk.conversation.last_message_at = now;
            talk.reply_context = reply_context.or(talk.reply_context.take());
        }
    }

    /// The same for what a machine wrote: it says where an answer goes only as long as nothing else does.
    pub fn touch_by_machine(&mut self, conversation_id: &str, reply_context: Option<Vec<u8>>) {
        let talk = self.book.conversations.get(conversation_id).map(|talk| &talk.now);
        let is_new = talk.is_some_and(|talk| talk.is_new && talk.reply_context.is_none());
        self.touch(conversation_id, reply_context.filter(|_| is_new));
    }

    /// The conversation continues under another external id. Where both exist already, the one becomes part of the other.
    /// Answers the id of the conversation that stays.
    pub fn move_conversation(&mut self, from: &str, to: &str) -> Option<String> {
        let standing = self.book.by_external_id.get(to).cloned();
        let Some(old) = self.book.by_external_id.get(from).cloned().filter(|_| from != to) else {
            return standing;
        };
        self.book.by_external_id.remove(from);
        let Some(new) = standing else {
            if let Some(talk) = self.book.conversations.get_mut(&old) {
                to.clone_into(&mut talk.change().conversation.external_id);
            }
            self.book.by_external_id.insert(to.to_owned(), old.clone());
            return Some(old);
        };
        self.merge_conversations(&old, &new);
        Some(new)
    }

    /// Who takes no messages any more, and why; or takes them again.
    pub fn set_opted_out(&mut self, contact_id: &str, reason: Option<&str>) {
        let now = self.now;
        if let Some(contact) = self.book.contacts.get_mut(contact_id) {
            let contact = contact.change();
            contact.opted_out_at = reason.map(|_| now);
            contact.opted_out_reason = reason.map(str::to_owned);
            contact.updated_at = now;
        }
    }

    /// The provider says that nobody is there.
    pub fn set_unreachable(&mut self, contact_id: &str, reason: &str) {
        self.changes.reached.remove(contact_id);
        self.changes.unreachable.insert(contact_id.to_owned(), reason.to_owned());
    }

    /// Somebody is there: they wrote, or something reached them.
    pub fn set_reached(&mut self, contact_id: &str) {
        self.changes.unreachable.remove(contact_id);
        // Where it is known who they are, it is known whether that is news.
        if self.book.contacts.get(contact_id).is_none_or(|contact| contact.now.unreachable_at.is_some()) {
            self.changes.reached.insert(contact_id.to_owned());
        }
    }

    /// Who the message is between us and: its contact, or its conversation's.
    pub fn contact_of(&self, message: &Message) -> Option<String> {
        let of_conversation = || self.conversation(message.conversation_id.as_deref()?)?.contact_id.clone();
        message.contact_id.clone().or_else(of_conversation)
    }

    /// The contact that the party is, where it is known.
    pub fn known(&self, party: &Party) -> Option<String> {
        party.identities.iter().find_map(|identity| self.book.identities.get(identity)).map(|holder| holder.contact_id.clone())
    }

    pub fn message(&self, id: &str) -> Option<&Message> {
        self.book.messages.get(id).map(|message| &message.now)
    }

    /// The message that the provider, or who takes our ids for its own, speaks of.
    pub fn message_by_ref(&self, reference: &str) -> Option<&Message> {
        match self.book.refs.get(reference) {
            Some(known) => self.message(&known.now.message_id),
            None => self.message(reference),
        }
    }

    /// Our messages in the conversation that went out up to then and aren't read, oldest first.
    pub fn unread_up_to(&self, conversation_id: &str, until: At) -> Vec<Message> {
        let mut unread: Vec<Message> = self
            .book
            .messages
            .values()
            .map(|message| &message.now)
            .filter(|message| message.conversation_id.as_deref() == Some(conversation_id))
            .filter(|message| message.direction == Direction::Outbound && message.kind == "message" && message.read_at.is_none())
            .filter(|message| message.sent_at.is_some_and(|sent_at| sent_at <= until))
            .cloned()
            .collect();
        unread.sort_by(|one, other| one.id.cmp(&other.id));
        unread
    }

    /// Messages to the recipient that perhaps arrived.
    pub fn uncertain_to(&self, recipient: &str) -> impl Iterator<Item = &Message> {
        let ids = self.book.uncertain.get(recipient).map(Vec::as_slice).unwrap_or_default();
        ids.iter().filter_map(|id| self.message(id)).filter(|message| message.state == MessageState::Uncertain)
    }

    /// Whether a send is on its way to the conversation.
    pub fn is_in_flight(&self, external_id: &str) -> bool {
        self.book.in_flight.contains(external_id)
    }

    /// A message as it stands now, new or not; what it counts for is counted.
    pub fn save(&mut self, mut message: Message) {
        let Book { messages, conversations, .. } = &mut *self.book;
        let before = messages.get(&message.id).map(|kept| &kept.now);
        if let Some(before) = before {
            // Whoever changed the message may have taken it before these were noted.
            message.measures = before.measures.clone();
        }
        let talk = message.conversation_id.as_ref().and_then(|id| conversations.get_mut(id));
        match talk {
            Some(talk) => {
                let mut clock = talk.now.clock;
                self.changes.tally.observe(before, &mut message, Some(&mut clock), self.plugin_digest, self.now);
                if clock != talk.now.clock {
                    talk.change().clock = clock;
                }
            }
            None => self.changes.tally.observe(before, &mut message, None, self.plugin_digest, self.now),
        }
        messages.insert(message.id.clone(), Kept::made(message));
    }

    /// Notes an id by which the provider speaks of the message, and frees the facts that waited for it. Answers false where it
    /// is another message's already.
    pub fn name(&mut self, reference: &str, message_id: &str, part: u32) -> bool {
        if let Some(known) = self.book.refs.get(reference) {
            return known.now.message_id == message_id;
        }
        let row = Reference {
            reference: reference.to_owned(),
            message_id: message_id.to_owned(),
            part,
            delivered_at: None,
            read_at: None,
            failed_at: None,
        };
        self.book.refs.insert(reference.to_owned(), Kept::made(row));
        for fact in self.book.parked.remove(reference).unwrap_or_default() {
            self.book.unparked.push((reference.to_owned(), fact.dedupe_key.clone()));
            self.book.freed.push_back(fact);
        }
        true
    }

    pub fn reference(&self, reference: &str) -> Option<&Reference> {
        self.book.refs.get(reference).map(|kept| &kept.now)
    }

    pub fn reference_mut(&mut self, reference: &str) -> Option<&mut Reference> {
        self.book.refs.get_mut(reference).map(Kept::change)
    }

    /// Every id by which the provider speaks of the message.
    pub fn references_of(&self, message_id: &str) -> impl Iterator<Item = &Reference> {
        self.book.refs.values().map(|kept| &kept.now).filter(move |reference| reference.message_id == message_id)
    }

    /// Facts whose message came, each once.
    pub fn take_freed(&mut self) -> Option<Fact> {
        self.book.freed.pop_front()
    }

    /// The fact waits for the message of that id.
    pub fn park(&mut self, fact: Fact, reference: &str, until: At) {
        let account_id = self.owner.account_id.to_owned();
        self.changes.parked.push(ParkedFact { account_id, reference: reference.to_owned(), until, fact: fact.clone() });
        self.keep(fact.content(), self.now);
        // In the same group its message may come.
        self.book.parked.entry(reference.to_owned()).or_default().push(fact);
    }

    /// Keeps what the content names of the plugin's own files, at least until then.
    pub fn keep<'c>(&mut self, content: impl IntoIterator<Item = &'c Content>, until: At) {
        for source in content.into_iter().flat_map(Content::files) {
            let Source::MediaId(id) = source else { continue };
            if let Some(file) = self.made.iter().find(|file| file.id == *id) {
                let (_, kept_until) = self.changes.kept.entry(id.clone()).or_insert_with(|| (file.clone(), until));
                *kept_until = until.max(*kept_until);
            }
        }
    }

    /// Files to fetch in the background.
    pub fn fetch(&mut self, files: Vec<WantedFile>) {
        self.changes.files.extend(files);
    }

    pub fn queue(&mut self, queued: Queued) {
        self.changes.queued.push(queued);
    }

    pub fn stand(&mut self, standing: Standing) {
        self.changes.standings.push((self.owner.account_id.to_owned(), standing));
    }

    /// What the account shows from now on, in place of its facts of the same names.
    pub fn note_facts(&mut self, facts: &Map<String, Value>) {
        if !facts.is_empty() {
            self.changes.facts.push((self.owner.account_id.to_owned(), facts.clone()));
        }
    }

    /// Appends an event.
    pub fn tell(&mut self, event_type: EventType, about: &About<'_>, data: &impl Serialize) {
        self.append(event_type, about, extended(data, about));
    }
}

impl Page<'_> {
    fn append(&mut self, event_type: EventType, about: &About<'_>, data: Arg) {
        self.changes.told.push(Told {
            id: self.ids.next(self.now),
            event_type,
            organization_id: self.owner.organization_id.to_owned(),
            account_id: self.owner.account_id.to_owned(),
            dedupe_key: about.dedupe_key.map(str::to_owned),
            conversation_id: about.conversation_id.map(str::to_owned),
            message_id: about.message_id.map(str::to_owned),
            data,
            occurred_at: about.occurred_at.unwrap_or(self.now),
            created_at: self.now,
        });
    }
}

/// An event's data, with what the fact told besides.
fn extended(data: &impl Serialize, about: &About<'_>) -> Arg {
    #[derive(Serialize)]
    struct Extended<'a, D> {
        #[serde(flatten)]
        data: &'a D,
        extras: &'a Extras,
    }
    match about.extras {
        Some(extras) => written(&Extended { data, extras }),
        None => written(data),
    }
}

/// A conversation as events show it.
#[derive(Serialize)]
pub struct ConversationView<'a> {
    id: &'a str,
    external_id: &'a str,
    kind: ConversationKind,
    title: Option<&'a str>,
}

impl<'a> From<&'a Conversation> for ConversationView<'a> {
    fn from(conversation: &'a Conversation) -> ConversationView<'a> {
        ConversationView {
            id: &conversation.id,
            external_id: &conversation.external_id,
            kind: conversation.kind,
            title: conversation.title.as_deref(),
        }
    }
}

/// A contact as events show it.
#[derive(Serialize)]
pub struct ContactView<'a> {
    pub id: Option<&'a str>,
    pub name: Option<&'a str>,
    pub identities: &'a [Identity],
}

impl<'a> ContactView<'a> {
    pub fn of(id: Option<&'a str>, party: &'a Party) -> ContactView<'a> {
        ContactView { id, name: party.name.as_deref(), identities: &party.identities }
    }
}

/// The message without HTML as it came: events go to many places, and what may be shown of it is enough there.
fn without_originals(message: &Message) -> Cow<'_, Message> {
    let is_original = |content: &Content| matches!(content, Content::Email(email) if email.html_original.is_some());
    if !message.content.iter().any(is_original) {
        return Cow::Borrowed(message);
    }
    let mut told = message.clone();
    for content in &mut told.content {
        if let Content::Email(email) = content {
            email.html_original = None;
        }
    }
    Cow::Owned(told)
}

/// What an event about a message tells.
#[derive(Serialize)]
struct MessageData<'a> {
    message: &'a Message,
    conversation: Option<ConversationView<'a>>,
    contact: Option<ContactView<'a>>,
    #[serde(flatten)]
    more: Option<Value>,
}

impl Page<'_> {
    /// Tells of a message as it stands; `more` are further fields, an object.
    pub fn tell_message(
        &mut self,
        event_type: EventType,
        message: &Message,
        party: Option<&Party>,
        about: &About<'_>,
        more: Option<Value>,
    ) {
        let conversation = message.conversation_id.as_deref().and_then(|id| self.book.conversations.get(id));
        let told = without_originals(message);
        let data = MessageData {
            message: &told,
            conversation: conversation.map(|talk| ConversationView::from(&talk.now.conversation)),
            contact: party.map(|party| ContactView::of(message.contact_id.as_deref(), party)),
            more,
        };
        let data = extended(&data, about);
        let about = About { conversation_id: message.conversation_id.as_deref(), message_id: Some(&message.id), ..*about };
        self.append(event_type, &about, data);
    }
}
