//! A storm of swaps under load: nothing is lost, nothing is doubled, and nobody is turned away.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use serde_json::{Value, json};

use crate::harness::{Bench, Database, MONA, both, plugin_file};

const SWAPS: usize = 50;
const PUSHERS: usize = 4;
const SENDERS: usize = 2;
/// At least so many, however fast the swaps are.
const WEBHOOKS_MIN: usize = 200;
const SENDS_MIN: usize = 40;

fn update(n: usize) -> String {
    json!({"update_id": n, "message": {"message_id": n, "from": {"id": MONA, "is_bot": false, "first_name": "Mona"},
           "chat": {"id": MONA, "type": "private"}, "date": 1_764_000_000, "text": format!("in {n}")}})
    .to_string()
}

/// What is done while the storm lasts.
#[derive(Default)]
struct Load {
    over: AtomicBool,
    pushed: AtomicUsize,
    asked: AtomicUsize,
}

impl Load {
    fn goes_on(&self, done: usize, least: usize) -> bool {
        done < least || !self.over.load(Ordering::SeqCst)
    }

    async fn push(&self, bench: &Bench, secret: &str) {
        while self.goes_on(self.pushed.load(Ordering::SeqCst), WEBHOOKS_MIN) {
            let n = self.pushed.fetch_add(1, Ordering::SeqCst);
            let answer = bench.gateway.webhook(&bench.account, Some(secret), update(n)).await;
            assert_eq!(answer.status, 200, "webhook {n}: {:#}", answer.body);
        }
    }

    async fn send(&self, bench: &Bench) -> Vec<String> {
        let mut ids = Vec::new();
        while self.goes_on(self.asked.load(Ordering::SeqCst), SENDS_MIN) {
            let n = self.asked.fetch_add(1, Ordering::SeqCst);
            let to = MONA + 1 + i64::try_from(n % 16).unwrap();
            ids.push(bench.enqueue(json!({"to": to.to_string(), "content": {"type": "text", "text": format!("out {n}")}})).await);
            bench.settled(ids.last().unwrap()).await;
        }
        ids
    }

    /// Swaps to and fro; answers what ran after each.
    async fn swap(&self, bench: &Bench) -> Vec<String> {
        let versions = ["swap/telegram.wasm", "telegram.wasm"].map(|name| std::fs::read(plugin_file(name)).unwrap());
        let mut ran = Vec::with_capacity(SWAPS);
        for n in 0..SWAPS {
            let answer = bench.gateway.upload("/admin/v1/plugins", "application/wasm", versions[n % 2].clone()).await;
            assert!(matches!(answer.status, 200 | 201), "swap {n}: {:#}", answer.body);
            assert_eq!(answer.body["changed"], true, "swap {n}: {:#}", answer.body);
            ran.push(answer.body["version"].as_str().unwrap().to_owned());
            // Some calls begin with each version.
            let before = self.pushed.load(Ordering::SeqCst);
            while self.pushed.load(Ordering::SeqCst) < before + 2 {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        }
        self.over.store(true, Ordering::SeqCst);
        ran
    }
}

async fn fifty_swaps_lose_nothing_and_double_nothing(database: Database) {
    let bench = Bench::connected(database).await;
    let secret = bench.telegram.requests_of("setWebhook").pop().unwrap().text("secret_token");
    let load = Load::default();
    let pushes = futures::future::join_all((0..PUSHERS).map(|_| load.push(&bench, &secret)));
    let sends = futures::future::join_all((0..SENDERS).map(|_| load.send(&bench)));
    let (ran, _, ids) = futures::join!(load.swap(&bench), pushes, sends);
    assert_eq!(ran.iter().collect::<BTreeSet<_>>().len(), 2, "both versions ran");

    let pushed = load.pushed.load(Ordering::SeqCst);
    let expected: BTreeMap<String, usize> = (0..pushed).map(|n| (format!("in {n}"), 1)).collect();
    assert_eq!(received(&bench).await, expected, "each webhook is one message");

    let ids = ids.concat();
    for id in &ids {
        assert_eq!(bench.settled(id).await["state"], "sent");
    }
    let mut sent = BTreeMap::new();
    for request in bench.telegram.requests_of("sendMessage") {
        *sent.entry(request.text("text")).or_insert(0) += 1;
    }
    let expected: BTreeMap<String, usize> = (0..ids.len()).map(|n| (format!("out {n}"), 1)).collect();
    assert_eq!(sent, expected, "each message reached the provider once");

    let metrics = bench.gateway.get("/metrics").await.expect_status(200);
    assert!(!metrics.as_str().unwrap().contains("patchbay_plugin_faults_total{"), "no call was cut off: {metrics}");
}

/// How often each text came in.
async fn received(bench: &Bench) -> BTreeMap<String, usize> {
    const PAGE: usize = 1000;
    let mut texts = BTreeMap::new();
    for page in 0.. {
        let path = format!("/rest/v1/messages?direction=inbound&limit={PAGE}&offset={}", page * PAGE);
        let messages: Vec<Value> = bench.gateway.get(&path).await.expect_status(200).as_array().unwrap().clone();
        for message in &messages {
            *texts.entry(message["content"][0]["text"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
        if messages.len() < PAGE {
            break;
        }
    }
    texts
}

both! {
    fifty_swaps_lose_nothing_and_double_nothing,
}
