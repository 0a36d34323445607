//! A plugin of a few lines of WebAssembly text: it takes any settings, and traps at all else.

use patchbay::{
    conformance::carried,
    manifest::{CONTRACT, Manifest, embed},
    signing::{NewKey, SecretKey, sign},
};
use patchbay_guests::Guest;
use serde_json::json;

/// Answers the settings as they came.
const ECHO: &str = "(i32.store8 (i32.const 16384) (i32.const 0))
    (i32.store offset=8 (i32.const 16384) (local.get 0))
    (i32.store offset=12 (i32.const 16384) (local.get 1))
    (i32.const 16384)";

pub(super) struct Pigeon {
    pub(super) version: &'static str,
    pub(super) name: &'static str,
    /// Which requests it asks for.
    pub(super) methods: &'static [&'static str],
}

impl Default for Pigeon {
    fn default() -> Pigeon {
        Pigeon { version: "1.0.0", name: "Pigeon", methods: &["GET"] }
    }
}

impl Pigeon {
    pub(super) fn version(version: &'static str) -> Pigeon {
        Pigeon { version, ..Pigeon::default() }
    }

    pub(super) fn named(name: &'static str) -> Pigeon {
        Pigeon { name, ..Pigeon::default() }
    }

    pub(super) fn component(&self) -> Vec<u8> {
        self.made_of(&Guest { hooks: &[("configure", ECHO)], ..Guest::default() })
    }

    /// With an import that would go around the gateway's own door.
    pub(super) fn importing_wasi_http(&self) -> Vec<u8> {
        self.made_of(&Guest {
            hooks: &[("configure", ECHO)],
            wit: &[("world imports {", "world imports { import wasi:http/outgoing-handler@0.2.6;")],
            packages: "package wasi:http@0.2.6 { interface outgoing-handler { handle: func() -> u32; } }",
            ..Guest::default()
        })
    }

    /// With an interface that the contract doesn't have.
    pub(super) fn importing_telepathy(&self) -> Vec<u8> {
        let wit = [("world imports {", "interface telepathy { read: func() -> string; } world imports { import telepathy;")];
        self.made_of(&Guest { hooks: &[("configure", ECHO)], wit: &wit, ..Guest::default() })
    }

    /// With a function more than the interface has.
    pub(super) fn importing_a_function_more(&self) -> Vec<u8> {
        let wit = [("  delete: func(key: string);", "  delete: func(key: string); forget-all: func();")];
        self.made_of(&Guest { hooks: &[("configure", ECHO)], wit: &wit, ..Guest::default() })
    }

    /// With a suite that asks for what it doesn't do.
    pub(super) fn with_a_suite_it_fails(&self) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let suite = json!({
            "settings": {"good": [{"about": "nothing", "settings": {}}],
                         "bad": [{"about": "nothing at all", "settings": {"token": "t"}, "pointer": "/token"}]},
            "account": {"settings": {}, "secrets": {"token": "t"}},
            "connect": {"external_id": "loft"},
            "health": {},
            "send": {"message": {"to": "1", "content": {"type": "text", "text": "coo"}}},
        });
        std::fs::write(folder.path().join("conformance.json"), suite.to_string()).unwrap();
        carried::embed(&self.component(), folder.path()).unwrap()
    }

    fn made_of(&self, guest: &Guest<'_>) -> Vec<u8> {
        let manifest = json!({
            "id": "pigeon",
            "type": "PIGEON",
            "version": self.version,
            "name": self.name,
            "contract": CONTRACT,
            "settings": {"type": "object", "properties": {"token": {"type": "string", "writeOnly": true}}},
            "secrets": {"token": {"title": "Token", "from": "typed"}},
            "egress": {"api": {"base": "https://api.pigeon.example/v1", "methods": self.methods, "bearer": "token"}},
            "capabilities": {"commands": ["message"], "content": {"text": {}}},
        });
        let manifest = Manifest::from_json(manifest.to_string().as_bytes()).unwrap();
        embed(&guest.component(), &manifest).unwrap()
    }
}

pub(super) fn signed(component: &[u8], key: &NewKey, comment: &str) -> Vec<u8> {
    sign(component, &SecretKey::open(&key.secret_file, None).unwrap(), comment).unwrap()
}

/// A key's id, as people see it.
pub(super) fn key_of(key: &NewKey) -> String {
    key.public.id().to_string()
}
