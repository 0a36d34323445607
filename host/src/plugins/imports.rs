//! What a component imports and exports against what the host offers, before it is compiled: by the names of interfaces. The linker looks
//! closer, at each function and its type.

use patchbay_sandbox::is_offered;

use crate::sections::Interfaces;

const CONTRACT: &str = "patchbay:channel/";
/// What every plugin exports.
const CHANNEL: &str = "channel";

/// What is missing: imports that nobody offers, and the export that every plugin has.
pub(super) fn missing(interfaces: &Interfaces) -> Vec<String> {
    let strange = interfaces.imports.iter().filter(|name| !is_offered(name));
    let mut missing: Vec<String> = strange.map(|name| format!("the host has no {name}")).collect();
    if !interfaces.exports_group(CHANNEL) {
        missing.push(format!("the plugin has no {CONTRACT}{CHANNEL}"));
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let fits = Interfaces {
            imports: names(&["patchbay:channel/http@1.0.0", "wasi:clocks/wall-clock@0.2.6"]),
            exports: names(&["patchbay:channel/channel@1.0.0"]),
        };
        assert!(missing(&fits).is_empty());
        let strange = Interfaces { imports: names(&["wasi:http/outgoing-handler@0.2.6", "acme:x/y"]), exports: Vec::new() };
        assert_eq!(
            missing(&strange),
            ["the host has no wasi:http/outgoing-handler@0.2.6", "the host has no acme:x/y", "the plugin has no patchbay:channel/channel"]
        );
    }
}
