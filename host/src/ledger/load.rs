//! Loading what is wanted: one statement for each kind of row.

use std::collections::BTreeSet;

use super::{
    Ledger, Wanted,
    book::{Book, Device, Holder, Kept, Talk},
};
use crate::{
    domain::{message::Message, people::Conversation, stats::ConversationClock},
    store::{Result, Tx, events, messages, outbox, parked, people, subscriptions, threads},
};

impl Ledger {
    /// Loads what is wanted, and what the facts need that wait for it.
    pub async fn load(&mut self, tx: &mut Tx, wanted: &Wanted<'_>) -> Result<()> {
        self.load_named(tx, wanted).await?;
        if wanted.new_refs.is_empty() {
            return Ok(());
        }
        let mut waiting = parked::find(tx, &wanted.new_refs).await?;
        // In the order they happened, as far as that is known.
        waiting.sort_by_key(|parked| (parked.until, parked.fact.at));
        if waiting.is_empty() {
            return Ok(());
        }
        let mut theirs = Wanted::default();
        for parked in &waiting {
            theirs.fact(&parked.account_id, &parked.fact);
        }
        // Their keys are known because they wait: what they told, if anything, is theirs to ask.
        theirs.keys.clear();
        self.load_named(tx, &theirs).await?;
        for parked in waiting {
            self.book(&parked.account_id).parked.entry(parked.reference).or_default().push(parked.fact);
        }
        Ok(())
    }

    async fn load_named(&mut self, tx: &mut Tx, wanted: &Wanted<'_>) -> Result<()> {
        self.load_keys(tx, wanted).await?;
        self.load_people(tx, wanted).await?;
        self.load_messages(tx, wanted).await?;
        self.load_devices(tx, wanted).await?;
        self.load_mentions(tx, wanted).await?;
        self.load_watermarks(tx, wanted).await?;
        self.load_echoes(tx, wanted).await
    }

    async fn load_keys(&mut self, tx: &mut Tx, wanted: &Wanted<'_>) -> Result<()> {
        if !wanted.keys.is_empty() {
            for (account_id, key) in events::known(tx, &wanted.keys).await? {
                self.book(&account_id).known.insert(key);
            }
        }
        Ok(())
    }

    async fn load_people(&mut self, tx: &mut Tx, wanted: &Wanted<'_>) -> Result<()> {
        if !wanted.identities.is_empty() {
            for (identity, contact) in people::contacts_by_identity(tx, &wanted.identities).await? {
                let book = self.book(&contact.channel_account_id);
                book.identities.entry(identity).or_insert_with(|| Holder { contact_id: contact.id.clone(), changed: false });
                book.contacts.entry(contact.id.clone()).or_insert_with(|| Kept::loaded(contact));
            }
        }
        if !wanted.conversations.is_empty() {
            for (conversation, clock) in people::conversations_by_external_id(tx, &wanted.conversations).await? {
                self.book(&conversation.channel_account_id).hold_conversation(conversation, clock);
            }
        }
        Ok(())
    }

    async fn load_devices(&mut self, tx: &mut Tx, wanted: &Wanted<'_>) -> Result<()> {
        if !wanted.devices.is_empty() {
            for subscriber in subscriptions::named(tx, &wanted.devices).await? {
                let devices = &mut self.book(&subscriber.channel_account_id).devices;
                let id = subscriber.id.clone();
                devices.entry(id).or_insert_with(|| Kept::loaded(Device { subscriber: Some(subscriber), endpoint: None }));
            }
        }
        Ok(())
    }

