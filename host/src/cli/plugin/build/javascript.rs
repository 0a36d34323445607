//! From a JavaScript or TypeScript project to a component: esbuild, componentize-js.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};
use serde::Deserialize;

use super::wit::Workshop;

/// What node does: see its header.
const SCRIPT: &str = include_str!("javascript.mjs");

/// Of `package.json`.
#[derive(Deserialize)]
struct Package {
    main: String,
}

pub(super) fn component(folder: &Path, tools: &Path) -> anyhow::Result<Vec<u8>> {
    let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
    let file = folder.join("package.json");
    let text = std::fs::read(&file).with_context(|| file.display().to_string())?;
    let package: Package = serde_json::from_slice(&text)
        .with_context(|| format!("{}: it has to say in `main` which file exports `channel`", file.display()))?;
    let workshop = Workshop::open(&folder)?;
    let mut node = Command::new("node")
        .args(["--input-type=module", "-"])
        .arg(folder.join(package.main))
        .arg(workshop.wit())
        .arg(workshop.output())
        .current_dir(tools_for(&folder, tools))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("node")?;
    node.stdin.take().context("node has no input")?.write_all(SCRIPT.as_bytes())?;
    ensure!(node.wait()?.success(), "{} could not be built: the lines above say why", folder.display());
    workshop.component()
}

/// The project's own tools where it has both, so that an author may pin other versions.
fn tools_for(folder: &Path, tools: &Path) -> PathBuf {
    let own = folder.join("node_modules");
    if own.join("@bytecodealliance/componentize-js").is_dir() && own.join("esbuild").is_dir() {
        folder.to_owned()
    } else {
        tools.to_owned()
    }
}
