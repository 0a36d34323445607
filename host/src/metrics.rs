//! What the gateway counts and measures, for Prometheus. Labels are channel types, versions and closed sets of words, never an
//! account or a person, so that the number of series is bounded.
//!
//! Counters are this process's; what stands in the database is read at a scrape ([`scrape`]).

mod process;
mod scrape;

pub use scrape::scrape;

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Metric, Registry, Unit},
};

use self::{process::Process, scrape::Standing};
use crate::clock::At;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TypeLabel {
    channel_type: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WebhookLabels {
    channel_type: String,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    channel_type: String,
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FaultLabels {
    channel_type: String,
    version: String,
    hook: &'static str,
    fault: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    channel_type: String,
    version: String,
    hook: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HookLabels {
    channel_type: String,
    version: String,
    hook: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VersionLabels {
    channel_type: String,
    version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

/// A histogram of a channel type, with bounds of its own.
type Seconds = Family<TypeLabel, Histogram, fn() -> Histogram>;

pub struct Metrics {
    registry: Registry,
    webhooks: Family<WebhookLabels, Counter>,
    webhook_seconds: Seconds,
    parse_seconds: Seconds,
    attempts: Family<AttemptLabels, Counter>,
    attempt_seconds: Seconds,
    faults: Family<FaultLabels, Counter>,
    calls: Family<CallLabels, Counter>,
    call_seconds: Family<HookLabels, Histogram, fn() -> Histogram>,
    rollbacks: Family<TypeLabel, Counter>,
    breakers: Family<HookLabels, Counter>,
    withheld: Family<VersionLabels, Counter>,
    commit_seconds: Histogram,
    commit_group: Histogram,
    /// Log entries that were lost because the queue was full.
    pub log_entries_lost: Counter,
    listeners: Gauge,
    process: Process,
    standing: Standing,
}

/// From a tenth of a millisecond to half a minute.
fn fast() -> Histogram {
    Histogram::new([0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0])
}

/// From five milliseconds to a minute: what waits for a provider.
fn slow() -> Histogram {
    Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0])
}

/// From a tenth of a millisecond to half a minute in few steps: there is one of these for each hook of each version.
fn calls() -> Histogram {
    Histogram::new([0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 30.0])
}

fn groups() -> Histogram {
    Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0])
}

fn by_type(histogram: fn() -> Histogram) -> Seconds {
    Family::new_with_constructor(histogram)
}

/// Has the metric shown and answers it.
fn registered<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

fn counted<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    registered(registry, name, help, M::default())
}

/// In seconds, which its name says.
fn measured<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}

impl Metrics {
    /// For a process that started at `started`.
    pub fn new(started: At) -> Metrics {
        let mut registry = Registry::default();
        let process = Process::register(&mut registry, started);
        let ours = registry.sub_registry_with_prefix("patchbay");
        ours.register("build", "The version that runs", Info::new(BuildLabels { version: env!("CARGO_PKG_VERSION") }));
        Metrics {
            webhooks: counted(ours, "webhooks_received", "Webhooks by channel type and what they were answered"),
            webhook_seconds: measured(ours, "webhook", "From a webhook's arrival to its answer", by_type(fast)),
            parse_seconds: measured(ours, "webhook_parse", "The plugin's share of a webhook, in the sandbox", by_type(fast)),
            attempts: counted(ours, "attempts", "Attempts to send by channel type and how they ended"),
            attempt_seconds: measured(ours, "attempt", "One attempt to send, in the sandbox and at the provider", by_type(slow)),
            faults: counted(ours, "plugin_faults", "Calls of a plugin that ended without an answer"),
            calls: counted(ours, "plugin_calls", "Calls of a plugin by how they ended: answered, the class of its failure, or its fault"),
            call_seconds: measured(
                ours,
                "plugin_call",
                "One call of a plugin, with what it waited for",
                Family::new_with_constructor(calls),
            ),
            rollbacks: counted(ours, "plugin_rollbacks", "Versions that the gateway took back by itself"),
            breakers: counted(ours, "plugin_breakers_opened", "Times that an account's calls of a plugin were held back for its faults"),
            withheld: counted(ours, "plugin_secrets_withheld", "Answers of a plugin that held a secret, which was blanked"),
            commit_seconds: measured(ours, "ingest_commit", "The transaction that stores what came in", fast()),
            commit_group: registered(ours, "ingest_group_size", "What shared one transaction", groups()),
            log_entries_lost: counted(ours, "log_entries_lost", "Entries of accounts' logs that were more than could be written"),
            listeners: counted(ours, "event_listeners", "Open streams of server-sent events"),
            standing: Standing::register(ours),
            process,
            registry,
        }
    }

