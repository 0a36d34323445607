//! Connections that are kept for the next use, by account and target.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

/// Idle connections of one account to one target.
const IDLE_MAX: usize = 2;

/// An account's id and a target's name.
pub(super) type Key = (String, String);

/// A connection in use, or kept.
pub(super) struct Kept<Session> {
    pub(super) session: Session,
    /// Of the server that it leads to, and of who logged in.
    pub(super) fingerprint: [u8; 32],
    /// Its place among the connections of the node.
    pub(super) _permit: OwnedSemaphorePermit,
}

struct Idle<Session> {
    kept: Kept<Session>,
    since: Instant,
}

pub(super) struct Pool<Session>(Mutex<HashMap<Key, Vec<Idle<Session>>>>);

impl<Session> Default for Pool<Session> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<Session> Pool<Session> {
    /// The youngest that leads to the same server as the same user. Others of the account and target are of an earlier time: they
    /// are given up.
    pub(super) fn take(&self, key: &Key, fingerprint: &[u8; 32]) -> Option<Kept<Session>> {
        let mut pool = self.lock();
        let idle = pool.get_mut(key)?;
        idle.retain(|idle| idle.kept.fingerprint == *fingerprint);
        let taken = idle.pop().map(|idle| idle.kept);
        if idle.is_empty() {
            pool.remove(key);
        }
        taken
    }

    /// Answers one that there was no place for.
    pub(super) fn put(&self, key: Key, kept: Kept<Session>) -> Option<Session> {
        let mut pool = self.lock();
        let idle = pool.entry(key).or_default();
        idle.push(Idle { kept, since: Instant::now() });
        (idle.len() > IDLE_MAX).then(|| idle.remove(0).kept.session)
    }

    /// Those that were idle for so long.
    pub(super) fn drain_older(&self, than: Duration) -> Vec<Session> {
        let now = Instant::now();
        let mut drained = Vec::new();
        self.lock().retain(|_, idle| {
            let (old, young) = std::mem::take(idle).into_iter().partition(|idle| now.duration_since(idle.since) >= than);
            *idle = young;
            let old: Vec<Idle<Session>> = old;
            drained.extend(old.into_iter().map(|idle| idle.kept.session));
            !idle.is_empty()
        });
        drained
    }

    /// Gives up the one that was idle longest: somebody needs its place.
    pub(super) fn drop_oldest(&self) -> bool {
        let mut pool = self.lock();
        let oldest = pool.iter().filter_map(|(key, idle)| Some((idle.first()?.since, key.clone()))).min();
        let Some((_, key)) = oldest else { return false };
        if let Some(idle) = pool.get_mut(&key) {
            drop(idle.remove(0));
            if idle.is_empty() {
                pool.remove(&key);
            }
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Vec<Idle<Session>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    fn kept(session: u8, print: u8, places: &Arc<Semaphore>) -> Kept<u8> {
        Kept { session, fingerprint: [print; 32], _permit: Arc::clone(places).try_acquire_owned().unwrap() }
    }

    fn key(account: &str) -> Key {
        (account.to_owned(), "out".to_owned())
    }

    #[test]
    fn only_the_same_server_and_user_get_a_connection_back() {
        let (pool, places) = (Pool::default(), Arc::new(Semaphore::new(4)));
        pool.put(key("a"), kept(1, 1, &places));
        assert!(pool.take(&key("b"), &[1; 32]).is_none());
        assert_eq!(pool.take(&key("a"), &[1; 32]).unwrap().session, 1);
        pool.put(key("a"), kept(2, 1, &places));
        assert!(pool.take(&key("a"), &[2; 32]).is_none());
        assert_eq!(places.available_permits(), 4, "what is of no use any more is closed");
    }

    #[test]
    fn idle_ones_are_few_and_give_way() {
        let (pool, places) = (Pool::default(), Arc::new(Semaphore::new(4)));
        assert_eq!([1, 2, 3].map(|session| pool.put(key("a"), kept(session, 1, &places))), [None, None, Some(1)]);
        pool.put(key("b"), kept(4, 1, &places));
        assert!(pool.drop_oldest());
        assert_eq!(pool.take(&key("a"), &[1; 32]).unwrap().session, 3);
        assert_eq!(pool.drain_older(Duration::from_secs(60)), [] as [u8; 0]);
        assert_eq!(pool.drain_older(Duration::ZERO), [4]);
        assert!(!pool.drop_oldest());
    }
}
