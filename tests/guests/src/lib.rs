//! Tiny guests, written in WebAssembly text: each gives the bodies of the hooks its test needs, the others trap. All
//! that the canonical ABI asks for around them (imports, names, signatures, `cabi_realloc`) is derived from `wit/`.
//!
//! In a body, an import is called by its name (`$log.write`, `$blob.append`), parameters are numbered, `$count` is a
//! global that starts at 0, and memory from `$SCRATCH` to 1 MiB is the test's own, from 1 MiB on it is the heap. A
//! result is a pointer: `result<_, failure>` has its case in the byte at 0 and what it holds at 8.
//!
//! What is made is a component without a manifest: the sandbox runs it so; for the gateway, `patchbay::manifest::embed` adds one.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's way to fail")]

use std::fmt::Write as _;
use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::WasmType;
use wit_parser::{
    Function, LiftLowerAbi, ManglingAndAbi, Resolve, ResourceIntrinsic, TypeDefKind, WasmExport, WasmExportKind, WasmImport, WorldId,
    WorldItem, WorldKey,
};

const ABI: ManglingAndAbi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
const HEAP: u32 = 1 << 20;

/// What a guest is made of. `Default` is a plugin whose every hook traps.
pub struct Guest<'a> {
    pub world: &'a str,
    /// A hook's name and the body of its function.
    pub hooks: &'a [(&'a str, &'a str)],
    /// More of the module: globals, data, functions.
    pub items: &'a str,
    /// Of 64 KiB.
    pub memory_pages: u32,
    /// Text of `wit/` to be replaced, for contracts that aren't ours.
    pub wit: &'a [(&'a str, &'a str)],
    /// More WIT: packages that the replaced text needs.
    pub packages: &'a str,
}

impl Default for Guest<'_> {
    fn default() -> Self {
        Guest { world: "plugin", hooks: &[], items: "", memory_pages: 32, wit: &[], packages: "" }
    }
}

impl Guest<'_> {
    /// A plugin with one hook.
    pub fn component_of(hook: &str, body: &str) -> Vec<u8> {
        Guest { hooks: &[(hook, body)], ..Guest::default() }.component()
    }

    pub fn component(&self) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("channel.wit", &self.wit()).unwrap();
        let world = resolve.select_world(&[package], Some(self.world)).unwrap();
        let mut module = wat::parse_str(self.module(&resolve, world)).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        let mut encoder = ComponentEncoder::default();
        encoder.validate(true).module(&module).unwrap();
        encoder.encode().unwrap()
    }

    /// All of `wit/` as one file, so that text in it can be replaced.
    fn wit(&self) -> String {
        const PACKAGE: &str = "package patchbay:channel@";
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        let mut files: Vec<_> = folder.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "wit"));
        files.sort();
        let mut text = String::new();
        for file in files {
            let file = std::fs::read_to_string(file).unwrap();
            let (head, rest) = file.split_once(";\n").unwrap();
            assert!(head.contains(PACKAGE), "a file of wit/ begins with its package");
            // One file has one package line.
            text.push_str(if text.is_empty() { &file } else { rest });
        }
        text.push_str(self.packages);
        for (from, to) in self.wit {
            assert!(text.contains(from), "wit/ no longer has `{from}`");
            text = text.replace(from, to);
        }
        text
    }

    fn module(&self, resolve: &Resolve, world: WorldId) -> String {
        let mut wat = "(module\n".to_owned();
        for (key, item) in &resolve.worlds[world].imports {
            if let WorldItem::Interface { id, .. } = item {
                let interface = &resolve.interfaces[*id];
                for function in interface.functions.values() {
                    import(&mut wat, resolve, key, interface.name.as_deref().unwrap(), function);
                }
                for (name, resource) in &interface.types {
                    if matches!(resolve.types[*resource].kind, TypeDefKind::Resource) {
                        let intrinsic = ResourceIntrinsic::ImportedDrop;
                        let drop = WasmImport::ResourceIntrinsic { interface: Some(key), resource: *resource, intrinsic };
                        let (from, field) = resolve.wasm_import_name(ABI, drop);
                        writeln!(wat, "(import {from:?} {field:?} (func ${name}.drop (param i32)))").unwrap();
                    }
                }
            }
        }
        let mut left: Vec<&str> = self.hooks.iter().map(|(name, _)| *name).collect();
        for (key, item) in &resolve.worlds[world].exports {
            if let WorldItem::Interface { id, .. } = item {
                for function in resolve.interfaces[*id].functions.values() {
                    let body = self.hooks.iter().find(|(name, _)| *name == function.name);
                    left.retain(|name| *name != function.name);
                    export(&mut wat, resolve, key, function, body.map_or("unreachable", |(_, body)| body));
                }
            }
        }
        assert!(left.is_empty(), "no such hooks: {left:?}");
        let (pages, items) = (self.memory_pages, self.items);
        write!(
            wat,
            r#"
            (memory (export "memory") {pages})
            (global $count (mut i32) (i32.const 0))
            (global $heap (mut i32) (i32.const {HEAP}))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
                (global.set $heap (i32.add (local.get $at) (local.get 3)))
                (local.get $at))
            {items})"#
        )
        .unwrap();
        wat
    }
}

fn import(wat: &mut String, resolve: &Resolve, key: &WorldKey, interface: &str, function: &Function) {
    let signature = resolve.wasm_signature(ABI.import_variant(), function);
    let (from, field) = resolve.wasm_import_name(ABI, WasmImport::Func { interface: Some(key), func: function });
    // `[method]blob.append` is `$blob.append`, `[constructor]blob` is `$blob.new`, `get` of `kv` is `$kv.get`.
    let name = match function.name.split_once(']') {
        Some(("[constructor", resource)) => format!("{resource}.new"),
        Some((_, method)) => method.to_owned(),
        None => format!("{interface}.{}", function.name),
    };
    write!(wat, "(import {from:?} {field:?} (func ${name}").unwrap();
    push_types(wat, "param", &signature.params);
    push_types(wat, "result", &signature.results);
    wat.push_str("))\n");
}

fn export(wat: &mut String, resolve: &Resolve, key: &WorldKey, function: &Function, body: &str) {
    let signature = resolve.wasm_signature(ABI.export_variant(), function);
    let name = |kind| resolve.wasm_export_name(ABI, WasmExport::Func { interface: Some(key), func: function, kind });
    write!(wat, "(func ${} (export {:?})", function.name, name(WasmExportKind::Normal)).unwrap();
    push_types(wat, "param", &signature.params);
    push_types(wat, "result", &signature.results);
    writeln!(wat, "\n{body})").unwrap();
    // After the answer is read the heap is empty again, so that a live instance doesn't fill up.
    write!(wat, "(func (export {:?})", name(WasmExportKind::PostReturn)).unwrap();
    push_types(wat, "param", &signature.results);
    writeln!(wat, "(global.set $heap (i32.const {HEAP})))").unwrap();
}

fn push_types(wat: &mut String, what: &str, types: &[WasmType]) {
    for ty in types {
        let ty = match ty {
            WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
            WasmType::I64 | WasmType::PointerOrI64 => "i64",
            WasmType::F32 => "f32",
            WasmType::F64 => "f64",
        };
        write!(wat, " ({what} {ty})").unwrap();
    }
}
