//! The process itself, under the names that every Prometheus dashboard knows.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::{Registry, Unit},
};
use rustix::time::{ClockId, clock_gettime};

use crate::clock::At;

pub(super) struct Process {
    resident: Gauge,
    files: Gauge,
    cpu: Counter<f64, AtomicU64>,
}

impl Process {
    pub(super) fn register(registry: &mut Registry, started: At) -> Process {
        let process = Process { resident: Gauge::default(), files: Gauge::default(), cpu: Counter::default() };
        let start = Gauge::<f64, AtomicU64>::default();
        start.set(started.micros() as f64 / 1e6);
        let ours = registry.sub_registry_with_prefix("process");
        ours.register_with_unit("resident_memory", "Memory in use", Unit::Bytes, process.resident.clone());
        ours.register("open_fds", "Open files and sockets", process.files.clone());
        ours.register_with_unit("cpu", "Processor time used", Unit::Seconds, process.cpu.clone());
        ours.register_with_unit("start_time", "When the process started, since 1970", Unit::Seconds, start);
        process
    }

    /// Reads what the kernel says of this process. What can't be read stays as it was.
    pub(super) fn refresh(&self) {
        if let Some(bytes) = resident_bytes() {
            self.resident.set(bytes);
        }
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            // One of them is the look itself.
            self.files.set(i64::try_from(files.count().saturating_sub(1)).unwrap_or(i64::MAX));
        }
        let used = clock_gettime(ClockId::ProcessCPUTime);
        let used = used.tv_sec as f64 + used.tv_nsec as f64 / 1e9;
        self.cpu.inc_by((used - self.cpu.get()).max(0.0));
    }
}

fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_of_this_process() {
        let process = Process::register(&mut Registry::default(), At::from_micros(0));
        process.refresh();
        assert!(process.resident.get() > 1_000_000, "{}", process.resident.get());
        assert!(process.files.get() >= 3, "{}", process.files.get());
        assert!(process.cpu.get() > 0.0);
    }
}
