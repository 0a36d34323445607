//! `patchbay plugin replay`: a failed call again, on this machine.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use reqwest::Method;
use serde_json::{Value, json};

use super::remote::Gateway;
use crate::{
    plugins::{
        digest_of,
        recording::{CallRecord, Exchange, Line, Outcome},
    },
    replay::{self, Replay, Verdict},
};

/// What is to be run.
#[derive(clap::Args)]
pub(in crate::cli) struct What {
    /// The call's id (an account's log names it as call_id; `patchbay plugin calls` lists them), or a file that --save wrote
    #[arg(value_name = "ID | FILE.json")]
    call: String,
    /// Another component than the one that failed: a mended one
    #[arg(long, value_name = "FILE.wasm")]
    component: Option<PathBuf>,
    /// Writes the record to a file, to be run without a gateway
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Writes the webhook as a fixture for the plugin's conformance suite
    #[arg(long, value_name = "FILE")]
    as_fixture: Option<PathBuf>,
    /// The gateway's address
    #[arg(long, env = "PATCHBAY_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// An admin key: none is needed for a file and a component
    #[arg(long, env = "PATCHBAY_KEY", hide_env_values = true)]
    key: Option<String>,
}

impl What {
    fn gateway(&self) -> Option<Gateway> {
        self.key.as_ref().map(|key| Gateway::at(self.url.clone(), key.clone()))
    }
}

/// Characters of a question or an answer that are shown.
const SHOWN: usize = 400;

/// 0: the same outcome. 1: another one. 2: the plugin asked what was not recorded. 3: nothing was run.
pub(super) async fn replay(what: &What) -> ExitCode {
    match try_replay(what).await {
        Ok(Verdict::Same(_)) => ExitCode::SUCCESS,
        Ok(Verdict::Other(_)) => ExitCode::from(1),
        Ok(Verdict::Diverged(_)) => ExitCode::from(2),
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::from(3)
        }
    }
}

async fn try_replay(what: &What) -> anyhow::Result<Verdict> {
    let text = record_text(what).await?;
    let record: CallRecord = serde_json::from_str(&text).context("this is no record of a call that this program can read")?;
    if let Some(file) = &what.save {
        let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&text)?)?;
        write(file, &pretty)?;
        println!("The record is in {}.", file.display());
    }
    let component = component(what, &record).await?;
    let is_same_component = digest_of(&component) == record.digest;
    show_call(&record, is_same_component);
    let replay = replay::run(&record, &component).await?;
    show_run(&record, &replay);
    show_verdict(&record, &replay, is_same_component);
    if let Some(file) = &what.as_fixture {
        write(file, &serde_json::to_string_pretty(&replay::fixture(&record, &replay)?)?)?;
        println!("The fixture is in {}: see what it expects, then put it into the plugin's folder fixtures/.", file.display());
    }
    std::io::stdout().flush()?;
    Ok(replay.verdict)
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, format!("{text}\n")).with_context(|| file.display().to_string())
}

async fn record_text(what: &What) -> anyhow::Result<String> {
    let file = Path::new(&what.call);
    if file.is_file() {
        return std::fs::read_to_string(file).with_context(|| file.display().to_string());
    }
    let Some(gateway) = what.gateway() else {
        bail!("there is no file {}: for a call of a gateway give --key (and --url), or PATCHBAY_KEY", what.call);
    };
    let record: Value = gateway.ask(Method::GET, &format!("plugins/calls/{}", what.call), |request| request).await?;
    Ok(record.to_string())
}

async fn component(what: &What, record: &CallRecord) -> anyhow::Result<Vec<u8>> {
    if let Some(file) = &what.component {
        return std::fs::read(file).with_context(|| file.display().to_string());
    }
    let Some(gateway) = what.gateway() else {
        bail!("the component {} isn't here: give --component, or --key (and --url) of a gateway that has it", record.digest);
    };
    let component = gateway.fetch(&format!("plugins/versions/{}/component", record.digest)).await?;
    if digest_of(&component) != record.digest {
        bail!("the gateway answered another component than the one with the digest {}", record.digest);
    }
    Ok(component)
}

fn show_call(record: &CallRecord, is_same_component: bool) {
    println!("{} {} ({}), {}, {}", record.channel_type, record.version, record.digest, record.hook, record.at);
    if let Some(account) = &record.account_id {
        println!("account {account}");
    }
    if !record.blanked.is_empty() {
        println!("blanked in it: {}", record.blanked.join(", "));
    }
    if !is_same_component {
        println!("run with another component than the one that failed");
    }
    println!();
}

fn show_run(record: &CallRecord, replay: &Replay) {
    for (number, exchange) in replay.exchanges.iter().enumerate() {
        println!("{:>4}  {}", number + 1, shown(exchange));
    }
    if replay.unasked > 0 {
        println!("      {} of {} recorded exchanges were not asked for", replay.unasked, record.exchanges.len());
    }
    for Line { level, message, fields } in &replay.log {
        let fields: String = fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        println!("log   {level:?} {message}{fields}");
    }
    println!();
}

fn shown(exchange: &Exchange) -> String {
    let cut = |json: &Value| json.to_string().chars().take(SHOWN).collect::<String>();
    format!("{} {} → {}", exchange.asked.name(), cut(&json!(exchange.asked)), cut(&json!(exchange.answer)))
}

fn show_verdict(record: &CallRecord, replay: &Replay, is_same_component: bool) {
    let is_gone = |outcome: &Outcome| !outcome.is_failing();
    match &replay.verdict {
        Verdict::Same(outcome) => {
            println!("{outcome}");
            println!("The same outcome as recorded.");
        }
        Verdict::Other(outcome) => {
            println!("recorded: {}", record.outcome);
            println!("now:      {outcome}");
            println!("Another outcome{}.", if is_gone(outcome) { ": the fault is gone" } else { "" });
        }
        Verdict::Diverged(divergence) => {
            println!("recorded: {}", record.outcome);
            println!("diverged: {divergence}");
        }
    }
    if record.instance_calls > 0 && is_same_component && !matches!(replay.verdict, Verdict::Same(_)) {
        println!(
            "The recorded call ran in an instance that had answered {} calls before; what these left in its memory isn't recorded.",
            record.instance_calls
        );
    }
}
