//! What a plugin costs in each language: the example channels of `plugins/examples`, which do the same thing.
//! `cargo bench -p patchbay-tests --bench guests`, after `make examples`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark's way to fail")]

#[path = "../../host/sandbox/tests/it/host.rs"]
#[expect(dead_code, reason = "the sandbox's tests need more of it")]
mod host;

use std::path::Path;
use std::time::{Duration, Instant};

use patchbay_sandbox::contract::{channel, types};
use patchbay_sandbox::{CallLimits, Plugin, Sandbox, compile};
use tokio::runtime::Runtime;

use host::{Notes, settings};

const LANGUAGES: [&str; 3] = ["rust", "javascript", "python"];
/// Mona writes a text: the same file is in all three folders.
const FIXTURE: &str = include_str!("../../plugins/examples/rust/fixtures/01-text.json");
const ROUNDS: usize = 200;
/// Live instances, one for each account, whose memory is counted.
const ACCOUNTS: usize = 16;

fn webhook(account: &str) -> channel::Webhook {
    let fixture: serde_json::Value = serde_json::from_str(FIXTURE).unwrap();
    channel::Webhook {
        account: Some(types::Account { id: account.to_owned(), external_id: Some("ws_42".to_owned()), settings: "{}".to_owned() }),
        body: fixture["body"].to_string().into_bytes(),
        verified_by: Some("hmac".to_owned()),
        ..host::webhook()
    }
}

/// One call from the webhook in the host's memory to the events there.
async fn parse(plugin: &Plugin, webhook: &channel::Webhook, hot: Option<&str>) -> Duration {
    let notes = Notes::default();
    let start = Instant::now();
    let parsed = plugin.parse_inbound(CallLimits::default(), notes.services(), webhook, hot).await;
    let took = start.elapsed();
    assert_eq!(parsed.unwrap().unwrap().events.len(), 1);
    took
}

/// Median and 99th of a hundred.
fn spread(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1e6;
    (at(50), at(99))
}

/// Resident memory of this process, in MB.
fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

fn measure(runtime: &Runtime, sandbox: &Sandbox, language: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(format!("target/plugins/examples/acme-{language}.wasm"));
    let component = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}: run `make examples`", file.display()));
    let start = Instant::now();
    let compiled = compile(&component).unwrap();
    let compiling = start.elapsed();
    let artefact = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(artefact.path(), &compiled).unwrap();
    let start = Instant::now();
    let plugin = sandbox.load(artefact.path()).unwrap();
    let loading = start.elapsed();

    let account = "account-0";
    let one = webhook(account);
    let (fresh, hot) = runtime.block_on(async {
        let mut fresh = Vec::new();
        let mut hot = Vec::new();
        for _ in 0..ROUNDS {
            fresh.push(parse(&plugin, &one, None).await);
            hot.push(parse(&plugin, &one, Some(account)).await);
        }
        (spread(fresh), spread(hot))
    });
    let before = resident_mb();
    runtime.block_on(async {
        for number in 1..=ACCOUNTS {
            let account = format!("account-{number}");
            parse(&plugin, &webhook(&account), Some(&account)).await;
        }
    });
    let each = (resident_mb() - before) / f64::from(u32::try_from(ACCOUNTS).unwrap());
    let mb = |bytes: usize| f64::from(u32::try_from(bytes).unwrap()) / 1e6;
    println!(
        "{language:11} {:>7.1} MB {:>7.1} MB {:>8.2} s {:>7.2} ms {:>8.0} {:>8.0} µs {:>8.0} {:>8.0} µs {each:>8.1} MB",
        mb(component.len()),
        mb(compiled.len()),
        compiling.as_secs_f64(),
        loading.as_secs_f64() * 1e3,
        fresh.0,
        fresh.1,
        hot.0,
        hot.1,
    );
}

fn main() {
    let (runtime, sandbox) = (Runtime::new().unwrap(), Sandbox::new(&settings()).unwrap());
    println!(
        "{:11} {:>10} {:>10} {:>10} {:>10} {:>20} {:>20} {:>11}",
        "", "component", "artefact", "compile", "load", "fresh p50, p99", "hot p50, p99", "live, each"
    );
    for language in LANGUAGES {
        measure(&runtime, &sandbox, language);
    }
}
