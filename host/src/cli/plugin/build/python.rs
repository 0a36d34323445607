//! From a Python project to a component: componentize-py.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};
use serde::Deserialize;

use super::wit::Workshop;

/// Which classes a module exports, by its text: nothing of it runs.
const EXPORTS: &str = "
import ast, sys
names = set()
for node in ast.parse(open(sys.argv[1], encoding='utf-8').read(), sys.argv[1]).body:
    if isinstance(node, ast.ClassDef):
        names.add(node.name)
    elif isinstance(node, ast.Assign):
        names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.ImportFrom):
        names.update(name.asname or name.name for name in node.names)
print(' '.join(sorted(names)))
";
/// The optional groups by their classes.
const GROUPS: [(&str, &str); 4] =
    [("Polling", "polling"), ("MediaDownload", "media-download"), ("Templates", "templates"), ("Preview", "preview")];

/// `pyproject.toml`.
#[derive(Default, Deserialize)]
struct Project {
    #[serde(default)]
    tool: Tool,
}

#[derive(Default, Deserialize)]
struct Tool {
    #[serde(default)]
    patchbay: Settings,
}

/// `[tool.patchbay]`.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// The module with the class `Channel`.
    app: String,
    /// Where modules are found besides the project's folder.
    path: Vec<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { app: "app".to_owned(), path: vec!["vendor".to_owned()] }
    }
}

pub(super) fn component(folder: &Path, tools: &Path) -> anyhow::Result<Vec<u8>> {
    let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
    let file = folder.join("pyproject.toml");
    let project: Project = match std::fs::read_to_string(&file) {
        Ok(text) => toml::from_str(&text).with_context(|| file.display().to_string())?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Project::default(),
        Err(error) => return Err(error).with_context(|| file.display().to_string()),
    };
    let Settings { app, path } = project.tool.patchbay;
    let workshop = Workshop::open(&folder)?;
    write_world(&folder, &app, tools, &workshop.wit())?;
    let mut command = Command::new(tools.join("bin/componentize-py"));
    command.arg("--quiet").arg("-d").arg(workshop.wit()).args(["-w", "built", "componentize"]);
    // Nothing of WASI is left: clocks, chance and output are the gateway's, by the contract.
    command.arg("--stub-wasi").arg("-p").arg(&folder);
    for place in path {
        command.arg("-p").arg(folder.join(place));
    }
    command.arg("-o").arg(workshop.output()).arg(&app).env_remove("VIRTUAL_ENV").env_remove("RUST_BACKTRACE").stdout(Stdio::null());
    ensure!(command.status().context("componentize-py")?.success(), "{} could not be built: the lines above say why", folder.display());
    workshop.component()
}

/// A world with what the module exports.
fn write_world(folder: &Path, app: &str, tools: &Path, wit: &Path) -> anyhow::Result<()> {
    let module = folder.join(app.replace('.', "/"));
    let file = if module.is_dir() { module.join("__init__.py") } else { module.with_extension("py") };
    ensure!(file.exists(), "{} is missing: pyproject.toml says in [tool.patchbay] which module is the `app`", file.display());
    let output =
        Command::new(tools.join("bin/python")).args(["-c", EXPORTS]).arg(&file).stderr(Stdio::inherit()).output().context("python")?;
    ensure!(output.status.success(), "{} can't be read", file.display());
    let names = String::from_utf8(output.stdout)?;
    let exports = |class: &str| names.split_whitespace().any(|name| name == class);
    ensure!(exports("Channel"), "{} has no class `Channel`", file.display());
    let package = std::fs::read_to_string(wit.join("types.wit"))?;
    let package = package.lines().find(|line| line.starts_with("package ")).context("types.wit names no package")?;
    let groups: String = GROUPS.iter().filter(|(class, _)| exports(class)).map(|(_, group)| format!("  export {group};\n")).collect();
    std::fs::write(wit.join("built.wit"), format!("{package}\nworld built {{\n  include plugin;\n{groups}}}\n"))?;
    Ok(())
}
