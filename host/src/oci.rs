//! Plugins out of OCI registries: one image manifest with one layer, which is the component as it is. So the layer's digest is the
//! component's, and a signature travels in it.
//!
//! `patchbay plugin push` and `pull` talk to registries by `oci-client`. The gateway pulls by itself, through egress: that library makes
//! its own HTTP client, which nobody could keep from private addresses when a registry sends it there.
//!
//! Touches: the network. Start at [`pull`].

mod session;

#[cfg(test)]
mod tests;

use oci_client::{
    Reference,
    manifest::{OciDescriptor, OciImageManifest},
};
use ring::digest;

use crate::{
    app::App,
    config::Registry,
    egress::{AskError, Egress},
};
use session::Session;

/// The media type of the layer.
pub const LAYER: &str = "application/wasm";
/// What other tools have called it.
const ALSO_LAYERS: [&str; 2] =
    ["application/vnd.wasm.content.layer.v1+wasm", "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm"];
/// The media type of the configuration, which says what the component imports and exports.
pub const CONFIG: &str = "application/vnd.wasm.config.v0+json";

/// A component from a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    pub component: Vec<u8>,
    /// What was asked for, with the digest of the image's manifest, which always means these bytes:
    /// `registry.example/plugins/pigeon:1.2.0@sha256:…`. It can be pulled again by that.
    pub pinned: String,
}

/// Why there is no component.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PullError {
    #[error("{reference:?} is no reference: {why}; expected is registry/name:tag or registry/name@sha256:…")]
    Reference { reference: String, why: String },
    #[error(
        "the registry {0} isn't named in the configuration: add [plugins.registries.\"{0}\"], with plain_http, username and password where it needs them"
    )]
    UnknownRegistry(String),
    #[error("{0} has no such plugin: look at its name and tag")]
    NotFound(String),
    #[error("the registry {0} refuses: set username and password of [plugins.registries.\"{0}\"], or give that user the right to pull")]
    Unauthorized(String),
    #[error("{reference} is no plugin: {why}")]
    NotAPlugin { reference: String, why: String },
    #[error("it has {size} bytes; plugins.max_size_mb allows {most}")]
    TooLarge { size: u64, most: usize },
    #[error("{what} was changed: {expected} was asked for, and {found} came")]
    Tampered { what: &'static str, expected: String, found: String },
    #[error("the registry {registry}: {why}")]
    Unreachable { registry: String, why: String },
}

/// Pulls the component that a reference means, by its registry's entry in the configuration.
///
/// # Errors
/// Nothing was pulled, or what came isn't what was asked for.
pub async fn pull(app: &App, reference: &str) -> Result<Pulled, PullError> {
    let parsed = parse(reference)?;
    let name = parsed.registry();
    let registry = app.config.plugins.registries.get(name).ok_or_else(|| PullError::UnknownRegistry(name.to_owned()))?;
    let most = app.config.plugins.max_size_mb.saturating_mul(1024 * 1024);
    pull_from(&app.egress, registry, &parsed, most).await
}

async fn pull_from(egress: &Egress, registry: &Registry, reference: &Reference, most: usize) -> Result<Pulled, PullError> {
    let mut session = Session::new(egress, registry, reference);
    let text = session.manifest().await?;
    let digest = sha256(&text);
    if let Some(expected) = reference.digest().filter(|expected| *expected != digest) {
        return Err(PullError::Tampered { what: "the image's manifest", expected: expected.to_owned(), found: digest });
    }
    let no_plugin = |why: String| PullError::NotAPlugin { reference: reference.to_string(), why };
    let manifest: OciImageManifest = serde_json::from_slice(&text)
        .map_err(|_| no_plugin("it is no image manifest (of an index, name one image by its digest)".to_owned()))?;
    let layer = component_layer(&manifest).map_err(no_plugin)?;
    let size = u64::try_from(layer.size).unwrap_or(u64::MAX);
    if usize::try_from(size).map_or(true, |size| size > most) {
        return Err(PullError::TooLarge { size, most });
    }
    let component = session.blob(&layer.digest, most).await?;
    let found = sha256(&component);
    if found != layer.digest {
        return Err(PullError::Tampered { what: "the component", expected: layer.digest.clone(), found });
    }
    let tag = reference.tag().map_or(String::new(), |tag| format!(":{tag}"));
    let pinned = format!("{}/{}{tag}@{digest}", reference.registry(), reference.repository());
    Ok(Pulled { component, pinned })
}

/// Reads a reference that names its registry.
///
/// # Errors
/// It isn't one, or leaves the registry to be guessed.
pub fn parse(text: &str) -> Result<Reference, PullError> {
    let wrong = |why: &str| PullError::Reference { reference: text.to_owned(), why: why.to_owned() };
    let reference: Reference = text.parse().map_err(|error: oci_client::ParseError| wrong(&error.to_string()))?;
    if !text.starts_with(&format!("{}/", reference.registry())) {
        return Err(wrong("it names no registry"));
    }
    if reference.digest().is_some_and(|digest| !is_sha256(digest)) {
        return Err(wrong("its digest isn't SHA-256"));
    }
    Ok(reference)
}

/// The layer with the component.
///
/// # Errors
/// There is none, or several: why it is no plugin.
pub fn component_layer(manifest: &OciImageManifest) -> Result<&OciDescriptor, String> {
    let is_component = |layer: &&OciDescriptor| layer.media_type == LAYER || ALSO_LAYERS.contains(&layer.media_type.as_str());
    let mut layers = manifest.layers.iter().filter(is_component);
    match (layers.next(), layers.next()) {
        (Some(layer), None) if is_sha256(&layer.digest) => Ok(layer),
        (Some(_), None) => Err("the digest of its layer isn't SHA-256".to_owned()),
        (Some(_), Some(_)) => Err(format!("it has several layers of type {LAYER}")),
        (None, _) => {
            let found: Vec<&str> = manifest.layers.iter().map(|layer| layer.media_type.as_str()).collect();
            Err(format!(
                "it has no layer of type {LAYER}, but {}",
                if found.is_empty() { "none at all".to_owned() } else { found.join(", ") }
            ))
        }
    }
}

fn is_sha256(digest: &str) -> bool {
    digest.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(digest::digest(&digest::SHA256, bytes)))
}

impl PullError {
    fn unreachable(registry: &str, error: &AskError) -> PullError {
        PullError::Unreachable { registry: registry.to_owned(), why: error.to_string() }
    }
}
