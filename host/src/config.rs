//! The configuration: `config.default.toml` (embedded) → a file → the environment. The only room that reads the environment.

mod auth;
mod registry;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

pub use auth::{Auth, Jwt, Rights};
use axum::http::{HeaderName, HeaderValue};
use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
pub use registry::{Registry, is_loopback};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    domain::{
        log::LogLevel,
        node::Role,
        plugin::{RolloutKind, SourceKind},
        webhook::REDELIVERY,
        words,
    },
    manifest::Rates,
    signing::PublicKey,
};

pub const DEFAULTS: &str = include_str!("config.default.toml");

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub data: PathBuf,
    pub node: NodeSettings,
    pub http: Http,
    pub rest: Rest,
    pub database: Database,
    pub secrets: Secrets,
    pub auth: Auth,
    pub plugins: Plugins,
    pub sandbox: Sandbox,
    pub egress: Egress,
    pub outbox: Outbox,
    pub webhooks: Webhooks,
    pub media: Media,
    pub mail: Mail,
    pub blobs: Blobs,
    pub retention: Retention,
    pub endpoints: Endpoints,
    pub nats: Nats,
    pub log: Log,
    pub logs: Logs,
    pub metrics: Metrics,
    pub otlp: Otlp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSettings {
    pub name: String,
    pub roles: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    pub bind: SocketAddr,
    pub public_url: String,
    pub max_body_kb: usize,
    pub drain_ms: u64,
    pub client_ip_header: String,
    pub browser_calls_per_min: u32,
    pub cors_origins: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rest {
    pub max_rows: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub url: String,
    pub connections: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    pub master_key: String,
    pub master_key_file: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugins {
    pub folder: String,
    pub compile_timeout_s: u64,
    pub compile_memory_mb: u64,
    pub max_size_mb: usize,
    pub shadow_webhooks: u32,
    pub shadow_differences: DifferenceRule,
    pub watch_s: u64,
    pub watch_min_faults: u32,
    pub watch_fault_percent: f64,
    pub watch_times_former: f64,
    pub unsigned: Vec<SourceKind>,
    pub trusted_keys: BTreeMap<String, String>,
    pub approve_new: bool,
    pub conformance: ConformanceRule,
    pub conformance_timeout_s: u64,
    pub rollout: RolloutKind,
    /// By `host` or `host:port`, as references begin.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub registries: BTreeMap<String, Registry>,
    pub failed_calls: u32,
}

words! {
    /// What it means that a new version makes something else of what came in.
    pub enum DifferenceRule {
        /// It is kept with the version.
        Show = "show",
        /// The version waits for an approval.
        Hold = "hold",
    }
}

words! {
    /// What findings of a conformance suite mean.
    pub enum ConformanceRule {
        /// The version is refused.
        Require = "require",
        /// They are kept with it.
        Show = "show",
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sandbox {
    pub memory_mb: u32,
    pub memory_most_mb: u32,
    pub cpu_ms: u32,
    pub cpu_most_ms: u32,
    pub wall_ms: u32,
    pub wall_most_ms: u32,
    pub host_calls: u32,
    pub host_calls_most: u32,
    pub http_requests: u32,
    pub concurrency: u32,
    pub hot_instances: u32,
    pub breaker_faults: u32,
    pub breaker_s: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Egress {
    pub redirect: BTreeMap<String, String>,
    pub allow: Vec<String>,
    pub connect_timeout_ms: u64,
    pub max_response_mb: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outbox {
    pub workers: u32,
    pub workers_per_account: u32,
    pub retry_s: Vec<u64>,
    pub expires_s: u64,
    pub send_ms: u64,
    pub lease_s: u64,
    pub breaker_failures: u32,
    pub breaker_s: u64,
    pub rates: BTreeMap<String, Rates>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    pub quarantine_max: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    pub max_mb: u32,
    pub url_ttl_s: u64,
    pub workers: u32,
    pub retry_s: Vec<u64>,
    pub give_up_s: u64,
    pub unused_days: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    pub max_connections: usize,
    pub max_watchers: usize,
    pub idle_s: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blobs {
    pub url: String,
    pub endpoint: String,
    pub region: String,
    pub access_key_id: String,
    pub secret_access_key: String,
    pub allow_http: bool,
}

/// Days; parts of one too.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    pub webhooks_days: f64,
    pub webhooks_unprocessed_days: f64,
    pub attempts_days: f64,
    pub events_days: f64,
    pub account_logs_days: u32,
    pub media_days: u64,
    pub audit_days: f64,
    pub plugin_moves_days: f64,
}

/// The longest retention: 100 years.
const DAYS_MAX: f64 = 36_500.0;
/// How long a provider may deliver a webhook again, in days.
const REDELIVERY_DAYS: f64 = REDELIVERY.as_secs() as f64 / 86_400.0;

impl Retention {
    pub fn webhooks(&self) -> Duration {
        days(self.webhooks_days)
    }

    pub fn webhooks_unprocessed(&self) -> Duration {
        days(self.webhooks_unprocessed_days)
    }

    pub fn attempts(&self) -> Duration {
        days(self.attempts_days)
    }

    pub fn events(&self) -> Duration {
        days(self.events_days)
    }

    pub fn audit(&self) -> Duration {
        days(self.audit_days)
    }

    pub fn plugin_moves(&self) -> Duration {
        days(self.plugin_moves_days)
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, days) in [
            ("webhooks_days", self.webhooks_days),
            ("webhooks_unprocessed_days", self.webhooks_unprocessed_days),
            ("attempts_days", self.attempts_days),
            ("events_days", self.events_days),
            ("audit_days", self.audit_days),
            ("plugin_moves_days", self.plugin_moves_days),
        ] {
            if !(days > 0.0 && days <= DAYS_MAX) {
                problems.push(format!("retention.{name}: must be more than 0 and at most {DAYS_MAX} days"));
            }
        }
        // An event is also the memory that its fact was told.
        if self.events_days < self.webhooks_days + REDELIVERY_DAYS {
            problems.push(format!(
                "retention.events_days: must be at least {REDELIVERY_DAYS} days longer than retention.webhooks_days = {}, else a webhook \
                 that is delivered again or replayed would be told twice",
                self.webhooks_days
            ));
        }
        problems
    }
}

/// Whether the text is an origin as browsers write it.
fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text)
}

/// `days` is checked: it is a span.
fn days(days: f64) -> Duration {
    Duration::try_from_secs_f64(days * 86_400.0).unwrap_or(Duration::MAX)
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoints {
    pub parallel: usize,
    pub timeout_s: u64,
    pub retry_s: Vec<u64>,
    pub disable_after_s: u64,
    pub history_s: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nats {
    pub url: String,
    pub stream: String,
    pub subject_prefix: String,
    pub credentials_file: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub level: String,
    pub format: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logs {
    pub level: LogLevel,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    pub public: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Otlp {
    pub endpoint: String,
    pub headers: BTreeMap<String, String>,
    pub service_name: String,
    pub sample_ratio: f64,
    pub timeout_ms: u64,
}

/// What the command line sets above everything else.
#[derive(Debug, Default, Clone)]
pub struct Overrides {
    pub data: Option<PathBuf>,
    pub bind: Option<SocketAddr>,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// Every problem at once, each with the setting's name.
    pub fn load(file: Option<&PathBuf>, overrides: &Overrides) -> Result<Config, Vec<String>> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        if let Some(file) = file {
            if !file.is_file() {
                return Err(vec![format!("--config: there is no file {}", file.display())]);
            }
            figment = figment.merge(Toml::file(file));
        }
        figment = figment.merge(Env::prefixed("PATCHBAY_").split("__").ignore(&["key", "toolchain", "url"]));
        if let Some(data) = &overrides.data {
            figment = figment.merge(Serialized::default("data", data));
        }
        if let Some(bind) = overrides.bind {
            figment = figment.merge(Serialized::default("http.bind", bind));
        }
        let config: Config = figment.extract().map_err(|error| error.into_iter().map(|problem| problem.to_string()).collect::<Vec<_>>())?;
        let problems = config.problems();
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        problems.extend(self.role_problems());
        if !self.http.public_url.is_empty() {
            match Url::parse(&self.http.public_url) {
                Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => {}
                _ => problems
                    .push(format!("http.public_url: “{}” is no http(s) URL, like https://gateway.example.com", self.http.public_url)),
            }
        }
        if !self.http.client_ip_header.is_empty() && HeaderName::try_from(&self.http.client_ip_header).is_err() {
            problems.push(format!("http.client_ip_header: “{}” is no header, like x-forwarded-for", self.http.client_ip_header));
        }
        for origin in self.http.cors_origins.iter().filter(|origin| *origin != "*") {
            if !is_origin(origin) {
                problems.push(format!(
                    "http.cors_origins: “{origin}” is no origin, like https://app.example.com: scheme, host and port, without a path; or \"*\""
                ));
            }
        }
        problems.extend(self.auth.problems());
        if !self.database.url.is_empty() && !self.database.url.starts_with("postgres://") && !self.database.url.starts_with("postgresql://")
        {
            problems.push("database.url: write postgres://user:password@host/database, or leave it empty for SQLite".to_owned());
        }
        if !self.secrets.master_key.is_empty() && !self.secrets.master_key_file.is_empty() {
            problems.push("secrets: give master_key or master_key_file, not both".to_owned());
        }
        for (host, base) in &self.egress.redirect {
            if Url::parse(base).is_err() {
                problems.push(format!(
                    "egress.redirect.\"{host}\": “{base}” is no URL, like http://127.0.0.1:9101, or of mail tcp://127.0.0.1:2525"
                ));
            }
        }
        problems.extend(self.plugins.registries.iter().filter_map(|(name, registry)| registry.problem(name)));
        for net in &self.egress.allow {
            if net.parse::<ipnet::IpNet>().is_err() {
                problems.push(format!("egress.allow: “{net}” is no network, like 10.1.0.0/16 or 127.0.0.1/32"));
            }
        }
        if self.mail.max_watchers >= self.mail.max_connections && self.mail.max_connections > 0 {
            problems.push("mail.max_watchers: each has a connection, so it must be less than mail.max_connections".to_owned());
        }
        if self.sandbox.breaker_faults == 0 {
            problems.push("sandbox.breaker_faults: must be at least 1".to_owned());
        }
        if self.outbox.retry_s.is_empty() {
            problems.push("outbox.retry_s: give at least one wait".to_owned());
        }
        if self.endpoints.retry_s.is_empty() {
            problems.push("endpoints.retry_s: give at least one wait".to_owned());
        }
        problems.extend(self.nats.problems());
        for (name, zero) in [
            ("endpoints.parallel", self.endpoints.parallel == 0),
            ("endpoints.timeout_s", self.endpoints.timeout_s == 0),
            ("outbox.workers", self.outbox.workers == 0),
            ("outbox.workers_per_account", self.outbox.workers_per_account == 0),
            ("outbox.lease_s", self.outbox.lease_s == 0),
            ("outbox.breaker_failures", self.outbox.breaker_failures == 0),
            ("outbox.breaker_s", self.outbox.breaker_s == 0),
            ("sandbox.concurrency", self.sandbox.concurrency == 0),
            ("database.connections", self.database.connections == 0),
            ("mail.max_connections", self.mail.max_connections == 0),
            ("plugins.conformance_timeout_s", self.plugins.conformance_timeout_s == 0),
            ("retention.account_logs_days", self.retention.account_logs_days == 0),
        ] {
            if zero {
                problems.push(format!("{name}: must be at least 1"));
            }
        }
        if self.outbox.lease_s.saturating_mul(1000) <= self.outbox.send_ms {
            problems.push(format!(
                "outbox.lease_s: a send may take outbox.send_ms = {} ms, so the lease has to be longer",
                self.outbox.send_ms
            ));
        }
        problems.extend(self.retention.problems());
        problems.extend(self.plugins.problems());
        problems.extend(self.media.problems());
        problems.extend(self.blobs.problems());
        if !matches!(self.log.format.as_str(), "text" | "json") {
            problems.push(format!("log.format: “{}” is neither text nor json", self.log.format));
        }
        self.otlp.find_problems(&mut problems);
        problems
    }

    fn role_problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = self
            .node
            .roles
            .iter()
            .filter(|role| role.parse::<Role>().is_err())
            .map(|role| format!("node.roles: there is no role “{role}”; there are {}", Role::WORDS.join(" and ")))
            .collect();
        if self.node.roles.is_empty() {
            problems.push(format!("node.roles: a node needs one at least; there are {}", Role::WORDS.join(" and ")));
        } else if problems.is_empty() && self.database.url.is_empty() && self.roles().len() < Role::WORDS.len() {
            problems.push(format!(
                "node.roles: with SQLite there is one process, which needs all of them: {}. Several nodes share a PostgreSQL: set database.url",
                Role::WORDS.join(" and ")
            ));
        }
        problems
    }

    /// What this node does, each role once.
    pub fn roles(&self) -> Vec<Role> {
        let mut roles: Vec<Role> = Vec::new();
        for role in self.node.roles.iter().filter_map(|role| role.parse().ok()) {
            if !roles.contains(&role) {
                roles.push(role);
            }
        }
        roles
    }

    pub fn database_file(&self) -> PathBuf {
        self.data.join("patchbay.db")
    }

    pub fn plugin_folder(&self) -> PathBuf {
        if self.plugins.folder.is_empty() { self.data.join("plugins") } else { PathBuf::from(&self.plugins.folder) }
    }

    pub fn retry_waits(&self) -> Vec<Duration> {
        self.outbox.retry_s.iter().map(|&seconds| Duration::from_secs(seconds)).collect()
    }

    /// As TOML, with what is secret blanked.
    pub fn redacted(&self) -> String {
        let mut shown = self.clone();
        // A collector's headers are credentials, as a rule.
        for value in shown.otlp.headers.values_mut() {
            "(set)".clone_into(value);
        }
        for registry in shown.plugins.registries.values_mut().filter(|registry| !registry.password.is_empty()) {
            "(set)".clone_into(&mut registry.password);
        }
        if !shown.secrets.master_key.is_empty() {
            "(set)".clone_into(&mut shown.secrets.master_key);
        }
        if !shown.auth.jwt.secret.is_empty() {
            "(set)".clone_into(&mut shown.auth.jwt.secret);
        }
        if !shown.blobs.secret_access_key.is_empty() {
            "(set)".clone_into(&mut shown.blobs.secret_access_key);
        }
        if let Ok(mut url) = Url::parse(&shown.database.url)
            && url.password().is_some()
            && url.set_password(Some("***")).is_ok()
        {
            shown.database.url = url.to_string();
        }
        if let Ok(mut url) = Url::parse(&shown.nats.url)
            && (url.password().is_some() || !url.username().is_empty())
            && url.set_password(None).is_ok()
            && url.set_username("***").is_ok()
        {
            shown.nats.url = url.to_string();
        }
        toml::to_string_pretty(&shown).unwrap_or_else(|error| format!("# {error}"))
    }
}

impl Plugins {
    fn problems(&self) -> Vec<String> {
        let wrong = self.trusted_keys.iter().filter_map(|(name, key)| Some((name, PublicKey::parse(key).err()?)));
        let mut problems: Vec<String> = wrong.map(|(name, error)| format!("plugins.trusted_keys.{name}: {error}")).collect();
        for (name, value) in [("watch_fault_percent", self.watch_fault_percent), ("watch_times_former", self.watch_times_former)] {
            if !value.is_finite() || value < 0.0 {
                problems.push(format!("plugins.{name}: {value} is no share to compare with: 0 or more"));
            }
        }
        if self.rollout == RolloutKind::Canary {
            problems.push("plugins.rollout: active or hold; a canary is asked for with its accounts, when a version is brought".to_owned());
        }
        problems
    }
}

impl Media {
    /// The longest that a signed URL may be good for.
    pub const URL_TTL_MAX: Duration = Duration::from_secs(7 * 86_400);

    /// Bytes that one file may have.
    pub fn max_bytes(&self) -> u32 {
        self.max_mb.saturating_mul(1024 * 1024)
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        // Sizes of files are 32 bits wide.
        if !(1..4096).contains(&self.max_mb) {
            problems.push(format!("media.max_mb: {} is not between 1 and 4095", self.max_mb));
        }
        if !(1..=Media::URL_TTL_MAX.as_secs()).contains(&self.url_ttl_s) {
            problems.push(format!("media.url_ttl_s: {} is not between 1 and {} (7 days)", self.url_ttl_s, Media::URL_TTL_MAX.as_secs()));
        }
        if self.workers == 0 {
            problems.push("media.workers: must be at least 1".to_owned());
        }
        if self.retry_s.is_empty() {
            problems.push("media.retry_s: give at least one wait".to_owned());
        }
        if self.unused_days == 0 {
            problems.push("media.unused_days: must be at least 1: a file is uploaded before the message that uses it is sent".to_owned());
        }
        problems
    }
}

impl Nats {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.url.is_empty() && !Url::parse(&self.url).is_ok_and(|url| matches!(url.scheme(), "nats" | "tls") && url.host().is_some()) {
            problems.push("nats.url: write nats://host:4222, or tls://host:4222".to_owned());
        }
        let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if !plain(&self.stream) {
            problems.push(format!("nats.stream: “{}” must be letters, digits, - and _", self.stream));
        }
        if !self.subject_prefix.split('.').all(plain) {
            problems
                .push(format!("nats.subject_prefix: “{}” must be letters, digits, - and _, in parts joined by dots", self.subject_prefix));
        }
        problems
    }
}

impl Blobs {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.url.is_empty() {
            return problems;
        }
        if !Url::parse(&self.url).is_ok_and(|url| url.scheme() == "s3" && url.host_str().is_some()) {
            problems.push(format!("blobs.url: “{}” is no bucket, like s3://bucket/prefix; leave it empty for the data folder", self.url));
        }
        if self.access_key_id.is_empty() != self.secret_access_key.is_empty() {
            problems.push("blobs: give access_key_id and secret_access_key, or neither".to_owned());
        }
        if self.endpoint.starts_with("http://") && !self.allow_http {
            problems.push("blobs.endpoint: plain http needs blobs.allow_http = true".to_owned());
        }
        problems
    }
}

impl Otlp {
    fn find_problems(&self, problems: &mut Vec<String>) {
        if !self.endpoint.is_empty() {
            match Url::parse(&self.endpoint) {
                Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => {}
                _ => problems.push(format!("otlp.endpoint: “{}” is no http(s) URL, like http://127.0.0.1:4318", self.endpoint)),
            }
        }
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            problems.push(format!("otlp.sample_ratio: {} isn't between 0 and 1", self.sample_ratio));
        }
        if self.timeout_ms == 0 {
            problems.push("otlp.timeout_ms: must be at least 1".to_owned());
        }
        for (name, value) in &self.headers {
            if HeaderName::try_from(name).is_err() || HeaderValue::try_from(value).is_err() {
                problems.push(format!("otlp.headers: “{name}” and its value make no HTTP header"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("patchbay.toml");
        std::fs::write(&file, text).unwrap();
        Config::load(Some(&file), &Overrides::default())
    }

    #[test]
    fn the_defaults_are_a_configuration() {
        let config = load("").unwrap();
        assert_eq!(config.http.bind.port(), 8080);
        assert_eq!(config.plugin_folder(), PathBuf::from("./data/plugins"));
    }

    #[test]
    fn all_problems_are_told_at_once_by_name() {
        let problems = load(
            "[http]\npublic_url = \"gateway\"\n[outbox]\nworkers = 0\nlease_s = 1\n[log]\nformat = \"xml\"\n\
             [media]\nmax_mb = 0\nurl_ttl_s = 700000\n[blobs]\nurl = \"minio\"\naccess_key_id = \"me\"\n\
             [plugins]\nrollout = \"canary\"\nconformance_timeout_s = 0\n[plugins.trusted_keys]\nme = \"RW\"\n\
             [retention]\naccount_logs_days = 0\n[otlp]\nendpoint = \"collector\"\nsample_ratio = 2.0\n[nats]\nurl = \"here\"\nstream = \"a.b\"\n",
        )
        .unwrap_err();
        let text = problems.join("\n");
        let names = [
            "http.public_url",
            "outbox.workers",
            "outbox.lease_s",
            "log.format",
            "media.max_mb",
            "media.url_ttl_s",
            "blobs.url",
            "blobs: give",
            "plugins.rollout",
            "plugins.conformance_timeout_s",
            "plugins.trusted_keys.me",
            "retention.account_logs_days",
            "otlp.endpoint",
            "otlp.sample_ratio",
            "nats.url",
            "nats.stream",
        ];
        for name in names {
            assert!(text.contains(name), "{name} in {text}");
        }
    }

    #[test]
    fn roles_are_words_and_sqlite_needs_all_of_them() {
        assert_eq!(load("").unwrap().roles(), [Role::Web, Role::Worker]);
        let postgres = "[database]\nurl = \"postgres://me@db/patchbay\"\n";
        assert_eq!(load(&format!("{postgres}[node]\nroles = [\"worker\", \"worker\"]\n")).unwrap().roles(), [Role::Worker]);
        for (text, told) in [("[\"cook\"]", "“cook”"), ("[]", "needs one"), ("[\"web\"]", "SQLite")] {
            let problems = load(&format!("[node]\nroles = {text}\n")).unwrap_err().join("\n");
            assert!(problems.contains("node.roles") && problems.contains(told), "{problems}");
        }
    }

    #[test]
    fn an_unknown_setting_is_named() {
        let problems = load("[http]\nbinding = 1\n").unwrap_err();
        assert!(problems.join("\n").contains("binding"), "{problems:?}");
    }

    #[test]
    fn a_registry_keeps_the_dots_of_its_name_and_its_password_to_itself() {
        let config =
            load("[plugins.registries.\"127.0.0.1:5000\"]\nplain_http = true\nusername = \"me\"\npassword = \"s3cret\"\n").unwrap();
        let registry = &config.plugins.registries["127.0.0.1:5000"];
        assert!(registry.plain_http && registry.password == "s3cret");
        let shown = config.redacted();
        assert!(shown.contains("127.0.0.1:5000") && !shown.contains("s3cret"), "{shown}");
        for (line, told) in [
            ("\"https://r.example\"]", "without scheme"),
            ("\"r.example\"]\nusername = \"me\"", "both username and password"),
            ("\"r.example\"]\nplain_http = true\nusername = \"me\"\npassword = \"x\"", "plain_http"),
        ] {
            let problems = load(&format!("[plugins.registries.{line}\n")).unwrap_err().join("\n");
            assert!(problems.contains("plugins.registries.") && problems.contains(told), "{problems}");
        }
    }

    #[test]
    fn a_redirect_keeps_the_dots_of_its_host() {
        let config = load("[egress.redirect]\n\"api.example.com\" = \"http://127.0.0.1:1\"\n").unwrap();
        assert_eq!(config.egress.redirect["api.example.com"], "http://127.0.0.1:1");
    }

    #[test]
    fn rates_are_set_by_channel_type() {
        let config = load("[outbox.rates.EXAMPLE]\nper_account_per_s = 1000\n").unwrap();
        assert_eq!(config.outbox.rates["EXAMPLE"].per_account_per_s, Some(1000));
        assert!(config.redacted().contains("[outbox.rates.EXAMPLE]"), "{}", config.redacted());
        let problems = load("[outbox.rates.EXAMPLE]\nper_hour = 1\n").unwrap_err();
        assert!(problems.join("\n").contains("per_hour"), "{problems:?}");
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let config = load(
            "[database]\nurl = \"postgres://me:hunter2@db/patchbay\"\n[secrets]\nmaster_key = \"abcdef\"\n\
             [blobs]\naccess_key_id = \"me\"\nsecret_access_key = \"s3cret\"\n\
             [auth.jwt]\nsecret = \"zxcvbn-zxcvbn-zxcvbn-zxcvbn-zxcvbn\"\n\
             [nats]\nurl = \"nats://hunter2@bus\"\n[otlp.headers]\nauthorization = \"Bearer qwerty\"\n",
        )
        .unwrap();
        let shown = config.redacted();
        assert!(["hunter2", "abcdef", "s3cret", "qwerty", "zxcvbn"].iter().all(|secret| !shown.contains(secret)), "{shown}");
    }

    #[test]
    fn what_tokens_are_believed_for_has_to_be_sound() {
        let jwt = "[auth.jwt]\nsecret = \"short\"\nsecret_file = \"x\"\njwks_url = \"keys\"\norganization_claims = [\"user_metadata.org\"]\n\
                   role_claims = []\noperator_roles = [\"anon\"]\n";
        let text = load(&format!("[http]\ncors_origins = [\"https://app.example.com/\", \"*\"]\n{jwt}")).unwrap_err().join("\n");
        for name in
            ["not both", "jwt.secret:", "jwks_url", "organization_claims: user_metadata", "role_claims", "operator_roles", "cors_origins"]
        {
            assert!(text.contains(name), "{name} in {text}");
        }
        let config = load("[http]\ncors_origins = [\"https://app.example.com\"]\n[auth.jwt.roles]\nagent = \"send\"\n").unwrap();
        assert_eq!((config.auth.jwt.roles["agent"], config.auth.jwt.roles["anon"]), (Rights::Send, Rights::None));
    }

    #[test]
    fn an_event_is_kept_longer_than_the_webhooks_that_may_tell_it_again() {
        let problems = load("[retention]\nwebhooks_days = 0.5\nevents_days = 8\nattempts_days = 0\n").unwrap_err();
        let text = problems.join("\n");
        assert!(problems.len() == 2 && text.contains("retention.events_days") && text.contains("retention.attempts_days"), "{text}");
        let config = load("[retention]\nwebhooks_days = 0.5\nevents_days = 8.5\n").unwrap();
        assert_eq!(config.retention.webhooks(), Duration::from_secs(12 * 3600));
    }
}
