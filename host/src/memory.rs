//! What the webhook door read a moment ago: each request would read it again.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{app::App, clock::At, store::Result};

/// A change is told to every node at once. This is for one that wasn't heard.
const FRESH: Duration = Duration::from_secs(1);
/// More are forgotten all together: it costs a read each.
const KEPT_MAX: usize = 10_000;

/// Something of the store that a change of an account makes stale. An app that changes is told as all of its accounts.
pub trait Remembered: Sized + Send + Sync {
    /// As it stands now; none where there is none of that id.
    fn read(app: &App, id: &str) -> impl Future<Output = Result<Option<Self>>> + Send;
}

/// It, and when it was read.
pub struct Dated<T> {
    value: T,
    read_at: At,
    generation: u64,
}

impl<T> Deref for Dated<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

pub struct Memory<T> {
    kept: Mutex<HashMap<String, Arc<Dated<T>>>>,
}

impl<T> Default for Memory<T> {
    fn default() -> Memory<T> {
        Memory { kept: Mutex::default() }
    }
}

impl<T: Remembered> Memory<T> {
    /// As it stood a second ago at most.
    pub async fn find(&self, app: &App, id: &str) -> Result<Option<Arc<Dated<T>>>> {
        let now = app.clock.now();
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        let is_fresh = |known: &Arc<Dated<T>>| {
            now.since(known.read_at).is_some_and(|age| age < FRESH) && app.wake.account_generation(id) == Some(known.generation)
        };
        match kept.filter(is_fresh) {
            Some(known) => Ok(Some(known)),
            None => self.read(app, id).await,
        }
    }

    /// As it stands now.
    pub async fn read(&self, app: &App, id: &str) -> Result<Option<Arc<Dated<T>>>> {
        // Before the reading: what changes during it isn't kept.
        let generation = app.wake.account_generation(id);
        let read_at = app.clock.now();
        let Some(value) = T::read(app, id).await? else { return Ok(None) };
        let known = Arc::new(Dated { value, read_at, generation: generation.unwrap_or_default() });
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
