//! From a file of machine code to something that can be instantiated, or to words that say why not.

use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre};

use crate::contract::v0_1::Old;
use crate::contract::{self, Spoken};
use crate::error::LoadError;
use crate::hook::{Configure, Connect, Download, Health, Hook, ListTemplates, ParseInbound, Poll, Preview, SendOut};
use crate::imports;
use crate::state::State;

/// A component whose imports are tied to the host and whose hooks have been found.
pub(crate) struct Linked {
    pub(crate) spoken: Spoken,
    pub(crate) instance: InstancePre<State>,
    pub(crate) configure: Hook<Configure>,
    pub(crate) connect: Hook<Connect>,
    pub(crate) send: Hook<SendOut>,
    pub(crate) parse_inbound: Hook<ParseInbound>,
    pub(crate) health: Hook<Health>,
    pub(crate) poll: Option<Hook<Poll>>,
    pub(crate) download: Option<Hook<Download>>,
    pub(crate) list_templates: Option<Hook<ListTemplates>>,
    pub(crate) preview: Option<Hook<Preview>>,
}

const PACKAGE: &str = "patchbay:channel";
/// The interfaces that the host offers, in every version.
const OFFERED: [&str; 7] = ["types", "messages", "log", "kv", "http", "crypto", "mail"];

/// What a component exports, and in which version of the contract.
struct Exports {
    spoken: Spoken,
    names: Vec<String>,
}

pub(crate) fn link(engine: &Engine, component: &Component) -> Result<Linked, LoadError> {
    let imports: Vec<String> = component.component_type().imports(engine).map(|(name, _)| name.to_owned()).collect();
    let names: Vec<String> = component.component_type().exports(engine).map(|(name, _)| name.to_owned()).collect();
    let spoken = spoken(imports.iter().chain(&names))?;
    check_imports(&imports)?;
    let exports = Exports { spoken, names };
    let with_wasi = imports.iter().any(|name| name.starts_with("wasi:"));
    let mismatch = |error: wasmtime::Error| LoadError::Mismatch { spoken: spoken.version(), what: format!("{error:#}") };
    let linker = imports::linker(engine, spoken, with_wasi).map_err(mismatch)?;
    // The whole chain: the last cause names the function.
    let instance = linker.instantiate_pre(component).map_err(mismatch)?;
    Ok(Linked {
        spoken,
        configure: exports.hook(&instance)?,
        connect: exports.hook(&instance)?,
        send: exports.hook(&instance)?,
        parse_inbound: exports.hook(&instance)?,
        health: exports.hook(&instance)?,
        poll: exports.optional(&instance)?,
        download: exports.optional(&instance)?,
        list_templates: exports.optional(&instance)?,
        preview: exports.optional(&instance)?,
        instance,
    })
}

impl Exports {
    /// The full name by which the interface is exported.
    fn named(&self, wanted: &str) -> Option<&str> {
        self.names.iter().find(|name| interface(name).is_some_and(|(interface, _)| interface == wanted)).map(String::as_str)
    }

    fn hook<S: Old>(&self, instance: &InstancePre<State>) -> Result<Hook<S>, LoadError> {
        match self.named(S::INTERFACE) {
            Some(name) => Hook::find(instance, self.spoken, name),
            None => Err(LoadError::MissingExports(vec![format!("{PACKAGE}/{}@{}", S::INTERFACE, self.spoken.version())])),
        }
    }

    /// A hook of an optional group: that the group is absent is fine, that half of it is there is not.
    fn optional<S: Old>(&self, instance: &InstancePre<State>) -> Result<Option<Hook<S>>, LoadError> {
        self.named(S::INTERFACE).map(|name| Hook::find(instance, self.spoken, name)).transpose()
    }
}

/// The version that a component speaks: another than ours is told as such, before its consequences (that every function is missing).
fn spoken<'a>(names: impl Iterator<Item = &'a String>) -> Result<Spoken, LoadError> {
    let mut found = None;
    for (_, version) in names.filter_map(|name| interface(name)) {
        let spoken = Spoken::of(version).ok_or_else(|| LoadError::Version { plugin: version.to_owned() })?;
        if *found.get_or_insert(spoken) != spoken {
            return Err(LoadError::Version { plugin: contract::spoken() });
        }
    }
    // What names nothing of ours exports no hook either, and hears of that.
    Ok(found.unwrap_or(Spoken::V1))
}

/// Whether a component may import an interface of that name: `patchbay:channel/kv@1.0.0`. Its functions are compared when it is loaded.
pub fn is_offered(import: &str) -> bool {
    match interface(import) {
        Some((interface, _)) => OFFERED.contains(&interface),
        // The one door for HTTP is our own: `wasi:http` would go around it. Other WASI names are the linker's to check.
        None => import.starts_with("wasi:") && !import.starts_with("wasi:http/"),
    }
}

fn check_imports(imports: &[String]) -> Result<(), LoadError> {
    let missing: Vec<String> = imports.iter().filter(|name| !is_offered(name)).cloned().collect();
    if missing.is_empty() { Ok(()) } else { Err(LoadError::MissingImports(missing)) }
}

/// The interface and version in a name of our package: `patchbay:channel/kv@1.0.0`.
fn interface(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(PACKAGE)?.strip_prefix('/')?.split_once('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wasi_http_is_no_import_that_the_host_offers() {
        let imports = ["wasi:io/poll@0.2.6".to_owned(), "wasi:http/outgoing-handler@0.2.6".to_owned()];
        let refused = check_imports(&imports).expect_err("it is missing");
        assert!(refused.to_string().ends_with("doesn't offer: wasi:http/outgoing-handler@0.2.6"), "{refused}");
    }
}
