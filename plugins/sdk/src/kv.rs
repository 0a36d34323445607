//! A small store for each plugin and account: what has to survive a call.

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::bindings::plugin::patchbay::channel::kv::{Entry, Problem};
use crate::failure::Failure;
use crate::host;

/// The value under a key, and its version for [`set_if`].
#[must_use]
pub fn get(key: &str) -> Option<Entry> {
    host::kv_get(key)
}

/// Writes whatever stands there. `ttl_s`: lifetime in seconds. Answers the new version.
///
/// # Errors
/// Over the store's quota, or larger than one value may be.
pub fn set(key: &str, value: &[u8], ttl_s: Option<u32>) -> Result<u32, Problem> {
    host::kv_set(key, value, ttl_s, None)
}

/// Writes only where that version stands; 0 where nothing stands. Answers the new version.
///
/// # Errors
/// [`Problem::Conflict`] with the version that stands now.
pub fn set_if(key: &str, value: &[u8], ttl_s: Option<u32>, expected: u32) -> Result<u32, Problem> {
    host::kv_set(key, value, ttl_s, Some(expected))
}

/// Forgets a key.
pub fn delete(key: &str) {
    host::kv_delete(key);
}

/// A value kept as JSON; none where there is none, or where an older version of the plugin wrote another shape.
#[must_use]
pub fn get_json<T: DeserializeOwned>(key: &str) -> Option<T> {
    get(key).and_then(|entry| serde_json::from_slice(&entry.value).ok())
}

/// Keeps a value as JSON. `ttl_s`: lifetime in seconds.
///
/// # Errors
/// [`Failure::Fault`] where it has no JSON form, or the store refuses it.
pub fn set_json<T: Serialize>(key: &str, value: &T, ttl_s: Option<u32>) -> Result<u32, Failure> {
    let bytes = serde_json::to_vec(value).map_err(|error| Failure::fault("kv", error.to_string()))?;
    Ok(set(key, &bytes, ttl_s)?)
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Conflict(version) => Failure::unavailable("kv_conflict", format!("version {version} was written meanwhile")),
            Problem::Quota => Failure::fault("kv_quota", "the plugin's store is full for this account"),
            Problem::TooLarge => Failure::fault("kv_too_large", "the value is larger than the store takes"),
        }
    }
}
