//! The manifest inside the component: one custom section of JSON.

use super::{Manifest, ManifestError};
use crate::sections::{self, NotAComponent, Section};

/// Name of the custom section.
pub const SECTION: &str = "patchbay:manifest";

/// Bytes: more than a schema, an icon and files for browsers at their own bounds.
const SECTION_MAX: usize = 1024 * 1024;

impl From<NotAComponent> for ManifestError {
    fn from(error: NotAComponent) -> Self {
        ManifestError::NotAComponent(error.to_string())
    }
}

/// The JSON of a component's manifest.
pub(super) fn section(component: &[u8]) -> Result<&[u8], ManifestError> {
    let sections = sections::sections(component)?;
    let mut found = sections.iter().filter_map(|section: &Section<'_>| section.named(SECTION));
    let json = found.next().ok_or(ManifestError::Missing)?;
    if found.next().is_some() {
        return Err(ManifestError::Malformed(format!("there are several sections `{SECTION}`")));
    }
    if json.len() > SECTION_MAX {
        return Err(ManifestError::Malformed(format!("it has {} bytes, and {SECTION_MAX} is the most", json.len())));
    }
    Ok(json)
}

/// The component with this manifest in it, in place of one it may have had, and without its signatures. The same input gives the same
/// bytes.
///
/// # Errors
/// The bytes aren't a component.
pub fn embed(component: &[u8], manifest: &Manifest) -> Result<Vec<u8>, ManifestError> {
    let json = serde_json::to_vec(manifest).map_err(|error| ManifestError::Malformed(error.to_string()))?;
    Ok(sections::replace(component, SECTION, &json)?)
}
