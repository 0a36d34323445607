//! WASI 0.2 for the runtimes of JavaScript and Python, which import it whether they use it or not. There is nothing
//! behind it but clocks and random numbers: no files, environment, arguments or sockets, and output goes nowhere.

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::state::State;

/// Handles that a guest may hold. A runtime needs a dozen.
const HANDLES: usize = 1_000;

pub(crate) struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
}

impl Wasi {
    fn empty() -> Wasi {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        let context = WasiCtx::builder().allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false).build();
        Wasi { context, table }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi.get_or_insert_with(|| Box::new(Wasi::empty()));
        WasiCtxView { ctx: &mut wasi.context, table: &mut wasi.table }
    }
}
