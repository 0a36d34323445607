//! The manifest inside the component: one custom section of JSON.

use std::borrow::Cow;
use std::ops::Range;

use wasm_encoder::ComponentSection;
use wasmparser::BinaryReader;

use super::{Manifest, ManifestError};

/// Name of the custom section.
pub const SECTION: &str = "patchbay:manifest";

/// Bytes: more than a schema, an icon and files for browsers at their own bounds.
const SECTION_MAX: usize = 1024 * 1024;

/// Magic, then version 13 of layer 1: a component. A core module has version 1 of layer 0.
/// <https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md>
const MAGIC: &[u8] = b"\0asm";
const COMPONENT: &[u8] = &[0x0d, 0, 1, 0];
const MODULE: &[u8] = &[1, 0, 0, 0];

const CUSTOM: u8 = 0;

struct Section<'a> {
    /// With its id and size.
    whole: Range<usize>,
    id: u8,
    contents: &'a [u8],
}

impl<'a> Section<'a> {
    fn manifest(&self) -> Option<&'a [u8]> {
        let mut reader = BinaryReader::new(self.contents, 0);
        let ours = self.id == CUSTOM && reader.read_string().ok()? == SECTION;
        ours.then(|| self.contents.get(reader.current_position()..)).flatten()
    }
}

/// The top-level sections. Modules and components inside aren't entered, so this takes microseconds for megabytes.
fn sections(component: &[u8]) -> Result<Vec<Section<'_>>, ManifestError> {
    let Some(tail) = component.strip_prefix(MAGIC) else {
        return Err(ManifestError::NotAComponent("it doesn't begin with `\\0asm`".to_owned()));
    };
    if tail.starts_with(MODULE) {
        return Err(ManifestError::NotAComponent("it is a core module: make a component of it first".to_owned()));
    }
    if !tail.starts_with(COMPONENT) {
        return Err(ManifestError::NotAComponent("its binary version isn't a component's".to_owned()));
    }
    let broken = |error: wasmparser::BinaryReaderError| ManifestError::NotAComponent(error.to_string());
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

/// The JSON of a component's manifest.
pub(super) fn section(component: &[u8]) -> Result<&[u8], ManifestError> {
    let mut found = sections(component)?.into_iter().filter_map(|section| section.manifest());
    let json = found.next().ok_or(ManifestError::Missing)?;
    if found.next().is_some() {
        return Err(ManifestError::Malformed(format!("there are several sections `{SECTION}`")));
    }
    if json.len() > SECTION_MAX {
        return Err(ManifestError::Malformed(format!("it has {} bytes, and {SECTION_MAX} is the most", json.len())));
    }
    Ok(json)
}

/// The component with this manifest in it, in place of one it may have had. The same input gives the same bytes.
///
/// # Errors
/// The bytes aren't a component.
pub fn embed(component: &[u8], manifest: &Manifest) -> Result<Vec<u8>, ManifestError> {
    let json = serde_json::to_vec(manifest).map_err(|error| ManifestError::Malformed(error.to_string()))?;
    let mut out = Vec::with_capacity(component.len() + json.len() + 64);
    let mut copied = 0;
    for section in sections(component)?.iter().filter(|section| section.manifest().is_some()) {
        out.extend_from_slice(component.get(copied..section.whole.start).unwrap_or_default());
        copied = section.whole.end;
    }
    out.extend_from_slice(component.get(copied..).unwrap_or_default());
    let section = wasm_encoder::CustomSection { name: Cow::Borrowed(SECTION), data: Cow::Owned(json) };
    section.append_to_component(&mut out);
    Ok(out)
}
