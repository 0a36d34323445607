//! Webhooks: 64 connections that post as fast as they are answered, to the gateway and to its baselines.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::baseline::{Baseline, Kind};
use crate::figures::{self, Figures};
use crate::harness::{Bench, Database, Gateway, Settings};
use crate::process;

const CONNECTIONS: usize = 64;
/// Whichever comes first ends a run.
const REQUESTS_MAX: u64 = 60_000;
const TIME_MAX: Duration = Duration::from_secs(10);
/// Not measured: connections, caches, live instances.
const WARM_UP: u64 = 1_000;
/// People who write, each in a chat of their own.
const PEOPLE: u64 = 1_000;

/// Where webhooks are posted to.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    path: String,
    secret: String,
    /// Processor time is this process's.
    process: u32,
}

impl Target {
    /// The account of the bench.
    pub(crate) fn of(bench: &Bench) -> Target {
        Target {
            address: bench.gateway.url.strip_prefix("http://").unwrap().parse().unwrap(),
            path: format!("/webhooks/{}", bench.account),
            secret: bench.telegram.requests_of("setWebhook").pop().unwrap().text("secret_token"),
            process: bench.gateway.id(),
        }
    }

    /// The request with that number.
    pub(crate) fn request(&self, number: u64) -> Request<Full<Bytes>> {
        Request::post(&self.path)
            .header("host", self.address.to_string())
            .header("content-type", "application/json")
            .header("x-telegram-bot-api-secret-token", &self.secret)
            .body(Full::new(body(number)))
            .unwrap()
    }
}

/// A keep-alive connection.
pub(crate) struct Connection(http1::SendRequest<Full<Bytes>>);

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (connection, driver) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(driver);
        Connection(connection)
    }

    /// Answers the status, once the whole answer is there.
    pub(crate) async fn ask(&mut self, request: Request<Full<Bytes>>) -> u16 {
        // The answer before may be read before the connection knows that it is free again.
        self.0.ready().await.unwrap();
        let answer = self.0.send_request(request).await.unwrap();
        let status = answer.status().as_u16();
        answer.into_body().collect().await.unwrap();
        status
    }
}

/// A webhook of 2 KB whose update, message and person are nobody else's.
fn body(number: u64) -> Bytes {
    let template = include_str!("../webhook.json");
    template
        .replace("900000001", &(910_000_000 + number).to_string())
        .replace("800000001", &(810_000_000 + number).to_string())
        .replace("700000001", &(710_000_000 + number % PEOPLE).to_string())
        .into()
}

/// Takes numbers until they or the time are used up; answers how long each request took.
pub(crate) async fn post_all(target: Arc<Target>, numbers: Arc<AtomicU64>, last: u64, until: Instant) -> Vec<Duration> {
    let mut connection = Connection::open(target.address).await;
    let mut latencies = Vec::new();
    loop {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        if number >= last || Instant::now() >= until {
            return latencies;
        }
        let request = target.request(number);
        let start = Instant::now();
        assert_eq!(connection.ask(request).await, 200, "webhook {number} wasn't taken");
        latencies.push(start.elapsed());
    }
}

async fn post_range(target: &Arc<Target>, first: u64, count: u64) -> Figures {
    let numbers = Arc::new(AtomicU64::new(first));
    let (start, processor) = (Instant::now(), process::processor_time(target.process));
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        connections.spawn(post_all(Arc::clone(target), Arc::clone(&numbers), first + count, start + TIME_MAX));
    }
    let latencies = connections.join_all().await.concat();
    let elapsed = start.elapsed();
    Figures::new(latencies, elapsed).with_processor(process::processor_time(target.process) - processor)
}

/// Answers how many were taken in all, and the figures without the warm-up.
async fn load(target: Target) -> (usize, Figures) {
    let target = Arc::new(target);
    let warm = post_range(&target, 0, WARM_UP).await;
    let figures = post_range(&target, WARM_UP, REQUESTS_MAX).await;
    (warm.count() + figures.count(), figures)
}

pub(crate) async fn run(database: Database) {
    figures::head(&format!("Webhooks of {} bytes, {CONNECTIONS} connections, distinct updates, {database:?}", body(0).len()));
    for kind in Kind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let baseline = Baseline::start(kind, &database.make_url(), folder.path());
        let target = Target { address: baseline.address, path: "/".to_owned(), secret: String::new(), process: baseline.id() };
        figures::row(kind.name(), &load(target).await.1);
    }
    gateway(database, "the gateway, hot", Settings::default()).await;
    gateway(database, "the gateway, fresh instances only", Settings::default().line("sandbox.hot_instances = 0")).await;
}

async fn gateway(database: Database, name: &str, settings: Settings) {
    let bench = Bench::with(database, json!({}), settings).await;
    let (taken, figures) = load(Target::of(&bench)).await;
    figures::row(name, &figures);
    tell_shares(&bench.gateway, taken).await;
    let (now, most) = process::memory_mib(bench.gateway.id());
    let kept = count_messages(&bench.gateway).await;
    println!("{:34} {taken} taken, {kept} messages; memory {now} MiB, at most {most} MiB", "");
    assert_eq!(kept, taken, "every webhook that was answered is one message");
}

/// What a webhook spent in the sandbox and in its commit, by the gateway's own metrics.
async fn tell_shares(gateway: &Gateway, taken: usize) {
    let metrics = gateway.get("/metrics").await.expect_status(200).as_str().unwrap().to_owned();
    let sum = |name: &str| -> f64 {
        let of = |line: &&str| line.starts_with(name);
        metrics.lines().filter(of).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    let whole = sum("patchbay_webhook_seconds_sum");
    let sandbox = sum("patchbay_webhook_parse_seconds_sum");
    let groups = sum("patchbay_ingest_commit_seconds_count").max(1.0);
    println!(
        "{:34} of {:.2} ms a webhook: sandbox {:.2} % ({:.0} µs); {:.1} webhooks a commit, {:.2} ms each",
        "",
        whole / taken as f64 * 1e3,
        sandbox / whole * 100.0,
        sandbox / taken as f64 * 1e6,
        taken as f64 / groups,
        sum("patchbay_ingest_commit_seconds_sum") / groups * 1e3
    );
}

pub(crate) async fn count_messages(gateway: &Gateway) -> usize {
    const PAGE: usize = 1000;
    let mut count = 0;
    loop {
        let path = format!("/rest/v1/messages?direction=inbound&limit={PAGE}&offset={count}");
        let page = gateway.get(&path).await.expect_status(200).as_array().unwrap().len();
        count += page;
        if page < PAGE {
            return count;
        }
    }
}
