//! A storm of swaps between two versions, under a load of webhooks and sends: what becomes of the latency of webhooks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use patchbay_providers::Recording;
use serde_json::json;
use tokio::task::JoinSet;

use crate::figures::{self, Figures, ms};
use crate::harness::{Bench, Database, Settings, plugin_file};
use crate::webhooks::{Target, count_messages, post_all};

const CONNECTIONS: usize = 16;
/// Clients that send, one message after another.
const SENDERS: u64 = 2;
const BEFORE: Duration = Duration::from_secs(10);
const SWAPS: usize = 50;
/// Between two swaps.
const PAUSE: Duration = Duration::from_millis(100);

/// Posts until it is told to stop.
struct Pushers {
    numbers: Arc<AtomicU64>,
    running: JoinSet<Vec<Duration>>,
    since: Instant,
}

impl Pushers {
    fn start(target: &Arc<Target>, first: u64) -> Pushers {
        let numbers = Arc::new(AtomicU64::new(first));
        let since = Instant::now();
        let mut running = JoinSet::new();
        for _ in 0..CONNECTIONS {
            // A minute is longer than any of it takes.
            running.spawn(post_all(Arc::clone(target), Arc::clone(&numbers), u64::MAX / 2, since + Duration::from_secs(60)));
        }
        Pushers { numbers, running, since }
    }

    async fn stop(self) -> Figures {
        self.numbers.store(u64::MAX / 2, Ordering::Relaxed);
        Figures::new(self.running.join_all().await.concat(), self.since.elapsed())
    }
}

pub(crate) async fn run(database: Database) {
    let settings = Settings::default().line("outbox.workers_per_account = 32");
    let bench = Arc::new(Bench::with(database, json!({}), settings).await);
    bench.telegram.set_recording(Recording::Off);
    let target = Arc::new(Target::of(&bench));
    let is_over = Arc::new(AtomicBool::new(false));
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        senders.spawn(send_until(Arc::clone(&bench), Arc::clone(&is_over), sender));
    }
    // Caches, live instances, both artefacts.
    swap(&bench, 2).await;
    let warm = Pushers::start(&target, 0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut taken = warm.stop().await.count();

    figures::head(&format!("Webhooks from {CONNECTIONS} connections beside {SENDERS} senders, {SWAPS} swaps of the plugin, {database:?}"));
    let mut tail = Vec::new();
    for (n, name) in ["before", "during the swaps", "after"].into_iter().enumerate() {
        let pushers = Pushers::start(&target, (n as u64 + 1) * 10_000_000);
        let mut swaps = Vec::new();
        if name == "during the swaps" {
            swaps = swap(&bench, SWAPS).await;
        } else {
            tokio::time::sleep(BEFORE).await;
        }
        let figures = pushers.stop().await;
        figures::row(name, &figures);
        taken += figures.count();
        tail.push(figures.percentile(99));
        if let Some(median) = swaps.get(swaps.len() / 2) {
            println!("{:34} a swap: median {:.1} ms, longest {:.1} ms", "", ms(*median), ms(swaps[swaps.len() - 1]));
        }
    }
    println!("{:34} p99 during / before: {:.2}", "", tail[1].as_secs_f64() / tail[0].as_secs_f64());
    is_over.store(true, Ordering::SeqCst);
    let asked: u64 = senders.join_all().await.into_iter().sum();
    let sent = sent(&bench, asked).await;
    let kept = count_messages(&bench.gateway).await;
    println!("{:34} {taken} webhooks taken, {kept} messages; {asked} sends asked for, {sent} sent", "");
    assert_eq!((kept, sent), (taken, asked), "nothing is lost and nothing doubled");
}

/// Sends one message after another; answers how many.
async fn send_until(bench: Arc<Bench>, is_over: Arc<AtomicBool>, sender: u64) -> u64 {
    let mut asked = 0;
    while !is_over.load(Ordering::SeqCst) {
        let to = 730_000_000 + sender * 1_000_000 + asked;
        bench.enqueue(json!({"to": to.to_string(), "content": {"type": "text", "text": format!("{sender}-{asked}")}})).await;
        asked += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    asked
}

/// How many of the messages are sent, once none waits any more.
async fn sent(bench: &Bench, asked: u64) -> u64 {
    let path = format!("/rest/v1/messages?channel_account_id={}&direction=outbound&limit=1000&offset=", bench.account);
    crate::harness::eventually("every message is settled", || async {
        let (mut sent, mut waiting) = (0, 0);
        for page in 0..asked.div_ceil(1000) {
            let messages = bench.gateway.get(&format!("{path}{}", page * 1000)).await.expect_status(200);
            for message in messages.as_array().unwrap() {
                sent += u64::from(message["state"] == "sent");
                waiting += u64::from(message["state"] == "queued" || message["state"] == "sending");
            }
        }
        (waiting == 0).then_some(sent)
    })
    .await
}

/// Swaps to and fro; answers how long each took, sorted.
pub(crate) async fn swap(bench: &Bench, swaps: usize) -> Vec<Duration> {
    let versions = ["swap/telegram.wasm", "telegram.wasm"].map(|name| std::fs::read(plugin_file(name)).unwrap());
    let mut times = Vec::with_capacity(swaps);
    for n in 0..swaps {
        let start = Instant::now();
        let answer = bench.gateway.upload("/admin/v1/plugins", "application/wasm", versions[n % 2].clone()).await;
        assert!(matches!(answer.status, 200 | 201), "swap {n}: {:#}", answer.body);
        times.push(start.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    times.sort_unstable();
    times
}
