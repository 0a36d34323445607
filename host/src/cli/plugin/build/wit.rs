//! The contract as the builders of JavaScript and Python want it: a folder with the package, to which they add a world.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::plugin::sources;

/// A folder of one build, gone with it.
pub(super) struct Workshop {
    folder: PathBuf,
}

impl Workshop {
    /// With the contract that the project has in `vendor/wit`, or else this program's.
    pub(super) fn open(project: &Path) -> anyhow::Result<Workshop> {
        // Builds of one process follow each other.
        let workshop = Workshop { folder: std::env::temp_dir().join(format!("patchbay-build-{}", std::process::id())) };
        let wit = workshop.wit();
        std::fs::create_dir_all(&wit).with_context(|| wit.display().to_string())?;
        let vendored = project.join("vendor/wit");
        if vendored.is_dir() {
            for entry in std::fs::read_dir(&vendored).with_context(|| vendored.display().to_string())? {
                let file = entry?.path();
                if let Some(name) = file.file_name().filter(|_| file.extension().is_some_and(|extension| extension == "wit")) {
                    std::fs::copy(&file, wit.join(name)).with_context(|| file.display().to_string())?;
                }
            }
        } else {
            for (name, text) in sources::contract() {
                std::fs::write(wit.join(name), text)?;
            }
        }
        Ok(workshop)
    }

    pub(super) fn wit(&self) -> PathBuf {
        self.folder.join("wit")
    }

    /// Where the component goes before it is the plugin's file.
    pub(super) fn output(&self) -> PathBuf {
        self.folder.join("component.wasm")
    }

    pub(super) fn component(&self) -> anyhow::Result<Vec<u8>> {
        std::fs::read(self.output()).context("the builder made no component")
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // In the system's folder for such things: what can't be removed goes with the others.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
