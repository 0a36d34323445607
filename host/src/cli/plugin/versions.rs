//! Versions of a running gateway: brought, looked at, let in or kept out; and whose signatures count.

use std::path::{Path, PathBuf};

use anyhow::Context;
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{component, remote::Gateway};
use crate::oci;

/// What is to become of a version once it is ready.
#[derive(clap::Args, Default)]
pub(in crate::cli) struct RolloutArgs {
    /// active: it runs; canary: for some accounts; hold: it waits. As the gateway's plugins.rollout says, without
    #[arg(long, value_name = "active|canary|hold")]
    rollout: Option<String>,
    /// Of a canary: percent of the accounts
    #[arg(long, value_name = "PERCENT")]
    canary_share: Option<u8>,
    /// Of a canary: ids of accounts
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    canary_accounts: Vec<String>,
    /// Only hands it over: `patchbay plugin show` tells what became of it
    #[arg(long)]
    no_wait: bool,
}

/// What a gateway is handed.
pub(super) enum Brought {
    Component(Vec<u8>),
    /// It pulls that itself.
    Reference(String),
}

impl Brought {
    /// A file, or a reference: that has its registry's dot or colon before the first slash. A file of such a name is still a file.
    pub(super) fn named(name: &str) -> anyhow::Result<Brought> {
        let file = Path::new(name);
        if !file.exists() && oci::parse(name).is_ok() {
            return Ok(Brought::Reference(name.to_owned()));
        }
        Ok(Brought::Component(component::read(file)?))
    }
}

#[derive(clap::Subcommand)]
pub(in crate::cli) enum KeysCommand {
    /// Trusts a key: the line of a .pub file that begins with RW, or the file
    Add {
        /// What you call it
        name: String,
        /// The key, or the file that has it
        #[arg(value_name = "KEY")]
        public_key: String,
        #[command(flatten)]
        gateway: Gateway,
    },
    /// Lists the trusted keys, and those that were
    List {
        #[command(flatten)]
        gateway: Gateway,
    },
    /// Trusts a key no more; the versions that it alone vouched for are revoked, and don't run from then on
    Revoke {
        /// As `patchbay plugin keys list` shows it
        id: String,
        #[arg(long, default_value = "by hand")]
        reason: String,
        #[command(flatten)]
        gateway: Gateway,
    },
}

impl KeysCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            KeysCommand::Add { name, public_key, gateway } => gateway.add_key(&name, &public_key).await,
            KeysCommand::List { gateway } => gateway.list_keys().await,
            KeysCommand::Revoke { id, reason, gateway } => gateway.revoke_key(&id, &reason).await,
        }
    }
}

/// A version, as `…/plugins` and `…/plugins/versions` show it.
#[derive(Deserialize)]
struct Version {
    digest: String,
    #[serde(rename = "type")]
    channel_type: Option<String>,
    version: Option<String>,
    size: i64,
    state: String,
    step: Option<String>,
    reason: Option<String>,
    source: String,
    #[serde(default)]
    changed: bool,
    #[serde(default)]
    active: bool,
    #[serde(default)]
    signed: bool,
    signatures: Option<Vec<Signature>>,
    conformance: Option<String>,
    #[serde(default)]
    widens: Vec<String>,
    #[serde(default)]
    asks: Vec<String>,
    #[serde(default)]
    conformance_report: Value,
    #[serde(default)]
    moves: Vec<Move>,
}

#[derive(Deserialize)]
struct Signature {
    key_id: String,
    key: Option<String>,
    trusted: bool,
    comment: String,
}

#[derive(Deserialize)]
struct Move {
    at: String,
    from: Option<String>,
    to: String,
    reason: String,
    actor: Actor,
}

#[derive(Deserialize)]
struct Actor {
    kind: String,
    name: String,
}

#[derive(Deserialize)]
struct Key {
    id: String,
    name: String,
    source: String,
    revoked_at: Option<String>,
    revoked_reason: Option<String>,
}

