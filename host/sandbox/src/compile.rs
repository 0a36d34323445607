//! From a component to this machine's code. It takes seconds and memory, so the host runs it in a child process.

use wasmtime::Engine;

use crate::engine;
use crate::error::CompileError;

/// Compiles a component for the engine that every [`Sandbox`](crate::Sandbox) of this build serves from, in an engine of
/// its own. The answer is what a file has to hold for [`Sandbox::load`](crate::Sandbox::load).
///
/// # Errors
/// When the bytes are no component, or use what the engine doesn't have.
pub fn compile(component: &[u8]) -> Result<Vec<u8>, CompileError> {
    let engine = Engine::new(&engine::compiling()).map_err(|error| CompileError::Engine(format!("{error:#}")))?;
    engine.precompile_component(component).map_err(|error| CompileError::Component(format!("{error:#}")))
}
