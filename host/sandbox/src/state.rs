//! What a store holds for the call that runs in it: the host's services, the bounds, and what has been used of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::ResourceTable;

use crate::error::Fault;
use crate::imports::wasi::Wasi;
use crate::lane::Turn;
use crate::limits::CallLimits;
use crate::memory::MemoryBound;
use crate::meter::Meter;
use crate::services::{LogLevel, Services};

pub(crate) struct State {
    /// None between two calls of a kept instance.
    services: Option<Box<dyn Services>>,
    pub(crate) limits: CallLimits,
    pub(crate) deadline: Instant,
    pub(crate) spent: Spent,
    pub(crate) memory: MemoryBound,
    meter: Arc<Meter>,
    pub(crate) turn: Arc<Turn>,
    pub(crate) blobs: ResourceTable,
    /// Only guests that call WASI get one.
    pub(crate) wasi: Option<Box<Wasi>>,
}

#[derive(Debug, Default)]
pub(crate) struct Spent {
    pub(crate) host_calls: u32,
    pub(crate) http_requests: u32,
    pub(crate) log_bytes: usize,
    pub(crate) log_truncated: bool,
}

/// What a call brings along to its store, fresh or kept.
pub(crate) struct Visit {
    pub(crate) limits: CallLimits,
    pub(crate) deadline: Instant,
    pub(crate) services: Box<dyn Services>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) turn: Arc<Turn>,
}

impl State {
    pub(crate) fn new(visit: Visit) -> State {
        let Visit { limits, deadline, services, meter, turn } = visit;
        State {
            services: Some(services),
            limits,
            deadline,
            spent: Spent::default(),
            memory: MemoryBound { most: limits.memory_bytes, ..MemoryBound::default() },
            meter,
            turn,
            blobs: ResourceTable::new(),
            wasi: None,
        }
    }

    /// Makes a kept store ready for its next call. Its memory is as the last call left it, and counts.
    pub(crate) fn enter(&mut self, visit: Visit) {
        let Visit { limits, deadline, services, meter, turn } = visit;
        self.services = Some(services);
        self.limits = limits;
        self.deadline = deadline;
        self.spent = Spent::default();
        self.memory.most = limits.memory_bytes;
        self.memory.refused = false;
        self.meter = meter;
        self.turn = turn;
    }

    /// Drops what belonged to the call that has ended.
    pub(crate) fn leave(&mut self) {
        self.services = None;
    }

    /// The services, for what isn't counted among the host calls.
    pub(crate) fn services(&mut self) -> wasmtime::Result<&mut dyn Services> {
        match self.services.as_deref_mut() {
            Some(services) => Ok(services),
            None => Err(Fault::Trap("the host was called outside of a call".to_owned()).into()),
        }
    }

    /// Counts a host call, which ends the call once there are too many, and answers the services.
    pub(crate) fn host_call(&mut self) -> wasmtime::Result<&mut dyn Services> {
        self.spent.host_calls += 1;
        if self.spent.host_calls > self.limits.host_calls {
            return Err(Fault::HostCalls(self.limits.host_calls).into());
        }
        self.turn.end();
        self.services()
    }

    /// Looks at a running guest: the processor time it has used, or an error that ends it.
    pub(crate) fn tick(&self) -> wasmtime::Result<Duration> {
        let used = self.meter.tick();
        if used > self.limits.cpu {
            return Err(Fault::Cpu(self.limits.cpu).into());
        }
        Ok(used)
    }

    /// A hook's answer, or in our words what kept it from answering. What it printed goes to the log.
    pub(crate) fn settle<T>(&mut self, answer: wasmtime::Result<T>) -> Result<T, Fault> {
        if let Some(printed) = self.wasi.as_ref().and_then(|wasi| wasi.printed()) {
            self.log(LogLevel::Debug, &printed, &[("from".to_owned(), "output".to_owned())]);
        }
        answer.map_err(|error| Fault::from_error(error, &self.limits, self.memory.refused))
    }
}