impl Version {
    fn name(&self) -> String {
        let name = [self.channel_type.as_deref(), self.version.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
        if name.is_empty() { "a component".to_owned() } else { name }
    }

    fn print_outcome(&self) {
        let (name, digest) = (self.name(), &self.digest);
        match self.state.as_str() {
            "awaiting_approval" => {
                println!("{name} waits for an approval ({digest})");
                if let Some(reason) = &self.reason {
                    println!("  {reason}");
                }
                println!("Look at it: patchbay plugin show {digest}\nThen: patchbay plugin approve {digest}, or reject it");
            }
            "examining" => println!("{name} is being examined ({digest})\nWhat became of it: patchbay plugin show {digest}"),
            "ready" if self.changed => println!("{name} runs now ({digest})"),
            "ready" if self.active => println!("{name} ran already ({digest})"),
            "ready" => println!("{name} is ready ({digest})"),
            state => println!("{name} is {state} ({digest})"),
        }
    }

    fn print_whole(&self) {
        println!("{} ({}), {} bytes, from {}", self.name(), self.digest, self.size, self.source);
        let step = self.step.as_ref().map_or(String::new(), |step| format!(" at “{step}”"));
        let reason = self.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
        println!("{}{}{step}{reason}", self.state, if self.active { ", active" } else { "" });
        match self.signatures.as_deref() {
            None => {}
            Some([]) => println!("unsigned"),
            Some(signatures) => {
                for Signature { key_id, key, trusted, comment } in signatures {
                    let whose = key.as_ref().map_or(String::new(), |key| format!(" “{key}”"));
                    println!("signed by {key_id}{whose}, {}: {comment}", if *trusted { "trusted" } else { "not trusted" });
                }
                if !self.signed {
                    println!("as good as unsigned");
                }
            }
        }
        println!("conformance: {}", self.conformance.as_deref().unwrap_or("not asked"));
        for finding in self.conformance_report.get("findings").and_then(Value::as_array).into_iter().flatten() {
            let text = |name: &str| finding.get(name).and_then(Value::as_str).unwrap_or_default();
            println!("  {}: {}", text("check"), text("what"));
        }
        for (title, lines) in [("It asks for more than was granted:", &self.widens), ("It asks to:", &self.asks)] {
            if !lines.is_empty() {
                println!("{title}");
                lines.iter().for_each(|line| println!("  {line}"));
            }
        }
        for Move { at, from, to, reason, actor } in &self.moves {
            println!("{at}  {} → {to}  {reason}  ({} {})", from.as_deref().unwrap_or("·"), actor.kind, actor.name);
        }
    }
}

impl Gateway {
    pub(super) async fn install(&self, brought: Brought, rollout: RolloutArgs) -> anyhow::Result<()> {
        let mut query: Vec<(&str, String)> = Vec::new();
        query.extend(rollout.rollout.map(|rollout| ("rollout", rollout)));
        query.extend(rollout.canary_share.map(|share| ("canary_share", share.to_string())));
        if !rollout.canary_accounts.is_empty() {
            query.push(("canary_accounts", rollout.canary_accounts.join(",")));
        }
        let send = |request: RequestBuilder| {
            let request = request.query(&query);
            let request = match brought {
                Brought::Component(component) => request.header("content-type", "application/wasm").body(component),
                Brought::Reference(reference) => request.json(&json!({"reference": reference})),
            };
            if rollout.no_wait { request.header("prefer", "respond-async") } else { request }
        };
        let version: Version = self.ask(Method::POST, "plugins", send).await?;
        version.print_outcome();
        Ok(())
    }

    pub(super) async fn show(&self, digest: &str) -> anyhow::Result<()> {
        let version: Version = self.ask(Method::GET, &format!("plugins/versions/{digest}"), |request| request).await?;
        version.print_whole();
        Ok(())
    }

    pub(super) async fn list_versions(&self, channel_type: Option<&str>) -> anyhow::Result<()> {
        let query: Vec<_> = channel_type.map(|channel_type| ("type", channel_type)).into_iter().collect();
        let versions: Vec<Version> = self.ask(Method::GET, "plugins/versions", |request| request.query(&query)).await?;
        for version in versions {
            let reason = version.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
            let signed = if version.signed { "signed" } else { "unsigned" };
            println!("{}  {}  {}, {signed}{reason}", version.digest, version.name(), version.state);
        }
        Ok(())
    }

    /// `verb`: `approve`, `reject` or `revoke`.
    pub(super) async fn judge(&self, digest: &str, verb: &str, reason: Option<&str>) -> anyhow::Result<()> {
        let body = reason.map_or(json!({}), |reason| json!({"reason": reason}));
        let version: Version = self.ask(Method::POST, &format!("plugins/versions/{digest}/{verb}"), |request| request.json(&body)).await?;
        version.print_outcome();
        Ok(())
    }

    async fn add_key(&self, name: &str, key: &str) -> anyhow::Result<()> {
        let file = PathBuf::from(key);
        let text = if file.is_file() { std::fs::read_to_string(&file).with_context(|| key.to_owned())? } else { key.to_owned() };
        let body = json!({"name": name, "public_key": text});
        let added: Key = self.ask(Method::POST, "plugin_keys", |request| request.json(&body)).await?;
        println!("{} “{}” is trusted", added.id, added.name);
        Ok(())
    }

    async fn list_keys(&self) -> anyhow::Result<()> {
        let keys: Vec<Key> = self.ask(Method::GET, "plugin_keys", |request| request).await?;
        for key in keys {
            let state = match (&key.revoked_at, &key.revoked_reason) {
                (Some(at), reason) => format!("revoked {at}: {}", reason.as_deref().unwrap_or_default()),
                (None, _) => "trusted".to_owned(),
            };
            println!("{}  {}  {state}  ({})", key.id, key.name, key.source);
        }
        Ok(())
    }

    async fn revoke_key(&self, id: &str, reason: &str) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Revoked {
            revoked_versions: Vec<String>,
        }
        let query = [("reason", reason)];
        let revoked: Revoked = self.ask(Method::DELETE, &format!("plugin_keys/{id}"), |request| request.query(&query)).await?;
        println!("{id} is revoked, and {} versions with it", revoked.revoked_versions.len());
        revoked.revoked_versions.iter().for_each(|digest| println!("  {digest}"));
        Ok(())
    }
}
