//! The one unsafe step: taking a file for machine code.

use std::path::Path;

use wasmtime::Engine;
use wasmtime::component::Component;

/// Maps a file made by [`compile`](crate::compile()) into memory and takes it for a component of this engine.
#[expect(
    unsafe_code,
    reason = "deserialising is sound for bytes that wasmtime made and nobody changed. The host writes these files itself, \
              from compile's answer, into a folder only it can enter, under the component's digest and the engine's id, \
              never takes one from a user, and never writes to one again; wasmtime itself refuses a file of another \
              version or configuration"
)]
pub(crate) fn open(engine: &Engine, file: &Path) -> wasmtime::Result<Component> {
    // SAFETY: see the reason above.
    unsafe { Component::deserialize_file(engine, file) }
}
