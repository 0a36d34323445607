//! What can go wrong: with the sandbox, with a plugin's code when it is compiled or loaded, and with one call.

use std::time::Duration;

use wasmtime::{FrameInfo, PoolConcurrencyLimitError, WasmBacktrace};

/// The sandbox could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("the WebAssembly engine could not be made: {0}")]
    Engine(String),
    #[error("the epoch ticker could not be started: {0}")]
    Ticker(#[from] std::io::Error),
}

/// A component could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    #[error("the compiling engine could not be made: {0}")]
    Engine(String),
    #[error("this is not a WebAssembly component that can be compiled: {0}")]
    Component(String),
}

/// A compiled component could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is absent, damaged, or made by another engine: compile the component again.
    #[error("the compiled plugin can't be used by this engine, compile it again: {0}")]
    Artefact(String),
    #[error(
        "the plugin speaks patchbay:channel@{plugin}, this gateway {}: build the plugin against one of these",
        crate::contract::spoken()
    )]
    Version { plugin: String },
    #[error("the plugin imports what this gateway doesn't offer: {}", .0.join(", "))]
    MissingImports(Vec<String>),
    #[error("the plugin doesn't export what every plugin has to: {}", .0.join(", "))]
    MissingExports(Vec<String>),
    /// A name is there, and its type is another.
    #[error("the plugin doesn't fit the contract patchbay:channel@{spoken}: {what}")]
    Mismatch { spoken: &'static str, what: String },
}

/// A call ended without an answer. It costs this one call: the store is gone, the plugin goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The guest's code gave up: `unreachable`, a bad index, an exhausted stack, a misused handle.
    #[error("the plugin trapped: {0}")]
    Trap(String),
    #[error("the plugin used more than its {} ms of processor time", .0.as_millis())]
    Cpu(Duration),
    #[error("the plugin had no answer within {} ms", .0.as_millis())]
    Deadline(Duration),
    #[error("the plugin asked for more than its {0} bytes of memory")]
    Memory(usize),
    #[error("the plugin called the host more than {0} times")]
    HostCalls(u32),
    #[error("the plugin sent more than {0} HTTP requests")]
    HttpRequests(u32),
    /// Which bound, and how much it is.
    #[error("the plugin handed over more than {most} {what}")]
    Output { what: &'static str, most: usize },
    /// No place in the pool became free in time: nothing was run.
    #[error("no place for the call became free within {} ms", .0.as_millis())]
    Busy(Duration),
    /// The host doesn't make the call: so many before it ended without an answer. Nothing was run.
    #[error("the plugin isn't called for {} s: {faults} calls in a row ended without an answer", .pause.as_secs())]
    Held { faults: u32, pause: Duration },
    /// The plugin has no such group of hooks.
    #[error("the plugin doesn't export {0}")]
    NotExported(&'static str),
    /// The blob that the plugin answered with could not be stored.
    #[error("the plugin's blob could not be stored: {0}")]
    Blob(String),
}

/// The last frames named in a trap's text: the place, not the whole story.
const FRAMES: usize = 4;
/// Characters of a function's name, which is the guest's to choose.
const NAME: usize = 100;

impl Fault {
    /// Whether nothing of the plugin was run: the same call may be made later, and says nothing of the plugin.
    pub fn is_unrun(&self) -> bool {
        matches!(self, Fault::Busy(_) | Fault::Held { .. })
    }

    /// What ended a guest, from the error that wasmtime carried out of it.
    pub(crate) fn from_error(error: wasmtime::Error, limits: &crate::CallLimits, memory_refused: bool) -> Fault {
        let error = match error.downcast::<Fault>() {
            Ok(fault) => return fault,
            Err(error) => error,
        };
        if error.is::<PoolConcurrencyLimitError>() {
            return Fault::Busy(limits.wall);
        }
        // Guests answer a refused growth by aborting, so the trap itself tells nothing.
        if memory_refused {
            return Fault::Memory(limits.memory_bytes);
        }
        let cause = error.root_cause().to_string();
        // wasmtime keeps the type of this error to itself.
        if cause.contains("fuel allocated for hostcalls has been exhausted") {
            return Fault::Output { what: "bytes at once", most: limits.event_bytes };
        }
        let frames = error.downcast_ref().map(frame_names).unwrap_or_default();
        if frames.is_empty() { Fault::Trap(cause) } else { Fault::Trap(format!("{cause}, in {}", frames.join(" < "))) }
    }
}

fn frame_names(backtrace: &WasmBacktrace) -> Vec<String> {
    let names = backtrace.frames().iter().filter_map(FrameInfo::func_name);
    names.take(FRAMES).map(|name| name.chars().take(NAME).collect()).collect()
}
