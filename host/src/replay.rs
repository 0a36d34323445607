//! Runs the record of a failed call again, in a sandbox of its own: the plugin gets what it was given then, and each of its questions
//! the answer it got then. The outcome is the same, or another one, or the plugin asks what it didn't ask then.
//!
//! Touches a file in the machine's folder for temporary ones. Start at [`run`]; [`fixture`] makes a webhook that failed a fixture of the
//! conformance suite.

mod fixture;
mod world;

use patchbay_sandbox::{LoadError, Plugin, Sandbox, SandboxError, SandboxSettings, Services, compile};

pub use fixture::{FixtureError, fixture};
pub use world::Divergence;

use crate::plugins::recording::{CallRecord, Exchange, FORMAT, Input, Line, Outcome};
use world::World;

/// The call could not be run at all.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("the record has format {0}, and this program reads {FORMAT}: take the program of the gateway that made it")]
    Format(u32),
    #[error("the record has no input: {0}")]
    Withheld(String),
    #[error("the component can't be compiled: {0}")]
    Compile(#[from] patchbay_sandbox::CompileError),
    #[error("the component can't run here: {0}")]
    Load(#[from] LoadError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error("{path}: {source}")]
    File { path: String, source: std::io::Error },
}

/// How the second run compares.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// As it was.
    Same(Outcome),
    /// The plugin asked the same, and came to something else.
    Other(Outcome),
    /// From there on the record has nothing to say.
    Diverged(Box<Divergence>),
}

/// What a second run showed.
#[derive(Debug)]
pub struct Replay {
    pub verdict: Verdict,
    /// What was asked and answered as recorded.
    pub exchanges: Vec<Exchange>,
    /// Recorded exchanges that were not asked for.
    pub unasked: usize,
    pub log: Vec<Line>,
    /// The dedupe keys of what a webhook told, where it was read.
    pub events: Option<Vec<String>>,
}

/// Runs the recorded call with a component: the one that failed, or a mended one.
///
/// # Errors
/// Nothing was run: the record or the component is of no use here.
pub async fn run(record: &CallRecord, component: &[u8]) -> Result<Replay, ReplayError> {
    if record.format != FORMAT {
        return Err(ReplayError::Format(record.format));
    }
    let withheld = || ReplayError::Withheld(record.withheld.clone().unwrap_or_else(|| "it was not recorded".to_owned()));
    let input = record.input.as_ref().ok_or_else(withheld)?;
    let sandbox = Sandbox::new(&SandboxSettings { calls: 1, live: 0, ..SandboxSettings::default() })?;
    let plugin = load(&sandbox, component)?;
    let world = World::new(record);
    let ended = tokio::select! {
        biased;
        () = world.is_stuck() => None,
        ended = call(&plugin, record, input, world.services()) => Some(ended.ok_or_else(withheld)?),
    };
    let told = world.told();
    let (verdict, events) = match (told.divergence, ended) {
        (Some(divergence), _) => (Verdict::Diverged(Box::new(divergence)), None),
        (None, Some((outcome, events))) if !told.waits => {
            let is_same = is_same(&record.outcome, &outcome);
            (if is_same { Verdict::Same(outcome) } else { Verdict::Other(outcome) }, events)
        }
        // What it waited for in vain it waits for again.
        (None, _) => (Verdict::Same(record.outcome.clone()), None),
    };
    let exchanges = record.exchanges.iter().take(told.answered).cloned().collect();
    Ok(Replay { verdict, exchanges, unasked: record.exchanges.len().saturating_sub(told.answered), log: told.log, events })
}

/// The compiled component goes through a file: the sandbox takes no code from memory.
fn load(sandbox: &Sandbox, component: &[u8]) -> Result<Plugin, ReplayError> {
    let compiled = compile(component)?;
    let artefact = std::env::temp_dir().join(format!("patchbay-replay-{}-{:p}.cwasm", std::process::id(), component));
    std::fs::write(&artefact, compiled).map_err(|source| ReplayError::File { path: artefact.display().to_string(), source })?;
    let loaded = sandbox.load(&artefact);
    // Mapped already, or never.
    let _ = std::fs::remove_file(&artefact);
    Ok(loaded?)
}

/// None where a part of the input had no room in the record.
async fn call(plugin: &Plugin, record: &CallRecord, input: &Input, services: Box<dyn Services>) -> Option<(Outcome, Option<Vec<String>>)> {
    let limits = record.limits.given();
    let outcome = match input {
        Input::Configure { settings } => Outcome::of(&plugin.configure(limits, services, settings).await),
        Input::Connect { call, step, webhook_url, state } => {
            Outcome::of(&plugin.connect(limits, services, &call.given(), &step.connecting(webhook_url, state.as_ref())).await)
        }
        Input::Send { call, message } => Outcome::of_sent(&plugin.send(limits, services, &call.given(), &message.given()).await),
        Input::Parse { webhook } => {
            let answer = plugin.parse_inbound(limits, services, &webhook.given()?, None).await;
            let parsed = answer.as_ref().ok().and_then(|answer| answer.as_ref().ok());
            let events = parsed.map(|parsed| parsed.events.iter().map(|event| event.dedupe_key.clone()).collect());
            return Some((Outcome::of(&answer), events));
        }
        Input::Preview { account, message } => Outcome::of(&plugin.preview(limits, services, &account.given(), &message.given()).await),
        Input::Health { call } => Outcome::of(&plugin.health(limits, services, &call.given()).await),
        Input::Poll { call, cursor } => {
            let cursor = match cursor {
                Some(cursor) => Some(cursor.to_vec()?),
                None => None,
            };
            Outcome::of(&plugin.poll(limits, services, &call.given(), cursor.as_deref()).await)
        }
        Input::Download { call, provider_ref } => Outcome::of(&plugin.download(limits, services, &call.given(), provider_ref).await),
        Input::ListTemplates { call, cursor } => {
            Outcome::of(&plugin.list_templates(limits, services, &call.given(), cursor.as_deref()).await)
        }
    };
    Some((outcome, None))
}

/// A bound that was passed is the same on any machine; how far the plugin had come when it was is not.
fn is_same(recorded: &Outcome, outcome: &Outcome) -> bool {
    match (recorded, outcome) {
        (Outcome::Fault { word: recorded, .. }, Outcome::Fault { word, .. }) if word != "trap" => recorded == word,
        (recorded, outcome) => recorded == outcome,
    }
}
