//! Live instances: a store kept after its call for the next call of the same account. It saves a hot account the page
//! faults of a fresh memory, most of what a fresh call costs. What a guest left in its memory is there in the next
//! call, so an instance never changes its account, and it goes at the first sign of trouble, because it isn't put back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::{Store, component};

use crate::engine::SandboxSettings;
use crate::state::State;

/// An instance and its store, in a call or between two.
pub(crate) struct Instance {
    pub(crate) store: Store<State>,
    pub(crate) exports: component::Instance,
    uses: u32,
}

impl Instance {
    pub(crate) fn new(store: Store<State>, exports: component::Instance) -> Instance {
        Instance { store, exports, uses: 0 }
    }

    /// How many it has answered.
    pub(crate) fn calls(&self) -> u32 {
        self.uses
    }
}

/// What the live instances of all plugins share.
#[derive(Clone)]
pub(crate) struct LivePlaces {
    instances: Arc<Semaphore>,
    /// Pages of linear memory.
    memory: Arc<Semaphore>,
}

const PAGE: usize = 64 * 1024;

impl LivePlaces {
    pub(crate) fn new(settings: &SandboxSettings) -> LivePlaces {
        let instances = settings.live.try_into().unwrap_or(Semaphore::MAX_PERMITS);
        let pages = (settings.live_memory_bytes / PAGE).min(Semaphore::MAX_PERMITS);
        LivePlaces { instances: Arc::new(Semaphore::new(instances)), memory: Arc::new(Semaphore::new(pages)) }
    }

    /// Instances that could be kept besides those that are.
    pub(crate) fn free(&self) -> u32 {
        u32::try_from(self.instances.available_permits()).unwrap_or(u32::MAX)
    }

    fn take(&self, memory: usize) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let pages = u32::try_from(memory.div_ceil(PAGE)).ok()?;
        let instance = Arc::clone(&self.instances).try_acquire_owned().ok()?;
        let memory = Arc::clone(&self.memory).try_acquire_many_owned(pages).ok()?;
        Some((instance, memory))
    }
}

/// The live instances of one plugin, the longest idle first. An account has as many as its calls needed at once.
pub(crate) struct Live {
    kept: Mutex<VecDeque<Kept>>,
    places: LivePlaces,
    most: usize,
    most_uses: u32,
    most_idle: Duration,
}

struct Kept {
    account: Box<str>,
    instance: Instance,
    since: Instant,
    _places: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl Live {
    pub(crate) fn new(settings: &SandboxSettings, places: LivePlaces) -> Live {
        Live {
            kept: Mutex::default(),
            places,
            most: settings.live_per_plugin,
            most_uses: settings.live_uses,
            most_idle: settings.live_idle,
        }
    }

    /// An instance of the account, which is now the caller's alone. The last used is taken, so that the others grow
    /// old when there are more than needed.
    pub(crate) fn take(&self, account: &str) -> Option<Instance> {
        let kept = {
            let mut all = self.kept();
            let place = all.iter().rposition(|kept| *kept.account == *account)?;
            all.remove(place)?
        };
        (kept.since.elapsed() < self.most_idle).then_some(kept.instance)
    }

    /// Keeps an instance for the account after a good call, or drops it where it is used up or there is no place.
    pub(crate) fn keep(&self, account: &str, mut instance: Instance) {
        instance.uses = instance.uses.saturating_add(1);
        let state = instance.store.data_mut();
        state.leave();
        // Nearly full, the memory of a leaking guest would fail a call that a fresh one answers; and a handle held
        // over would name a blob of the call before.
        let worn = instance.uses >= self.most_uses || state.memory.used > state.memory.most / 2 || !state.blobs.is_empty();
        if worn || self.most == 0 {
            return;
        }
        let Some(places) = self.places_for(state.memory.used) else { return };
        let kept = Kept { account: account.into(), instance, since: Instant::now(), _places: places };
        let surplus = {
            let mut all = self.kept();
            all.push_back(kept);
            if all.len() > self.most { all.pop_front() } else { None }
        };
        // Dropping an instance unmaps memory: outside of the lock that other calls wait for.
        drop(surplus);
    }

    /// Places for one more instance, if need be those of our own longest idle one: no call waits to leave something.
    fn places_for(&self, memory: usize) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        self.places.take(memory).or_else(|| {
            let oldest = self.kept().pop_front();
            drop(oldest);
            self.places.take(memory)
        })
    }

    /// Drops what nobody has used for long.
    pub(crate) fn drop_idle(&self, now: Instant) {
        let idle: Vec<Kept> = {
            let mut all = self.kept();
            let idle = all.iter().take_while(|kept| now.saturating_duration_since(kept.since) >= self.most_idle).count();
            all.drain(..idle).collect()
        };
        drop(idle);
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
