//! The generations of accounts: what was read of an account is valid until its generation changes.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

/// Accounts share so many counters: a change makes a node read a few others anew too, and the memory is bounded.
const SLOTS: usize = 1024;

pub(super) struct Accounts {
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl Default for Accounts {
    fn default() -> Accounts {
        Accounts { slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(), hasher: RandomState::new() }
    }
}

impl Accounts {
    pub(super) fn generation(&self, account_id: &str) -> u64 {
        self.slot(account_id).map_or(0, |slot| slot.load(Ordering::SeqCst))
    }

    pub(super) fn forget(&self, account_id: &str) {
        if let Some(slot) = self.slot(account_id) {
            slot.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Whatever may have changed: a notice may have been lost.
    pub(super) fn forget_all(&self) {
        for slot in &self.slots {
            slot.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn slot(&self, account_id: &str) -> Option<&AtomicU64> {
        let hash = usize::try_from(self.hasher.hash_one(account_id) % SLOTS as u64).unwrap_or(0);
        self.slots.get(hash)
    }
}
