//! Writing what changed: one statement, or a few, for each kind of row.

use std::time::Duration;

use super::{Applied, Ledger, Merge};
use crate::{
    accounts::{CONNECT, HEALTH},
    domain::account::{Connection, Told},
    secrets::Keyring,
    store::{
        self, Result, Tx, accounts, events, jobs, media, messages, outbox, parked, people, stats,
        threads::{self, Mention},
    },
    subscriptions,
};

/// When an account that connects by itself is looked at.
const CONNECTING: Duration = Duration::from_secs(15);
/// How long a message that others name may take to come.
const MENTIONED: Duration = Duration::from_secs(30 * 86_400);

impl Ledger {
    /// Writes everything; what is kept sealed is sealed with keys of the keyring. Answers what it set in motion.
    pub async fn save(self, tx: &mut Tx, keyring: &Keyring) -> Result<Applied> {
        let now = self.now;
        self.save_people(tx).await?;
        self.save_devices(tx, keyring).await?;
        self.save_messages(tx).await?;
        self.save_mentions(tx).await?;
        for (file, used_until) in self.changes.kept.values() {
            media::insert(tx, file, Some(*used_until)).await?;
        }
        let files = media::enqueue(tx, &self.changes.files, now).await?;
        let stood = self.changes.standings.iter().map(|(account_id, _)| account_id.clone()).collect();
        let kept = self.changes.kept.keys().cloned().collect();
        let applied = Applied { events: self.changes.told.len(), queued: self.changes.queued.len(), files, kept, stood };
        // Before conversations merge, which takes what is counted of the one along.
        stats::add(tx, &self.changes.tally.into_rows()).await?;
        for merge in &self.changes.merges {
            match merge {
                Merge::Contacts { account_id, from, into } => people::merge_contacts(tx, account_id, from, into, now).await?,
                Merge::Conversations { account_id, from, into } => {
                    people::merge_conversations(tx, from, into).await?;
                    stats::join(tx, account_id, from, into).await?;
                }
            }
        }
        for (contact_id, reason) in &self.changes.unreachable {
            people::set_unreachable(tx, contact_id, reason, now).await?;
        }
        people::set_reached(tx, &self.changes.reached, now).await?;
        parked::insert(tx, &self.changes.parked).await?;
        for (account_id, book) in &self.books {
            for (reference, dedupe_key) in &book.unparked {
                parked::delete(tx, account_id, reference, dedupe_key).await?;
            }
        }
        for (account_id, told) in &self.changes.standings {
            let Some(account) = accounts::find(&mut *tx, account_id).await? else { continue };
            let standing = match account.told(told.clone()) {
                Told::Stands(standing) => standing,
                Told::Asks => {
                    // A look that is under way goes on, and the next one sees what this was about.
                    jobs::hasten(tx, account_id, CONNECT, now).await?;
                    continue;
                }
                Told::Nothing => continue,
            };
            accounts::set_standing(tx, account_id, &standing, now).await?;
            if standing.connection == Connection::Connecting {
                // Where the provider doesn't tell of the end.
                jobs::ensure(tx, account_id, CONNECT, now.plus(CONNECTING)).await?;
            }
            if standing.connection.is_connected() {
                outbox::unpark(tx, account_id, None).await?;
            } else {
                outbox::park(tx, account_id, "not_connected").await?;
            }
            // A look of our own says how it really is, and has the account's jobs go on.
            jobs::ensure(tx, account_id, HEALTH, now).await?;
        }
        for (account_id, facts) in &self.changes.facts {
            accounts::put_facts(tx, account_id, facts, now).await?;
        }
        outbox::insert(tx, self.changes.queued).await?;
        events::append_all(tx, self.changes.told).await?;
        Ok(applied)
    }

    async fn save_people(&self, tx: &mut Tx) -> Result<()> {
        let contacts = self.books.values().flat_map(|book| book.contacts.values());
        let mut contacts: Vec<_> = contacts.filter(|kept| kept.changed).map(|kept| &kept.now).collect();
        contacts.sort_by(|one, other| one.id.cmp(&other.id));
        people::put_contacts(tx, &contacts).await?;
        let mut identities = Vec::new();
        let mut conversations = Vec::new();
        for (account_id, book) in &self.books {
            let given = book.identities.iter().filter(|(_, holder)| holder.changed);
            identities.extend(given.map(|(identity, holder)| (account_id.as_str(), identity, holder.contact_id.as_str())));
            let talks = book.conversations.values().filter(|kept| kept.changed).map(|kept| &kept.now);
            conversations.extend(talks.map(|talk| (&talk.conversation, talk.reply_context.as_ref(), talk.clock)));
        }
        conversations.sort_by(|(one, ..), (other, ..)| one.id.cmp(&other.id));
        people::put_identities(tx, &identities).await?;
        people::put_conversations(tx, &conversations).await
    }

    async fn save_devices(&self, tx: &mut Tx, keyring: &Keyring) -> Result<()> {
        let mut stand = Vec::new();
        for (account_id, book) in &self.books {
            for (id, device) in book.devices.iter().filter(|(_, device)| device.changed) {
                match (&device.now.subscriber, &device.now.endpoint) {
                    (Some(subscriber), Some(endpoint)) => stand.push((subscriber, endpoint)),
                    _ => store::subscriptions::remove(tx, account_id, id).await?,
                }
            }
        }
        if stand.is_empty() {
            return Ok(());
        }
        stand.sort_by(|(one, _), (other, _)| (&one.channel_account_id, &one.id).cmp(&(&other.channel_account_id, &other.id)));
        subscriptions::put(tx, keyring, &stand).await
    }

    async fn save_mentions(&self, tx: &mut Tx) -> Result<()> {
        let mut mentions = Vec::new();
        for (account_id, book) in &self.books {
            let noted = book.mentions.iter().filter(|(reference, mention)| mention.changed && !book.refs.contains_key(*reference));
            mentions.extend(noted.map(|(reference, mention)| Mention {
                account_id: account_id.clone(),
                reference: reference.clone(),
                conversation_id: mention.now.clone(),
            }));
        }
        threads::put(tx, &mentions, self.now.plus(MENTIONED)).await
    }

    async fn save_messages(&self, tx: &mut Tx) -> Result<()> {
        let mut rows = Vec::new();
        let mut references = Vec::new();
        for (account_id, book) in &self.books {
            rows.extend(book.messages.values().filter(|kept| kept.changed).map(|kept| &kept.now));
            references.extend(book.refs.values().filter(|kept| kept.changed).map(|kept| (account_id.as_str(), &kept.now)));
        }
        // In the order they were made, which is the order of their keys: that is the cheapest for the database.
        rows.sort_by(|one, other| one.id.cmp(&other.id));
        messages::put(tx, &rows).await?;
        messages::put_references(tx, &references).await
    }
}
