//! What one transaction knows and changes of people, conversations and messages. What may be needed is loaded at once
//! ([`Wanted`]), facts and outcomes are applied in memory, and all that changed is saved at once: the number of statements
//! doesn't grow with what a group of webhooks tells.
//!
//! The transaction has to be one that was begun with [`Db::begin_ordered`](crate::store::Db::begin_ordered): nobody else
//! changes what was loaded before this one commits.

mod book;
mod devices;
mod load;
mod page;
mod save;
mod threads;
mod wanted;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use book::Book;
pub use devices::SubscriptionData;
pub use page::{About, ContactView, ConversationView, Page};
use serde_json::{Map, Value};
pub use wanted::Wanted;

use crate::{
    clock::At,
    domain::{
        account::Standing,
        media::{MediaFile, WantedFile},
        message::Message,
    },
    ids::Ids,
    stats::Tally,
    store::{events::Told, outbox::Queued, parked::ParkedFact, people::Owner},
};

/// How the people and messages of some accounts stand, and what becomes of them.
pub struct Ledger {
    ids: Arc<Ids>,
    now: At,
    books: BTreeMap<String, Book>,
    changes: Changes,
}

/// What is written besides rows that changed.
#[derive(Default)]
struct Changes {
    told: Vec<Told>,
    queued: Vec<Queued>,
    parked: Vec<ParkedFact>,
    /// Accounts whose provider told how they stand.
    standings: Vec<(String, Standing)>,
    /// What an account is to show from now on.
    facts: Vec<(String, Map<String, Value>)>,
    merges: Vec<Merge>,
    files: Vec<WantedFile>,
    /// Files of the plugin's that messages hold, and until when they are needed at least.
    kept: BTreeMap<String, (MediaFile, At)>,
    /// Contacts whom the provider said not to be there, and why.
    unreachable: BTreeMap<String, String>,
    /// Contacts whom something reached.
    reached: BTreeSet<String>,
    tally: Tally,
}

/// Rows that hold the one id hold the other from now on. What isn't loaded has to follow too.
enum Merge {
    Contacts { account_id: String, from: String, into: String },
    Conversations { account_id: String, from: String, into: String },
}

/// What a saved ledger set in motion.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Applied {
    pub events: usize,
    pub queued: usize,
    /// Files to fetch.
    pub files: u64,
    /// Ids of files of the plugin's that messages hold.
    pub kept: BTreeSet<String>,
    /// Accounts that stand otherwise.
    pub stood: Vec<String>,
}

impl Ledger {
    pub fn new(ids: Arc<Ids>, now: At) -> Ledger {
        Ledger { ids, now, books: BTreeMap::new(), changes: Changes::default() }
    }

    /// The account's people and messages. `inbox` says whether its conversations belong in an inbox of people: a channel that
    /// only notifies has none.
    /// `plugin_digest` is the version of the plugin at work.
    pub fn page<'a>(&'a mut self, owner: Owner<'a>, inbox: bool, plugin_digest: Option<&'a str>) -> Page<'a> {
        let book = self.books.entry(owner.account_id.to_owned()).or_default();
        Page {
            book,
            changes: &mut self.changes,
            ids: &self.ids,
            now: self.now,
            owner,
            inbox,
            marks_requests: false,
            plugin_digest,
            made: &[],
        }
    }

    pub fn message(&self, account_id: &str, id: &str) -> Option<&Message> {
        Some(&self.books.get(account_id)?.messages.get(id)?.now)
    }
}
