//! WASI 0.2 for the runtimes of JavaScript and Python, which import it whether they use it or not. There is nothing
//! behind it but clocks and random numbers: no files, environment, arguments or sockets. What a guest prints, such as
//! the traceback before its trap, is logged when the call ends.
//!
//! Random numbers and the time of day are asked of the [`Services`](crate::services::Services), like everything else that a call
//! is told: whoever keeps what these answered can run the call again. The monotonic clock alone is the machine's: a guest that
//! sleeps needs one that goes on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::bindings::clocks::wall_clock;
use wasmtime_wasi::p2::bindings::random::{insecure, insecure_seed, random};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::error::Fault;
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

/// Puts what is asked of the services in the place of the machine's own.
pub(crate) fn add_ours_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    wall_clock::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    random::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    insecure::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    insecure_seed::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    linker.allow_shadowing(false);
    Ok(())
}

impl State {
    fn random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        let most = self.limits.event_bytes;
        let length = usize::try_from(length).ok().filter(|length| *length <= most).ok_or(Fault::Output { what: "bytes at once", most })?;
        Ok(self.services()?.random(length))
    }

    fn random_number(&mut self) -> wasmtime::Result<u64> {
        let bytes = self.services()?.random(size_of::<u64>());
        Ok(bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }
}

impl random::Host for State {
    fn get_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(length)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.random_number()
    }
}

impl insecure::Host for State {
    fn get_insecure_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(length)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.random_number()
    }
}

impl insecure_seed::Host for State {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        Ok((self.random_number()?, self.random_number()?))
    }
}

impl wall_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        #[expect(clippy::disallowed_methods, reason = "the sandbox alone, in its own tests: the gateway's services tell the time")]
        let machine = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Ok(datetime(self.services()?.wall_clock().unwrap_or_else(machine)))
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(datetime(Duration::from_micros(1)))
    }
}

fn datetime(time: Duration) -> wall_clock::Datetime {
    wall_clock::Datetime { seconds: time.as_secs(), nanoseconds: time.subsec_nanos() }
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
