//! `patchbay plugin test`

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::{
    conformance::{self, Suite},
    manifest::Manifest,
};

/// Runs the conformance suite for each folder and says what isn't as it should be.
pub(super) async fn test(folders: &[PathBuf], components: &Path) -> anyhow::Result<()> {
    let mut findings = 0;
    for folder in folders {
        let manifest = Manifest::from_folder(folder).with_context(|| folder.display().to_string())?;
        let file = components.join(format!("{}.wasm", manifest.id));
        let component = std::fs::read(&file).with_context(|| format!("{}: build it with `patchbay plugin build`", file.display()))?;
        let report = conformance::run(&component, Suite::from_folder(folder)?).await.with_context(|| folder.display().to_string())?;
        println!("{}: {} checks passed, {} findings", manifest.id, report.passed, report.findings.len());
        for finding in &report.findings {
            println!("  {finding}");
        }
        findings += report.findings.len();
    }
    ensure!(findings == 0, "{findings} findings");
    Ok(())
}
