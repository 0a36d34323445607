//! Load runs against a real gateway process, each beside a baseline that does the least that could be called the same:
//! `cargo bench -p patchbay-tests --bench load`, after `make plugins` and a release build of the gateway. Names of runs
//! select some of them: `-- webhooks sends start`; `postgres` takes that database instead of SQLite.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark's way to fail")]

mod baseline;
mod figures;
mod process;
mod sends;
mod start;
/// What the end-to-end suite stands on: real processes, a connected account.
#[path = "../../it"]
#[expect(dead_code, unused_imports, unused_macros, reason = "the suite needs more of it")]
mod suite {
    pub(crate) mod harness;
}
mod webhooks;

use suite::harness::{self, Database};

#[tokio::main]
async fn main() {
    // Cargo adds options of its own.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if let [run, kind, file] = words.as_slice()
        && run == "baseline"
    {
        return baseline::serve(kind.parse().expect("a kind of baseline"), file.as_ref()).await;
    }
    let database = if words.iter().any(|word| word == "postgres") { Database::Postgres } else { Database::Sqlite };
    let chosen: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != "postgres").collect();
    let wanted = |run: &str| chosen.is_empty() || chosen.contains(&run);
    if wanted("start") {
        start::run(database).await;
    }
    if wanted("webhooks") {
        webhooks::run(database).await;
    }
    if wanted("sends") {
        sends::run(database).await;
    }
}
