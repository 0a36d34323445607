//! `patchbay plugin inspect`

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;

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
        println!("{}", serde_json::to_string_pretty(&inspection)?);
    } else {
        inspection.print(file);
    }
    Ok(())
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

    fn print(&self, file: &Path) {
        println!("{}: {} bytes, digest {}", file.display(), self.size, self.digest);
        if let Some(manifest) = &self.manifest {
            print_manifest(manifest);
        }
        println!("asks to:");
        for line in in_words(&self.asks.iter().map(|shown| shown.ask.clone()).collect()) {
            println!("  {line}");
        }
        println!("contract {}", self.contract.as_deref().unwrap_or("none"));
        print_list("imports", &self.interfaces.imports);
        print_list("exports", &self.interfaces.exports);
        println!("sections:");
        for SectionShown { kind, name, offset, size } in &self.sections {
            println!("  {offset:>9}  {size:>9} bytes  {kind} {}", name.as_deref().unwrap_or_default());
        }
        let signatures: Vec<String> = self.signatures.iter().map(|found| format!("{} {}", found.key_id, found.comment)).collect();
        print_list("signatures (not checked here)", &signatures);
        let suite: Vec<String> = self.suite.iter().map(|(name, size)| format!("{name} ({size} bytes)")).collect();
        print_list("conformance suite", &suite);
        print_list("problems", &self.problems);
    }
}

fn print_manifest(manifest: &Manifest) {
    println!("{} {} ({}), written for contract {}", manifest.channel_type, manifest.version, manifest.name, manifest.contract);
    if !manifest.description.is_empty() {
        println!("  {}", manifest.description);
    }
    let schema = &manifest.settings_schema;
    let required: Vec<&str> =
        schema.get("required").and_then(|list| list.as_array()).into_iter().flatten().filter_map(|name| name.as_str()).collect();
    let fields = schema.get("properties").and_then(|fields| fields.as_object()).into_iter().flatten();
    let settings: Vec<String> = fields
        .map(|(name, field)| {
            let kind = field.get("type").map_or("any".to_owned(), |kind| kind.as_str().map_or_else(|| kind.to_string(), str::to_owned));
            let must = if required.contains(&name.as_str()) { ", required" } else { "" };
            let title = field.get("title").and_then(|title| title.as_str()).map_or(String::new(), |title| format!(": {title}"));
            format!("{name} ({kind}{must}){title}")
        })
        .collect();
    print_list("settings", &settings);
    let secrets: Vec<String> = manifest.secrets.iter().map(|(name, secret)| format!("{name}: {}", secret.title)).collect();
    print_list("secrets", &secrets);
    let targets = manifest.egress.iter().map(|(name, target)| format!("{name}: {} {}", target.methods.join(", "), target.base));
    let mail = manifest.mail.iter().map(|(name, target)| format!("{name}: mail, by the setting {}", target.host));
    print_list("targets", &targets.chain(mail).collect::<Vec<_>>());
}

fn print_list(title: &str, lines: &[String]) {
    if lines.is_empty() {
        println!("{title}: none");
        return;
    }
    println!("{title}:");
    for line in lines {
        println!("  {line}");
    }
}
