//! Versions of plugins: where they come from, what became of them, what is to become of them.

use std::{collections::BTreeSet, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{actor::Actor, words};
use crate::clock::At;

words! {
    pub enum VersionState {
        /// On its way in; `step` says how far.
        Examining = "examining",
        /// Didn't pass; the reason says why.
        Failed = "failed",
        /// Passed, and asks for more than its type was granted.
        AwaitingApproval = "awaiting_approval",
        /// Somebody said no to what it asks for.
        Rejected = "rejected",
        /// It can run.
        Ready = "ready",
        /// It could run, and must not any more.
        Revoked = "revoked",
    }
}

words! {
    /// The way in, in order.
    pub enum Step {
        Size = "size",
        Signature = "signature",
        Manifest = "manifest",
        Imports = "imports",
        Compile = "compile",
        Conformance = "conformance",
        Shadow = "shadow",
    }
}

words! {
    /// What a version is for its type: words of a move beside those of [`VersionState`].
    pub enum Standing {
        /// Runs for some accounts.
        Canary = "canary",
        /// Runs for all, or all others.
        Active = "active",
        /// Ran, and another one does now.
        Retired = "retired",
    }
}

words! {
    /// The ways that a component can take.
    pub enum SourceKind {
        Upload = "upload",
        Folder = "folder",
        Registry = "registry",
    }
}

/// Where a component came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub kind: SourceKind,
    /// Which file, or which reference.
    pub place: Option<String>,
}

impl Source {
    pub fn upload() -> Source {
        Source { kind: SourceKind::Upload, place: None }
    }

    pub fn folder(file: &str) -> Source {
        Source { kind: SourceKind::Folder, place: Some(file.to_owned()) }
    }

    pub fn registry(reference: &str) -> Source {
        Source { kind: SourceKind::Registry, place: Some(reference.to_owned()) }
    }

    /// Reads what [`Display`](fmt::Display) wrote; what can't be read came by an upload.
    pub fn parse(text: &str) -> Source {
        let (kind, place) = text.split_once(": ").map_or((text, None), |(kind, place)| (kind, Some(place)));
        Source { kind: kind.parse().unwrap_or(SourceKind::Upload), place: place.map(str::to_owned) }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{}: {place}", self.kind),
            None => write!(f, "{}", self.kind),
        }
    }
}

words! {
    /// What becomes of a version that is ready.
    pub enum RolloutKind {
        /// It runs for all accounts.
        Active = "active",
        /// It runs for some.
        Canary = "canary",
        /// It waits for somebody's word.
        Hold = "hold",
    }
}

/// What whoever brought a component asked to be done with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PluginRollout")]
pub struct Rollout {
    pub kind: RolloutKind,
    /// Of a canary: percent of the accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<u8>,
    /// Of a canary: these accounts.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub accounts: BTreeSet<String>,
}

impl Rollout {
    pub fn of(kind: RolloutKind) -> Rollout {
        Rollout { kind, share: None, accounts: BTreeSet::new() }
    }
}

/// A signature that a component carries, and what it was worth when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PluginSignature")]
pub struct SeenSignature {
    pub key_id: String,
    /// What the operator calls the key; none where it isn't known here.
    #[serde(default)]
    pub key: Option<String>,
    /// Made with a key that the operator trusts.
    pub trusted: bool,
    /// As whoever signed wrote it.
    #[serde(default)]
    pub comment: String,
}

/// Somebody's word on what a version asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PluginJudgement")]
pub struct Judgement {
    pub approved: bool,
    pub by: Actor,
    pub at: At,
    pub reason: String,
}

/// One change of state of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PluginMove")]
pub struct Move {
    pub id: String,
    pub at: At,
    #[serde(rename = "type")]
    pub channel_type: Option<String>,
    pub digest: String,
    /// A word of [`VersionState`] or [`Standing`]; none where there was nothing before.
    pub from: Option<String>,
    pub to: String,
    pub reason: String,
    pub actor: Actor,
    pub detail: Value,
}