    /// A webhook was answered.
    pub fn webhook_answered(&self, channel_type: &str, result: &'static str, took: Duration) {
        self.webhooks.get_or_create(&WebhookLabels { channel_type: channel_type.to_owned(), result }).inc();
        self.webhook_seconds.get_or_create(&type_label(channel_type)).observe(took.as_secs_f64());
    }

    /// A plugin read a webhook.
    pub fn parsed(&self, channel_type: &str, took: Duration) {
        self.parse_seconds.get_or_create(&type_label(channel_type)).observe(took.as_secs_f64());
    }

    /// An attempt to send ended: `accepted`, `partial`, or the word of its failure's class.
    pub fn attempted(&self, channel_type: &str, class: &'static str, took: Duration) {
        self.attempts.get_or_create(&AttemptLabels { channel_type: channel_type.to_owned(), class }).inc();
        self.attempt_seconds.get_or_create(&type_label(channel_type)).observe(took.as_secs_f64());
    }

    /// A call of a plugin ended without an answer.
    pub fn faulted(&self, channel_type: &str, version: &str, hook: &'static str, fault: &'static str) {
        let labels = FaultLabels { channel_type: channel_type.to_owned(), version: version.to_owned(), hook, fault };
        self.faults.get_or_create(&labels).inc();
    }

    /// A call of a plugin ended: `answered`, the word of its failure's class, or of its fault.
    pub fn called(&self, channel_type: &str, version: &str, hook: &'static str, outcome: &'static str, took: Duration) {
        let (channel_type, version) = (channel_type.to_owned(), version.to_owned());
        let hooked = HookLabels { channel_type: channel_type.clone(), version: version.clone(), hook };
        self.call_seconds.get_or_create(&hooked).observe(took.as_secs_f64());
        self.calls.get_or_create(&CallLabels { channel_type, version, hook, outcome }).inc();
    }

    /// The gateway took a version of the type back by itself.
    pub fn rolled_back(&self, channel_type: &str) {
        self.rollbacks.get_or_create(&type_label(channel_type)).inc();
    }

    /// An account's calls of a hook are held back for a while.
    pub fn breaker_opened(&self, channel_type: &str, version: &str, hook: &'static str) {
        let labels = HookLabels { channel_type: channel_type.to_owned(), version: version.to_owned(), hook };
        self.breakers.get_or_create(&labels).inc();
    }

    /// A plugin told a secret, which was blanked.
    pub fn secret_withheld(&self, channel_type: &str, version: &str) {
        self.withheld.get_or_create(&VersionLabels { channel_type: channel_type.to_owned(), version: version.to_owned() }).inc();
    }

    /// So many units of ingest were committed together.
    pub fn committed(&self, group: usize, took: Duration) {
        self.commit_seconds.observe(took.as_secs_f64());
        self.commit_group.observe(group as f64);
    }

    /// Counts a listener as long as the answer lives.
    pub fn listening(&self) -> Listening {
        self.listeners.inc();
        Listening(self.listeners.clone())
    }
}

/// An open stream of events.
pub struct Listening(Gauge);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn type_label(channel_type: &str) -> TypeLabel {
    TypeLabel { channel_type: channel_type.to_owned() }
}
