//! The sections at the top of a component's file: where the manifest, the conformance suite and signatures travel. Modules and
//! components inside aren't entered, so reading takes microseconds for megabytes. Runs no code.
//!
//! Start at [`sections`].

use std::{borrow::Cow, ops::Range};

use wasm_encoder::ComponentSection;
use wasmparser::BinaryReader;

/// The custom section of a signature: `signing.rs` reads it. It is named here because a change of any other section takes it away.
pub const SIGNATURE: &str = "patchbay:signature";

/// Magic, then version 13 of layer 1: a component. A core module has version 1 of layer 0.
/// <https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md>
const MAGIC: &[u8] = b"\0asm";
const COMPONENT: &[u8] = &[0x0d, 0, 1, 0];
const MODULE: &[u8] = &[1, 0, 0, 0];

const CUSTOM: u8 = 0;

/// Why a file has no sections of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAComponent {
    #[error("it doesn't begin with `\\0asm`")]
    NotWebAssembly,
    #[error(
        "it is a core module: make a component of it first, with `patchbay plugin build` or `wasm-tools component new`, and then \
         `patchbay plugin pack`"
    )]
    CoreModule,
    #[error("its binary version isn't a component's")]
    OtherVersion,
    /// What the reader says, with the offset.
    #[error("{0}")]
    Broken(String),
}

/// One section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section<'a> {
    /// With its id and size.
    pub whole: Range<usize>,
    pub id: u8,
    pub contents: &'a [u8],
}

impl<'a> Section<'a> {
    /// The name and data of a custom section.
    pub fn custom(&self) -> Option<(&'a str, &'a [u8])> {
        if self.id != CUSTOM {
            return None;
        }
        let mut reader = BinaryReader::new(self.contents, 0);
        let name = reader.read_string().ok()?;
        Some((name, self.contents.get(reader.current_position()..)?))
    }

    /// The data of a custom section of that name.
    pub fn named(&self, name: &str) -> Option<&'a [u8]> {
        self.custom().filter(|(own, _)| *own == name).map(|(_, data)| data)
    }

    /// What it is, in a word of the component model.
    pub fn kind(&self) -> &'static str {
        match self.id {
            CUSTOM => "custom",
            1 => "core module",
            2 => "core instance",
            3 => "core type",
            4 => "component",
            5 => "instance",
            6 => "alias",
            7 => "type",
            8 => "canonical function",
            9 => "start",
            10 => "import",
            11 => "export",
            12 => "value",
            _ => "unknown",
        }
    }
}

/// Every section, in order.
///
/// # Errors
/// The bytes aren't a component, or are cut.
pub fn sections(component: &[u8]) -> Result<Vec<Section<'_>>, NotAComponent> {
    let tail = component.strip_prefix(MAGIC).ok_or(NotAComponent::NotWebAssembly)?;
    if tail.starts_with(MODULE) {
        return Err(NotAComponent::CoreModule);
    }
    if !tail.starts_with(COMPONENT) {
        return Err(NotAComponent::OtherVersion);
    }
    let broken = |error: wasmparser::BinaryReaderError| NotAComponent::Broken(error.to_string());
    let mut reader = BinaryReader::new(component, 0);
    reader.read_bytes(MAGIC.len() + COMPONENT.len()).map_err(broken)?;
    let mut sections = Vec::new();
    while !reader.eof() {
        let start = reader.current_position();
        let id = reader.read_u8().map_err(broken)?;
        let size = reader.read_var_u32().map_err(broken)?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let contents = reader.read_bytes(size).map_err(broken)?;
        sections.push(Section { whole: start..reader.current_position(), id, contents });
    }
    Ok(sections)
}

/// The component with this custom section, in place of those of its name, and without signatures, which wouldn't hold any more. The
/// same input gives the same bytes.
///
/// # Errors
/// The bytes aren't a component.
pub fn replace(component: &[u8], name: &str, data: &[u8]) -> Result<Vec<u8>, NotAComponent> {
    let mut out = remove(component, name)?;
    append(&mut out, name, data);
    Ok(out)
}

/// The component without the custom sections of this name, and without signatures.
///
/// # Errors
/// The bytes aren't a component.
pub fn remove(component: &[u8], name: &str) -> Result<Vec<u8>, NotAComponent> {
    without(component, |custom| custom == name || custom == SIGNATURE)
}

