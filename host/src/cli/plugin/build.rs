//! From a plugin's folder to a component, in the language that the folder is written in, with the manifest embedded.

mod javascript;
mod python;
mod rust;
mod wit;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};

use crate::conformance::carried;
use crate::manifest::{self, Manifest};

/// Finds, or installs, what makes components of JavaScript and Python: see its header.
const TOOLS: &str = include_str!("../../../../plugins/guest-tools.sh");

/// What a plugin is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Language {
    Rust,
    Javascript,
    Python,
}

impl Language {
    /// As the command line writes it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Javascript => "javascript",
            Language::Python => "python",
        }
    }

    /// As people write it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Language::Rust => "Rust",
            Language::Javascript => "JavaScript",
            Language::Python => "Python",
        }
    }

    /// What a folder holds says it.
    pub(super) fn of(folder: &Path) -> anyhow::Result<Language> {
        let has = |file: &str| folder.join(file).exists();
        if has("Cargo.toml") {
            Ok(Language::Rust)
        } else if has("package.json") {
            Ok(Language::Javascript)
        } else if has("pyproject.toml") || has("app.py") {
            Ok(Language::Python)
        } else {
            bail!("{} holds no plugin: there is no Cargo.toml, package.json, pyproject.toml or app.py", folder.display())
        }
    }
}

/// What builds need besides the sources, found once for all of them.
#[derive(Default)]
struct Tools {
    rustc: Option<PathBuf>,
    javascript: Option<PathBuf>,
    python: Option<PathBuf>,
}

impl Tools {
    fn component(&mut self, folder: &Path) -> anyhow::Result<Vec<u8>> {
        match Language::of(folder)? {
            Language::Rust => rust::component(folder, found(&mut self.rustc, rust::find_compiler)?),
            Language::Javascript => javascript::component(folder, found(&mut self.javascript, || find_tools("javascript"))?),
            Language::Python => python::component(folder, found(&mut self.python, || find_tools("python"))?),
        }
    }
}

pub(super) fn build(folders: &[PathBuf], out: &Path, version: Option<&str>) -> anyhow::Result<()> {
    // The manifests first: a mistake there shows at once.
    let mut manifests = Vec::new();
    for folder in folders {
        let mut manifest = Manifest::from_folder(folder).with_context(|| folder.display().to_string())?;
        if let Some(version) = version {
            version.clone_into(&mut manifest.version);
        }
        manifests.push(manifest);
    }
    let mut tools = Tools::default();
    std::fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    for (folder, manifest) in folders.iter().zip(&manifests) {
        let component = manifest::embed(&tools.component(folder)?, manifest)?;
        let component = carried::embed(&component, folder).with_context(|| folder.display().to_string())?;
        let file = out.join(format!("{}.wasm", manifest.id));
        // Aside, then renamed: a gateway may be watching the folder.
        let aside = out.join(format!("{}.wasm.part", manifest.id));
        std::fs::write(&aside, &component).with_context(|| aside.display().to_string())?;
        std::fs::rename(&aside, &file).with_context(|| file.display().to_string())?;
        println!("{} ({} {}, {} bytes)", file.display(), manifest.channel_type, manifest.version, component.len());
    }
    Ok(())
}

fn found(place: &mut Option<PathBuf>, find: impl FnOnce() -> anyhow::Result<PathBuf>) -> anyhow::Result<&Path> {
    match place {
        Some(found) => Ok(found),
        None => Ok(place.insert(find()?)),
    }
}

/// The folder of what builds that language.
fn find_tools(language: &str) -> anyhow::Result<PathBuf> {
    let output = Command::new("bash").args(["-c", TOOLS, "guest-tools", language]).stderr(Stdio::inherit()).output().context("bash")?;
    ensure!(output.status.success(), "there is nothing to build {language} with: the lines above say what to install");
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}
