//! `patchbay plugin calls`: what failed in a running gateway.

use anyhow::Context;
use reqwest::Method;
use serde::Deserialize;

use super::remote::Gateway;

/// Which calls are listed.
#[derive(clap::Args)]
pub(in crate::cli) struct Which {
    /// As GET /rest/v1/channel_types names it
    #[arg(long = "type", value_name = "TYPE")]
    channel_type: Option<String>,
    /// The plugin's, like 1.2.0
    #[arg(long, value_name = "X.Y.Z")]
    version: Option<String>,
    /// An account's id
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// parse, send, connect, health, poll, preview, download, list_templates or configure
    #[arg(long)]
    hook: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Older than this call
    #[arg(long, value_name = "ID")]
    before: Option<String>,
}

#[derive(Deserialize)]
struct Call {
    id: String,
    at: String,
    #[serde(rename = "type")]
    channel_type: String,
    version: String,
    channel_account_id: Option<String>,
    hook: String,
    outcome: String,
    text: String,
}

/// Characters of an outcome's text in a list.
const SHOWN: usize = 120;

pub(super) async fn list(gateway: &Gateway, which: &Which) -> anyhow::Result<()> {
    let filters = [
        ("type", which.channel_type.as_deref()),
        ("version", which.version.as_deref()),
        ("account", which.account.as_deref()),
        ("hook", which.hook.as_deref()),
        ("before", which.before.as_deref()),
    ];
    let with = |request: reqwest::RequestBuilder| {
        let given: Vec<(&str, &str)> = filters.iter().filter_map(|(name, value)| Some((*name, (*value)?))).collect();
        request.query(&[("limit", which.limit)]).query(&given)
    };
    let calls: Vec<Call> = gateway.ask(Method::GET, "plugins/calls", with).await.context("the failed calls can't be listed")?;
    for call in &calls {
        let account = call.channel_account_id.as_deref().unwrap_or("no account");
        let text: String = call.text.chars().take(SHOWN).collect();
        println!("{}  {}  {} {} {}, {account}", call.id, call.at, call.channel_type, call.version, call.hook);
        println!("  {}: {text}", call.outcome);
    }
    match calls.last() {
        None => println!("No failed call is kept."),
        Some(last) => println!("patchbay plugin replay <id> runs one again; --before {} goes on.", last.id),
    }
    Ok(())
}
