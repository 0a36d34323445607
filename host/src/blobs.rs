//! Bytes that the gateway keeps: photos, documents, recordings. A blob is written once, whole, and never changed.
//!
//! Touches: the object store it is given, which is a folder, or S3 where several nodes share it. Start at [`Blobs`].

#[cfg(feature = "s3")]
mod s3;

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _};
use patchbay_sandbox::services::BlobInfo;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::clock::At;

/// Bytes that a writer of a folder gathers before it writes them: what it holds of a file, whatever the file's size.
const FOLDER_PART: usize = 256 * 1024;
/// Parts of one file that are on their way to the store at the same time, besides the one that is gathered.
const PARTS_AT_ONCE: usize = 1;

/// Characters of an id: 16 random bytes in hexadecimal.
const ID_LEN: usize = 32;

#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("there is no blob {0}")]
    NotFound(String),
    #[error("a blob has at most {0} bytes")]
    TooLarge(u32),
    #[error("the blob store failed: {0}")]
    Store(#[from] object_store::Error),
    #[error("the blob store failed: {0}")]
    Io(#[from] io::Error),
    #[error("the machine gives no random numbers")]
    NoRandomness,
}

/// What is known of a blob besides its bytes. Not every store keeps attributes, so it is an object beside the other,
/// written last: a blob is there once its label is.
#[derive(Serialize, Deserialize)]
struct Label {
    mime_type: String,
    size: u32,
}

/// A store of the S3 protocol, and how it is reached.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// `s3://bucket/prefix`
    pub url: String,
    /// Empty: Amazon's own of the region.
    pub endpoint: String,
    pub region: String,
    /// Empty: the machine's own role tells a key.
    pub access_key_id: String,
    pub secret_access_key: String,
    /// Lets an endpoint be plain http.
    pub allow_http: bool,
}

#[derive(Debug, Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    /// Bytes that a writer gathers before they go to the store.
    part: usize,
}

