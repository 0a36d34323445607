//! What the twelve plugins cost: a whole call at its median and its tail, loading their compiled artefacts, compiling them at first,
//! and the memory of a call that waits. `cargo bench -p patchbay-tests --bench plugins`, after `make plugins`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark's way to fail")]

#[path = "../../host/sandbox/tests/it/host.rs"]
#[expect(dead_code, reason = "the sandbox's tests need more of it")]
mod host;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use patchbay_guests::Guest;
use patchbay_sandbox::contract::channel::Webhook;
use patchbay_sandbox::contract::messages::{Command, Content, Outbound, Text, TextFormat};
use patchbay_sandbox::contract::types::Account;
use patchbay_sandbox::{CallLimits, Plugin, Sandbox, SandboxSettings, compile};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use host::Notes;

const PLUGINS: [&str; 12] = [
    "telegram",
    "whatsapp-cloud",
    "messenger",
    "instagram",
    "whatsapp-lite",
    "sms",
    "shrinkit-push",
    "tiktok",
    "linkedin",
    "shopify-inbox",
    "email",
    "web-push",
];
const CALLS: usize = 20_000;
const WARM_UP: usize = 500;
const LOADS: usize = 50;
const PARKED: u32 = 200;

fn component(name: &str) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(format!("target/plugins/{name}.wasm"));
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}: run `make plugins`", file.display()))
}

/// A compiled plugin in a file.
struct Artefact {
    name: &'static str,
    path: PathBuf,
    compiling: Duration,
    component_bytes: usize,
    artefact_bytes: usize,
}

impl Artefact {
    fn make(name: &'static str, folder: &Path) -> Artefact {
        let component = component(name);
        let start = Instant::now();
        let artefact = compile(&component).unwrap();
        let compiling = start.elapsed();
        let path = folder.join(name);
        std::fs::write(&path, &artefact).unwrap();
        Artefact { name, path, compiling, component_bytes: component.len(), artefact_bytes: artefact.len() }
    }
}

fn main() {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let artefacts = PLUGINS.map(|name| Artefact::make(name, folder.path()));
    let settings = SandboxSettings { calls: PARKED, calls_per_plugin: PARKED, live: 0, ..SandboxSettings::default() };
    let sandbox = Sandbox::new(&settings).unwrap();
    loading(&sandbox, &artefacts);
    let telegram = sandbox.load(&artefacts[0].path).unwrap();
    calling(&runtime, &telegram);
    parking(&runtime, &telegram);
}

/// Each artefact, and all of them one after the other.
fn loading(sandbox: &Sandbox, artefacts: &[Artefact]) {
    let load = |artefact: &Artefact| {
        let start = Instant::now();
        let plugin = sandbox.load(&artefact.path).unwrap();
        (start.elapsed(), plugin)
    };
    println!("\n{:16} {:>12} {:>12} {:>12} {:>10} {:>10}", "", "component KB", "artefact KB", "compile ms", "first ms", "again ms");
    let start = Instant::now();
    let first: Vec<(Duration, Plugin)> = artefacts.iter().map(load).collect();
    let all_first = start.elapsed();
    for (artefact, (first, _)) in artefacts.iter().zip(&first) {
        let mut again: Vec<Duration> = (0..LOADS).map(|_| load(artefact).0).collect();
        println!(
            "{:16} {:>12} {:>12} {:>12.0} {:>10.2} {:>10.2}",
            artefact.name,
            artefact.component_bytes / 1000,
            artefact.artefact_bytes / 1000,
            ms(artefact.compiling),
            ms(*first),
            ms(at(&mut again, 50))
        );
    }
    drop(first);
    let mut all: Vec<Duration> = (0..LOADS)
        .map(|_| {
            let start = Instant::now();
            let loaded: Vec<Plugin> = artefacts.iter().map(|artefact| load(artefact).1).collect();
            let took = start.elapsed();
            assert_eq!(loaded.len(), PLUGINS.len());
            took
        })
        .collect();
    let compiling: Duration = artefacts.iter().map(|artefact| artefact.compiling).sum();
    println!(
        "all twelve: compiled in {:.0} ms, loaded first in {:.1} ms, again in {:.1} ms",
        ms(compiling),
        ms(all_first),
        ms(at(&mut all, 50))
    );
}

/// Instantiate, call and drop, one call after the other: the median and the tail.
fn calling(runtime: &Runtime, telegram: &Plugin) {
    let empty = host::load(&Guest::component_of("parse-inbound", "(i32.const 16384)"));
    let account = Account { id: "account".to_owned(), external_id: Some("4200001".to_owned()), settings: "{}".to_owned() };
    let body = include_bytes!("webhook.json").to_vec();
    let webhook = Webhook { account: Some(account), body, verified_by: Some("test".to_owned()), ..host::webhook() };
    println!("\n{CALLS} calls in fresh instances, one after the other{:>8} {:>10} {:>10}", "p50 µs", "p99 µs", "most µs");
    for (name, plugin, webhook) in
        [("a guest that does nothing", &empty, &host::webhook()), ("telegram, a webhook of 2 KB", telegram, &webhook)]
    {
        let mut times = runtime.block_on(async {
            let notes = Notes::default();
            let mut times = Vec::with_capacity(CALLS);
            for n in 0..WARM_UP + CALLS {
                let start = Instant::now();
                plugin.parse_inbound(CallLimits::default(), notes.services(), webhook, None).await.unwrap().unwrap();
                if n >= WARM_UP {
                    times.push(start.elapsed());
                }
            }
            times
        });
        println!("{name:49} {:>8.1} {:>10.1} {:>10.1}", us(at(&mut times, 50)), us(at(&mut times, 99)), us(at(&mut times, 100)));
    }
}

/// Calls that wait for their provider, each in the middle of a send.
fn parking(runtime: &Runtime, telegram: &Plugin) {
    let notes = Notes::default();
    notes.record().http_takes = Duration::from_secs(30);
    let before = resident_kib();
    let waiting = runtime.block_on(async {
        let mut waiting = JoinSet::new();
        for _ in 0..PARKED {
            let (plugin, services) = (telegram.clone(), notes.services());
            waiting.spawn(async move { plugin.send(CallLimits::default(), services, &host::call(), &message()).await });
        }
        while notes.record().requests.len() < PARKED as usize {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        waiting
    });
    let more = resident_kib().saturating_sub(before);
    println!("\n{PARKED} sends of telegram that wait for the provider: {} KiB each", more / u64::from(PARKED));
    runtime.block_on(async {
        let mut waiting = waiting;
        waiting.shutdown().await;
    });
}

fn message() -> Outbound {
    let text = Text { body: "Your order has left our warehouse.".to_owned(), format: TextFormat::Plain, preview_links: true };
    Outbound {
        id: "019a0000-0000-7000-8000-000000000002".to_owned(),
        to: "70010001".to_owned(),
        conversation: None,
        reply_to: None,
        command: Command::Message(vec![Content::Text(text)]),
        reply_context: None,
        subscriptions: Vec::new(),
        extras: Vec::new(),
    }
}

fn at(times: &mut [Duration], of_hundred: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * of_hundred / 100).min(times.len() - 1)]
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
