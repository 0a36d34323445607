//! The files of one call: those that the plugin made, and those that the gateway made for it. After the call some are kept, and the rest
//! are removed.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use patchbay_sandbox::{BlobInfo, contract::messages as wit};

use super::{Version, convert, withhold};
use crate::{
    app::App,
    blobs::{BlobError, BlobWriter, Blobs},
    domain::{
        account::Account,
        content::Source,
        event::Fact,
        failure::{Failure, FailureClass},
        media::{MediaFile, Origin},
    },
    secrets::Secret,
    store,
};

#[derive(Clone, Default)]
pub struct CallBlobs(Arc<Mutex<Scratch>>);

#[derive(Default)]
struct Scratch {
    /// Those that the plugin is writing.
    writing: HashMap<String, BlobWriter>,
    /// All that were made, by the plugin or for it.
    made: BTreeSet<String>,
    /// A file was larger than the gateway keeps.
    too_large: bool,
}

impl CallBlobs {
    fn with<T>(&self, act: impl FnOnce(&mut Scratch) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn was_too_large(&self) -> bool {
        self.with(|scratch| scratch.too_large)
    }

    pub(super) fn note_too_large(&self) {
        self.with(|scratch| scratch.too_large = true);
    }

    /// Notes a blob that the gateway made for the call: the body of a response, a letter.
    pub(super) fn note(&self, id: &str) {
        self.with(|scratch| scratch.made.insert(id.to_owned()));
    }

    /// Whether the call made it.
    pub(super) fn has(&self, id: &str) -> bool {
        self.with(|scratch| scratch.made.contains(id))
    }

    /// All that were made so far.
    pub(super) fn made(&self) -> BTreeSet<String> {
        self.with(|scratch| scratch.made.clone())
    }

    /// A blob that the plugin begins to write.
    pub(super) fn begin(&self, writer: BlobWriter) -> BlobInfo {
        let info = writer.info().clone();
        self.with(|scratch| {
            scratch.made.insert(info.id.clone());
            scratch.writing.insert(info.id.clone(), writer);
        });
        info
    }

    pub(super) async fn append(&self, id: &str, chunk: Vec<u8>) -> Result<(), String> {
        // Nobody else has it: the guest makes one call at a time.
        let writer = self.with(|scratch| scratch.writing.remove(id));
        let mut writer = writer.ok_or("the blob is finished: only a new one can be written")?;
        let appended = writer.append(Bytes::from(chunk)).await;
        self.with(|scratch| {
            scratch.too_large |= matches!(appended, Err(BlobError::TooLarge(_)));
            scratch.writing.insert(id.to_owned(), writer);
        });
        appended.map_err(|error| error.to_string())
    }

    /// A blob that the call wrote is finished when it is first needed.
    pub(super) async fn finish(&self, id: &str) -> Result<(), BlobError> {
        let writer = self.with(|scratch| scratch.writing.remove(id));
        match writer {
            Some(writer) => writer.finish().await.map(|_| ()),
            None => Ok(()),
        }
    }

    pub(super) async fn finish_all(&self) -> Result<(), BlobError> {
        let unfinished: Vec<String> = self.with(|scratch| scratch.writing.keys().cloned().collect());
        for id in unfinished {
            self.finish(&id).await?;
        }
        Ok(())
    }

    /// Finishes the blobs to keep, and removes the others.
    ///
    /// # Errors
    /// A blob to keep can't be finished: then none is kept.
    pub async fn settle(&self, blobs: &Blobs, kept: &BTreeSet<&str>) -> Result<(), BlobError> {
        let mut finished = Ok(());
        for id in kept {
            finished = finished.and(self.finish(id).await);
        }
        let (writing, made) = self.with(|scratch| (std::mem::take(&mut scratch.writing), std::mem::take(&mut scratch.made)));
        for (_, writer) in writing {
            report(writer.abort().await);
        }
        for id in made.iter().filter(|id| finished.is_err() || !kept.contains(id.as_str())) {
            report(blobs.delete(id).await);
        }
        finished
    }

    /// Removes all of them.
    pub async fn drop_all(&self, blobs: &Blobs) {
        report(self.settle(blobs, &BTreeSet::new()).await);
    }
}

fn report(removed: Result<(), BlobError>) {
    if let Err(error) = removed {
        tracing::warn!(%error, "a blob that nobody knows of stays in the store for now");
    }
}

/// What a call told.
#[derive(Debug, Default)]
pub struct Told {
    pub facts: Vec<Fact>,
    /// The call's files that the facts name. They are kept with what is made of the facts.
    pub files: Vec<MediaFile>,
}

/// The facts of a call's events, with the files that the call made and they name; its other files are removed.
///
/// # Errors
/// The plugin's fault, where it names a file that is neither the call's nor its account's organisation's; or the store's.
pub async fn told(
    app: &App,
    account: &Account,
    version: &Version,
    secrets: &BTreeMap<String, Secret>,
    made: &CallBlobs,
    events: Vec<wit::Event>,
) -> Result<Told, Failure> {
    let facts = withhold(app, version, secrets, convert::events_in(events).await);
    let named = named_by(&facts);
    if let Err(failure) = check(app, account, made, named.keys().copied()).await {
        made.drop_all(&app.blobs).await;
        return Err(failure);
    }
    let kept: BTreeSet<&str> = named.keys().copied().filter(|id| made.has(id)).collect();
    let unavailable = |error: BlobError| Failure::new(FailureClass::Unavailable, "blob_store", error.to_string());
    made.settle(&app.blobs, &kept).await.map_err(unavailable)?;
    let mut files = Vec::with_capacity(kept.len());
    for id in kept {
        let info = app.blobs.info(id).await.map_err(unavailable)?;
        let (mime_type, file_name) = named.get(id).cloned().unwrap_or_default();
        files.push(MediaFile {
            id: info.id,
            organization_id: account.organization_id.clone(),
            file_name,
            mime_type: mime_type.unwrap_or(info.mime_type),
            size: i64::from(info.size),
            origin: Origin::Inbound,
            created_at: app.clock.now(),
        });
    }
    Ok(Told { facts, files })
}

/// The files that the facts name, each with its type and name as they tell them.
fn named_by(facts: &[Fact]) -> BTreeMap<&str, (Option<String>, Option<String>)> {
    let mut named = BTreeMap::new();
    for content in facts.iter().flat_map(Fact::content) {
        let bare = content.files().into_iter().map(|source| (source, (None, None)));
        let told = content.media().into_iter().map(|media| (&media.source, (media.mime_type.clone(), media.file_name.clone())));
        for (source, what) in bare.chain(told) {
            if let Source::MediaId(id) = source {
                named.insert(id.as_str(), what);
            }
        }
    }
    named
}

/// Every file has to be the call's, or its organisation's already: an id alone opens nothing.
async fn check(app: &App, account: &Account, made: &CallBlobs, named: impl Iterator<Item = &str>) -> Result<(), Failure> {
    let others: BTreeSet<&str> = named.filter(|id| !made.has(id)).collect();
    let known = store::media::list(&app.db, &others).await;
    let known = known.map_err(|error| Failure::new(FailureClass::Unavailable, "database", error.to_string()))?;
    let is_ours = |id: &str| known.iter().any(|file| file.id == id && file.organization_id == account.organization_id);
    match others.iter().find(|id| !is_ours(id)) {
        Some(id) => {
            let message = format!("an event names the file {id}, which neither this call made nor the account's organisation has");
            Err(Failure::new(FailureClass::Fault, "unknown_file", message))
        }
        None => Ok(()),
    }
}
