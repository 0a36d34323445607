//! Compiles components in a child process with bounds: compiler state would stay in this process for life (see the
//! sandbox's README), and a component made to exhaust the compiler takes the child down, not the gateway.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use crate::app::App;

/// Where the compiled form of a component is kept: it is machine code, so nobody else may write there.
pub(super) fn artefact_path(app: &App, digest: &str) -> PathBuf {
    app.config.data.join("compiled").join(app.sandbox.engine_id()).join(format!("{digest}.cwasm"))
}

/// Compiles into the place that [`artefact_path`] names.
///
/// # Errors
/// What the compiler said, or which bound it passed.
pub(super) async fn compile_in_child(app: &App, digest: &str, component: &[u8]) -> Result<(), String> {
    use std::os::unix::fs::DirBuilderExt;
    let artefact = artefact_path(app, digest);
    let folder = artefact.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let random: String = app.ids.bytes::<8>().iter().map(|byte| format!("{byte:02x}")).collect();
    let source = folder.join(format!("{digest}.{random}.wasm"));
    tokio::fs::write(&source, component).await.map_err(|error| format!("{}: {error}", source.display()))?;
    let outcome = run_child(app, &source, &artefact).await;
    // It is in the database: the file was only the way to the child.
    let _ = tokio::fs::remove_file(&source).await;
    outcome
}

async fn run_child(app: &App, source: &Path, artefact: &Path) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| format!("the gateway's own program can't be found: {error}"))?;
    let bound = Duration::from_secs(app.config.plugins.compile_timeout_s);
    let child = tokio::process::Command::new(program)
        .args(["plugin", "compile"])
        .arg("--memory-mb")
        .arg(app.config.plugins.compile_memory_mb.to_string())
        .arg(source)
        .arg(artefact)
        // The child needs nothing of this process's environment, which may hold the master key.
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("the compiler could not be started: {error}"))?;
    match tokio::time::timeout(bound, child.wait_with_output()).await {
        Err(_) => Err(format!("it could not be compiled within plugins.compile_timeout_s = {} s", bound.as_secs())),
        Ok(Err(error)) => Err(format!("the compiler could not be waited for: {error}")),
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.trim().trim_start_matches("Error: ");
            if said.is_empty() { Err(format!("the compiler ended with {}", output.status)) } else { Err(said.to_owned()) }
        }
    }
}

/// What the child does: reads a component, writes its compiled form aside and renames it into place.
///
/// # Errors
/// What is wrong with the files or the component.
pub fn compile_to(component: &Path, artefact: &Path, memory_mb: u64) -> anyhow::Result<()> {
    use anyhow::Context;
    let bytes = memory_mb.saturating_mul(1024 * 1024);
    let limit = rustix::process::Rlimit { current: Some(bytes), maximum: Some(bytes) };
    rustix::process::setrlimit(rustix::process::Resource::As, limit).context("its memory could not be bounded")?;
    let bytes = std::fs::read(component).with_context(|| component.display().to_string())?;
    let compiled = patchbay_sandbox::compile(&bytes)?;
    let aside = artefact.with_extension(format!("{}.tmp", std::process::id()));
    std::fs::write(&aside, compiled).with_context(|| aside.display().to_string())?;
    std::fs::rename(&aside, artefact).with_context(|| artefact.display().to_string())?;
    Ok(())
}
