//! Commands for a running gateway, over its REST door.

mod rollout;

use anyhow::{Context, bail};
use reqwest::{Method, RequestBuilder};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

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

/// What `POST …/plugins` and `…/rollback` answer.
#[derive(Deserialize)]
struct Switched {
    #[serde(rename = "type")]
    channel_type: String,
    version: String,
    digest: String,
    changed: bool,
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

#[derive(Deserialize, Default)]
struct Refusal {
    message: Option<String>,
    hint: Option<String>,
}

/// Characters of a digest that tell two apart.
const DIGEST_SHOWN: usize = 12;

impl Gateway {
    pub(super) async fn install(&self, component: Vec<u8>) -> anyhow::Result<()> {
        self.bring(|request| request.header("content-type", "application/wasm").body(component)).await
    }

    /// Has the gateway pull it.
    pub(super) async fn install_from(&self, reference: &str) -> anyhow::Result<()> {
        self.bring(|request| request.json(&json!({"reference": reference}))).await
    }

    async fn bring(&self, with: impl FnOnce(RequestBuilder) -> RequestBuilder) -> anyhow::Result<()> {
        let done: Switched = self.ask(Method::POST, "plugins", with).await?;
        let word = if done.changed { "runs now" } else { "ran already" };
        println!("{} {} {word} ({})", done.channel_type, done.version, done.digest);
        Ok(())
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

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> anyhow::Result<T> {
        // Whoever installed one before is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        #[expect(clippy::disallowed_methods, reason = "the operator's own gateway: no plugin has a say in where this goes")]
        let client = reqwest::Client::builder().build()?;
        let url = format!("{}/admin/v1/{path}", self.url.trim_end_matches('/'));
        let request = with(client.request(method, &url).bearer_auth(&self.key));
        let response = request.send().await.with_context(|| format!("no gateway answers at {}", self.url))?;
        let status = response.status();
        if !status.is_success() {
            let refusal: Refusal = response.json().await.unwrap_or_default();
            let hint = refusal.hint.map_or(String::new(), |hint| format!("\n  {hint}"));
            bail!("{}{hint}", refusal.message.unwrap_or_else(|| status.to_string()));
        }
        Ok(response.json().await?)
    }
}
