//! Files: what is known of them besides their bytes.

use ring::digest;
use schemars::JsonSchema;
use serde::Serialize;

use super::{content::Source, failure::Failure, words};
use crate::clock::At;

words! {
    /// Where a file came from.
    pub enum Origin {
        Upload = "upload",
        /// Imported from an address that a client named.
        Url = "url",
        /// With a message.
        Inbound = "inbound",
    }
}

words! {
    /// How far the gateway has come with a file that a message brought.
    pub enum FileState {
        /// It is being fetched, or will be.
        Pending = "pending",
        Stored = "stored",
        Failed = "failed",
        /// It was kept as long as the configuration says.
        Removed = "removed",
    }
}

/// A file that the gateway keeps.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct MediaFile {
    pub id: String,
    pub organization_id: String,
    pub file_name: Option<String>,
    pub mime_type: String,
    /// Bytes.
    pub size: i64,
    pub origin: Origin,
    pub created_at: At,
}

/// A file that came with a message and is to be fetched.
#[derive(Debug, Clone, PartialEq)]
pub struct WantedFile {
    pub organization_id: String,
    pub account_id: String,
    pub message_id: String,
    /// The provider's id of it, or its address.
    pub source: Source,
    pub mime_type: Option<String>,
    pub file_name: Option<String>,
    /// Bytes, as the message tells them.
    pub size: Option<u32>,
}

/// How one file of an account stands.
#[derive(Debug, Clone)]
pub struct InboundFile {
    pub account_id: String,
    pub key: String,
    pub state: FileState,
    pub failure: Option<Failure>,
    /// Where it is stored.
    pub file: Option<MediaFile>,
}

/// What an account's file is known by: a digest of its source, since providers bound the length of neither ids nor URLs. None for what
/// the gateway keeps already.
pub fn key_of(source: &Source) -> Option<String> {
    let text = match source {
        Source::ProviderRef(reference) => format!("provider_ref:{reference}"),
        Source::Url(url) => format!("url:{url}"),
        Source::MediaId(_) => return None,
    };
    Some(hex::encode(digest::digest(&digest::SHA256, text.as_bytes())))
}
