//! Runs the conformance suite that a component carries, in a child process: with bounds of its own, and without anything of this
//! process's environment. What it found is kept beside the compiled form, so that a start asks once.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;

use super::compiler;
use crate::{
    app::App,
    conformance::{self, Suite},
};

/// Findings that are kept, and characters of each of their texts: a suite is a stranger's.
const FINDINGS_MAX: usize = 50;
const TEXT_MAX: usize = 500;
/// Bytes of a report.
const REPORT_MAX: u64 = 1024 * 1024;

/// What came of a component's suite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Conformance {
    /// The gateway that checked it: another one asks more, or less.
    gateway: String,
    /// False where the component carries no suite.
    pub(super) suite: bool,
    pub(super) passed: usize,
    /// How many there were; `findings` has the first.
    pub(super) found: usize,
    pub(super) findings: Vec<Finding>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Finding {
    pub(super) check: String,
    pub(super) what: String,
}

impl Conformance {
    fn of(suite: bool, report: &conformance::Report) -> Conformance {
        let short = |text: &str| text.chars().take(TEXT_MAX).collect();
        let finding = |finding: &conformance::Finding| Finding { check: short(&finding.check), what: short(&finding.what) };
        Conformance {
            gateway: this_gateway().to_owned(),
            suite,
            passed: report.passed,
            found: report.findings.len(),
            findings: report.findings.iter().take(FINDINGS_MAX).map(finding).collect(),
        }
    }

    /// The findings in one text.
    pub(super) fn in_words(&self) -> String {
        const TOLD: usize = 3;
        let told: Vec<String> = self.findings.iter().take(TOLD).map(|finding| format!("{}: {}", finding.check, finding.what)).collect();
        let more = self.found.saturating_sub(told.len());
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        format!("the conformance suite that it carries has {} findings: {}{more}", self.found, told.join("; "))
    }
}

fn this_gateway() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// What the suite says of a component that is compiled already.
///
/// # Errors
/// Why nothing could be checked.
pub(super) async fn examine_in_child(app: &App, digest: &str, component: &[u8]) -> Result<Conformance, String> {
    let artefact = compiler::artefact_path(app, digest);
    let kept = artefact.with_extension("conformance.json");
    if let Some(known) = read_kept(&kept).await {
        return Ok(known);
    }
    let random: String = app.ids.bytes::<8>().iter().map(|byte| format!("{byte:02x}")).collect();
    let source = artefact.with_extension(format!("{random}.examined.wasm"));
    tokio::fs::write(&source, component).await.map_err(|error| format!("{}: {error}", source.display()))?;
    // It goes however this ends, a shutdown in between included.
    let _gone = Gone(source.clone());
    let report = run_child(app, &source, &artefact).await?;
    let aside = artefact.with_extension(format!("{random}.conformance.tmp"));
    let written = serde_json::to_vec(&report).map_err(|error| error.to_string())?;
    let keep = async {
        tokio::fs::write(&aside, written).await?;
        tokio::fs::rename(&aside, &kept).await
    };
    if let Err(error) = keep.await {
        tracing::warn!(%error, file = %kept.display(), "what the conformance suite said can't be kept: it is asked again");
    }
    Ok(report)
}

async fn read_kept(file: &Path) -> Option<Conformance> {
    let kept: Conformance = serde_json::from_slice(&tokio::fs::read(file).await.ok()?).ok()?;
    (kept.gateway == this_gateway()).then_some(kept)
}

/// A file that is removed with this.
struct Gone(PathBuf);

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn run_child(app: &App, source: &Path, artefact: &Path) -> Result<Conformance, String> {
    let program = std::env::current_exe().map_err(|error| format!("the gateway's own program can't be found: {error}"))?;
    let bound = Duration::from_secs(app.config.plugins.conformance_timeout_s);
    let mut child = tokio::process::Command::new(program)
        .args(["plugin", "examine", "--cpu-s"])
        .arg(bound.as_secs().to_string())
        .arg(source)
        .arg(artefact)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("the examiner could not be started: {error}"))?;
    let (mut told, mut said) = (Vec::new(), Vec::new());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let ended = async {
        let read = async {
            if let Some(out) = out {
                out.take(REPORT_MAX).read_to_end(&mut told).await?;
            }
            std::io::Result::Ok(())
        };
        let heard = async {
            if let Some(err) = err {
                err.take(REPORT_MAX).read_to_end(&mut said).await?;
            }
            std::io::Result::Ok(())
        };
        let (read, heard) = tokio::join!(read, heard);
        read.and(heard)?;
        child.wait().await
    };
    match tokio::time::timeout(bound, ended).await {
        Err(_) => Err(format!("its conformance suite didn't end within plugins.conformance_timeout_s = {} s", bound.as_secs())),
        Ok(Err(error)) => Err(format!("the examiner could not be waited for: {error}")),
        Ok(Ok(status)) if status.success() => {
            serde_json::from_slice(&told).map_err(|error| format!("the examiner's report can't be read: {error}"))
        }
        Ok(Ok(status)) => {
            let said = String::from_utf8_lossy(&said);
            let said = said.trim().trim_start_matches("Error: ");
            Err(if said.is_empty() { format!("its conformance suite ended with {status}") } else { said.chars().take(TEXT_MAX).collect() })
        }
    }
}

/// What the child does: runs the suite and writes what came of it to its standard output, as JSON.
///
/// # Errors
/// What is wrong with the files, the component or its suite.
pub async fn examine(component: &Path, artefact: &Path, cpu_s: u64) -> anyhow::Result<()> {
    let limit = rustix::process::Rlimit { current: Some(cpu_s), maximum: Some(cpu_s) };
    rustix::process::setrlimit(rustix::process::Resource::Cpu, limit).context("its processor time could not be bounded")?;
    let bytes = std::fs::read(component).with_context(|| component.display().to_string())?;
    let told = match Suite::from_component(&bytes).context("the conformance suite that it carries")? {
        Some(suite) => Conformance::of(true, &conformance::run_compiled(&bytes, artefact, suite).await?),
        None => Conformance::of(false, &conformance::Report::default()),
    };
    println!("{}", serde_json::to_string(&told)?);
    Ok(())
}
