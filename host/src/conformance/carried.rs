//! The suite inside the component: one custom section of JSON, so that a gateway that was handed nothing but the component can run
//! it. It holds the folder's files by their paths, as they are.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::suite::{Files, Suite, SuiteError};
use crate::sections::{self, NotAComponent};

/// Name of the custom section.
pub const SECTION: &str = "patchbay:conformance";

/// Bytes: the largest suite of this repository has a thirtieth of it.
const SECTION_MAX: usize = 8 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Carried {
    /// `conformance.json`, `fixtures/text.json`.
    files: BTreeMap<String, Box<RawValue>>,
}

impl From<NotAComponent> for SuiteError {
    fn from(error: NotAComponent) -> Self {
        SuiteError::Component(error.to_string())
    }
}

impl Suite {
    /// The suite that a component carries; none where it carries none.
    ///
    /// # Errors
    /// The bytes aren't a component, or what it carries isn't a suite.
    pub fn from_component(component: &[u8]) -> Result<Option<Suite>, SuiteError> {
        let Some(files) = files(component)? else { return Ok(None) };
        Suite::from_files(&files).map(Some)
    }
}

/// The names of the files of the suite that a component carries, with their sizes in bytes.
///
/// # Errors
/// As [`Suite::from_component`].
pub fn listing(component: &[u8]) -> Result<BTreeMap<String, usize>, SuiteError> {
    let files = files(component)?.unwrap_or_default();
    Ok(files.into_iter().map(|(name, text)| (name, text.len())).collect())
}

fn files(component: &[u8]) -> Result<Option<Files>, SuiteError> {
    let sections = sections::sections(component)?;
    let mut found = sections.iter().filter_map(|section| section.named(SECTION));
    let Some(json) = found.next() else { return Ok(None) };
    let malformed = |message: String| SuiteError::Malformed { path: format!("the section {SECTION}"), message };
    if found.next().is_some() {
        return Err(malformed("it is there several times".to_owned()));
    }
    if json.len() > SECTION_MAX {
        return Err(malformed(format!("it has {} bytes, and {SECTION_MAX} is the most", json.len())));
    }
    let carried: Carried = serde_json::from_slice(json).map_err(|error| malformed(error.to_string()))?;
    Ok(Some(carried.files.into_iter().map(|(name, text)| (name, text.get().as_bytes().to_vec())).collect()))
}

/// The component with its folder's suite in it, in place of one it may have had, and without its signatures. A folder without
/// `conformance.json` gives a component without a suite.
///
/// # Errors
/// A file of the folder can't be read or isn't as it should be, or the bytes aren't a component.
pub fn embed(component: &[u8], folder: &Path) -> Result<Vec<u8>, SuiteError> {
    let files = super::suite::read_folder(folder)?;
    if files.is_empty() {
        return Ok(sections::remove(component, SECTION)?);
    }
    // A mistake shows here, not where somebody installs it.
    Suite::from_files(&files)?;
    // White space is for people: they have the folder.
    let short = |(name, text): (String, Vec<u8>)| {
        let malformed = |error: serde_json::Error| SuiteError::Malformed { path: name.clone(), message: error.to_string() };
        let value: Value = serde_json::from_slice(&text).map_err(malformed)?;
        let text = serde_json::value::to_raw_value(&value).map_err(malformed)?;
        Ok((name, text))
    };
    let carried = Carried { files: files.into_iter().map(short).collect::<Result<_, SuiteError>>()? };
    let json = serde_json::to_vec(&carried).map_err(|error| SuiteError::Component(error.to_string()))?;
    if json.len() > SECTION_MAX {
        let message = format!("the suite has {} bytes, and {SECTION_MAX} is the most", json.len());
        return Err(SuiteError::Malformed { path: folder.display().to_string(), message });
    }
    Ok(sections::replace(component, SECTION, &json)?)
}

#[cfg(test)]
mod tests;
