//! The host's side of `wit/imports.wit`: count, bound, convert, and hand over to [`Services`](crate::services::Services).

pub(crate) mod blob;
mod crypto;
mod http;
mod kv;
mod log;
mod mail;
pub(crate) mod wasi;

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use crate::bindings::{PluginFull, patchbay};
use crate::state::State;

/// Everything a plugin may import. WASI is there only for a component that asks for it.
pub(crate) fn linker(engine: &Engine, with_wasi: bool) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    PluginFull::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    if with_wasi {
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasi::add_ours_to_linker(&mut linker)?;
    }
    Ok(linker)
}

impl patchbay::channel::messages::Host for State {}
