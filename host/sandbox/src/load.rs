//! From a file of machine code to something that can be instantiated, or to words that say why not.

use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre};

use crate::contract::VERSION;
use crate::error::LoadError;
use crate::hook::{Configure, Connect, Download, Health, Hook, ListTemplates, ParseInbound, Poll, Preview, SendOut, Signature};
use crate::imports;
use crate::state::State;

/// A component whose imports are tied to the host and whose hooks have been found.
pub(crate) struct Linked {
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

pub(crate) const PACKAGE: &str = "patchbay:channel";
/// The interfaces that the host offers.
const OFFERED: [&str; 7] = ["types", "messages", "log", "kv", "http", "crypto", "mail"];

pub(crate) fn link(engine: &Engine, component: &Component) -> Result<Linked, LoadError> {
    let imports: Vec<String> = component.component_type().imports(engine).map(|(name, _)| name.to_owned()).collect();
    let exports: Vec<String> = component.component_type().exports(engine).map(|(name, _)| name.to_owned()).collect();
    check_version(imports.iter().chain(&exports))?;
    check_imports(&imports)?;
    if !exports_interface(&exports, Configure::INTERFACE) {
        return Err(LoadError::MissingExports(vec![format!("{PACKAGE}/{}@{VERSION}", Configure::INTERFACE)]));
    }
    let with_wasi = imports.iter().any(|name| name.starts_with("wasi:"));
    let linker = imports::linker(engine, with_wasi).map_err(mismatch)?;
    let instance = linker.instantiate_pre(component).map_err(mismatch)?;
    Ok(Linked {
        configure: Hook::find(&instance)?,
        connect: Hook::find(&instance)?,
        send: Hook::find(&instance)?,
        parse_inbound: Hook::find(&instance)?,
        health: Hook::find(&instance)?,
        poll: optional(&exports, &instance)?,
        download: optional(&exports, &instance)?,
        list_templates: optional(&exports, &instance)?,
        preview: optional(&exports, &instance)?,
        instance,
    })
}

/// A hook of an optional group: that the group is absent is fine, that half of it is there is not.
fn optional<S: Signature>(exports: &[String], instance: &InstancePre<State>) -> Result<Option<Hook<S>>, LoadError> {
    if exports_interface(exports, S::INTERFACE) { Hook::find(instance).map(Some) } else { Ok(None) }
}

/// Another version is told as such, before its consequences: that every function is missing.
fn check_version<'a>(mut names: impl Iterator<Item = &'a String>) -> Result<(), LoadError> {
    let skewed = names.find_map(|name| {
        let (_, version) = interface(name)?;
        (compatibility(version) != compatibility(VERSION)).then(|| version.to_owned())
    });
    skewed.map_or(Ok(()), |plugin| Err(LoadError::Version { plugin }))
}

fn check_imports(imports: &[String]) -> Result<(), LoadError> {
    let offered = |name: &str| match interface(name) {
        Some((interface, _)) => OFFERED.contains(&interface),
        // The one door for HTTP is our own: `wasi:http` would go around it. Other WASI names are the linker's to check.
        None => name.starts_with("wasi:") && !name.starts_with("wasi:http/"),
    };
    let missing: Vec<String> = imports.iter().filter(|name| !offered(name)).cloned().collect();
    if missing.is_empty() { Ok(()) } else { Err(LoadError::MissingImports(missing)) }
}

fn exports_interface(exports: &[String], wanted: &str) -> bool {
    exports.iter().any(|name| interface(name).is_some_and(|(interface, _)| interface == wanted))
}

/// The interface and version in a name of our package: `patchbay:channel/kv@0.1.0`.
fn interface(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(PACKAGE)?.strip_prefix('/')?.split_once('@')
}

/// What two versions have in common when code for one runs on the other: the major number, and before 1.0 the minor
/// too. The linker matches by the same rule.
fn compatibility(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
    let (major, minor) = (numbers.next()??, numbers.next()??);
    Some((major, if major == 0 { minor } else { 0 }))
}

/// The whole chain: the last cause names the function.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn mismatch(error: wasmtime::Error) -> LoadError {
    LoadError::Mismatch(format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compatible_as_semver_says() {
        assert_eq!(compatibility("0.1.0"), compatibility("0.1.7"));
        assert_ne!(compatibility("0.1.0"), compatibility("0.2.0"));
        assert_eq!(compatibility("1.0.0"), compatibility("1.4.0"));
        assert_ne!(compatibility("1.0.0"), compatibility("2.0.0"));
        assert_eq!(compatibility("none"), None);
    }

    #[test]
    fn wasi_http_is_no_import_that_the_host_offers() {
        let imports = ["wasi:io/poll@0.2.6".to_owned(), "wasi:http/outgoing-handler@0.2.6".to_owned()];
        let refused = check_imports(&imports).expect_err("it is missing");
        assert!(refused.to_string().ends_with("doesn't offer: wasi:http/outgoing-handler@0.2.6"), "{refused}");
    }
}
