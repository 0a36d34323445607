//! Bytes that the host keeps: the guest holds a handle and sees a window of 256 KiB at a time.

use wasmtime::component::Resource;

use crate::bindings::patchbay::channel::types::{Host, HostBlob};
use crate::error::Fault;
use crate::services::BlobInfo;
use crate::state::State;

/// The most that one `read` answers, in bytes.
const WINDOW: u32 = 256 * 1024;

/// What a guest's handle stands for.
#[derive(Debug)]
pub struct Blob {
    mime_type: String,
    /// WIT lets no constructor fail, so a blob that could not be opened says why when it is first used.
    info: Result<BlobInfo, String>,
}

impl Blob {
    /// The stored blob behind a handle, or why there is none.
    pub(crate) fn into_info(self) -> Result<BlobInfo, String> {
        self.info
    }

    pub(crate) fn id(&self) -> Result<&str, String> {
        match &self.info {
            Ok(info) => Ok(&info.id),
            Err(reason) => Err(reason.clone()),
        }
    }
}

impl From<BlobInfo> for Blob {
    fn from(info: BlobInfo) -> Blob {
        Blob { mime_type: info.mime_type.clone(), info: Ok(info) }
    }
}

impl Host for State {}

impl HostBlob for State {
    async fn new(&mut self, mime_type: String) -> wasmtime::Result<Resource<Blob>> {
        let info = self.host_call()?.blob_create(&mime_type).await;
        Ok(self.blobs.push(Blob { mime_type, info })?)
    }

    fn size(&mut self, blob: Resource<Blob>) -> wasmtime::Result<u32> {
        self.host_call()?;
        Ok(self.blobs.get(&blob)?.info.as_ref().map_or(0, |info| info.size))
    }

    fn mime_type(&mut self, blob: Resource<Blob>) -> wasmtime::Result<String> {
        self.host_call()?;
        Ok(self.blobs.get(&blob)?.mime_type.clone())
    }

    fn reference(&mut self, blob: Resource<Blob>) -> wasmtime::Result<String> {
        self.host_call()?;
        // One that could not be opened names nothing; reading or writing it says why.
        Ok(self.blobs.get(&blob)?.id().map(str::to_owned).unwrap_or_default())
    }

    async fn read(&mut self, blob: Resource<Blob>, offset: u32, max: u32) -> wasmtime::Result<Result<Vec<u8>, String>> {
        self.host_call()?;
        let id = match self.blobs.get(&blob)?.id() {
            Ok(id) => id.to_owned(),
            Err(reason) => return Ok(Err(reason)),
        };
        Ok(self.services()?.blob_read(&id, offset, max.min(WINDOW)).await)
    }

    async fn append(&mut self, blob: Resource<Blob>, chunk: Vec<u8>) -> wasmtime::Result<Result<(), String>> {
        self.host_call()?;
        let id = match self.blobs.get(&blob)?.id() {
            Ok(id) => id.to_owned(),
            Err(reason) => return Ok(Err(reason)),
        };
        let Ok(more) = u32::try_from(chunk.len()) else {
            return Err(Fault::Output { what: "bytes at once", most: self.limits.event_bytes }.into());
        };
        let appended = self.services()?.blob_append(&id, chunk).await;
        if appended.is_ok()
            && let Ok(info) = &mut self.blobs.get_mut(&blob)?.info
        {
            info.size = info.size.saturating_add(more);
        }
        Ok(appended)
    }

    fn drop(&mut self, blob: Resource<Blob>) -> wasmtime::Result<()> {
        self.blobs.delete(blob)?;
        Ok(())
    }
}
