//! What a worker shows when it tells what became of a notification: nobody else can say it of that message and that subscription.

use patchbay_plugin::Failure;
use patchbay_plugin::crypto::{HashAlgorithm, Problem, constant_time_equal, hmac};

/// Name of the secret that it is made with.
pub(crate) const KEY: &str = "track_key";
/// Hexadecimal digits.
pub(crate) const LENGTH: usize = 32;

pub(crate) fn of(message: &str, subscription: &str) -> Result<String, Problem> {
    let whole = hmac(KEY, HashAlgorithm::Sha256, format!("{message}|{subscription}").as_bytes())?;
    Ok(hex::encode(whole).chars().take(LENGTH).collect())
}

/// # Errors
/// Code `forbidden_token`: it isn't that of the message and the subscription.
pub(crate) fn check(token: &str, message: &str, subscription: &str) -> Result<(), Failure> {
    if constant_time_equal(of(message, subscription)?.as_bytes(), token.as_bytes()) {
        return Ok(());
    }
    Err(Failure::rejected("forbidden_token", "tok isn't the one that came with this message to this subscription"))
}