/// The component without its signatures.
///
/// # Errors
/// The bytes aren't a component.
pub fn unsigned(component: &[u8]) -> Result<Vec<u8>, NotAComponent> {
    without(component, |custom| custom == SIGNATURE)
}

/// Puts a custom section behind all others.
pub(crate) fn append(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    let section = wasm_encoder::CustomSection { name: Cow::Borrowed(name), data: Cow::Borrowed(data) };
    section.append_to_component(component);
}

fn without(component: &[u8], leave_out: impl Fn(&str) -> bool) -> Result<Vec<u8>, NotAComponent> {
    let mut out = Vec::with_capacity(component.len());
    let mut copied = 0;
    for section in sections(component)? {
        if section.custom().is_some_and(|(name, _)| leave_out(name)) {
            out.extend_from_slice(component.get(copied..section.whole.start).unwrap_or_default());
            copied = section.whole.end;
        }
    }
    out.extend_from_slice(component.get(copied..).unwrap_or_default());
    Ok(out)
}

/// The names that a component imports and exports at its top: `patchbay:channel/kv@1.0.0`, `wasi:io/poll@0.2.6`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Interfaces {
    pub imports: Vec<String>,
    pub exports: Vec<String>,
}

impl Interfaces {
    /// Reads them without validating the rest.
    ///
    /// # Errors
    /// The bytes aren't a component, or the lists can't be read.
    pub fn of(component: &[u8]) -> Result<Interfaces, NotAComponent> {
        let broken = |error: wasmparser::BinaryReaderError| NotAComponent::Broken(error.to_string());
        let mut interfaces = Interfaces::default();
        for section in sections(component)? {
            let reader = BinaryReader::new(section.contents, 0);
            match section.kind() {
                "import" => {
                    for import in wasmparser::ComponentImportSectionReader::new(reader).map_err(broken)? {
                        interfaces.imports.push(import.map_err(broken)?.name.name.to_owned());
                    }
                }
                "export" => {
                    for export in wasmparser::ComponentExportSectionReader::new(reader).map_err(broken)? {
                        interfaces.exports.push(export.map_err(broken)?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(interfaces)
    }

    /// Does it export this interface of the contract, in whatever version?
    pub fn exports_group(&self, interface: &str) -> bool {
        self.exports.iter().filter_map(|name| contract_part(name)).any(|(own, _)| own == interface)
    }

    /// The version of the contract that the names are of.
    pub fn contract(&self) -> Option<&str> {
        self.imports.iter().chain(&self.exports).find_map(|name| contract_part(name)).map(|(_, version)| version)
    }

    /// What it wants of WASI: `wasi:io/poll`, without versions, each once.
    pub fn wasi(&self) -> impl Iterator<Item = &str> {
        self.imports.iter().filter(|name| name.starts_with("wasi:")).map(|name| name.split('@').next().unwrap_or(name))
    }
}

/// The interface and version in a name of our package.
fn contract_part(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("patchbay:channel/")?.split_once('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn empty() -> Vec<u8> {
        [MAGIC, COMPONENT].concat()
    }

    #[test]
    fn what_isnt_a_component_is_told_apart() {
        assert_eq!(sections(b"MZ"), Err(NotAComponent::NotWebAssembly));
        assert_eq!(sections(b"\0asm\x01\0\0\0"), Err(NotAComponent::CoreModule));
        assert_eq!(sections(b"\0asm\x0d\0\x02\0"), Err(NotAComponent::OtherVersion));
        let cut = [empty(), vec![0, 9, 1, b'a']].concat();
        assert!(matches!(sections(&cut), Err(NotAComponent::Broken(_))));
    }

    #[test]
    fn a_replaced_section_is_there_once_and_the_signature_is_gone() {
        let mut component = empty();
        append(&mut component, "a", b"old");
        append(&mut component, "b", b"kept");
        append(&mut component, SIGNATURE, b"signature");
        let replaced = replace(&component, "a", b"new").expect("a component");
        let names: Vec<_> = sections(&replaced).expect("a component").iter().filter_map(Section::custom).collect();
        assert_eq!(names, [("b", b"kept".as_slice()), ("a", b"new".as_slice())]);
        assert_eq!(replace(&replaced, "a", b"new"), Ok(replaced));
    }
}
