//! Components that don't fit say so, in words.

use patchbay_guests::Guest;
use patchbay_sandbox::{LoadError, Sandbox, compile};

use crate::host::{settings, try_load};

fn refusal(guest: &Guest<'_>) -> LoadError {
    match try_load(&guest.component(), &settings()) {
        Ok(_) => panic!("it was loaded"),
        Err(error) => error,
    }
}

#[test]
fn another_version_of_the_contract_is_named() {
    let error = refusal(&Guest { wit: &[("patchbay:channel@1.0.0", "patchbay:channel@2.0.0")], ..Guest::default() });
    assert_eq!(
        error.to_string(),
        "the plugin speaks patchbay:channel@2.0.0, this gateway 0.1.0 and 1.0.0: build the plugin against one of these"
    );
}

#[test]
fn a_later_minor_version_of_the_contract_is_taken() {
    let guest = Guest { wit: &[("patchbay:channel@1.0.0", "patchbay:channel@1.4.3")], ..Guest::default() };
    assert!(try_load(&guest.component(), &settings()).is_ok());
}

#[test]
fn a_missing_import_is_named() {
    let wit = [("world imports {", "interface telepathy { read: func() -> string; } world imports { import telepathy;")];
    let error = refusal(&Guest { wit: &wit, ..Guest::default() });
    assert_eq!(error.to_string(), "the plugin imports what this gateway doesn't offer: patchbay:channel/telepathy@1.0.0");
}

#[test]
fn a_missing_function_is_named() {
    let wit = [("  delete: func(key: string);", "  delete: func(key: string); forget-all: func();")];
    let error = refusal(&Guest { wit: &wit, ..Guest::default() }).to_string();
    assert!(error.contains("patchbay:channel/kv@1.0.0") && error.contains("forget-all"), "{error}");
}

#[test]
fn a_plugin_without_the_hooks_is_told_which() {
    let error = refusal(&Guest { world: "plugin-polling", ..Guest::default() });
    assert_eq!(error.to_string(), "the plugin doesn't export what every plugin has to: patchbay:channel/channel@1.0.0");
}

#[test]
fn a_missing_hook_is_named() {
    let wit = [("  health: func(call: call) -> result<report, failure>;", "")];
    let error = refusal(&Guest { wit: &wit, ..Guest::default() }).to_string();
    assert!(error.contains("health"), "{error}");
}

#[test]
fn wasi_http_is_not_to_be_had() {
    let guest = Guest {
        wit: &[("world imports {", "world imports { import wasi:http/outgoing-handler@0.2.6;")],
        packages: "package wasi:http@0.2.6 { interface outgoing-handler { handle: func() -> u32; } }",
        ..Guest::default()
    };
    assert_eq!(refusal(&guest).to_string(), "the plugin imports what this gateway doesn't offer: wasi:http/outgoing-handler@0.2.6");
}

#[test]
fn a_file_that_is_no_artefact_is_refused() {
    let sandbox = Sandbox::new(&settings()).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), Guest::default().component()).unwrap();
    assert!(matches!(sandbox.load(file.path()), Err(LoadError::Artefact(_))));
    assert!(matches!(sandbox.load(std::path::Path::new("/nowhere")), Err(LoadError::Artefact(_))));
}

#[test]
fn what_is_no_component_does_not_compile() {
    let error = compile(b"\0asm no such thing").unwrap_err().to_string();
    assert!(error.starts_with("this is not a WebAssembly component"), "{error}");
}

#[test]
fn two_sandboxes_of_one_build_have_one_engine_id() {
    let small = Sandbox::new(&settings()).unwrap();
    let large = Sandbox::new(&patchbay_sandbox::SandboxSettings::default()).unwrap();
    assert_eq!(small.engine_id(), large.engine_id());
}
