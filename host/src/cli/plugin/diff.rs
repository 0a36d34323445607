//! `patchbay plugin diff`

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;

use super::component;
use crate::{
    conformance::carried,
    manifest::{
        Manifest,
        asks::{Ask, asks, beyond, in_words},
    },
    plugins, signing,
};

/// How a second component differs from a first.
#[derive(Debug, Serialize)]
struct Difference {
    digests: [String; 2],
    sizes: [usize; 2],
    /// What the second asks for and the first doesn't cover: an operator is asked about it.
    asks_more: Vec<Ask>,
    asks_more_words: Vec<String>,
    asks_less: Vec<Ask>,
    asks_less_words: Vec<String>,
    imports: Names,
    exports: Names,
    /// By their place in the manifest, as JSON: `capabilities.rates.per_account_per_s`, `settings.properties.token`.
    manifest: Vec<Change>,
    /// Files of the conformance suite.
    suite: Names,
    /// Ids of keys.
    signatures: Names,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Names {
    added: BTreeSet<String>,
    removed: BTreeSet<String>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Change {
    path: String,
    /// Null: it wasn't there.
    old: Value,
    /// Null: it is gone.
    new: Value,
}

/// Prints how they differ; answers whether they do.
pub(super) fn diff(old: &Path, new: &Path, json: bool) -> anyhow::Result<bool> {
    let (old_bytes, new_bytes) = (component::read(old)?, component::read(new)?);
    let difference = Difference::between((old, &old_bytes), (new, &new_bytes))?;
    let differ = old_bytes != new_bytes;
    if json {
        component::print(&format!("{}\n", serde_json::to_string_pretty(&difference)?))?;
    } else if differ {
        component::print(&difference.in_words())?;
    }
    Ok(differ)
}

impl Difference {
    fn between((old_file, old): (&Path, &[u8]), (new_file, new): (&Path, &[u8])) -> anyhow::Result<Difference> {
        let parts = |file: &Path, bytes: &[u8]| component::parts(bytes).with_context(|| file.display().to_string());
        let (old_manifest, old_interfaces) = parts(old_file, old)?;
        let (new_manifest, new_interfaces) = parts(new_file, new)?;
        let (asked, asks) = (asks(&old_manifest, &old_interfaces), asks(&new_manifest, &new_interfaces));
        let (more, less) = (beyond(&asks, &asked), beyond(&asked, &asks));
        let keys = |bytes| anyhow::Ok(signing::signatures(bytes)?.into_iter().map(|found| found.key_id.to_string()).collect::<Vec<_>>());
        let suite = |bytes| anyhow::Ok(carried::listing(bytes)?.into_keys().collect::<Vec<_>>());
        Ok(Difference {
            digests: [plugins::digest_of(old), plugins::digest_of(new)],
            sizes: [old.len(), new.len()],
            asks_more_words: in_words(&more),
            asks_more: more.into_iter().collect(),
            asks_less_words: in_words(&less),
            asks_less: less.into_iter().collect(),
            imports: Names::between(&old_interfaces.imports, &new_interfaces.imports),
            exports: Names::between(&old_interfaces.exports, &new_interfaces.exports),
            manifest: changes(&old_manifest, &new_manifest)?,
            suite: Names::between(&suite(old)?, &suite(new)?),
            signatures: Names::between(&keys(old)?, &keys(new)?),
        })
    }

    fn in_words(&self) -> String {
        let [old_size, new_size] = self.sizes;
        let [old_digest, new_digest] = &self.digests;
        let mut lines = vec![format!("size: {old_size} bytes, then {new_size}"), format!("digest: {old_digest}, then {new_digest}")];
        for (title, words) in [("asks for more, to:", &self.asks_more_words), ("asks no more, to:", &self.asks_less_words)] {
            if !words.is_empty() {
                lines.push(title.to_owned());
                lines.extend(words.iter().map(|words| format!("  {words}")));
            }
        }
        for (title, names) in
            [("imports", &self.imports), ("exports", &self.exports), ("conformance suite", &self.suite), ("signatures", &self.signatures)]
        {
            lines.extend(names.added.iter().map(|name| format!("{title}: + {name}")));
            lines.extend(names.removed.iter().map(|name| format!("{title}: - {name}")));
        }
        lines.extend(self.manifest.iter().map(Change::in_words));
        if self.manifest.is_empty() {
            lines.push("the manifests say the same".to_owned());
        }
        lines.join("\n") + "\n"
    }
}

impl Change {
    fn in_words(&self) -> String {
        let Change { path, old, new } = self;
        match (old, new) {
            (Value::Null, new) => format!("{path}: new, {}", short(new)),
            (old, Value::Null) => format!("{path}: gone, was {}", short(old)),
            (old, new) => format!("{path}: {}, then {}", short(old), short(new)),
        }
    }
}

impl Names {
    fn between(old: &[String], new: &[String]) -> Names {
        let (old, new): (BTreeSet<&String>, BTreeSet<&String>) = (old.iter().collect(), new.iter().collect());
        Names { added: new.difference(&old).copied().cloned().collect(), removed: old.difference(&new).copied().cloned().collect() }
    }
}

/// Characters of a value that are shown in words.
const SHOWN: usize = 120;

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= SHOWN { text } else { format!("{}…", text.chars().take(SHOWN).collect::<String>()) }
}

fn changes(old: &Manifest, new: &Manifest) -> anyhow::Result<Vec<Change>> {
    let flat = |manifest: &Manifest| {
        let mut flat = BTreeMap::new();
        flatten(String::new(), serde_json::to_value(manifest)?, &mut flat);
        anyhow::Ok(flat)
    };
    let (old, mut new) = (flat(old)?, flat(new)?);
    let mut changes = Vec::new();
    for (path, old) in old {
        let new = new.remove(&path).unwrap_or_default();
        if old != new {
            changes.push(Change { path, old, new });
        }
    }
    changes.extend(new.into_iter().map(|(path, new)| Change { path, old: Value::Null, new }));
    changes.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(changes)
}

/// Leaves of objects by their dotted paths. A settings field, a secret, a target is one leaf: it is read as a whole.
fn flatten(path: String, value: Value, flat: &mut BTreeMap<String, Value>) {
    let whole = ["settings.properties.", "secrets.", "browser.files."].iter().any(|prefix| path.starts_with(prefix));
    match value {
        Value::Object(members) if !whole => {
            for (name, member) in members {
                flatten(if path.is_empty() { name } else { format!("{path}.{name}") }, member, flat);
            }
        }
        leaf => {
            flat.insert(path, leaf);
        }
    }
}
