//! From a crate to a component: cargo for wasm32, `wit-component`.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use wit_component::ComponentEncoder;

const TARGET: &str = "wasm32-unknown-unknown";
/// Finds a compiler for the target, or makes one: see its header.
const TOOLCHAIN: &str = include_str!("../../../../../plugins/guest-toolchain.sh");

/// How every component is built, whatever the project's own profiles say: speed over size (HMAC is six times slower with "s"),
/// and one file with nothing to look up. The SDK's glue copies from and to the host: there small is what counts, and without
/// link-time optimisation it is compiled once, not in every plugin.
const PROFILE: &[&str] = &[
    "profile.guest.inherits=\"release\"",
    "profile.guest.opt-level=3",
    "profile.guest.lto=false",
    "profile.guest.codegen-units=1",
    "profile.guest.panic=\"abort\"",
    "profile.guest.strip=true",
    "profile.guest.package.patchbay-plugin.opt-level=\"s\"",
    "profile.guest.package.patchbay-plugin.codegen-units=8",
];

pub(super) fn component(folder: &Path, rustc: &Path) -> anyhow::Result<Vec<u8>> {
    let module = compile(folder, rustc)?;
    let bytes = std::fs::read(&module).with_context(|| module.display().to_string())?;
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true);
    encoder.module(&bytes).context("the module's contract can't be read")?;
    encoder.encode().context("the component can't be made")
}

pub(super) fn find_compiler() -> anyhow::Result<PathBuf> {
    let output = Command::new("bash").args(["-c", TOOLCHAIN]).stderr(Stdio::inherit()).output().context("bash")?;
    ensure!(output.status.success(), "there is no compiler for {TARGET}: the lines above say what to install");
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

/// Runs cargo and answers the module it made.
fn compile(folder: &Path, rustc: &Path) -> anyhow::Result<PathBuf> {
    let manifest = folder.join("Cargo.toml").canonicalize().with_context(|| folder.join("Cargo.toml").display().to_string())?;
    let workspace = cargo_text(&manifest, &["locate-project", "--workspace", "--message-format", "plain"])?;
    let root = Path::new(workspace.trim()).parent().context("cargo named no workspace")?.to_owned();
    let mut command = Command::new("cargo");
    command
        .args(["build", "--profile", "guest", "--message-format", "json-render-diagnostics", "--target", TARGET])
        .arg("--manifest-path")
        .arg(&manifest)
        // Another compiler than the host's: in its folder each would rebuild the other's work.
        .arg("--target-dir")
        .arg(target_folder(&root))
        .env("RUSTC", rustc)
        .env("RUSTFLAGS", remap_flags(&root))
        .args(PROFILE.iter().flat_map(|setting| ["--config", setting]))
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stderr(Stdio::inherit());
    let output = command.output().context("cargo")?;
    ensure!(output.status.success(), "cargo could not build {}", folder.display());
    module_of(&output.stdout, &manifest)
        .with_context(|| format!("{} makes no module: its [lib] needs crate-type = [\"cdylib\"]", folder.display()))
}

/// Beside the host's own, wherever the caller has cargo put that.
fn target_folder(root: &Path) -> PathBuf {
    let target = variable("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("guests")
}

#[expect(clippy::disallowed_methods, reason = "cargo's own settings, as cargo finds them: none of the gateway's")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What cargo tells of a thing it made.
#[derive(Deserialize)]
struct CargoMessage {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// The `.wasm` among cargo's artefacts of that very package.
fn module_of(messages: &[u8], manifest: &Path) -> Option<PathBuf> {
    String::from_utf8_lossy(messages)
        .lines()
        .filter_map(|line| serde_json::from_str::<CargoMessage>(line).ok())
        .filter(|message| message.reason == "compiler-artifact" && message.manifest_path == manifest)
        .flat_map(|message| message.filenames)
        .find(|name| name.extension().is_some_and(|extension| extension == "wasm"))
}

/// The same source gives the same digest on any machine.
fn remap_flags(root: &Path) -> String {
    let cargo_home = variable("CARGO_HOME").or_else(|| variable("HOME").map(|home| format!("{home}/.cargo"))).unwrap_or_default();
    format!("--remap-path-prefix={}=/src --remap-path-prefix={cargo_home}=/cargo", root.display())
}

fn cargo_text(manifest: &Path, args: &[&str]) -> anyhow::Result<String> {
    let output =
        Command::new("cargo").args(args).arg("--manifest-path").arg(manifest).stderr(Stdio::inherit()).output().context("cargo")?;
    if !output.status.success() {
        bail!("cargo {} failed for {}", args.join(" "), manifest.display());
    }
    Ok(String::from_utf8(output.stdout)?)
}
