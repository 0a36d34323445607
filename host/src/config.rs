//! The configuration: `config.default.toml` (embedded) → a file → the environment. The only room that reads the environment.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::domain::node::Role;

pub const DEFAULTS: &str = include_str!("config.default.toml");

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub data: PathBuf,
    pub node: NodeSettings,
    pub http: Http,
    pub database: Database,
    pub secrets: Secrets,
    pub plugins: Plugins,
    pub sandbox: Sandbox,
    pub egress: Egress,
    pub outbox: Outbox,
    pub log: Log,
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
        problems.extend(self.role_problems());
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
        for (name, zero) in [
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
        if !shown.secrets.master_key.is_empty() {
            "(set)".clone_into(&mut shown.secrets.master_key);
        }
        if let Ok(mut url) = Url::parse(&shown.database.url)
            && url.password().is_some()
            && url.set_password(Some("***")).is_ok()
        {
            shown.database.url = url.to_string();
        }
        toml::to_string_pretty(&shown).unwrap_or_else(|error| format!("# {error}"))
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
        let problems = load("[http]\npublic_url = \"gateway\"\n[outbox]\nworkers = 0\nlease_s = 1\n[log]\nformat = \"xml\"\n").unwrap_err();
        let text = problems.join("\n");
        for name in ["http.public_url", "outbox.workers", "outbox.lease_s", "log.format"] {
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
    fn a_redirect_keeps_the_dots_of_its_host() {
        let config = load("[egress.redirect]\n\"api.example.com\" = \"http://127.0.0.1:1\"\n").unwrap();
        assert_eq!(config.egress.redirect["api.example.com"], "http://127.0.0.1:1");
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let config = load("[database]\nurl = \"postgres://me:hunter2@db/patchbay\"\n[secrets]\nmaster_key = \"abcdef\"\n").unwrap();
        let shown = config.redacted();
        assert!(!shown.contains("hunter2") && !shown.contains("abcdef"), "{shown}");
    }
}
