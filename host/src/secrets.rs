//! Credentials at rest: an envelope of AES-256-GCM. Each account has a data key that seals its secrets; a master key,
//! which is never in the database, wraps the data keys. So a rotation rewrites one small row for each account.
//!
//! Touches: the machine's random numbers, and the master-key files that it is told. Start at [`Keyring`].

mod envelope;
mod master;
mod secret;

pub use envelope::DataKey;
pub use master::{Keyring, MasterKey};
pub use secret::{Secret, generate};

/// Why something didn't open. None tells anything of the plaintext.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("a data key is wrapped by the master key \"{0}\", which this gateway wasn't given")]
    UnknownKey(String),
    /// Another owner or name, another key, or changed bytes.
    #[error("{0} doesn't open: it was sealed for somebody else, or its bytes have changed")]
    DoesNotOpen(String),
    #[error("{0} has a form that this version of the gateway doesn't know")]
    UnknownForm(String),
    #[error("the machine gives no random numbers")]
    NoRandomness,
    #[error("a master key is 32 bytes in base64: {0}")]
    BadMasterKey(String),
    #[error("the master-key file {path}: {why}")]
    File { path: String, why: String },
    #[error("no master key was given")]
    NoMasterKey,
}
