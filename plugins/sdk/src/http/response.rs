use serde::de::DeserializeOwned;

use super::Error;
use crate::blob::Blob;
use crate::field::{Field, Fields as _};

/// What the host hands over.
#[derive(Debug)]
pub(crate) struct RawResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<Field>,
    pub(crate) payload: Payload,
}

/// A response's body.
#[derive(Debug)]
pub enum Payload {
    /// In the plugin's memory.
    Bytes(Vec<u8>),
    /// In the gateway's blob store: [`Request::into_blob`](super::Request::into_blob) asked for that.
    Blob(Blob),
}

/// A provider's answer, of whatever status.
#[derive(Debug)]
pub struct Response {
    raw: RawResponse,
    repeatable: bool,
}

impl Response {
    pub(crate) fn new(raw: RawResponse, repeatable: bool) -> Self {
        Self { raw, repeatable }
    }

    /// HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.raw.status
    }

    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.raw.status)
    }

    /// The first header of that name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.raw.headers.header(name)
    }

    /// `Retry-After` in milliseconds, where it is a number of seconds.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<f64> {
        self.header("retry-after")?.trim().parse::<u32>().ok().map(|seconds| f64::from(seconds) * 1000.0)
    }

    /// The body, empty where it went to a blob.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.raw.payload {
            Payload::Bytes(bytes) => bytes,
            Payload::Blob(_) => &[],
        }
    }

    /// The body as JSON of that shape.
    ///
    /// # Errors
    /// [`Error::NotUnderstood`] where it isn't.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(self.bytes()).map_err(|error| self.not_understood(&error.to_string()))
    }

    /// The body's blob.
    ///
    /// # Errors
    /// [`Error::NotUnderstood`] where the request didn't ask for a blob.
    pub fn into_blob(self) -> Result<Blob, Error> {
        let error = self.not_understood("the response is no blob");
        match self.raw.payload {
            Payload::Blob(blob) => Ok(blob),
            Payload::Bytes(_) => Err(error),
        }
    }

    /// The body as it came.
    #[must_use]
    pub fn into_payload(self) -> Payload {
        self.raw.payload
    }

    /// The answer isn't what the protocol says: an error that knows whether the request may be repeated.
    #[must_use]
    pub fn not_understood(&self, reason: &str) -> Error {
        Error::NotUnderstood { status: self.raw.status, reason: reason.to_owned(), repeatable: self.repeatable }
    }
}
