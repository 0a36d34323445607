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
    total: usize,
    bulk: usize,
    accounts: HashMap<String, usize>,
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

    /// Slots that messages of the priority may take. A quarter stays free of bulk: a reply must not wait for a campaign's slow
    /// provider.
    pub(super) fn free(&self, priority: Priority) -> usize {
        let busy = lock(&self.busy);
        let free = self.workers.saturating_sub(busy.total);
        match priority {
            Priority::Normal => free,
            Priority::Bulk => free.min((self.workers - self.workers / 4).saturating_sub(busy.bulk)),
        }
    }

    /// Slots that the account may take besides those it has.
    pub(super) fn free_of(&self, account_id: &str) -> usize {
        self.per_account.saturating_sub(lock(&self.busy).accounts.get(account_id).copied().unwrap_or(0))
    }

    pub(super) fn take(&self, account_id: &str, priority: Priority) -> Slot {
        let mut busy = lock(&self.busy);
        busy.total += 1;
        busy.bulk += usize::from(priority == Priority::Bulk);
        *busy.accounts.entry(account_id.to_owned()).or_default() += 1;
        Slot { busy: Arc::clone(&self.busy), account_id: account_id.to_owned(), priority }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut busy = lock(&self.busy);
        busy.total = busy.total.saturating_sub(1);
        busy.bulk = busy.bulk.saturating_sub(usize::from(self.priority == Priority::Bulk));
        if let Some(of_account) = busy.accounts.get_mut(&self.account_id) {
            *of_account = of_account.saturating_sub(1);
            if *of_account == 0 {
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
        assert_eq!((slots.free_of("a"), slots.free_of("b"), slots.free(Priority::Normal)), (0, 2, 6));
        drop(held);
        assert_eq!((slots.free_of("a"), slots.free(Priority::Normal)), (2, 8));
    }

    #[test]
    fn a_campaign_never_takes_the_last_quarter() {
        let slots = Slots::new(8, 8);
        let held: Vec<Slot> = (0..6).map(|_| slots.take("a", Priority::Bulk)).collect();
        assert_eq!((slots.free(Priority::Bulk), slots.free(Priority::Normal)), (0, 2));
        drop(held);
        assert_eq!(Slots::new(1, 1).free(Priority::Bulk), 1, "one worker sends campaigns too");
    }
}
