//! Commands for a running gateway, over its REST door.

use anyhow::{Context, bail};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

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

impl Gateway {
    pub(super) async fn install(&self, component: Vec<u8>) -> anyhow::Result<()> {
        let answer = self.ask(Method::POST, "plugins", |request| request.header("content-type", "application/wasm").body(component)).await?;
        let word = if answer["changed"] == true { "runs now" } else { "ran already" };
        println!("{} {} {word} ({})", text(&answer["type"]), text(&answer["version"]), text(&answer["digest"]));
        Ok(())
    }

    pub(super) async fn roll_back(&self, channel_type: &str) -> anyhow::Result<()> {
        let answer = self.ask(Method::POST, &format!("plugins/{channel_type}/rollback"), |request| request).await?;
        println!("{} {} runs now ({})", text(&answer["type"]), text(&answer["version"]), text(&answer["digest"]));
        Ok(())
    }

    pub(super) async fn list(&self) -> anyhow::Result<()> {
        let answer = self.ask(Method::GET, "plugins", |request| request).await?;
        for active in answer["types"].as_array().into_iter().flatten() {
            let state = if active["running"].is_null() { format!("can't run: {}", text(&active["problem"])) } else { "runs".to_owned() };
            println!("{} {} {state} ({})", text(&active["type"]), text(&active["version"]), text(&active["digest"]));
        }
        println!();
        for version in answer["versions"].as_array().into_iter().flatten() {
            let reason = version["reason"].as_str().map_or(String::new(), |reason| format!(": {reason}"));
            println!(
                "{}  {} {} {}{reason}  from {}",
                text(&version["digest"]).get(..12).unwrap_or_default(),
                text(&version["type"]),
                text(&version["version"]),
                text(&version["state"]),
                text(&version["source"])
            );
        }
        Ok(())
    }

    async fn ask(&self, method: Method, path: &str, with: impl FnOnce(RequestBuilder) -> RequestBuilder) -> anyhow::Result<Value> {
        // Whoever installed one before is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        #[expect(clippy::disallowed_methods, reason = "the operator's own gateway: no plugin has a say in where this goes")]
        let client = reqwest::Client::builder().build()?;
        let url = format!("{}/admin/v1/{path}", self.url.trim_end_matches('/'));
        let response = with(client.request(method, &url).bearer_auth(&self.key)).send().await.with_context(|| format!("no gateway answers at {}", self.url))?;
        let status = response.status();
        let body: Value = response.json().await.unwrap_or_default();
        if !status.is_success() {
            let hint = body["hint"].as_str().map_or(String::new(), |hint| format!("\n  {hint}"));
            bail!("{}{hint}", body["message"].as_str().unwrap_or(status.as_str()));
        }
        Ok(body)
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("–")
}
