//! Load runs against a real gateway process, each beside a baseline that does the least that could be called the same:
//! `cargo bench -p patchbay-tests --bench load`, after `make plugins` and a release build of the gateway. Names of runs
//! select some of them, `-- webhooks sends start storm swaps zoo lists`, and so do those of databases, `sqlite` and `postgres`.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark's way to fail")]

mod baseline;
mod figures;
mod lists;
mod process;
mod sends;
mod start;
mod storm;
/// What the end-to-end suite stands on: real processes, a connected account.
#[path = "../../it"]
#[expect(dead_code, unused_imports, unused_macros, reason = "the suite needs more of it")]
mod suite {
    pub(crate) mod harness;
}
mod swaps;
mod webhooks;
mod zoo;

use suite::harness::{self, Database, database::WAITS_FOR_DISK};

#[tokio::main]
async fn main() {
    // Cargo adds options of its own.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if let [run, kind, url] = words.as_slice()
        && run == "baseline"
    {
        return baseline::serve(kind.parse().expect("a kind of baseline"), url).await;
    }
    WAITS_FOR_DISK.store(true, std::sync::atomic::Ordering::SeqCst);
    let named = |name: &str| words.iter().any(|word| word == name);
    let runs = ["start", "webhooks", "sends", "storm", "swaps", "zoo", "lists"];
    let all_runs = !runs.iter().any(|run| named(run));
    let databases = [("sqlite", Database::Sqlite), ("postgres", Database::Postgres)];
    let both = !databases.iter().any(|(name, _)| named(name));
    for (name, database) in databases {
        if !both && !named(name) {
            continue;
        }
        if all_runs || named("start") {
            start::run(database).await;
        }
        if all_runs || named("webhooks") {
            webhooks::run(database).await;
        }
        if all_runs || named("sends") {
            sends::run(database).await;
        }
        if all_runs || named("storm") {
            storm::run(database).await;
        }
        if all_runs || named("swaps") {
            swaps::run(database).await;
        }
        if all_runs || named("zoo") {
            zoo::run(database).await;
        }
        if all_runs || named("lists") {
            lists::run(database).await;
        }
    }
}
