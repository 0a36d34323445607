//! `patchbay plugin check`

use std::path::Path;

use anyhow::bail;

use super::component;
use crate::{
    conformance::Suite,
    manifest::{
        Manifest,
        asks::{asks, in_words},
    },
    plugins,
    sections::Interfaces,
};

/// Says in words what a component is and asks for, or everything that keeps it from running.
pub(super) fn check(file: &Path, trusted: &[String], max_size_mb: usize) -> anyhow::Result<()> {
    let bytes = component::read(file)?;
    let keys = component::keys(trusted)?;
    // Of what is no component, nothing else can be said.
    let interfaces = Interfaces::of(&bytes).map_err(|error| anyhow::anyhow!("{}: it is no component: {error}", file.display()))?;
    let mut problems = Vec::new();
    let most = max_size_mb.saturating_mul(1024 * 1024);
    if bytes.len() > most {
        problems.push(format!("it has {} bytes; plugins.max_size_mb = {max_size_mb} is the most", bytes.len()));
    }
    let mut noted = |problem: &dyn std::fmt::Display| problems.push(problem.to_string());
    let manifest = Manifest::from_component(&bytes).inspect_err(|error| noted(error)).ok();
    let signatures = component::signatures_in_words(&bytes, &keys).inspect_err(|error| noted(error)).ok();
    let suite = Suite::from_component(&bytes).inspect_err(|error| noted(error)).ok();
    if let Err(error) = component::link(&bytes) {
        noted(&format!("{error:#}"));
    }
    println!("{}: {} bytes, digest {}", file.display(), bytes.len(), plugins::digest_of(&bytes));
    if let Some(manifest) = &manifest {
        println!("{} {} ({}), contract {}", manifest.channel_type, manifest.version, manifest.name, manifest.contract);
    }
    for line in signatures.iter().flatten() {
        println!("{line}");
    }
    match suite {
        Some(Some(suite)) => println!("carries its conformance suite: {}", suite.in_words()),
        Some(None) => println!("carries no conformance suite"),
        None => {}
    }
    println!("imports {}", listed(&interfaces.imports));
    println!("exports {}", listed(&interfaces.exports));
    if let Some(manifest) = &manifest {
        println!("It asks to:");
        for line in in_words(&asks(manifest, &interfaces)) {
            println!("  {line}");
        }
    }
    if !problems.is_empty() {
        let lines: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
        bail!("it can't run here:\n{}", lines.join("\n"));
    }
    println!("It fits this gateway.");
    Ok(())
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}
