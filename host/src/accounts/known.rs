//! Accounts with their secrets as the webhook door last saw them: what each request would read again.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
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
    generation: u64,
}

#[derive(Default)]
pub struct KnownAccounts {
    kept: Mutex<HashMap<String, Arc<Known>>>,
}

impl KnownAccounts {
    /// The account, as it stood a second ago at most; none where there is none.
    pub async fn find(&self, app: &App, id: &str) -> Result<Option<Arc<Known>>> {
        let now = app.clock.now();
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        let is_fresh = |known: &Arc<Known>| {
            now.since(known.read_at).is_some_and(|age| age < FRESH) && app.wake.account_generation(id) == Some(known.generation)
        };
        match kept.filter(is_fresh) {
            Some(known) => Ok(Some(known)),
            None => self.read(app, id).await,
        }
    }

    /// The account as it stands now.
    pub async fn read(&self, app: &App, id: &str) -> Result<Option<Arc<Known>>> {
        // Before the reading: what changes during it isn't kept.
        let generation = app.wake.account_generation(id);
        let read_at = app.clock.now();
        let Some(account) = store::accounts::find(&app.db, id).await? else { return Ok(None) };
        let secrets = open_secrets(app, &account).await?;
        let known = Arc::new(Known { account, secrets, read_at, generation: generation.unwrap_or_default() });
        if generation.is_some() {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= KEPT_MAX {
                kept.clear();
            }
            kept.insert(id.to_owned(), Arc::clone(&known));
        }
        Ok(Some(known))
    }
}
