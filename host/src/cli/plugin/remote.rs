//! Commands for a running gateway, over its REST door.

mod rollout;

use anyhow::{Context, bail};
use reqwest::{Method, RequestBuilder, Response};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

pub(super) use rollout::{Whom, Word};

/// Which gateway, and with which key.
#[derive(clap::Args)]
pub(in crate::cli) struct Gateway {
    /// The gateway's address
    #[arg(long, env = "PATCHBAY_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// An admin key
    #[arg(long, env = "PATCHBAY_KEY", hide_env_values = true)]
    key: String,
}

/// What `POST …/rollback` answers.
#[derive(Deserialize)]
struct Switched {
    #[serde(rename = "type")]
    channel_type: String,
    version: String,
    digest: String,
}

/// What `GET …/plugins` answers.
#[derive(Deserialize)]
struct Listing {
    types: Vec<Active>,
    versions: Vec<Known>,
}

#[derive(Deserialize)]
struct Active {
    #[serde(rename = "type")]
    channel_type: String,
    digest: String,
    version: Option<String>,
    problem: Option<String>,
    generation: i64,
    canary: Option<Canary>,
    notice: Option<Notice>,
}

#[derive(Deserialize)]
struct Canary {
    digest: String,
    share: Option<u8>,
    #[serde(default)]
    accounts: Vec<String>,
}

#[derive(Deserialize)]
struct Notice {
    text: String,
}

#[derive(Deserialize)]
struct Known {
    digest: String,
    #[serde(rename = "type")]
    channel_type: Option<String>,
    version: Option<String>,
    state: String,
    reason: Option<String>,
    source: String,
}

#[derive(Deserialize)]
struct Account {
    id: String,
}

/// A line of an account's log.
#[derive(Deserialize)]
pub(super) struct LogLine {
    pub(super) id: String,
    pub(super) at: String,
    pub(super) kind: String,
    pub(super) level: String,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) details: Map<String, Value>,
}

/// Lines that are read at once.
const LOG_LINES: u32 = 100;

#[derive(Deserialize, Default)]
struct Refusal {
    message: Option<String>,
    hint: Option<String>,
}

/// Characters of a digest that tell two apart.
const DIGEST_SHOWN: usize = 12;

impl Gateway {
    pub(super) fn at(url: String, key: String) -> Gateway {
        Gateway { url, key }
    }

    pub(super) async fn list(&self) -> anyhow::Result<()> {
        let listing: Listing = self.ask(Method::GET, "plugins", |request| request).await?;
        for active in listing.types {
            let state = active.problem.map_or("runs".to_owned(), |problem| format!("can't run: {problem}"));
            let (version, generation) = (active.version.unwrap_or_default(), active.generation);
            println!("{} {version} {state} ({}), generation {generation}", active.channel_type, active.digest);
            if let Some(canary) = active.canary {
                let whom = canary.share.map_or_else(|| canary.accounts.join(", "), |share| format!("{share} % of the accounts"));
                println!("  canary {} for {whom}", canary.digest);
            }
            if let Some(notice) = active.notice {
                println!("  {}", notice.text);
            }
        }
        println!();
        for known in listing.versions {
            let digest: String = known.digest.chars().take(DIGEST_SHOWN).collect();
            let name = [known.channel_type, known.version].into_iter().flatten().collect::<Vec<_>>().join(" ");
            let reason = known.reason.map_or(String::new(), |reason| format!(": {reason}"));
            println!("{digest}  {name} {}{reason}  from {}", known.state, known.source);
        }
        Ok(())
    }

    /// Accounts of a type, by their ids.
    pub(super) async fn accounts(&self, channel_type: &str) -> anyhow::Result<Vec<String>> {
        let listed: Vec<Account> =
            self.ask_at(Method::GET, &format!("rest/v1/channel_accounts?type={channel_type}"), |request| request).await?;
        Ok(listed.into_iter().map(|account| account.id).collect())
    }

    /// What the account's log has, the newest first.
    pub(super) async fn log(&self, account: &str) -> anyhow::Result<Vec<LogLine>> {
        self.ask_at(Method::GET, &format!("rest/v1/account_logs?channel_account_id={account}&limit={LOG_LINES}"), |request| request).await
    }

    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> anyhow::Result<T> {
        self.ask_at(method, &format!("admin/v1/{path}"), with).await
    }

    /// What is no JSON.
    pub(super) async fn fetch(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        Ok(self.answer(Method::GET, &format!("admin/v1/{path}"), |request| request).await?.bytes().await?.into())
    }

    async fn ask_at<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> anyhow::Result<T> {
        Ok(self.answer(method, path, with).await?.json().await?)
    }

    /// The answer to a request that succeeded.
    async fn answer(&self, method: Method, path: &str, with: impl FnOnce(RequestBuilder) -> RequestBuilder) -> anyhow::Result<Response> {
        // Whoever installed one before is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        #[expect(clippy::disallowed_methods, reason = "the operator's own gateway: no plugin has a say in where this goes")]
        let client = reqwest::Client::builder().build()?;
        let url = format!("{}/{path}", self.url.trim_end_matches('/'));
        let request = with(client.request(method, &url).bearer_auth(&self.key));
        let response = request.send().await.with_context(|| format!("no gateway answers at {}", self.url))?;
        let status = response.status();
        if !status.is_success() {
            let refusal: Refusal = response.json().await.unwrap_or_default();
            let hint = refusal.hint.map_or(String::new(), |hint| format!("\n  {hint}"));
            bail!("{}{hint}", refusal.message.unwrap_or_else(|| status.to_string()));
        }
        Ok(response)
    }
}
