//! The engine's configuration: one for serving, which can't compile, and one for compiling, which serves nothing. Code
//! made by the second runs in the first because all that shapes code is set here, once. [`SandboxSettings`] don't.

use std::time::Duration;

use wasmtime::{Config, Enabled, PoolingAllocationConfig};

use crate::limits::CallLimits;

/// How much the sandbox may do at once and what it keeps. None of it shapes compiled code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxSettings {
    /// Calls that may run at once, all plugins together. Default 256.
    pub calls: u32,
    /// Calls that may run at once in one plugin, so that one whose provider hangs leaves room for the others.
    /// Default 96.
    pub calls_per_plugin: u32,
    /// Live instances kept for hot accounts, all plugins together; 0 keeps none. Default 256.
    pub live: u32,
    /// Live instances kept for one plugin's accounts. Default 64.
    pub live_per_plugin: usize,
    /// Linear memory that all live instances may hold together, in bytes. Default 512 MiB.
    pub live_memory_bytes: usize,
    /// Calls that one live instance may answer before it is dropped. Default 1,000.
    pub live_uses: u32,
    /// How long a live instance is kept without being used. Default 30 s.
    pub live_idle: Duration,
}

impl Default for SandboxSettings {
    fn default() -> SandboxSettings {
        SandboxSettings {
            calls: 256,
            calls_per_plugin: 96,
            live: 256,
            live_per_plugin: 64,
            live_memory_bytes: 512 * 1024 * 1024,
            live_uses: 1_000,
            live_idle: Duration::from_secs(30),
        }
    }
}

/// A Rust plugin has three core instances, a Python one some dozens: each shared library is one.
const CORE_INSTANCES: u32 = 64;
/// Of one component. The encoder's shims have tables of their own.
const TABLES: u32 = 4;
const MEMORIES: u32 = 2;
const TABLE_ELEMENTS: usize = 20_000;
/// What a slot may keep when its instance is gone, in bytes of touched pages: they are wiped by hand and not given back
/// to the system and faulted in again. Linux 6.7 tells which pages were touched (`PAGEMAP_SCAN`), so a generous bound
/// wipes no more than needed: a guest that touches 160 KiB is called afresh in 26 µs instead of 80 µs (with 64 KiB here)
/// or 107 µs (with none). Older kernels wipe a memory's first so many bytes, touched or not, which costs about 15 µs.
const KEEP_MEMORY: usize = 512 * 1024;
const KEEP_TABLE: usize = 64 * 1024;

/// For running compiled components: `Engine::new` with it makes an engine without a compiler.
pub(crate) fn serving(settings: &SandboxSettings) -> Config {
    let mut config = shape();
    config.allocation_strategy(pool(settings));
    // Compiler state stays in an engine for life (wasmtime#14314): here there is none.
    config.enable_compiler(false);
    config
}

/// For compiling. It has no pool, which would reserve address space that a child process may not have.
pub(crate) fn compiling() -> Config {
    shape()
}

/// All that shapes the code.
fn shape() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true).memory_init_cow(true);
    config
}

/// A slot for every component that may be alive at once.
fn pool(settings: &SandboxSettings) -> PoolingAllocationConfig {
    let slots = settings.calls.saturating_add(settings.live).max(1);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(CORE_INSTANCES))
        .max_core_instances_per_component(CORE_INSTANCES)
        .total_memories(slots.saturating_mul(MEMORIES))
        .max_memories_per_component(MEMORIES)
        .max_memory_size(CallLimits::MOST.memory_bytes)
        .total_tables(slots.saturating_mul(TABLES))
        .max_tables_per_component(TABLES)
        .max_tables_per_module(2)
        .table_elements(TABLE_ELEMENTS)
        .total_stacks(slots)
        .linear_memory_keep_resident(KEEP_MEMORY)
        .table_keep_resident(KEEP_TABLE)
        .pagemap_scan(Enabled::Auto);
    pool
}
