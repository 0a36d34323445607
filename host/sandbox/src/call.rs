//! One call: a place, a deadline, a store, and an end.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use wasmtime::{Engine, Store, UpdateDeadline};

use crate::error::Fault;
use crate::lane::{SlowLane, Turn};
use crate::limits::CallLimits;
use crate::meter::{Meter, TICK, metered};
use crate::services::Services;
use crate::state::{State, Visit};

/// Handles of resources that a guest may hold at once.
const HANDLES: usize = 1_000;

/// The places a plugin's calls need: its own share, and one of everybody's. The pool has more than both.
pub(crate) struct Places {
    pub(crate) plugin: Arc<Semaphore>,
    pub(crate) all: Arc<Semaphore>,
    pub(crate) slow: SlowLane,
}

impl Places {
    async fn take(&self) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let plugin = Arc::clone(&self.plugin).acquire_owned().await.ok()?;
        let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some((plugin, all))
    }

    /// Runs `work` in a place of its own. Past the deadline it is dropped where it stands, and its store with it.
    pub(crate) async fn run<T, F>(&self, limits: CallLimits, services: Box<dyn Services>, work: impl FnOnce(Visit) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let limits = limits.clamp();
        let deadline = Instant::now() + limits.wall;
        let Ok(Some(_places)) = timeout_at(deadline, self.take()).await else {
            return Err(Fault::Busy(limits.wall));
        };
        let meter = Arc::new(Meter::default());
        let turn = Arc::new(Turn::new(self.slow.clone()));
        let visit = Visit { limits, deadline: deadline.into_std(), services, meter: Arc::clone(&meter), turn: Arc::clone(&turn) };
        let answer = timeout_at(deadline, metered(&meter, work(visit))).await;
        // A kept instance holds on to its turn, and mustn't to the place.
        turn.end();
        answer.unwrap_or(Err(Fault::Deadline(limits.wall)))
    }
}

/// A store for one visit, with all of its bounds in place.
pub(crate) fn store(engine: &Engine, visit: Visit) -> Store<State> {
    let event_bytes = visit.limits.event_bytes;
    let mut store = Store::new(engine, State::new(visit));
    store.limiter(|state| &mut state.memory);
    store.set_max_component_handles(HANDLES);
    store.set_hostcall_fuel(event_bytes);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|context| {
        let is_long = context.data().tick()? > TICK;
        let turn = Arc::clone(&context.data().turn);
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(async move { turn.pass(is_long).await })))
    });
    store
}

/// Makes a kept store ready for one more visit, after so many `calls`.
pub(crate) fn revisit(store: &mut Store<State>, mut visit: Visit, calls: u32) {
    visit.services.kept_instance(calls);
    store.set_hostcall_fuel(visit.limits.event_bytes);
    store.set_epoch_deadline(1);
    store.data_mut().enter(visit);
}
