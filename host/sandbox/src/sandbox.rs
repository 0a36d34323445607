//! The sandbox: one engine, the thread that moves its epoch, and the places that calls share.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Semaphore;
use wasmtime::Engine;

use crate::artefact;
use crate::engine::{self, SandboxSettings};
use crate::error::{LoadError, SandboxError};
use crate::lane::SlowLane;
use crate::live::{Live, LivePlaces};
use crate::load;
use crate::plugin::Plugin;
use crate::ticker::{self, Sweep};

/// How busy the sandbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SandboxLoad {
    /// Calls that run.
    pub calls: u32,
    /// Live instances kept between calls.
    pub live: u32,
}

/// Runs plugins. One for each process is enough: it reserves address space (not memory) for all its calls at once.
pub struct Sandbox {
    engine: Engine,
    engine_id: String,
    settings: SandboxSettings,
    calls: Arc<Semaphore>,
    slow: SlowLane,
    live: LivePlaces,
    sweep: Sweep,
}

impl Sandbox {
    /// Makes the serving engine, which can't compile, and starts its epoch thread.
    ///
    /// # Errors
    /// When the address space for the pool can't be reserved (a limit on virtual memory: lower `calls` or `live`), or
    /// the thread can't be started.
    pub fn new(settings: &SandboxSettings) -> Result<Sandbox, SandboxError> {
        let engine = Engine::new(&engine::serving(settings)).map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
        let sweep = Sweep::default();
        ticker::start(engine.weak(), sweep.clone())?;
        Ok(Sandbox {
            engine_id: engine_id(&engine),
            settings: settings.clone(),
            calls: Arc::new(Semaphore::new(settings.calls.try_into().unwrap_or(Semaphore::MAX_PERMITS))),
            slow: SlowLane::new(),
            live: LivePlaces::new(settings),
            sweep,
            engine,
        })
    }

    /// Loads a file made by [`compile`](crate::compile()) for an engine of this id, and ties it to the contract. It runs
    /// no code of the plugin and takes a millisecond.
    ///
    /// The file must be one that the host wrote itself, from `compile`'s answer: it is run as machine code. It stays
    /// mapped as long as the plugin lives, so it must never be written to again: replace it by renaming, or remove it.
    ///
    /// # Errors
    /// When the file isn't for this engine, or the plugin doesn't fit the contract: the text says where.
    pub fn load(&self, artefact: &Path) -> Result<Plugin, LoadError> {
        let component = artefact::open(&self.engine, artefact).map_err(|error| LoadError::Artefact(format!("{error:#}")))?;
        let linked = load::link(&self.engine, &component)?;
        let live = Arc::new(Live::new(&self.settings, self.live.clone()));
        self.sweep.add(&live);
        Ok(Plugin::new(linked, Arc::clone(&self.calls), self.settings.calls_per_plugin, self.slow.clone(), live))
    }

    /// What runs and what is kept at this moment.
    pub fn load_now(&self) -> SandboxLoad {
        let free = u32::try_from(self.calls.available_permits()).unwrap_or(u32::MAX);
        SandboxLoad { calls: self.settings.calls.saturating_sub(free), live: self.settings.live.saturating_sub(self.live.free()) }
    }

    /// Names what compiled code depends on (wasmtime's version and configuration): a part of the artefact cache's key.
    /// The processor isn't in it: code for a better one is refused by [`load`](Sandbox::load) as [`LoadError::Artefact`].
    pub fn engine_id(&self) -> &str {
        &self.engine_id
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("engine_id", &self.engine_id).finish_non_exhaustive()
    }
}

fn engine_id(engine: &Engine) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("wasmtime-{}-{:016x}", std::env::consts::ARCH, hasher.finish())
}
