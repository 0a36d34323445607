//! From the start of the process to its first answer.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Bench, Database, Settings};
use crate::process;

const STARTS: usize = 20;

pub(crate) async fn run(database: Database) {
    let mut bench = Bench::with(database, json!({}), Settings::default()).await;
    // Once more without the compiled plugin: what a new version of the gateway meets.
    bench.gateway.stop();
    std::fs::remove_dir_all(bench.gateway.data.join("compiled")).unwrap();
    let compiling = start_and_ask(&mut bench).await;
    let mut times = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        bench.gateway.stop();
        times.push(start_and_ask(&mut bench).await);
    }
    times.sort_unstable();
    println!("\nFrom the start of the process to the first 200 of /readyz, one plugin and one account, {database:?}");
    println!("artefact in place, {STARTS} starts: least {:.1} ms, median {:.1} ms", ms(times[0]), ms(times[STARTS / 2]));
    println!("artefact to be compiled first: {:.0} ms", ms(compiling));
    println!("memory after the first answer: {} MiB", process::memory_mib(bench.gateway.id()).0);
}

async fn start_and_ask(bench: &mut Bench) -> Duration {
    let start = Instant::now();
    bench.gateway.start_again();
    bench.gateway.get("/readyz").await.expect_status(200);
    start.elapsed()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
