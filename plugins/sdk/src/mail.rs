//! Letters out and in: SMTP and IMAP, spoken by the gateway with the account's own servers. A call names one of the manifest's
//! `[mail]` targets; the plugin never sees the credential. A failure is in the words of the contract already: hand it on.

pub use crate::bindings::plugin::patchbay::channel::mail::{Envelope, Probed, Query, Refusal, Stretch, Submitted};
use crate::blob::Blob;
use crate::failure::Failure;
use crate::host;

/// A letter of a folder.
#[derive(Debug)]
pub struct Letter {
    /// Its number in the folder, as long as the folder's validity stands.
    pub uid: u32,
    /// When the server received it, in milliseconds since 1970 UTC.
    pub received_at_ms: Option<f64>,
    /// Bytes of the whole letter.
    pub size: u32,
    /// False where it has more bytes than were asked for: then its header alone was read.
    pub whole: bool,
    /// The letter as it stands on the server.
    pub content: Blob,
}

/// A folder as it stands, with the letters that were asked for in the order of their UIDs.
#[derive(Debug)]
pub struct Folder {
    /// Another one than before: every UID means another letter.
    pub validity: u32,
    /// What the next letter will have at least.
    pub next_uid: u32,
    /// The letters.
    pub letters: Vec<Letter>,
    /// There are further ones.
    pub more: bool,
}

/// Hands a letter to the server; its lines end in CRLF.
///
/// # Errors
/// No recipient was accepted, or the letter was not. [`Failure::Uncertain`]: the connection broke after all of it had left.
pub fn submit(target: &str, envelope: &Envelope, letter: &[Stretch]) -> Result<Submitted, Failure> {
    host::mail_submit(target, envelope, letter)
}

/// Letters of a folder; nothing is marked as seen.
///
/// # Errors
/// The server can't be reached, refuses the login, or has no such folder.
pub fn fetch(target: &str, query: &Query) -> Result<Folder, Failure> {
    host::mail_fetch(target, query)
}

/// Marks letters as seen; those that are gone are passed over.
///
/// # Errors
/// As [`fetch`]; [`Failure::Rejected`] where the validity isn't the folder's any more.
pub fn mark_seen(target: &str, folder: &str, validity: u32, uids: &[u32]) -> Result<(), Failure> {
    host::mail_mark_seen(target, folder, validity, uids)
}

/// Connects and logs in.
///
/// # Errors
/// The server can't be reached, or refuses the login.
pub fn probe(target: &str) -> Result<Probed, Failure> {
    host::mail_probe(target)
}
