//! The configuration: `config.default.toml` (embedded) → a file → the environment. The only room that reads the environment.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Deserialize, Serialize};
use url::Url;

pub const DEFAULTS: &str = include_str!("config.default.toml");

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub data: PathBuf,
    pub http: Http,
    pub database: Database,
    pub secrets: Secrets,
    pub plugins: Plugins,
    pub sandbox: Sandbox,
    pub egress: Egress,
    pub outbox: Outbox,
    pub endpoints: Endpoints,
    pub nats: Nats,
    pub log: Log,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    pub bind: SocketAddr,
    pub public_url: String,
    pub max_body_kb: usize,
    pub max_media_mb: usize,
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
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sandbox {
    pub memory_mb: usize,
    pub cpu_ms: u64,
    pub wall_ms: u64,
    pub host_calls: u32,
    pub http_requests: u32,
    pub concurrency: u32,
    pub hot_instances: u32,
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
    pub retry_s: Vec<u64>,
    pub expires_s: u64,
    pub send_ms: u64,
    pub lease_s: u64,
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
        if !self.http.public_url.is_empty() {
            match Url::parse(&self.http.public_url) {
                Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => {}
                _ => problems
                    .push(format!("http.public_url: “{}” is no http(s) URL, like https://gateway.example.com", self.http.public_url)),
            }
        }
        if !self.database.url.is_empty() && !self.database.url.starts_with("postgres://") && !self.database.url.starts_with("postgresql://")
        {
            problems.push("database.url: write postgres://user:password@host/database, or leave it empty for SQLite".to_owned());
        }
        if !self.secrets.master_key.is_empty() && !self.secrets.master_key_file.is_empty() {
            problems.push("secrets: give master_key or master_key_file, not both".to_owned());
        }
        for (host, base) in &self.egress.redirect {
            if Url::parse(base).is_err() {
                problems.push(format!("egress.redirect.\"{host}\": “{base}” is no URL, like http://127.0.0.1:9101"));
            }
        }
        for net in &self.egress.allow {
            if net.parse::<ipnet::IpNet>().is_err() {
                problems.push(format!("egress.allow: “{net}” is no network, like 10.1.0.0/16 or 127.0.0.1/32"));
            }
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
            ("outbox.lease_s", self.outbox.lease_s == 0),
            ("sandbox.concurrency", self.sandbox.concurrency == 0),
            ("database.connections", self.database.connections == 0),
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
        if !matches!(self.log.format.as_str(), "text" | "json") {
            problems.push(format!("log.format: “{}” is neither text nor json", self.log.format));
        }
        problems
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
        if !shown.secrets.master_key.is_empty() {
            "(set)".clone_into(&mut shown.secrets.master_key);
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
        let problems = load("[http]\npublic_url = \"gateway\"\n[outbox]\nworkers = 0\nlease_s = 1\n[log]\nformat = \"xml\"\n[nats]\nurl = \"here\"\nstream = \"a.b\"\n").unwrap_err();
        let text = problems.join("\n");
        for name in ["http.public_url", "outbox.workers", "outbox.lease_s", "log.format", "nats.url", "nats.stream"] {
            assert!(text.contains(name), "{name} in {text}");
        }
    }

    #[test]
    fn an_unknown_setting_is_named() {
        let problems = load("[http]\nbinding = 1\n").unwrap_err();
        assert!(problems.join("\n").contains("binding"), "{problems:?}");
    }

    #[test]
    fn a_redirect_keeps_the_dots_of_its_host() {
        let config = load("[egress.redirect]\n\"api.example.com\" = \"http://127.0.0.1:1\"\n").unwrap();
        assert_eq!(config.egress.redirect["api.example.com"], "http://127.0.0.1:1");
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let config = load("[database]\nurl = \"postgres://me:hunter2@db/patchbay\"\n[nats]\nurl = \"nats://hunter2@bus\"\n[secrets]\nmaster_key = \"abcdef\"\n").unwrap();
        let shown = config.redacted();
        assert!(!shown.contains("hunter2") && !shown.contains("abcdef"), "{shown}");
    }
}
