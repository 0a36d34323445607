//! `patchbay plugin pack`

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::component;
use crate::{
    conformance::carried,
    manifest::{self, Manifest},
    plugins, sections,
};

/// Puts a folder's manifest and suite into a component that any tool made, and checks what comes of it.
pub(super) fn pack(file: &Path, folder: &Path, out: Option<PathBuf>) -> anyhow::Result<()> {
    let bytes = component::read(file)?;
    sections::sections(&bytes).map_err(|error| anyhow::anyhow!("{}: it is no component: {error}", file.display()))?;
    let manifest = Manifest::from_folder(folder).with_context(|| folder.display().to_string())?;
    let packed = manifest::embed(&bytes, &manifest)?;
    let packed = carried::embed(&packed, folder).with_context(|| folder.display().to_string())?;
    component::link(&packed).with_context(|| format!("{}: it can't run here", file.display()))?;
    let out = out.unwrap_or_else(|| PathBuf::from(format!("{}.wasm", manifest.id)));
    component::write(&out, &packed)?;
    println!("{} ({} {}, {} bytes)", out.display(), manifest.channel_type, manifest.version, packed.len());
    println!("digest {}", plugins::digest_of(&packed));
    Ok(())
}
