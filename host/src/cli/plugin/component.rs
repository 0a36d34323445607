//! What the commands for components have in common.

use std::{
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use patchbay_sandbox::{Sandbox, SandboxSettings};

use crate::{
    manifest::Manifest,
    sections::Interfaces,
    signing::{self, PublicKey},
};

pub(super) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| file.display().to_string())
}

/// Aside, then renamed: a gateway may be watching the folder.
pub(super) fn write(file: &Path, component: &[u8]) -> anyhow::Result<()> {
    let mut name = file.file_name().with_context(|| format!("{} is no file's name", file.display()))?.to_owned();
    name.push(".part");
    let aside = file.with_file_name(name);
    std::fs::write(&aside, component).with_context(|| aside.display().to_string())?;
    std::fs::rename(&aside, file).with_context(|| file.display().to_string())
}

/// The keys of `.pub` files, or as they are written out.
pub(super) fn keys(given: &[String]) -> anyhow::Result<Vec<PublicKey>> {
    let key = |given: &String| {
        let file = PathBuf::from(given);
        let text = if file.exists() { std::fs::read_to_string(&file).with_context(|| given.clone())? } else { given.clone() };
        PublicKey::parse(&text).with_context(|| given.clone())
    };
    given.iter().map(key).collect()
}

/// A line for each signature: whose it is, and whether it holds.
pub(super) fn signatures_in_words(component: &[u8], keys: &[PublicKey]) -> anyhow::Result<Vec<String>> {
    let verdict = signing::verify(component, keys)?;
    let holds = verdict.trusted.iter().map(|found| format!("signed by {} ({}): it holds", found.key_id, found.comment));
    let unknown = verdict.unknown.iter().map(|found| format!("signed by {} ({}): not checked, see --trust", found.key_id, found.comment));
    let mut lines: Vec<String> = holds.chain(unknown).collect();
    if lines.is_empty() {
        lines.push("not signed".to_owned());
    }
    Ok(lines)
}

/// Compiles and links it, as a gateway would: each import and each hook is looked at.
pub(super) fn link(component: &[u8]) -> anyhow::Result<()> {
    let compiled = patchbay_sandbox::compile(component)?;
    let folder = std::env::temp_dir().join(format!("patchbay-check-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let artefact = folder.join("checked.cwasm");
    let settings = SandboxSettings { calls: 1, live: 0, ..SandboxSettings::default() };
    let loaded =
        std::fs::write(&artefact, compiled).map_err(anyhow::Error::from).and_then(|()| Ok(Sandbox::new(&settings)?.load(&artefact)?));
    std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    loaded.map(drop)
}

/// What a component is, read without running it.
pub(super) fn parts(component: &[u8]) -> anyhow::Result<(Manifest, Interfaces)> {
    // First, because what it says of a file that is no component helps most.
    let interfaces = Interfaces::of(component)?;
    Ok((Manifest::from_component(component)?, interfaces))
}

/// To the standard output, whose reader may have seen enough.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
