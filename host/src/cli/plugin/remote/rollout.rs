//! What a running gateway's channel types run: `patchbay plugin canary|promote|stop-canary|activate|rollback|shadow`.

use anyhow::bail;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Gateway, Switched};

/// For whom a canary runs.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(in crate::cli) struct Whom {
    /// Percent of the accounts
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=100))]
    share: Option<u8>,
    /// These accounts, by id
    #[arg(long = "account", value_name = "ID")]
    accounts: Vec<String>,
}

/// What is said with a change.
#[derive(clap::Args)]
pub(in crate::cli) struct Word {
    /// Why: it stands in the audit log
    #[arg(long)]
    reason: Option<String>,
    /// Only if what the type runs is still that generation, as `list` shows it
    #[arg(long)]
    generation: Option<i64>,
}

impl Word {
    fn body(self, mut body: Map<String, Value>) -> Value {
        body.extend(self.reason.map(|reason| ("reason".to_owned(), json!(reason))));
        body.extend(self.generation.map(|generation| ("generation".to_owned(), json!(generation))));
        Value::Object(body)
    }
}

/// As the gateway reports a comparison.
#[derive(Deserialize)]
struct Report {
    compared: u32,
    same: u32,
    different: u32,
    faults: u32,
    differing: Vec<Difference>,
}

#[derive(Deserialize)]
struct Difference {
    webhook_id: String,
    channel_account_id: String,
    changes: Vec<Change>,
}

#[derive(Deserialize)]
struct Change {
    dedupe_key: Option<String>,
    #[serde(default)]
    field: String,
    what: String,
    was: Option<Value>,
    is: Option<Value>,
}

fn with_digest(digest: &str) -> Map<String, Value> {
    Map::from_iter([("digest".to_owned(), json!(digest))])
}

impl Gateway {
    pub(in crate::cli::plugin) async fn activate(&self, channel_type: &str, digest: String, word: Word) -> anyhow::Result<()> {
        let done = self.switch(Method::POST, channel_type, "activate", word.body(with_digest(&digest))).await?;
        println!("{} {} runs now ({})", done.channel_type, done.version, done.digest);
        Ok(())
    }

    pub(in crate::cli::plugin) async fn roll_back(&self, channel_type: &str, word: Word) -> anyhow::Result<()> {
        let done = self.switch(Method::POST, channel_type, "rollback", word.body(Map::new())).await?;
        println!("{} {} runs now ({})", done.channel_type, done.version, done.digest);
        Ok(())
    }

    pub(in crate::cli::plugin) async fn begin_canary(
        &self,
        channel_type: &str,
        digest: String,
        whom: Whom,
        word: Word,
    ) -> anyhow::Result<()> {
        let mut body = with_digest(&digest);
        let told = match whom.share {
            Some(share) => {
                body.insert("share".to_owned(), json!(share));
                format!("{share} % of the accounts")
            }
            None => {
                body.insert("accounts".to_owned(), json!(whom.accounts));
                whom.accounts.join(", ")
            }
        };
        let done = self.switch(Method::POST, channel_type, "canary", word.body(body)).await?;
        println!("{} {} runs for {told} ({})", done.channel_type, done.version, done.digest);
        Ok(())
    }

    pub(in crate::cli::plugin) async fn stop_canary(&self, channel_type: &str, word: Word) -> anyhow::Result<()> {
        let done = self.switch(Method::DELETE, channel_type, "canary", word.body(Map::new())).await?;
        println!("{} {} runs for all accounts again ({})", done.channel_type, done.version, done.digest);
        Ok(())
    }

    pub(in crate::cli::plugin) async fn promote(&self, channel_type: &str, word: Word) -> anyhow::Result<()> {
        let done = self.switch(Method::POST, channel_type, "promote", word.body(Map::new())).await?;
        println!("{} {} runs for all accounts now ({})", done.channel_type, done.version, done.digest);
        Ok(())
    }

    /// # Errors
    /// The version breaks on webhooks that the one that runs can read.
    pub(in crate::cli::plugin) async fn shadow(&self, channel_type: &str, digest: String, webhooks: Option<u32>) -> anyhow::Result<()> {
        let mut body = with_digest(&digest);
        body.extend(webhooks.map(|webhooks| ("webhooks".to_owned(), json!(webhooks))));
        let report: Report = self.ask(Method::POST, &format!("plugins/{channel_type}/shadow"), |request| request.json(&body)).await?;
        println!("{} webhooks compared: {} the same, {} different", report.compared, report.same, report.different);
        for difference in &report.differing {
            println!("{} of account {}:", difference.webhook_id, difference.channel_account_id);
            for change in &difference.changes {
                let event = change.dedupe_key.as_ref().map_or(String::new(), |key| format!("{key}{} ", change.field));
                let shown = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), Value::to_string);
                println!("  {event}{}: {} → {}", change.what, shown(&change.was), shown(&change.is));
            }
        }
        if report.faults > 0 {
            bail!("it breaks on {} of them", report.faults);
        }
        Ok(())
    }

    async fn switch(&self, method: Method, channel_type: &str, verb: &str, body: Value) -> anyhow::Result<Switched> {
        self.ask(method, &format!("plugins/{channel_type}/{verb}"), |request| request.json(&body)).await
    }
}
