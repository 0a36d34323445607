//! A healthy plugin, alone and beside a hostile one: its webhooks come at a steady rate, and the hostile one's as fast as they are
//! answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::json;
use tokio::task::JoinSet;

use crate::figures::{self, Figures};
use crate::harness::{Bench, Database, Settings};
use crate::webhooks::{Connection, Target};

/// Of the healthy one.
const CONNECTIONS: u32 = 8;
const RATE: u32 = 200;
const TIME: Duration = Duration::from_secs(8);
/// Of the hostile one.
const HOSTILE: usize = 2;
const SECRET: &str = "zoo-secret-8f3a61c7d2";

const TRICKS: [&str; 9] = ["none", "loop", "recursion", "memory", "fill", "trap", "host-calls", "requests", "log"];

pub(crate) async fn run(database: Database) {
    for (name, faults) in [("as it is by default", None), ("without breakers", Some(1_000_000))] {
        let mut settings = Settings::default().channel("zoo");
        if let Some(faults) = faults {
            settings = settings.line(&format!("sandbox.breaker_faults = {faults}"));
        }
        let bench = Bench::with(database, json!({}), settings).await;
        let target = Arc::new(Target::of(&bench));
        paced(&target, 0, Duration::from_secs(2)).await;
        figures::head(&format!("A healthy plugin's webhooks, {RATE} a second, beside a hostile one's, {name}, {database:?}"));
        figures::row("alone", &paced(&target, 1_000_000, TIME).await);
        // What it has to bear beside any program that takes a processor for itself.
        let is_over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&is_over);
        let busy = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        let figures = paced(&target, 50_000_000, TIME).await;
        is_over.store(true, Ordering::Relaxed);
        busy.join().unwrap();
        figures::row("beside a busy thread, no plugin", &figures);
        for (n, trick) in TRICKS.into_iter().enumerate() {
            let account = cage(&bench, trick).await;
            let is_over = Arc::new(AtomicBool::new(false));
            let mut hostile = JoinSet::new();
            for _ in 0..HOSTILE {
                hostile.spawn(torment(Arc::clone(&target), account.clone(), trick, Arc::clone(&is_over)));
            }
            let figures = paced(&target, (n as u64 + 2) * 1_000_000, TIME).await;
            is_over.store(true, Ordering::SeqCst);
            let calls: usize = hostile.join_all().await.into_iter().sum();
            figures::row(&format!("beside {calls} × {trick}"), &figures);
        }
    }
}

/// An account of the hostile plugin.
async fn cage(bench: &Bench, name: &str) -> String {
    let account =
        bench.gateway.create("ZOO", json!({"token": "zoo-token-04b1c95e77aa", "webhook_secret": SECRET, "external_id": name})).await;
    bench.gateway.connect(&account, json!({})).await;
    account
}

/// Posts as fast as it is answered; answers how often.
async fn torment(target: Arc<Target>, account: String, trick: &'static str, is_over: Arc<AtomicBool>) -> usize {
    let mut connection = Connection::open(target.address).await;
    let mut calls = 0;
    while !is_over.load(Ordering::SeqCst) {
        let body = json!({"id": format!("{trick}-{calls}-{:p}", &raw const connection), "trick": trick}).to_string();
        let request = Request::post(format!("/webhooks/{account}"))
            .header("host", target.address.to_string())
            .header("content-type", "application/json")
            .header("x-zoo-secret", SECRET)
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        assert!(matches!(connection.ask(request).await, 200 | 503), "{trick}");
        calls += 1;
    }
    calls
}

/// Posts at the rate, whatever the answers take: each latency is from when it was due.
async fn paced(target: &Arc<Target>, first: u64, time: Duration) -> Figures {
    let start = Instant::now();
    let mut running = JoinSet::new();
    for place in 0..CONNECTIONS {
        let target = Arc::clone(target);
        running.spawn(async move {
            let mut connection = Connection::open(target.address).await;
            let mut latencies = Vec::new();
            for n in (place..).step_by(CONNECTIONS as usize) {
                let due = start + Duration::from_secs(1) / RATE * n;
                if due >= start + time {
                    break;
                }
                tokio::time::sleep_until(due.into()).await;
                assert_eq!(connection.ask(target.request(first + u64::from(n))).await, 200);
                latencies.push(due.elapsed());
            }
            latencies
        });
    }
    let latencies = running.join_all().await.concat();
    Figures::new(latencies, start.elapsed())
}
