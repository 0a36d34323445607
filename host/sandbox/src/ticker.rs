//! The thread that moves the engine's epoch, so that a running guest is looked at every 10 ms.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Instant;

use wasmtime::EngineWeak;

use crate::live::Live;
use crate::meter::TICK;

/// The live instances of each plugin, to be looked through for idle ones.
#[derive(Clone, Default)]
pub(crate) struct Sweep(Arc<Mutex<Vec<Weak<Live>>>>);

impl Sweep {
    pub(crate) fn add(&self, live: &Arc<Live>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(live));
    }

    fn run(&self, now: Instant) {
        // Dropping an instance takes a while: the list isn't locked meanwhile.
        let lives: Vec<Arc<Live>> = {
            let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            list.retain(|live| live.strong_count() > 0);
            list.iter().filter_map(Weak::upgrade).collect()
        };
        for live in lives {
            live.drop_idle(now);
        }
    }
}

/// Ticks between two looks at the idle instances: about a second.
const SWEEP: u32 = 100;

/// Starts the thread. It ends with the engine: it holds nothing that keeps the engine alive.
pub(crate) fn start(engine: EngineWeak, sweep: Sweep) -> std::io::Result<()> {
    let tick = move || {
        let mut ticks = 0_u32;
        loop {
            thread::sleep(TICK);
            let Some(engine) = engine.upgrade() else { return };
            engine.increment_epoch();
            drop(engine);
            ticks = ticks.wrapping_add(1);
            if ticks.is_multiple_of(SWEEP) {
                sweep.run(Instant::now());
            }
        }
    };
    thread::Builder::new().name("sandbox-epoch".to_owned()).spawn(tick).map(drop)
}
