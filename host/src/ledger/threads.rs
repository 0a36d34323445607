//! Which conversation a message joins: that of its thread, whatever order the messages of one come in.

use super::{Merge, Page, book::Kept};
use crate::domain::{
    event::{EventType, Inbound},
    people::ConversationKind,
};

/// Ids of earlier messages that are looked at: the nearest are named first.
const RELATED_MAX: usize = 32;

/// The ids that count of those that a message names.
pub(super) fn related(inbound: &Inbound) -> impl Iterator<Item = &String> {
    inbound.related.iter().take(RELATED_MAX)
}

impl Page<'_> {
    /// The id of the message's conversation: that of the nearest message of its thread that is known, else that of messages which came
    /// before it and name it, else the one that is given, made where there is none. A third person who joins changes nothing of whom
    /// the conversation is with.
    pub fn join(&mut self, inbound: &Inbound, contact_id: Option<&str>) -> Option<String> {
        if !self.inbox {
            return None;
        }
        let earlier = related(inbound).find_map(|id| self.conversation_around(id));
        let later = self.mentioned_in(&inbound.external_id);
        let joined = match (earlier, later) {
            (Some(earlier), Some(later)) => {
                self.unite(&later, &earlier);
                self.greet(&earlier, inbound, contact_id);
                earlier
            }
            (Some(known), None) | (None, Some(known)) => {
                self.greet(&known, inbound, contact_id);
                known
            }
            (None, None) => self.converse(&inbound.conversation, contact_id)?.id.clone(),
        };
        for id in related(inbound) {
            self.mention(id, &joined);
        }
        Some(joined)
    }

    /// The conversation of the message, or of those that name it.
    fn conversation_around(&self, reference: &str) -> Option<String> {
        let of_message = self.message_by_ref(reference).and_then(|message| message.conversation_id.clone());
        of_message.or_else(|| self.mentioned_in(reference))
    }

    fn mentioned_in(&self, reference: &str) -> Option<String> {
        let id = &self.book.mentions.get(reference)?.now;
        // Its conversation may be gone.
        self.book.conversations.contains_key(id).then(|| id.clone())
    }

    /// Notes that a message of the conversation names one that isn't there.
    fn mention(&mut self, reference: &str, conversation_id: &str) {
        let is_noted = self.book.mentions.get(reference).is_some_and(|mention| mention.now == conversation_id);
        if !is_noted && self.message_by_ref(reference).is_none() {
            self.book.mentions.insert(reference.to_owned(), Kept::made(conversation_id.to_owned()));
        }
    }

    /// One that we began has nobody yet.
    fn greet(&mut self, conversation_id: &str, inbound: &Inbound, contact_id: Option<&str>) {
        let Some(contact_id) = contact_id.filter(|_| inbound.conversation.kind == ConversationKind::Direct) else { return };
        if let Some(talk) = self.book.conversations.get_mut(conversation_id)
            && talk.now.conversation.kind == ConversationKind::Direct
            && talk.now.conversation.contact_id.is_none()
        {
            talk.change().conversation.contact_id = Some(contact_id.to_owned());
        }
    }

    /// Two conversations turn out to be one thread.
    fn unite(&mut self, from: &str, into: &str) {
        if from == into {
            return;
        }
        let external_id = |page: &Self, id: &str| page.conversation(id).map(|conversation| conversation.external_id.clone());
        let (Some(old), Some(new)) = (external_id(self, from), external_id(self, into)) else { return };
        self.merge_conversations(from, into);
        self.book.by_external_id.insert(old.clone(), into.to_owned());
        let about = super::About { conversation_id: Some(into), ..super::About::default() };
        self.tell(EventType::ConversationMoved, &about, &serde_json::json!({"from": old, "to": new}));
    }

    /// The one conversation becomes part of the other.
    pub(super) fn merge_conversations(&mut self, from: &str, into: &str) {
        for message in self.book.messages.values_mut().filter(|message| message.now.conversation_id.as_deref() == Some(from)) {
            message.now.conversation_id = Some(into.to_owned());
        }
        for mention in self.book.mentions.values_mut().filter(|mention| mention.now == from) {
            into.clone_into(&mut mention.now);
        }
        if let Some(gone) = self.book.conversations.remove(from)
            && let Some(talk) = self.book.conversations.get_mut(into)
        {
            let talk = talk.change();
            talk.clock = talk.clock.join(gone.now.clock);
            talk.conversation.contact_id = talk.conversation.contact_id.take().or(gone.now.conversation.contact_id);
        }
        let account_id = self.owner.account_id.to_owned();
        self.changes.merges.push(Merge::Conversations { account_id, from: from.to_owned(), into: into.to_owned() });
    }
}
