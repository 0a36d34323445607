//! What a call costs with guests that do next to nothing: `cargo bench -p patchbay-sandbox`. Real plugins, beside
//! their own code in native form too, are measured in `tests/benches`.
#![expect(clippy::unwrap_used, reason = "a benchmark's way to fail")]

#[path = "../tests/it/host.rs"]
#[expect(dead_code, reason = "the tests need more of it")]
mod host;

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use patchbay_guests::Guest;
use patchbay_sandbox::contract::channel::Webhook;
use patchbay_sandbox::{CallLimits, Plugin};
use tokio::runtime::Runtime;

use host::{Notes, load, webhook};

/// So many calls of `parse-inbound`, one after the other.
async fn parse(plugin: &Plugin, webhook: &Webhook, hot: Option<&str>, calls: u64) -> Duration {
    let notes = Notes::default();
    let start = Instant::now();
    for _ in 0..calls {
        plugin.parse_inbound(CallLimits::default(), notes.services(), webhook, hot).await.unwrap().unwrap();
    }
    start.elapsed()
}

fn fresh_and_hot(criterion: &mut Criterion, name: &str, plugin: &Plugin, webhook: &Webhook) {
    let runtime = Runtime::new().unwrap();
    let mut group = criterion.benchmark_group(name);
    for (name, hot) in [("fresh", None), ("hot", Some("account"))] {
        group.bench_function(name, |bench| bench.iter_custom(|calls| runtime.block_on(parse(plugin, webhook, hot, calls))));
    }
}

/// Nothing but the call itself: instantiate, copy a webhook in, answer nothing, drop.
fn empty(criterion: &mut Criterion) {
    let plugin = load(&Guest::component_of("parse-inbound", "(i32.const 16384)"));
    fresh_and_hot(criterion, "empty", &plugin, &webhook());
}

/// A guest that touches 160 KiB, as a parser does: the page faults are most of what a fresh call costs.
fn touching(criterion: &mut Criterion) {
    let body = "(memory.fill (i32.const 1048576) (i32.const 1) (i32.const 163840)) (i32.const 16384)";
    let plugin = load(&Guest::component_of("parse-inbound", body));
    fresh_and_hot(criterion, "touching", &plugin, &webhook());
}

/// One call that asks the host 200 times.
fn host_calls(criterion: &mut Criterion) {
    let body = "(local $left i32) (local.set $left (i32.const 200))
        (loop $again
            (call $kv.get (i32.const 0) (i32.const 0) (i32.const 12288))
            (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
        (i32.const 16384)";
    let plugin = load(&Guest::component_of("parse-inbound", body));
    fresh_and_hot(criterion, "200 host calls", &plugin, &webhook());
}

criterion_group!(calls, empty, touching, host_calls);
criterion_main!(calls);
