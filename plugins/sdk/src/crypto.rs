//! Hashes and signatures, made by the gateway: keys are named, never read.

pub use crate::bindings::plugin::patchbay::channel::crypto::{HashAlgorithm, Problem, SignAlgorithm};
use crate::failure::Failure;
use crate::host;

/// The hash of bytes.
#[must_use]
pub fn digest(algorithm: HashAlgorithm, data: &[u8]) -> Vec<u8> {
    host::digest(algorithm, data)
}

/// Whether the account has that secret.
#[must_use]
pub fn has(secret: &str) -> bool {
    host::has_secret(secret)
}

/// HMAC with a named secret.
///
/// # Errors
/// The account has no such secret.
pub fn hmac(secret: &str, algorithm: HashAlgorithm, data: &[u8]) -> Result<Vec<u8>, Problem> {
    host::hmac(secret, algorithm, data)
}

/// A signature with a named private key.
///
/// # Errors
/// The account has no such secret, or it isn't a key of that kind.
pub fn sign(secret: &str, algorithm: SignAlgorithm, data: &[u8]) -> Result<Vec<u8>, Problem> {
    host::sign(secret, algorithm, data)
}

/// The raw public key of a signing secret.
///
/// # Errors
/// The account has no such secret, or it isn't a signing key.
pub fn public_key(secret: &str) -> Result<Vec<u8>, Problem> {
    host::public_key(secret)
}

/// Whether two byte strings are equal, in a time that doesn't tell where they differ.
#[must_use]
pub fn constant_time_equal(a: &[u8], b: &[u8]) -> bool {
    host::constant_time_equal(a, b)
}

/// Bytes that nobody can guess, at most 1,024: a salt, a key of one use.
#[must_use]
pub fn random(length: u32) -> Vec<u8> {
    host::random(length)
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::UnknownSecret(name) => Failure::unauthorized("secret_missing", format!("the secret {name} isn't set")),
            Problem::WrongKey(words) => Failure::unauthorized("secret_wrong", words),
        }
    }
}
