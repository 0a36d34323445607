//! What a Telegram webhook of 2 KB costs in the sandbox, and what the same code costs natively:
//! `cargo bench -p patchbay-tests --bench telegram`, after `make plugins`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark's way to fail")]

#[path = "../../host/sandbox/tests/it/host.rs"]
#[expect(dead_code, reason = "the sandbox's tests need more of it")]
mod host;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion};
use patchbay::plugins::recording::{Recorded, Tape};
use patchbay_guests::Guest;
use patchbay_plugin::{Channel as _, hooks, testing};
use patchbay_sandbox::contract::{channel, types};
use patchbay_sandbox::{CallLimits, Plugin, Sandbox, Services, compile};
use patchbay_telegram::Telegram;
use serde_json::json;
use tokio::runtime::Runtime;

use host::{Notes, settings};

const BODY: &[u8] = include_bytes!("webhook.json");
/// How the hot calls' instances are found again.
const ACCOUNT: &str = "019a0000-0000-7000-8000-000000000001";
const BOT: &str = "4200001";

fn component() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/plugins/telegram.wasm")
}

/// The webhook as the plugin's own code takes it.
fn native_webhook() -> hooks::Webhook {
    testing::webhook(testing::account(Some(BOT), &json!({})), BODY)
}

/// The same one for the sandbox.
fn webhook() -> channel::Webhook {
    channel::Webhook {
        account: Some(types::Account { id: ACCOUNT.to_owned(), external_id: Some(BOT.to_owned()), settings: "{}".to_owned() }),
        body: BODY.to_vec(),
        verified_by: Some("test".to_owned()),
        ..host::webhook()
    }
}

/// What a plugin does that asks the host 200 times, and then answers that nothing happened.
const ASKING: &str = "(loop $again
    (call $kv.get (i32.const 8192) (i32.const 8) (i32.const 4096))
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (br_if $again (i32.lt_u (global.get $count) (i32.const 200))))
    (global.set $count (i32.const 0))
    (i32.const 16384)";

/// Whether what goes over the counter is noted, as the gateway does.
#[derive(Clone, Copy)]
enum Noting {
    Nothing,
    All,
}

impl Noting {
    fn services(self, notes: &Notes) -> Box<dyn Services> {
        match self {
            Noting::Nothing => notes.services(),
            Noting::All => Box::new(Recorded::new(notes.clone(), Tape::new())),
        }
    }
}

/// The component, compiled and loaded as the gateway does it.
struct Loaded {
    runtime: Runtime,
    sandbox: Sandbox,
    artefact: tempfile::NamedTempFile,
    plugin: Plugin,
    /// [`ASKING`].
    asking: Plugin,
}

impl Loaded {
    fn new() -> Loaded {
        let file = component();
        let component = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}: run `make plugins`", file.display()));
        let sandbox = Sandbox::new(&settings()).unwrap();
        let artefact = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(artefact.path(), compile(&component).unwrap()).unwrap();
        let plugin = sandbox.load(artefact.path()).unwrap();
        let guest = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(guest.path(), compile(&Guest::component_of("parse-inbound", ASKING)).unwrap()).unwrap();
        let asking = sandbox.load(guest.path()).unwrap();
        Loaded { runtime: Runtime::new().unwrap(), sandbox, artefact, plugin, asking }
    }

    /// So many calls, one after the other: from the webhook in the host's memory to the events in the host's memory,
    /// and both gone again.
    fn parse(&self, hot: Option<&str>, noting: Noting, calls: u64) -> Duration {
        self.run(&self.plugin, 1, hot, noting, calls)
    }

    fn run(&self, plugin: &Plugin, events: usize, hot: Option<&str>, noting: Noting, calls: u64) -> Duration {
        let (notes, webhook) = (Notes::default(), webhook());
        self.runtime.block_on(async {
            let start = Instant::now();
            for _ in 0..calls {
                let parsed = plugin.parse_inbound(CallLimits::default(), noting.services(&notes), black_box(&webhook), hot).await;
                assert_eq!(parsed.unwrap().unwrap().events.len(), events);
            }
            start.elapsed()
        })
    }
}

fn parse_natively(webhook: hooks::Webhook) {
    assert_eq!(Telegram::parse_inbound(black_box(webhook)).unwrap().events.len(), 1);
}

/// The hook takes its webhook by value: making the copies isn't measured, as little as receiving a request is.
fn parse_all_natively(calls: u64) -> Duration {
    let webhook = native_webhook();
    let webhooks: Vec<_> = (0..calls).map(|_| webhook.clone()).collect();
    let start = Instant::now();
    webhooks.into_iter().for_each(parse_natively);
    start.elapsed()
}

fn measure(criterion: &mut Criterion, loaded: &Loaded) {
    let webhook = native_webhook();
    let mut group = criterion.benchmark_group("telegram");
    group.bench_function("native", |bench| bench.iter_batched(|| webhook.clone(), parse_natively, BatchSize::SmallInput));
    group.bench_function("hot", |bench| bench.iter_custom(|calls| loaded.parse(Some(ACCOUNT), Noting::Nothing, calls)));
    group.bench_function("fresh", |bench| bench.iter_custom(|calls| loaded.parse(None, Noting::Nothing, calls)));
    group.bench_function("load", |bench| bench.iter(|| loaded.sandbox.load(loaded.artefact.path()).unwrap()));
}

/// All in turns, so that what else the machine does strikes them alike: medians of many short rounds.
fn compare(loaded: &Loaded) {
    const ROUNDS: usize = 400;
    const CALLS: u32 = 50;
    let kinds: [(&str, &dyn Fn() -> Duration); 7] = [
        ("native", &|| parse_all_natively(CALLS.into())),
        ("hot", &|| loaded.parse(Some(ACCOUNT), Noting::Nothing, CALLS.into())),
        ("hot, noted", &|| loaded.parse(Some(ACCOUNT), Noting::All, CALLS.into())),
        ("fresh", &|| loaded.parse(None, Noting::Nothing, CALLS.into())),
        ("fresh, noted", &|| loaded.parse(None, Noting::All, CALLS.into())),
        ("200 questions", &|| loaded.run(&loaded.asking, 0, None, Noting::Nothing, CALLS.into())),
        ("200, noted", &|| loaded.run(&loaded.asking, 0, None, Noting::All, CALLS.into())),
    ];
    let mut times = [const { Vec::<Duration>::new() }; 7];
    for _ in 0..ROUNDS {
        for (times, (_, run)) in times.iter_mut().zip(&kinds) {
            times.push(run() / CALLS);
        }
    }
    println!("\nA webhook of {} bytes, {ROUNDS} rounds in turns:", BODY.len());
    println!("{:14} {:>10} {:>10} {:>10}", "", "least", "median", "× native");
    let mut native = None;
    for (times, (name, _)) in times.iter_mut().zip(&kinds) {
        times.sort_unstable();
        let (least, median) = (times[0].as_secs_f64() * 1e6, times[ROUNDS / 2].as_secs_f64() * 1e6);
        let ratio = median / *native.get_or_insert(median);
        println!("{name:14} {least:>7.1} µs {median:>7.1} µs {ratio:>10.2}");
    }
}

fn main() {
    let loaded = Loaded::new();
    let mut criterion = Criterion::default().configure_from_args();
    measure(&mut criterion, &loaded);
    criterion.final_summary();
    compare(&loaded);
}
