//! WASI 0.2 for the runtimes of JavaScript and Python, which import it whether they use it or not. There is nothing
//! behind it but clocks and random numbers: no files, environment, arguments or sockets. What a guest prints, such as
//! the traceback before its trap, is logged when the call ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::state::State;

/// Handles that a guest may hold. A runtime needs a dozen.
const HANDLES: usize = 1_000;
/// The end of what a guest prints, in bytes: a traceback.
const PRINTED: usize = 8 * 1024;

pub(crate) struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
    output: Output,
}

impl Wasi {
    fn empty() -> Wasi {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        let output = Output::default();
        let context = WasiCtx::builder()
            .stdout(output.clone())
            .stderr(output.clone())
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        Wasi { context, table, output }
    }

    /// What the guest has printed since this was last asked.
    pub(crate) fn printed(&self) -> Option<String> {
        let printed = std::mem::take(&mut *self.output.bytes());
        (!printed.is_empty()).then(|| String::from_utf8_lossy(&printed).into_owned())
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi.get_or_insert_with(|| Box::new(Wasi::empty()));
        WasiCtxView { ctx: &mut wasi.context, table: &mut wasi.table }
    }
}

/// Standard output and error together, of which the end is kept.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    /// For WASI 0.3, which isn't linked.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut printed = self.bytes();
        printed.extend_from_slice(&bytes);
        let surplus = printed.len().saturating_sub(PRINTED);
        printed.drain(..surplus);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PRINTED)
    }
}
