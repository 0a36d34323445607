//! From a component to this machine's code. It takes seconds and memory, so the host runs it in a child process.

use wasmtime::Engine;

use crate::engine::{self, SandboxSettings};
use crate::error::CompileError;

/// Compiles a component for the engine that a [`Sandbox`](crate::Sandbox) of the same settings serves from, in an engine
/// of its own. The answer is what a file has to hold for [`Sandbox::load`](crate::Sandbox::load).
///
/// # Errors
/// When the bytes are no component, or use what the engine doesn't have.
pub fn compile(component: &[u8], settings: &SandboxSettings) -> Result<Vec<u8>, CompileError> {
    let engine = Engine::new(&engine::compiling(settings)).map_err(|error| CompileError::Engine(format!("{error:#}")))?;
    engine.precompile_component(component).map_err(|error| CompileError::Component(format!("{error:#}")))
}
