//! Wake-ups: inside this process at once, to the other nodes of a PostgreSQL by NOTIFY ([`link`]). Whoever waits looks again by
//! itself after a while: a lost wake-up costs time, nothing else.
//!
//! Tell after the commit, never before it: who is woken has to find what there is.

mod accounts;
pub mod link;
mod notice;

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;

use accounts::Accounts;
use link::Link;
use notice::Notice;

/// How long a waiting task may sleep where nobody but the clock would wake it for what other processes do.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// The same while other nodes' notices are heard.
const POLL_EVERY_LINKED: Duration = Duration::from_secs(5);

/// What there may be news of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Something was queued for sending, or may go on.
    Outbox,
    /// Events were appended.
    Events,
    /// Jobs were scheduled.
    Jobs,
    /// Another version of a plugin was activated.
    Plugins,
    /// Messages brought files to fetch.
    Media,
}

impl Topic {
    const ALL: [Topic; 5] = [Topic::Outbox, Topic::Events, Topic::Jobs, Topic::Plugins, Topic::Media];

    const fn word(self) -> &'static str {
        match self {
            Topic::Outbox => "outbox",
            Topic::Events => "events",
            Topic::Jobs => "jobs",
            Topic::Plugins => "plugins",
            Topic::Media => "media",
        }
    }
}

/// To wait for news: `outbox`, `jobs`, `plugins` and `media` have one waiter, `events` many. To give news: [`Wake::tell`].
#[derive(Clone, Default)]
pub struct Wake {
    pub outbox: Arc<Notify>,
    pub events: Arc<Notify>,
    pub jobs: Arc<Notify>,
    pub media: Arc<Notify>,
    pub plugins: Arc<Notify>,
    accounts: Arc<Accounts>,
    link: Option<Arc<Link>>,
}

impl Wake {
    /// Of a node that shares its database with others, under its id; [`link::run`] carries what is told.
    pub fn among_nodes(node_id: &str) -> Wake {
        Wake { link: Some(Arc::new(Link::new(node_id))), ..Wake::default() }
    }

    /// Tells whoever waits, on every node.
    pub fn tell(&self, topic: Topic) {
        self.tell_here(topic);
        if let Some(link) = &self.link {
            link.add(|notice| notice.topics.insert(topic));
        }
    }

    /// Tells every node that the account, its secrets or its standing changed: what was remembered of it is void.
    pub fn account_changed(&self, account_id: &str) {
        self.accounts.forget(account_id);
        if let Some(link) = &self.link {
            link.add(|notice| notice.add_account(account_id));
        }
    }

    /// The same of every account at once: an app that they share changed.
    pub fn all_accounts_changed(&self) {
        self.accounts.forget_all();
        if let Some(link) = &self.link {
            link.add(Notice::add_all_accounts);
        }
    }

    /// How long something read of an account may be remembered: as long as this stays the same, and never while it is none,
    /// because then other nodes' changes aren't heard. Ask *before* reading the account, so that a change in between isn't missed.
    ///
    /// After [`Wake::account_changed`] nobody of this process uses the old one; other nodes follow within milliseconds, or within
    /// 20 s where a connection died without a word.
    pub fn account_generation(&self, account_id: &str) -> Option<u64> {
        match &self.link {
            Some(link) if !link.hears() => None,
            _ => Some(self.accounts.generation(account_id)),
        }
    }

    /// How long a waiter may sleep before it looks by itself.
    pub fn idle(&self) -> Duration {
        match &self.link {
            Some(link) if link.hears() => POLL_EVERY_LINKED,
            _ => POLL_EVERY,
        }
    }

    fn tell_here(&self, topic: Topic) {
        match topic {
            Topic::Outbox => self.outbox.notify_one(),
            Topic::Events => self.events.notify_waiters(),
            Topic::Jobs => self.jobs.notify_one(),
            Topic::Plugins => self.plugins.notify_one(),
            Topic::Media => self.media.notify_one(),
        }
    }

    /// Passes on what another node told.
    fn pass_on(&self, notice: &Notice) {
        for topic in &notice.topics {
            self.tell_here(*topic);
        }
        if notice.all_accounts {
            self.accounts.forget_all();
        }
        for id in &notice.accounts {
            self.accounts.forget(id);
        }
    }
}
