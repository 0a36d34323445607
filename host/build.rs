//! Carries the contract, the SDKs and the example channels in the program, so that `patchbay plugin new` and the builders need
//! nothing else. Tests and tools leave files of their own in these folders: what is carried is told by its ending.

#![expect(clippy::disallowed_methods, reason = "cargo tells a build script by the environment")]

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

const FOLDERS: [&str; 5] = ["wit", "plugins/sdk", "plugins/sdk-javascript", "plugins/sdk-python", "plugins/examples"];
const FILES: [&str; 2] = ["Cargo.toml", "Cargo.lock"];
const ENDINGS: [&str; 11] = ["wit", "rs", "toml", "md", "js", "ts", "json", "py", "pyi", "svg", "typed"];
/// What an author's tools make, and the contract's former versions.
const PASSED_OVER: [&str; 5] = ["target", "node_modules", "__pycache__", "vendor", "frozen"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("..").canonicalize()?;
    let mut files: Vec<PathBuf> = FILES.iter().map(|file| root.join(file)).collect();
    for folder in FOLDERS {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut list = String::from("&[\n");
    for file in files {
        println!("cargo::rerun-if-changed={}", file.display());
        let name = file.strip_prefix(&root)?;
        writeln!(list, "    ({name:?}, include_str!({file:?})),")?;
    }
    list.push(']');
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("carried.rs"), list)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || PASSED_OVER.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known)) {
            files.push(path);
        }
    }
    Ok(())
}
