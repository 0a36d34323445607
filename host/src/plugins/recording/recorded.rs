//! The services of a call, with everything that goes over the counter noted on a tape.

use std::time::Duration;

use async_trait::async_trait;
use patchbay_sandbox::{
    contract::types::Failure,
    services::{
        BlobInfo, CryptoProblem, Envelope, Folder, FolderQuery, HashAlgorithm, HttpProblem, HttpRequest, HttpResponse, KvEntry, KvProblem,
        LogLevel, Probed, Services, SignAlgorithm, Stretch, Submitted,
    },
};

use super::{
    exchange::{Answer, Asked},
    tape::Tape,
};

/// Passes everything on, and notes it.
pub struct Recorded<S> {
    inner: S,
    tape: Tape,
}

impl<S: Services> Recorded<S> {
    pub fn new(inner: S, tape: Tape) -> Recorded<S> {
        Recorded { inner, tape }
    }
}

#[async_trait]
impl<S: Services> Services for Recorded<S> {
    fn kept_instance(&mut self, calls: u32) {
        self.tape.note_instance(calls);
        self.inner.kept_instance(calls);
    }

    fn wall_clock(&mut self) -> Option<Duration> {
        let place = self.tape.asked(|_| Asked::WallClock);
        let time = self.inner.wall_clock();
        self.tape.answered(place, |_| Answer::Time(time.and_then(|time| u64::try_from(time.as_micros()).ok())));
        time
    }

    fn log(&mut self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        self.tape.note_line(level, message, fields);
        self.inner.log(level, message, fields);
    }

    async fn kv_get(&mut self, key: &str) -> Option<KvEntry> {
        let place = self.tape.asked(|room| Asked::KvGet { key: room.text(key) });
        let entry = self.inner.kv_get(key).await;
        self.tape.answered(place, |room| Answer::entry(room, entry.as_ref()));
        entry
    }

    async fn kv_set(&mut self, key: &str, value: Vec<u8>, ttl: Option<Duration>, expected: Option<u32>) -> Result<u32, KvProblem> {
        let place = self.tape.asked(|room| Asked::KvSet {
            key: room.text(key),
            value: room.asked(&value),
            ttl_s: ttl.map(|ttl| ttl.as_secs()),
            expected,
        });
        let written = self.inner.kv_set(key, value, ttl, expected).await;
        self.tape.answered(place, |_| Answer::Written(written));
        written
    }

    async fn kv_delete(&mut self, key: &str) {
        let place = self.tape.asked(|room| Asked::KvDelete { key: room.text(key) });
        self.inner.kv_delete(key).await;
        self.tape.answered(place, |_| Answer::Done);
    }

    async fn http(&mut self, request: HttpRequest) -> Result<HttpResponse, HttpProblem> {
        let place = self.tape.asked(|room| Asked::http(room, &request));
        let answer = self.inner.http(request).await;
        self.tape.answered(place, |room| Answer::response(room, &answer));
        answer
    }

    fn digest(&mut self, algorithm: HashAlgorithm, data: &[u8]) -> Vec<u8> {
        let place = self.tape.asked(|room| Asked::Digest { algorithm, data: room.asked(data) });
        let digest = self.inner.digest(algorithm, data);
        self.tape.answered(place, |room| Answer::Bytes(room.answered(&digest)));
        digest
    }

    fn has_secret(&mut self, secret: &str) -> bool {
        let place = self.tape.asked(|room| Asked::HasSecret { secret: room.text(secret) });
        let known = self.inner.has_secret(secret);
        self.tape.answered(place, |_| Answer::Known(known));
        known
    }

    fn hmac(&mut self, secret: &str, algorithm: HashAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptoProblem> {
        let place = self.tape.asked(|room| Asked::Hmac { secret: room.text(secret), algorithm, data: room.asked(data) });
        let answer = self.inner.hmac(secret, algorithm, data);
        self.tape.answered(place, |room| Answer::signed(room, &answer));
        answer
    }

    fn sign(&mut self, secret: &str, algorithm: SignAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptoProblem> {
        let place = self.tape.asked(|room| Asked::Sign { secret: room.text(secret), algorithm, data: room.asked(data) });
        let answer = self.inner.sign(secret, algorithm, data);
        self.tape.answered(place, |room| Answer::signed(room, &answer));
        answer
    }

    fn public_key(&mut self, secret: &str) -> Result<Vec<u8>, CryptoProblem> {
        let place = self.tape.asked(|room| Asked::PublicKey { secret: room.text(secret) });
        let answer = self.inner.public_key(secret);
        self.tape.answered(place, |room| Answer::signed(room, &answer));
        answer
    }

    fn random(&mut self, length: usize) -> Vec<u8> {
        let place = self.tape.asked(|_| Asked::Random { length });
        let bytes = self.inner.random(length);
        self.tape.answered(place, |room| Answer::Bytes(room.answered(&bytes)));
        bytes
    }

    async fn mail_submit(&mut self, target: &str, envelope: Envelope, letter: Vec<Stretch>) -> Result<Submitted, Failure> {
        let place = self.tape.asked(|room| Asked::mail_submit(room, target, &envelope, &letter));
        let answer = self.inner.mail_submit(target, envelope, letter).await;
        self.tape.answered(place, |_| Answer::submitted(&answer));
        answer
    }

    async fn mail_fetch(&mut self, target: &str, query: FolderQuery) -> Result<Folder, Failure> {
        let place = self.tape.asked(|room| Asked::MailFetch { target: room.text(target), query: query.clone() });
        let answer = self.inner.mail_fetch(target, query).await;
        self.tape.answered(place, |_| Answer::folder(&answer));
        answer
    }

    async fn mail_mark_seen(&mut self, target: &str, folder: &str, validity: u32, uids: Vec<u32>) -> Result<(), Failure> {
        let place = self.tape.asked(|room| Asked::MailMarkSeen {
            target: room.text(target),
            folder: room.text(folder),
            validity,
            uids: uids.clone(),
        });
        let answer = self.inner.mail_mark_seen(target, folder, validity, uids).await;
        self.tape.answered(place, |_| Answer::marked(&answer));
        answer
    }

    async fn mail_probe(&mut self, target: &str) -> Result<Probed, Failure> {
        let place = self.tape.asked(|room| Asked::MailProbe { target: room.text(target) });
        let answer = self.inner.mail_probe(target).await;
        self.tape.answered(place, |_| Answer::probed(&answer));
        answer
    }

    async fn blob_create(&mut self, mime_type: &str) -> Result<BlobInfo, String> {
        let place = self.tape.asked(|room| Asked::BlobCreate { mime_type: room.text(mime_type) });
        let answer = self.inner.blob_create(mime_type).await;
        self.tape.answered(place, |_| Answer::Blob(answer.clone()));
        answer
    }

    async fn blob_append(&mut self, id: &str, chunk: Vec<u8>) -> Result<(), String> {
        let place = self.tape.asked(|room| Asked::BlobAppend { id: room.text(id), chunk: room.asked(&chunk) });
        let answer = self.inner.blob_append(id, chunk).await;
        self.tape.answered(place, |_| Answer::Appended(answer.clone()));
        answer
    }

    async fn blob_read(&mut self, id: &str, offset: u32, max: u32) -> Result<Vec<u8>, String> {
        let place = self.tape.asked(|room| Asked::BlobRead { id: room.text(id), offset, max });
        let answer = self.inner.blob_read(id, offset, max).await;
        self.tape.answered(place, |room| Answer::read(room, &answer));
        answer
    }
}
