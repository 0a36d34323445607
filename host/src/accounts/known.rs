//! Accounts with their secrets as the webhook door last saw them: what each request would read again.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::open_secrets;
use crate::{
    app::App,
    clock::At,
    domain::account::Account,
    secrets::Secret,
    store::{self, Result},
};

/// A change is told to every node at once. This is for one that wasn't heard.
const FRESH: Duration = Duration::from_secs(1);
/// More are forgotten all together: it costs a read each.
const KEPT_MAX: usize = 10_000;

/// An account and everything that the gateway keeps for it, opened.
pub struct Known {
    pub account: Account,
    pub secrets: BTreeMap<String, Secret>,
    read_at: At,
}

#[derive(Default)]
pub struct KnownAccounts {
    kept: Mutex<HashMap<String, Arc<Known>>>,
    /// Rises with every change: what was read before it isn't kept.
    changes: AtomicU64,
}

impl KnownAccounts {
    /// The account, as it stood a second ago at most; none where there is none.
    pub async fn find(&self, app: &App, id: &str) -> Result<Option<Arc<Known>>> {
        let now = app.clock.now();
        let kept = self.lock().get(id).cloned();
        match kept {
            Some(known) if now.since(known.read_at).is_some_and(|age| age < FRESH) => Ok(Some(known)),
            _ => self.read(app, id).await,
        }
    }

    /// The account as it stands now.
    pub async fn read(&self, app: &App, id: &str) -> Result<Option<Arc<Known>>> {
        let changes = self.changes.load(Ordering::SeqCst);
        let read_at = app.clock.now();
        let Some(account) = store::accounts::find(&app.db, id).await? else { return Ok(None) };
        let secrets = open_secrets(app, &account).await?;
        let known = Arc::new(Known { account, secrets, read_at });
        let mut kept = self.lock();
        if changes == self.changes.load(Ordering::SeqCst) {
            if kept.len() >= KEPT_MAX {
                kept.clear();
            }
            kept.insert(id.to_owned(), Arc::clone(&known));
        }
        Ok(Some(known))
    }

    /// The account has changed.
    pub fn forget(&self, id: &str) {
        let mut kept = self.lock();
        self.changes.fetch_add(1, Ordering::SeqCst);
        kept.remove(id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Known>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