impl Blobs {
    /// In a folder, which is made where there is none. What is finished is on the disk.
    ///
    /// # Errors
    /// The folder can't be made.
    pub fn in_folder(folder: &Path) -> Result<Self, BlobError> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { store: Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true)), part: FOLDER_PART })
    }

    /// In a bucket. Nothing is asked of it yet.
    ///
    /// # Errors
    /// The settings make no address, or this program was built without S3.
    pub fn in_bucket(settings: &S3Settings) -> Result<Self, BlobError> {
        #[cfg(feature = "s3")]
        {
            Ok(Self { store: s3::open(settings)?, part: s3::PART })
        }
        #[cfg(not(feature = "s3"))]
        {
            Err(io::Error::other(format!("{}: this program was built without the feature s3", settings.url)).into())
        }
    }

    /// Opens a new blob to write, of at most `most` bytes. Nobody sees it before [`BlobWriter::finish`].
    ///
    /// # Errors
    /// The machine gives no random numbers.
    pub fn create(&self, mime_type: &str, most: u32) -> Result<BlobWriter, BlobError> {
        let mut random = [0; ID_LEN / 2];
        SystemRandom::new().fill(&mut random).map_err(|_| BlobError::NoRandomness)?;
        let info = BlobInfo { id: hex::encode(random), mime_type: mime_type.to_owned(), size: 0 };
        let keys = Keys::of(&info.id)?;
        let bytes = BufWriter::with_capacity(Arc::clone(&self.store), keys.bytes.clone(), self.part).with_max_concurrency(PARTS_AT_ONCE);
        Ok(BlobWriter { store: Arc::clone(&self.store), keys, bytes, info, most })
    }

    /// # Errors
    /// There is none of that id, or the store failed.
    pub async fn info(&self, id: &str) -> Result<BlobInfo, BlobError> {
        let label = self.store.get(&Keys::of(id)?.label).await.map_err(|error| named(id, error))?;
        let label: Label = serde_json::from_slice(&label.bytes().await?).map_err(io::Error::from)?;
        Ok(BlobInfo { id: id.to_owned(), mime_type: label.mime_type, size: label.size })
    }

    /// At most `most` bytes from `offset` on; none past the end.
    ///
    /// # Errors
    /// There is none of that id, or the store failed.
    pub async fn read(&self, id: &str, offset: u32, most: u32) -> Result<Bytes, BlobError> {
        let info = self.info(id).await?;
        let end = offset.saturating_add(most).min(info.size);
        if offset >= end {
            return Ok(Bytes::new());
        }
        let range = u64::from(offset)..u64::from(end);
        self.store.get_range(&Keys::of(id)?.bytes, range).await.map_err(|error| named(id, error))
    }

    /// The whole blob, piece by piece.
    ///
    /// # Errors
    /// There is none of that id, or the store failed; a piece may fail later.
    pub async fn stream(&self, id: &str) -> Result<(BlobInfo, BoxStream<'static, Result<Bytes, BlobError>>), BlobError> {
        let info = self.info(id).await?;
        let pieces = self.pieces(id, GetOptions::default()).await?;
        Ok((info, pieces))
    }

    /// The bytes of a range, which mustn't be empty, piece by piece.
    ///
    /// # Errors
    /// There is none of that id, or the store failed; a piece may fail later.
    pub async fn stream_range(&self, id: &str, range: Range<u64>) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
        self.pieces(id, GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() }).await
    }

    async fn pieces(&self, id: &str, options: GetOptions) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
        let found = self.store.get_opts(&Keys::of(id)?.bytes, options).await.map_err(|error| named(id, error))?;
        Ok(found.into_stream().map(|piece| piece.map_err(BlobError::from)).boxed())
    }

    /// Removes a blob; one that isn't there is no error.
    ///
    /// # Errors
    /// The store failed.
    pub async fn delete(&self, id: &str) -> Result<(), BlobError> {
        let keys = Keys::of(id)?;
        for key in [keys.label, keys.bytes] {
            match self.store.delete(&key).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl Blobs {
    /// Ids of blobs, whole or not, of which nothing was written since then.
    ///
    /// # Errors
    /// The store failed; it may fail later.
    pub fn older_than(&self, then: At) -> BoxStream<'static, Result<String, BlobError>> {
        let found = self.store.list(None).try_filter_map(move |object| async move {
            let id = object.location.filename().map(|name| name.trim_end_matches(".json").to_owned());
            let is_old = object.last_modified.timestamp_micros() < then.micros();
            Ok(id.filter(|id| is_old && Keys::of(id).is_ok()))
        });
        found.map_err(BlobError::from).boxed()
    }
}

/// A blob that is being written. Dropped before [`BlobWriter::finish`], it never was.
pub struct BlobWriter {
    store: Arc<dyn ObjectStore>,
    keys: Keys,
    bytes: BufWriter,
    info: BlobInfo,
    most: u32,
}

impl BlobWriter {
    /// The id that it will have, and its size so far.
    pub fn info(&self) -> &BlobInfo {
        &self.info
    }

    /// # Errors
    /// The blob would be too large, or the store failed.
    pub async fn append(&mut self, chunk: Bytes) -> Result<(), BlobError> {
        let size = u32::try_from(chunk.len()).ok().and_then(|more| self.info.size.checked_add(more));
        self.info.size = size.filter(|size| *size <= self.most).ok_or(BlobError::TooLarge(self.most))?;
        Ok(self.bytes.put(chunk).await?)
    }

    /// # Errors
    /// The store failed; the blob isn't there then.
    pub async fn finish(mut self) -> Result<BlobInfo, BlobError> {
        tokio::io::AsyncWriteExt::shutdown(&mut self.bytes).await?;
        let label = Label { mime_type: self.info.mime_type.clone(), size: self.info.size };
        let label = serde_json::to_vec(&label).map_err(io::Error::from)?;
        self.store.put(&self.keys.label, label.into()).await?;
        Ok(self.info)
    }

    /// Gives back what the store holds already of a blob that won't be finished.
    ///
    /// # Errors
    /// The store failed.
    pub async fn abort(mut self) -> Result<(), BlobError> {
        Ok(self.bytes.abort().await?)
    }
}

/// Where a blob is: folders of two digits, so that none grows large.
struct Keys {
    bytes: Key,
    label: Key,
}

impl Keys {
    /// An id comes from a plugin too: one that we wouldn't make names nothing.
    fn of(id: &str) -> Result<Self, BlobError> {
        let ours = id.len() == ID_LEN && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let folder = id.get(..2).filter(|_| ours).ok_or_else(|| BlobError::NotFound(id.chars().take(ID_LEN).collect()))?;
        Ok(Self { bytes: Key::from(format!("{folder}/{id}")), label: Key::from(format!("{folder}/{id}.json")) })
    }
}

fn named(id: &str, error: object_store::Error) -> BlobError {
    match error {
        object_store::Error::NotFound { .. } => BlobError::NotFound(id.to_owned()),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> usize {
        std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read_dir(entry.unwrap().path()).unwrap().count()).sum()
    }

    #[tokio::test]
    async fn a_blob_comes_back_whole_and_in_part() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::in_folder(folder.path()).unwrap();
        let mut writer = blobs.create("image/png", 1024).unwrap();
        writer.append(Bytes::from_static(b"first ")).await.unwrap();
        writer.append(Bytes::from_static(b"second")).await.unwrap();
        let info = writer.finish().await.unwrap();
        assert_eq!((info.mime_type.as_str(), info.size), ("image/png", 12));
        assert_eq!(blobs.info(&info.id).await.unwrap(), info);
        assert_eq!(blobs.read(&info.id, 6, 3).await.unwrap(), "sec");
        assert_eq!(blobs.read(&info.id, 6, u32::MAX).await.unwrap(), "second");
        assert_eq!(blobs.read(&info.id, 12, 5).await.unwrap(), "");
        let (streamed, pieces) = blobs.stream(&info.id).await.unwrap();
        assert_eq!(streamed, info);
        assert_eq!(pieces.try_collect::<Vec<_>>().await.unwrap().concat(), b"first second");
        let pieces = blobs.stream_range(&info.id, 3..8).await.unwrap();
        assert_eq!(pieces.try_collect::<Vec<_>>().await.unwrap().concat(), b"st se");
    }

    #[tokio::test]
    async fn a_blob_of_several_parts_is_put_together() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::in_folder(folder.path()).unwrap();
        let mut writer = blobs.create("video/mp4", u32::MAX).unwrap();
        for piece in 0..24u8 {
            writer.append(Bytes::from(vec![piece; 512 * 1024])).await.unwrap();
        }
        let info = writer.finish().await.unwrap();
        assert_eq!(info.size, 12 * 1024 * 1024);
        assert_eq!(blobs.read(&info.id, 11 * 1024 * 1024 - 1, 2).await.unwrap()[..], [21, 22]);
    }

    #[tokio::test]
    async fn an_unfinished_or_oversized_blob_never_was() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::in_folder(folder.path()).unwrap();
        let mut writer = blobs.create("text/plain", 4).unwrap();
        let id = writer.info().id.clone();
        assert!(matches!(writer.append(Bytes::from_static(b"12345")).await, Err(BlobError::TooLarge(4))));
        assert!(matches!(blobs.info(&id).await, Err(BlobError::NotFound(_))));
        writer.abort().await.unwrap();
        assert_eq!(files(folder.path()), 0);
    }

    #[tokio::test]
    async fn a_deleted_blob_is_gone_and_may_be_deleted_again() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::in_folder(folder.path()).unwrap();
        let empty = blobs.create("text/plain", 4).unwrap().finish().await.unwrap();
        assert_eq!(blobs.read(&empty.id, 0, 4).await.unwrap(), "");
        blobs.delete(&empty.id).await.unwrap();
        blobs.delete(&empty.id).await.unwrap();
        assert!(matches!(blobs.stream(&empty.id).await, Err(BlobError::NotFound(_))));
        assert_eq!(files(folder.path()), 0);
    }

    #[tokio::test]
    async fn what_is_old_is_found_whole_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::in_folder(folder.path()).unwrap();
        let whole = blobs.create("text/plain", 4).unwrap().finish().await.unwrap().id;
        let half = blobs.create("text/plain", 4).unwrap().finish().await.unwrap().id;
        std::fs::remove_file(folder.path().join(&half[..2]).join(format!("{half}.json"))).unwrap();
        std::fs::write(folder.path().join("note.txt"), "not ours").unwrap();
        let found = |then: i64| blobs.older_than(At::from_micros(then)).try_collect::<std::collections::BTreeSet<_>>();
        assert_eq!(found(i64::MAX).await.unwrap(), [whole, half].into());
        assert!(found(0).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_id_is_never_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::in_folder(folder.path()).unwrap();
        for id in ["../../../etc/passwd", "", "é", "ABCDEFABCDEFABCDEFABCDEFABCDEFAB", "0000000000000000000000000000000/"] {
            assert!(matches!(blobs.read(id, 0, 1).await, Err(BlobError::NotFound(_))), "{id}");
        }
    }
}
