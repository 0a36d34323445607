//! When each key was last used: written beside the request, once a minute at most.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    app::App,
    clock::At,
    domain::key::ApiKey,
    store::{self, Tx, group::Work},
};

/// Between two notes of a key.
const EVERY: Duration = Duration::from_secs(60);

/// The keys whose use is being written.
#[derive(Default)]
pub(super) struct Uses(Arc<Mutex<HashSet<String>>>);

impl Uses {
    /// Has the use noted, where it wasn't within the last minute. Nobody waits for it, and a note that is lost is no harm.
    pub(super) fn note(&self, app: &App, key: &ApiKey, now: At) {
        if key.last_used_at.is_some_and(|last| now.since(last).is_none_or(|since| since < EVERY)) || app.tasks.is_stopping() {
            return;
        }
        if !self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.id.clone()) {
            return;
        }
        let (writing, group) = (Arc::clone(&self.0), app.group.clone());
        let used = Arc::new(Used { id: key.id.clone(), at: now });
        app.tasks.spawn(async move {
            if let Err(error) = group.commit(&used).await {
                tracing::warn!(%error, "the use of an API key was not noted");
            }
            writing.lock().unwrap_or_else(PoisonError::into_inner).remove(&used.id);
        });
    }
}

struct Used {
    id: String,
    at: At,
}

impl Work for Used {
    type Made = ();

    async fn write(&self, tx: &mut Tx) -> store::Result<()> {
        store::api_keys::note_use(tx, &self.id, self.at, EVERY).await
    }
}
