//! `patchbay plugin inspect`

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;
use serde_json::Value;

use super::component;
use crate::{
    conformance::carried,
    manifest::{
        Manifest,
        asks::{Ask, asks, in_words},
    },
    plugins,
    sections::{self, Interfaces},
    signing::{self, Found},
};

/// Everything that can be read in a component.
#[derive(Serialize)]
struct Inspection {
    size: usize,
    digest: String,
    /// None where it carries none.
    manifest: Option<Manifest>,
    /// Why there is no manifest, or no signature or suite that can be read.
    problems: Vec<String>,
    /// The version in the names of its imports and exports.
    contract: Option<String>,
    #[serde(flatten)]
    interfaces: Interfaces,
    asks: Vec<AskShown>,
    sections: Vec<SectionShown>,
    /// None of them is checked: that needs keys, see `plugin check`.
    signatures: Vec<Found>,
    /// The files of the conformance suite with their bytes.
    suite: BTreeMap<String, usize>,
}

#[derive(Serialize)]
struct AskShown {
    #[serde(flatten)]
    ask: Ask,
    words: String,
}

#[derive(Serialize)]
struct SectionShown {
    kind: &'static str,
    name: Option<String>,
    offset: usize,
    size: usize,
}

/// Shows what is in a component. None of its code runs.
pub(super) fn inspect(file: &Path, json: bool) -> anyhow::Result<()> {
    let inspection = Inspection::of(&component::read(file)?).map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?;
    if json {
        return component::print(&format!("{}\n", serde_json::to_string_pretty(&inspection)?));
    }
    component::print(&format!("{}\n", inspection.lines(file).join("\n")))
}

impl Inspection {
    fn of(bytes: &[u8]) -> anyhow::Result<Inspection> {
        let interfaces = Interfaces::of(bytes)?;
        let mut problems = Vec::new();
        let manifest = Manifest::from_component(bytes).inspect_err(|error| problems.push(error.to_string())).ok();
        let signatures = signing::signatures(bytes).inspect_err(|error| problems.push(error.to_string())).unwrap_or_default();
        let suite = carried::listing(bytes).inspect_err(|error| problems.push(error.to_string())).unwrap_or_default();
        let asked = manifest.as_ref().map(|manifest| asks(manifest, &interfaces)).unwrap_or_default();
        let section = |section: &sections::Section<'_>| SectionShown {
            kind: section.kind(),
            name: section.custom().map(|(name, _)| name.to_owned()),
            offset: section.whole.start,
            size: section.whole.len(),
        };
        Ok(Inspection {
            size: bytes.len(),
            digest: plugins::digest_of(bytes),
            manifest,
            problems,
            contract: interfaces.contract().map(str::to_owned),
            asks: asked.into_iter().map(|ask| AskShown { words: ask.to_string(), ask }).collect(),
            sections: sections::sections(bytes)?.iter().map(section).collect(),
            interfaces,
            signatures,
            suite,
        })
    }

    fn lines(&self, file: &Path) -> Vec<String> {
        let mut lines = vec![format!("{}: {} bytes, digest {}", file.display(), self.size, self.digest)];
        if let Some(manifest) = &self.manifest {
            lines.append(&mut manifest_lines(manifest));
        }
        lines.extend(list("asks to", in_words(&self.asks.iter().map(|shown| shown.ask.clone()).collect())));
        lines.push(format!("contract {}", self.contract.as_deref().unwrap_or("none")));
        lines.extend(list("imports", self.interfaces.imports.clone()));
        lines.extend(list("exports", self.interfaces.exports.clone()));
        let section = |SectionShown { kind, name, offset, size }: &SectionShown| {
            let name = name.as_deref().map_or(String::new(), |name| format!(" {name}"));
            format!("at {offset}, {size} bytes: {kind}{name}")
        };
        lines.extend(list("sections", self.sections.iter().map(section)));
        let signature = |found: &Found| format!("{} {}", found.key_id, found.comment);
        lines.extend(list("signatures (not checked here)", self.signatures.iter().map(signature)));
        lines.extend(list("conformance suite", self.suite.iter().map(|(name, size)| format!("{name} ({size} bytes)"))));
        lines.extend(list("problems", self.problems.iter().cloned()));
        lines
    }
}

fn manifest_lines(manifest: &Manifest) -> Vec<String> {
    let Manifest { channel_type, version, name, contract, description, .. } = manifest;
    let mut lines = vec![format!("{channel_type} {version} ({name}), written for contract {contract}")];
    if !description.is_empty() {
        lines.push(format!("  {description}"));
    }
    let schema = &manifest.settings_schema;
    let required = schema.get("required").and_then(Value::as_array);
    let required: Vec<&str> = required.into_iter().flatten().filter_map(Value::as_str).collect();
    let field = |(name, field): (&String, &Value)| {
        let kind = field.get("type").map_or("any".to_owned(), |kind| kind.as_str().map_or_else(|| kind.to_string(), str::to_owned));
        let must = if required.contains(&name.as_str()) { ", required" } else { "" };
        let title = field.get("title").and_then(Value::as_str).map_or(String::new(), |title| format!(": {title}"));
        format!("{name} ({kind}{must}){title}")
    };
    lines.extend(list("settings", schema.get("properties").and_then(Value::as_object).into_iter().flatten().map(field)));
    lines.extend(list("secrets", manifest.secrets.iter().map(|(name, secret)| format!("{name}: {}", secret.title))));
    let targets = manifest.egress.iter().map(|(name, target)| format!("{name}: {} {}", target.methods.join(", "), target.base));
    let mail = manifest.mail.iter().map(|(name, target)| format!("{name}: mail, by the setting {}", target.host));
    lines.extend(list("targets", targets.chain(mail)));
    lines
}

/// A title with what is under it, in lines.
fn list(title: &str, entries: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = entries.into_iter().map(|entry| format!("  {entry}")).collect();
    lines.insert(0, if lines.is_empty() { format!("{title}: none") } else { format!("{title}:") });
    lines
}