    async fn load_messages(&mut self, tx: &mut Tx, wanted: &Wanted<'_>) -> Result<()> {
        let mut ids: BTreeSet<String> = wanted.messages.iter().map(|(_, id)| (*id).to_owned()).collect();
        if !wanted.refs.is_empty() {
            for (account_id, reference) in messages::references(tx, &wanted.refs).await? {
                ids.insert(reference.message_id.clone());
                self.book(&account_id).refs.entry(reference.reference.clone()).or_insert_with(|| Kept::loaded(reference));
            }
            // A provider that takes our id as its own speaks of messages by it.
            ids.extend(wanted.refs.iter().filter(|(_, reference)| is_our_id(reference)).map(|(_, reference)| (*reference).to_owned()));
        }
        self.load_messages_by_id(tx, &ids).await
    }

    async fn load_messages_by_id(&mut self, tx: &mut Tx, ids: &BTreeSet<String>) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let found = messages::by_ids(tx, ids).await?;
        self.hold_messages(tx, found).await
    }

    /// Keeps the messages, with the conversations that they are of.
    async fn hold_messages(&mut self, tx: &mut Tx, found: Vec<Message>) -> Result<()> {
        let mut of = BTreeSet::new();
        for message in found {
            let book = self.book(&message.channel_account_id);
            of.extend(message.conversation_id.clone().filter(|id| !book.conversations.contains_key(id)));
            book.messages.entry(message.id.clone()).or_insert_with(|| Kept::loaded(message));
        }
        self.hold_conversations(tx, &of).await
    }

    async fn hold_conversations(&mut self, tx: &mut Tx, ids: &BTreeSet<String>) -> Result<()> {
        if !ids.is_empty() {
            for (conversation, clock) in people::conversations_with_clocks(tx, ids).await? {
                self.book(&conversation.channel_account_id).hold_conversation(conversation, clock);
            }
        }
        Ok(())
    }

    async fn load_mentions(&mut self, tx: &mut Tx, wanted: &Wanted<'_>) -> Result<()> {
        if wanted.mentions.is_empty() {
            return Ok(());
        }
        let mut of = BTreeSet::new();
        for mention in threads::find(tx, &wanted.mentions).await? {
            let book = self.book(&mention.account_id);
            if !book.conversations.contains_key(&mention.conversation_id) {
                of.insert(mention.conversation_id.clone());
            }
            book.mentions.entry(mention.reference).or_insert_with(|| Kept::loaded(mention.conversation_id));
        }
        self.hold_conversations(tx, &of).await
    }

    async fn load_watermarks(&mut self, tx: &mut Tx, wanted: &Wanted<'_>) -> Result<()> {
        for (account_id, external_id, until) in &wanted.watermarks {
            let Some(id) = self.book(account_id).by_external_id.get(*external_id).cloned() else { continue };
            let unread = messages::sent_up_to(&mut *tx, &id, *until).await?;
            self.hold_messages(tx, unread).await?;
        }
        Ok(())
    }

    async fn load_echoes(&mut self, tx: &mut Tx, wanted: &Wanted<'_>) -> Result<()> {
        if wanted.echoes.is_empty() {
            return Ok(());
        }
        for (account_id, external_id) in outbox::in_flight(tx, &wanted.echoes).await? {
            self.book(&account_id).in_flight.insert(external_id);
        }
        let uncertain = messages::uncertain(tx, &wanted.echoes).await?;
        for message in &uncertain {
            let to = message.to.clone().unwrap_or_default();
            self.book(&message.channel_account_id).uncertain.entry(to).or_default().push(message.id.clone());
        }
        self.hold_messages(tx, uncertain).await
    }

    fn book(&mut self, account_id: &str) -> &mut Book {
        self.books.entry(account_id.to_owned()).or_default()
    }
}

impl Book {
    pub(super) fn hold_conversation(&mut self, conversation: Conversation, clock: ConversationClock) {
        self.by_external_id.entry(conversation.external_id.clone()).or_insert_with(|| conversation.id.clone());
        self.conversations
            .entry(conversation.id.clone())
            .or_insert_with(|| Kept::loaded(Talk { conversation, reply_context: None, clock, is_new: false }));
    }
}

fn is_our_id(reference: &str) -> bool {
    reference.len() == 36 && uuid::Uuid::try_parse(reference).is_ok()
}
