//! What a component imports and exports, by name. Reading it runs and compiles nothing.

use wasmparser::{Parser, Payload};

use super::ManifestError;

/// The package of the contract.
const PACKAGE: &str = "patchbay:channel/";
/// What every plugin exports.
const CHANNEL: &str = "channel";

/// A component's outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surface {
    /// As they are written: `patchbay:channel/http@0.1.0`.
    pub imports: Vec<String>,
    pub exports: Vec<String>,
}

impl Surface {
    /// # Errors
    /// The bytes are no component.
    pub fn of(component: &[u8]) -> Result<Surface, ManifestError> {
        let broken = |error: wasmparser::BinaryReaderError| ManifestError::NotAComponent(error.to_string());
        let mut surface = Surface::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(component) {
            match payload.map_err(broken)? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                // Those of what is inside are its own business.
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        surface.imports.push(import.map_err(broken)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        surface.exports.push(export.map_err(broken)?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(surface)
    }

    /// The optional groups of hooks that it has: `polling`, `templates`.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.exports.iter().filter_map(|name| interface(name)).filter(|name| *name != CHANNEL)
    }

    /// The interfaces of WASI that it wants, without their versions.
    pub fn wasi(&self) -> impl Iterator<Item = &str> {
        self.imports.iter().filter(|name| name.starts_with("wasi:")).filter_map(|name| name.split('@').next())
    }

    /// What is missing at first sight: imports of somebody else's, and the export that every plugin has. The linker looks closer, at
    /// each function and its type, once it is compiled.
    pub fn missing(&self) -> Vec<String> {
        let strange = self.imports.iter().filter(|name| interface(name).is_none() && (!name.starts_with("wasi:") || is_wasi_http(name)));
        let mut missing: Vec<String> = strange.map(|name| format!("import {name}")).collect();
        if !self.exports.iter().any(|name| interface(name) == Some(CHANNEL)) {
            missing.push(format!("export {PACKAGE}{CHANNEL}"));
        }
        missing
    }
}

/// The interface in a name of the contract's package.
fn interface(name: &str) -> Option<&str> {
    name.strip_prefix(PACKAGE)?.split('@').next()
}

/// It would go around the one door for HTTP.
fn is_wasi_http(name: &str) -> bool {
    name.starts_with("wasi:http/")
}
