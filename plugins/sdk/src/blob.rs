//! Bytes that the gateway keeps: a plugin moves handles, not megabytes.

use crate::failure::Failure;
use crate::host::BlobHandle;

/// Most bytes that one call to the gateway reads.
const READ_MAX: u32 = 256 * 1024;

/// A handle to bytes in the gateway's blob store. Dropping it drops the handle, not the bytes.
#[derive(Debug)]
pub struct Blob(BlobHandle);

impl Blob {
    /// An empty blob to append to.
    #[must_use]
    pub fn new(mime_type: &str) -> Self {
        Self(BlobHandle::new(mime_type))
    }

    /// Size in bytes.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.0.size()
    }

    /// Media type, as the provider or the plugin told it.
    #[must_use]
    pub fn mime_type(&self) -> String {
        self.0.mime_type()
    }

    /// Names it in `Source::BlobRef`. A file that this call made and an event of its answer names is kept; the others go.
    #[must_use]
    pub fn reference(&self) -> String {
        self.0.reference()
    }

    /// At most `max` bytes from an offset; the gateway answers at most 256 KiB at once.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] where the store can't be read.
    pub fn read(&self, offset: u32, max: u32) -> Result<Vec<u8>, Failure> {
        self.0.read(offset, max).map_err(|problem| Failure::unavailable("blob", problem))
    }

    /// All of it. It counts towards the memory of the call: 64 MiB by default.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] where the store can't be read.
    pub fn read_all(&self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::with_capacity(self.size() as usize);
        loop {
            let offset = u32::try_from(bytes.len()).map_err(|_| Failure::unavailable("blob", "more than 4 GiB"))?;
            let chunk = self.read(offset, READ_MAX)?;
            if chunk.is_empty() {
                return Ok(bytes);
            }
            bytes.extend(chunk);
        }
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] where the store refuses them, with its words.
    pub fn append(&self, bytes: &[u8]) -> Result<(), Failure> {
        bytes.chunks(READ_MAX as usize).try_for_each(|chunk| self.0.append(chunk)).map_err(|problem| Failure::unavailable("blob", problem))
    }

    #[cfg(target_arch = "wasm32")]
    pub(crate) fn from_handle(handle: BlobHandle) -> Self {
        Self(handle)
    }

    #[cfg(target_arch = "wasm32")]
    pub(crate) fn handle(&self) -> &BlobHandle {
        &self.0
    }

    #[cfg(target_arch = "wasm32")]
    pub(crate) fn into_handle(self) -> BlobHandle {
        self.0
    }
}
