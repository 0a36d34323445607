//! Sends: to a provider that takes 20 ms for each, beside a plain loop of an HTTP client with as many at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use patchbay_providers::{Recording, Telegram};
use serde_json::json;
use tokio::task::JoinSet;

use crate::figures::{self, Figures};
use crate::harness::{Bench, Database, Settings, TOKEN, eventually};
use crate::process;

const LATENCY: Duration = Duration::from_millis(20);
/// The gateway's default of `outbox.workers`.
const CONCURRENCY: u64 = 32;
const SENDS: u64 = 1_000;
/// Clients that ask the gateway to send.
const ASKING: u64 = 16;

fn text(number: u64) -> String {
    format!("Your order {number} has left our warehouse.")
}

pub(crate) async fn run(database: Database) {
    let title = format!("{SENDS} sends to distinct chats, answered in {} ms, {CONCURRENCY} at a time, {database:?}", LATENCY.as_millis());
    figures::head(&title);
    println!("{:34} {:>8} {:>9.0}", "what the latency alone would allow", "", CONCURRENCY as f64 / LATENCY.as_secs_f64());
    gateway(database).await;
    plain().await;
}

/// Runs `act` for every number, so many at a time.
async fn in_parallel<F, Fut>(tasks: u64, act: F) -> Vec<Duration>
where
    F: Fn(u64) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let numbers = Arc::new(AtomicU64::new(0));
    let mut running = JoinSet::new();
    for _ in 0..tasks {
        let (numbers, act) = (Arc::clone(&numbers), act.clone());
        running.spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                if number >= SENDS {
                    return latencies;
                }
                let start = Instant::now();
                act(number).await;
                latencies.push(start.elapsed());
            }
        });
    }
    running.join_all().await.concat()
}

async fn plain() {
    let telegram = Telegram::start().await;
    telegram.set_recording(Recording::Off);
    telegram.set_latency(LATENCY);
    let client = reqwest::Client::new();
    let url = format!("{}/bot{TOKEN}/sendMessage", telegram.url());
    let start = Instant::now();
    let latencies = in_parallel(CONCURRENCY, move |number| {
        let request = client.post(&url).json(&json!({"chat_id": 720_000_000 + number, "text": text(number)}));
        async move {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200);
            answer.bytes().await.unwrap();
        }
    })
    .await;
    figures::row("reqwest, keeps nothing", &Figures::new(latencies, start.elapsed()));
}

async fn gateway(database: Database) {
    let bench = Arc::new(Bench::with(database, json!({}), Settings::default().line("outbox.workers_per_account = 32")).await);
    bench.telegram.set_recording(Recording::Off);
    bench.telegram.set_latency(LATENCY);
    let before = bench.telegram.request_count();
    let (start, processor) = (Instant::now(), process::processor_time(bench.gateway.id()));
    let asking = Arc::clone(&bench);
    let latencies = in_parallel(ASKING, move |number| {
        let bench = Arc::clone(&asking);
        async move {
            bench.enqueue(json!({"to": (720_000_000 + number).to_string(), "content": {"type": "text", "text": text(number)}})).await;
        }
    })
    .await;
    let asked = start.elapsed();
    figures::row("the gateway: asked (202)", &Figures::new(latencies.clone(), asked));
    eventually("every message is at the provider", || async { (bench.telegram.request_count() - before >= SENDS).then_some(()) }).await;
    let sent = start.elapsed();
    let processor = process::processor_time(bench.gateway.id()) - processor;
    // The answer to each ask isn't the latency of its send: only the rate is told.
    println!(
        "{:34} {:>8} {:>9.0} {:>28.0}",
        "the gateway: asked and sent",
        SENDS,
        SENDS as f64 / sent.as_secs_f64(),
        processor.as_secs_f64() * 1e6 / SENDS as f64
    );
    let path = format!("/rest/v1/messages?channel_account_id={}&direction=outbound&limit=1000&offset=", bench.account);
    let settled = eventually("every message is settled as sent", || async {
        let mut settled = 0;
        for page in 0..SENDS.div_ceil(1000) {
            let messages = bench.gateway.get(&format!("{path}{}", page * 1000)).await.expect_status(200);
            settled += messages.as_array().unwrap().iter().filter(|message| message["state"] == "sent").count() as u64;
        }
        (settled >= SENDS).then_some(settled)
    })
    .await;
    let requests = bench.telegram.request_count() - before;
    println!("{:34} {settled} messages are sent, the provider got {requests}", "");
    assert_eq!((settled, requests), (SENDS, SENDS), "each message is sent once");
}
