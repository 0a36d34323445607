//! The host's side of a test: services that note what they are asked, and a sandbox to load a guest into.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use patchbay_sandbox::contract::channel::Webhook;
use patchbay_sandbox::contract::types::{Account, Call, Failure};
use patchbay_sandbox::services::{
    CryptoProblem, Envelope, Folder, FolderQuery, HashAlgorithm, HttpProblem, HttpRequest, HttpResponse, HttpResponseBody, KvEntry,
    KvProblem, Letter, LogLevel, Probed, SignAlgorithm, Stretch, Submitted,
};
use patchbay_sandbox::{BlobInfo, LoadError, Plugin, Sandbox, SandboxSettings, Services, compile};

/// What the services were asked. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Record>>);

#[derive(Default)]
pub(crate) struct Record {
    pub(crate) logs: Vec<(LogLevel, String)>,
    pub(crate) requests: Vec<HttpRequest>,
    pub(crate) letters: Vec<(String, Envelope, Vec<Stretch>)>,
    pub(crate) queries: Vec<FolderQuery>,
    pub(crate) appended: Vec<(String, Vec<u8>)>,
    pub(crate) kv_calls: u32,
    pub(crate) blobs: u32,
    /// How long each HTTP request takes.
    pub(crate) http_takes: Duration,
    pub(crate) blobs_fail: bool,
}

impl Notes {
    pub(crate) fn services(&self) -> Box<dyn Services> {
        Box::new(self.clone())
    }

    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap()
    }
}

#[async_trait]
impl Services for Notes {
    fn wall_clock(&mut self) -> Option<Duration> {
        Some(Duration::from_secs(42))
    }

    fn log(&mut self, level: LogLevel, message: &str, _fields: &[(String, String)]) {
        self.record().logs.push((level, message.to_owned()));
    }

    async fn kv_get(&mut self, _key: &str) -> Option<KvEntry> {
        self.record().kv_calls += 1;
        None
    }

    async fn kv_set(&mut self, _key: &str, _value: Vec<u8>, _ttl: Option<Duration>, _expected: Option<u32>) -> Result<u32, KvProblem> {
        Ok(1)
    }

    async fn kv_delete(&mut self, _key: &str) {}

    async fn http(&mut self, request: HttpRequest) -> Result<HttpResponse, HttpProblem> {
        let (takes, into_blob) = (self.record().http_takes, request.into_blob);
        self.record().requests.push(request);
        tokio::time::sleep(takes).await;
        let body = if into_blob {
            HttpResponseBody::Blob(BlobInfo { id: "fetched".to_owned(), mime_type: "image/png".to_owned(), size: 7 })
        } else {
            HttpResponseBody::Bytes(b"ok".to_vec())
        };
        Ok(HttpResponse { status: 200, headers: Vec::new(), body })
    }

    fn digest(&mut self, _algorithm: HashAlgorithm, data: &[u8]) -> Vec<u8> {
        data.to_vec()
    }

    fn has_secret(&mut self, secret: &str) -> bool {
        secret == "known"
    }

    fn hmac(&mut self, secret: &str, _algorithm: HashAlgorithm, _data: &[u8]) -> Result<Vec<u8>, CryptoProblem> {
        Err(CryptoProblem::UnknownSecret(secret.to_owned()))
    }

    fn sign(&mut self, secret: &str, _algorithm: SignAlgorithm, _data: &[u8]) -> Result<Vec<u8>, CryptoProblem> {
        Err(CryptoProblem::UnknownSecret(secret.to_owned()))
    }

    fn public_key(&mut self, secret: &str) -> Result<Vec<u8>, CryptoProblem> {
        Err(CryptoProblem::UnknownSecret(secret.to_owned()))
    }

    fn random(&mut self, length: usize) -> Vec<u8> {
        vec![4; length]
    }

    async fn mail_submit(&mut self, target: &str, envelope: Envelope, letter: Vec<Stretch>) -> Result<Submitted, Failure> {
        self.record().letters.push((target.to_owned(), envelope, letter));
        Ok(Submitted { response: "250 queued".to_owned(), refused: Vec::new() })
    }

    async fn mail_fetch(&mut self, _target: &str, query: FolderQuery) -> Result<Folder, Failure> {
        let content = BlobInfo { id: "letter".to_owned(), mime_type: "message/rfc822".to_owned(), size: 7 };
        let letter = Letter { uid: 7, received_at_ms: None, size: 7, whole: true, content };
        self.record().queries.push(query);
        Ok(Folder { validity: 1, next_uid: 8, letters: vec![letter], more: false })
    }

    async fn mail_mark_seen(&mut self, _target: &str, _folder: &str, _validity: u32, _uids: Vec<u32>) -> Result<(), Failure> {
        Ok(())
    }

    async fn mail_probe(&mut self, _target: &str) -> Result<Probed, Failure> {
        Ok(Probed { greeting: "ready".to_owned(), capabilities: Vec::new() })
    }

    async fn blob_create(&mut self, mime_type: &str) -> Result<BlobInfo, String> {
        let mut record = self.record();
        if record.blobs_fail {
            return Err("the disk is full".to_owned());
        }
        record.blobs += 1;
        Ok(BlobInfo { id: format!("blob-{}", record.blobs), mime_type: mime_type.to_owned(), size: 0 })
    }

    async fn blob_append(&mut self, id: &str, chunk: Vec<u8>) -> Result<(), String> {
        self.record().appended.push((id.to_owned(), chunk));
        Ok(())
    }

    async fn blob_read(&mut self, _id: &str, _offset: u32, max: u32) -> Result<Vec<u8>, String> {
        Ok(vec![7; max.try_into().unwrap()])
    }
}

/// A small pool: a test makes one of its own.
pub(crate) fn settings() -> SandboxSettings {
    SandboxSettings { calls: 8, live: 8, ..SandboxSettings::default() }
}

pub(crate) struct Loaded {
    pub(crate) sandbox: Sandbox,
    pub(crate) plugin: Plugin,
}

pub(crate) fn try_load(component: &[u8], settings: &SandboxSettings) -> Result<Loaded, LoadError> {
    let sandbox = Sandbox::new(settings).unwrap();
    let artefact = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(artefact.path(), compile(component).unwrap()).unwrap();
    let plugin = sandbox.load(artefact.path())?;
    Ok(Loaded { sandbox, plugin })
}

pub(crate) fn load(component: &[u8]) -> Plugin {
    try_load(component, &settings()).unwrap().plugin
}

pub(crate) fn webhook() -> Webhook {
    Webhook {
        account: None,
        method: "POST".to_owned(),
        path: "/webhooks/1".to_owned(),
        query: Vec::new(),
        headers: Vec::new(),
        body: br#"{"update_id": 1}"#.to_vec(),
        verified_by: None,
        extras: Vec::new(),
    }
}

pub(crate) fn call() -> Call {
    Call {
        account: Account { id: "account".to_owned(), external_id: None, settings: "{}".to_owned() },
        attempt: 1,
        deadline_ms: 10_000.0,
        extras: Vec::new(),
    }
}
