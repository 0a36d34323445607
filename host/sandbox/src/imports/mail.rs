//! Letters out and in. They count as requests to the network; which server they go to is the host's to say.

use crate::bindings::patchbay::channel::mail::{self, Host};
use crate::bindings::patchbay::channel::types::{Detail, Failure};
use crate::error::Fault;
use crate::imports::blob::Blob;
use crate::services::{Envelope, Folder, FolderQuery, Letter, Services, Stretch};
use crate::state::State;

/// Letters that one call of `fetch` reads at most.
const LETTERS_MAX: u32 = 50;

impl Host for State {
    async fn submit(
        &mut self,
        target: String,
        envelope: mail::Envelope,
        letter: Vec<mail::Stretch>,
    ) -> wasmtime::Result<Result<mail::Submitted, Failure>> {
        let letter: Vec<Stretch> = letter
            .into_iter()
            .map(|stretch| match stretch {
                mail::Stretch::Bytes(bytes) => Stretch::Bytes(bytes),
                mail::Stretch::File(id) => Stretch::File(id),
            })
            .collect();
        let most = self.limits.request_bytes;
        if inline_bytes(&letter) > most {
            self.mail_call()?;
            return Ok(Err(too_large(most)));
        }
        let envelope = Envelope { sender: envelope.sender, recipients: envelope.recipients };
        let submitted = self.mail_call()?.mail_submit(&target, envelope, letter).await;
        Ok(submitted.map(|submitted| mail::Submitted {
            response: submitted.response,
            refused: submitted
                .refused
                .into_iter()
                .map(|refusal| mail::Refusal { recipient: refusal.recipient, failure: refusal.failure })
                .collect(),
        }))
    }

    async fn fetch(&mut self, target: String, query: mail::Query) -> wasmtime::Result<Result<mail::Folder, Failure>> {
        let query = FolderQuery {
            folder: query.folder,
            after_uid: query.after_uid,
            since_ms: query.since_ms,
            max: query.max.clamp(1, LETTERS_MAX),
            max_bytes: query.max_bytes,
        };
        match self.mail_call()?.mail_fetch(&target, query).await {
            Ok(folder) => Ok(Ok(self.folder(folder)?)),
            Err(failure) => Ok(Err(failure)),
        }
    }

    async fn mark_seen(&mut self, target: String, folder: String, validity: u32, uids: Vec<u32>) -> wasmtime::Result<Result<(), Failure>> {
        Ok(self.mail_call()?.mail_mark_seen(&target, &folder, validity, uids).await)
    }

    async fn probe(&mut self, target: String) -> wasmtime::Result<Result<mail::Probed, Failure>> {
        let probed = self.mail_call()?.mail_probe(&target).await;
        Ok(probed.map(|probed| mail::Probed { greeting: probed.greeting, capabilities: probed.capabilities }))
    }
}

impl State {
    fn mail_call(&mut self) -> wasmtime::Result<&mut dyn Services> {
        self.spent.http_requests += 1;
        if self.spent.http_requests > self.limits.http_requests {
            return Err(Fault::HttpRequests(self.limits.http_requests).into());
        }
        self.host_call()
    }

    fn folder(&mut self, folder: Folder) -> wasmtime::Result<mail::Folder> {
        let mut letters = Vec::with_capacity(folder.letters.len());
        for Letter { uid, received_at_ms, size, whole, content } in folder.letters {
            let content = self.blobs.push(Blob::from(content))?;
            letters.push(mail::Letter { uid, received_at_ms, size, whole, content });
        }
        Ok(mail::Folder { validity: folder.validity, next_uid: folder.next_uid, letters, more: folder.more })
    }
}

/// What the letter carries itself: its files are elsewhere already.
fn inline_bytes(letter: &[Stretch]) -> usize {
    letter.iter().map(|stretch| if let Stretch::Bytes(bytes) = stretch { bytes.len() } else { 0 }).sum()
}

fn too_large(most: usize) -> Failure {
    let message = format!("the letter carries more than {most} bytes besides its files");
    Failure::Rejected(Detail { code: "too_large".to_owned(), message, extras: Vec::new() })
}
