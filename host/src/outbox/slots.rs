//! How many messages this node sends at a time: in all, for each account, and how many of them may be bulk.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::domain::message::Priority;

/// The node's slots.
#[derive(Clone)]
pub(super) struct Slots {
    workers: usize,
    per_account: usize,
    busy: Arc<Mutex<Busy>>,
}

#[derive(Default)]
struct Busy {
    all: Count,
    accounts: HashMap<String, Count>,
}

#[derive(Default)]
struct Count {
    total: usize,
    bulk: usize,
}

impl Count {
    /// Of so many slots, those that the priority may still take. A quarter stays free of bulk: a reply must not wait for a
    /// campaign's slow provider.
    fn free(&self, slots: usize, priority: Priority) -> usize {
        let free = slots.saturating_sub(self.total);
        match priority {
            Priority::Normal => free,
            Priority::Bulk => free.min((slots - slots.div_ceil(4).min(slots.saturating_sub(1))).saturating_sub(self.bulk)),
        }
    }

    fn add(&mut self, priority: Priority) {
        self.total += 1;
        self.bulk += usize::from(priority == Priority::Bulk);
    }

    fn remove(&mut self, priority: Priority) {
        self.total = self.total.saturating_sub(1);
        self.bulk = self.bulk.saturating_sub(usize::from(priority == Priority::Bulk));
    }
}

/// One message that is being sent; its slot is free again when this is dropped.
pub(super) struct Slot {
    busy: Arc<Mutex<Busy>>,
    account_id: String,
    priority: Priority,
}

fn lock(busy: &Mutex<Busy>) -> MutexGuard<'_, Busy> {
    busy.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slots {
    pub(super) fn new(workers: u32, per_account: u32) -> Slots {
        Slots { workers: workers as usize, per_account: per_account as usize, busy: Arc::default() }
    }

    /// Slots of the node that messages of the priority may take.
    pub(super) fn free(&self, priority: Priority) -> usize {
        lock(&self.busy).all.free(self.workers, priority)
    }

    /// Of the account's share, those that its messages of the priority may take.
    pub(super) fn free_of(&self, account_id: &str, priority: Priority) -> usize {
        lock(&self.busy).accounts.get(account_id).unwrap_or(&Count::default()).free(self.per_account, priority)
    }

    pub(super) fn take(&self, account_id: &str, priority: Priority) -> Slot {
        let mut busy = lock(&self.busy);
        busy.all.add(priority);
        busy.accounts.entry(account_id.to_owned()).or_default().add(priority);
        Slot { busy: Arc::clone(&self.busy), account_id: account_id.to_owned(), priority }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut busy = lock(&self.busy);
        busy.all.remove(self.priority);
        if let Some(of_account) = busy.accounts.get_mut(&self.account_id) {
            of_account.remove(self.priority);
            if of_account.total == 0 {
                busy.accounts.remove(&self.account_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_its_share_and_gives_it_back() {
        let slots = Slots::new(8, 2);
        let held = [slots.take("a", Priority::Normal), slots.take("a", Priority::Normal)];
        let free_of = |account_id| slots.free_of(account_id, Priority::Normal);
        assert_eq!((free_of("a"), free_of("b"), slots.free(Priority::Normal)), (0, 2, 6));
        drop(held);
        assert_eq!((free_of("a"), slots.free(Priority::Normal)), (2, 8));
    }

    #[test]
    fn a_campaign_never_takes_the_last_quarter() {
        let slots = Slots::new(8, 8);
        let held: Vec<Slot> = (0..6).map(|_| slots.take("a", Priority::Bulk)).collect();
        assert_eq!((slots.free(Priority::Bulk), slots.free(Priority::Normal)), (0, 2));
        assert_eq!((slots.free_of("a", Priority::Bulk), slots.free_of("a", Priority::Normal)), (0, 2));
        drop(held);
        assert_eq!(Slots::new(1, 1).free(Priority::Bulk), 1, "one worker sends campaigns too");
    }
}
