//! Who: the ids of a person, and the conversation that is theirs.

use patchbay_plugin::messages::{Conversation, ConversationKind, Identity, Party};

use super::wire::{Contact, Id, Message, Status};

/// A group's conversation is named by this and its id: nothing else tells it from a person.
pub(crate) const GROUP: &str = "group:";

/// A person as one webhook tells of it.
#[derive(Debug, Default, Clone)]
pub(super) struct Person {
    pub(super) bsuid: Option<String>,
    pub(super) parent_bsuid: Option<String>,
    pub(super) wa_id: Option<String>,
    pub(super) username: Option<String>,
    pub(super) name: Option<String>,
}

impl Person {
    /// Who wrote, with what its contact says besides.
    pub(super) fn who_wrote(message: &Message, contacts: &[Contact], index: usize, of: usize) -> Self {
        let mut person = Self {
            bsuid: message.from_user_id.0.clone(),
            parent_bsuid: message.from_parent_user_id.0.clone(),
            wa_id: message.from.0.clone(),
            ..Self::default()
        };
        if let Some(contact) = contact_of(&message.from, &message.from_user_id, contacts, index, of) {
            person.learn(contact);
        }
        person
    }

    /// Whom a status is about.
    pub(super) fn recipient(status: &Status, contacts: &[Contact]) -> Self {
        let mut person = Self { bsuid: status.recipient_user_id.0.clone(), wa_id: status.recipient_id.0.clone(), ..Self::default() };
        if let Some(contact) = contact_of(&status.recipient_id, &status.recipient_user_id, contacts, 0, 1) {
            person.learn(contact);
        }
        person
    }

    /// Whom the business wrote to elsewhere.
    pub(super) fn written_to(echo: &Message, contacts: &[Contact], index: usize, of: usize) -> Self {
        let mut person = Self { bsuid: echo.to_user_id.0.clone(), wa_id: echo.to.0.clone(), ..Self::default() };
        if let Some(contact) = contact_of(&echo.to, &echo.to_user_id, contacts, index, of) {
            person.learn(contact);
        }
        person
    }

    fn learn(&mut self, contact: &Contact) {
        let add = |known: &mut Option<String>, told: &Id| {
            if known.is_none() {
                known.clone_from(&told.0);
            }
        };
        add(&mut self.bsuid, &contact.user_id);
        add(&mut self.parent_bsuid, &contact.parent_user_id);
        add(&mut self.wa_id, &contact.wa_id);
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        self.username = filled(&contact.profile.username);
        self.name = filled(&contact.profile.name);
    }

    pub(super) fn party(&self) -> Party {
        let mut identities = Vec::with_capacity(3);
        let mut add = |scheme: &str, value: &Option<String>| identities.extend(value.as_ref().map(|value| Identity::new(scheme, value)));
        add("bsuid", &self.bsuid);
        add("parent_bsuid", &self.parent_bsuid);
        add("wa_id", &self.wa_id);
        add("username", &self.username);
        Party { identities, name: self.name.clone() }
    }

    /// By the phone number where it is known: it is what people are written to by. Else by the business-scoped id.
    pub(super) fn conversation(&self) -> Option<Conversation> {
        self.wa_id.as_ref().or(self.bsuid.as_ref()).map(|id| direct(id))
    }
}

pub(super) fn direct(id: &str) -> Conversation {
    Conversation { external_id: id.to_owned(), kind: ConversationKind::Direct, title: None }
}

pub(super) fn group(id: &str) -> Conversation {
    Conversation { external_id: format!("{GROUP}{id}"), kind: ConversationKind::Group, title: None }
}

/// The contact that has one of the ids; else the one in the same place, unless it is known to be another's.
fn contact_of<'a>(wa_id: &Id, user_id: &Id, contacts: &'a [Contact], index: usize, of: usize) -> Option<&'a Contact> {
    let same = |known: &Id, told: &Id| known.is_some() && known == told;
    let differ = |known: &Id, told: &Id| known.is_some() && told.is_some() && known != told;
    let named = contacts.iter().find(|contact| same(user_id, &contact.user_id) || same(wa_id, &contact.wa_id));
    named.or_else(|| {
        let place = if contacts.len() == of { index } else { 0 };
        let alone = contacts.len() == of || contacts.len() == 1;
        let contact = contacts.get(place).filter(|_| alone)?;
        (!differ(user_id, &contact.user_id) && !differ(wa_id, &contact.wa_id)).then_some(contact)
    })
}
