//! What the kernel tells of a process.

use std::time::Duration;

/// One tick of `/proc/<pid>/stat`: `USER_HZ` is 100 on every Linux that we run on.
const TICK: Duration = Duration::from_millis(10);

/// Processor time of a process and its threads so far, in its own code and in the kernel. Ended children aren't in it.
pub(crate) fn processor_time(id: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    // The name, in parentheses, may hold anything: the fields begin behind it, with the third (proc(5)).
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u32 = fields[14 - 3].parse::<u32>().unwrap() + fields[15 - 3].parse::<u32>().unwrap();
    TICK * ticks
}

/// Memory that the process has in use, in MiB: now, and the most so far.
pub(crate) fn memory_mib(id: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() / 1024
    };
    (of("VmRSS:"), of("VmHWM:"))
}

/// Stretches of memory that are mapped.
pub(crate) fn mappings(id: u32) -> usize {
    std::fs::read_to_string(format!("/proc/{id}/maps")).unwrap().lines().count()
}
