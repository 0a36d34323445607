//! The host's side of `wit/imports.wit`: count, bound, convert, and hand over to [`Services`](crate::services::Services).

pub(crate) mod blob;
mod crypto;
mod http;
mod kv;
mod link;
mod log;
mod mail;
pub(crate) mod wasi;

use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::bindings::patchbay;
use crate::contract::Spoken;
use crate::state::State;

/// Everything a plugin of that version may import. WASI is there only for a component that asks for it.
pub(crate) fn linker(engine: &Engine, spoken: Spoken, with_wasi: bool) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    link::everything(&mut linker, spoken)?;
    if with_wasi {
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasi::add_ours_to_linker(&mut linker)?;
    }
    Ok(linker)
}

impl patchbay::channel::messages::Host for State {}
