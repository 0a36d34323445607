//! A thousand swaps between two versions, each of which answers a webhook: what becomes of the memory, beside the same webhooks
//! without a swap.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::figures::ms;
use crate::harness::{Bench, Database, Settings, plugin_file};
use crate::process;
use crate::webhooks::{Connection, Target};

const SWAPS: usize = 1_000;
/// A look at the memory after so many.
const LOOK: usize = 100;

pub(crate) async fn run(database: Database) {
    let bench = Bench::with(database, json!({}), Settings::default()).await;
    let target = Target::of(&bench);
    let mut connection = Connection::open(target.address).await;
    let versions = ["swap/telegram.wasm", "telegram.wasm"].map(|name| std::fs::read(plugin_file(name)).unwrap());
    println!("\n{SWAPS} webhooks, then {SWAPS} swaps with a webhook after each, {database:?}");
    println!("{:>14} {:>12} {:>12} {:>14}", "", "memory MiB", "mappings", "a swap, ms");
    let mut taken = 0_u64;
    for are_swaps in [false, true] {
        let mut times = Vec::new();
        for n in 0..=SWAPS {
            if n % LOOK == 0 {
                // What nobody uses any more goes with the next sweep of live instances.
                tokio::time::sleep(Duration::from_secs(1)).await;
                times.sort_unstable();
                let median = times.get(times.len() / 2).copied().unwrap_or_default();
                let (now, mappings) = (process::memory_mib(bench.gateway.id()).0, process::mappings(bench.gateway.id()));
                let what = if are_swaps { "swaps" } else { "webhooks" };
                println!("{n:>5} {what:<8} {now:>12} {mappings:>12} {:>14.1}", ms(median));
                times.clear();
            }
            if are_swaps {
                let start = Instant::now();
                let answer = bench.gateway.upload("/admin/v1/plugins", "application/wasm", versions[n % 2].clone()).await;
                assert!(matches!(answer.status, 200 | 201), "swap {n}: {:#}", answer.body);
                times.push(start.elapsed());
            }
            assert_eq!(connection.ask(target.request(taken)).await, 200);
            taken += 1;
        }
    }
    println!("at most {} MiB", process::memory_mib(bench.gateway.id()).1);
}
