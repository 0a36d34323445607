//! The world of one call: a provider that answers by the script, a store, and the account's secrets.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use patchbay_sandbox::{
    contract::types::Failure,
    services::{
        BlobInfo, CryptoProblem, Denial, Envelope, Field, Folder, FolderQuery, HashAlgorithm, HttpProblem, HttpRequest, HttpResponse,
        HttpResponseBody, KvEntry, KvProblem, LogLevel, Probed, Services, SignAlgorithm, Stretch, Submitted,
    },
};
use serde_json::Value;

use super::suite::Scripted;
use crate::{egress::Egress, manifest::Manifest, plugins::crypto, secrets::Secret};

/// The smallest picture there is (PNG, one pixel): what the gateway keeps for a message.
const PICTURE: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0, 0, 1, 0, 0, 0, 1, 8, 6, 0, 0, 0, 0x1f, 0x15,
    0xc4, 0x89, 0, 0, 0, 10, b'I', b'D', b'A', b'T', 0x78, 0x9c, 0x63, 0, 1, 0, 0, 5, 0, 1, 0x0d, 0x0a, 0x2d, 0xb4, 0, 0, 0, 0, b'I', b'E',
    b'N', b'D', 0xae, 0x42, 0x60, 0x82,
];

/// How a connection fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Break {
    /// Before anything left.
    Before,
    /// When the request was sent.
    After,
}

/// What a call is made with and what it did; clones are the same one.
#[derive(Clone)]
pub(super) struct Provider(Arc<Mutex<World>>);

pub(super) struct World {
    egress: Arc<Egress>,
    pub(super) manifest: Arc<Manifest>,
    settings: Value,
    webhook_url: String,
    pub(super) secrets: BTreeMap<String, Secret>,
    pub(super) script: Vec<Scripted>,
    /// The request, counted from 0, that breaks.
    pub(super) breaks: Option<(usize, Break)>,
    /// Method, target and path of each, in order.
    pub(super) asked: Vec<String>,
    /// What the script doesn't have, or the gateway wouldn't let out.
    pub(super) problems: Vec<String>,
    pub(super) logged: Vec<String>,
    kv: HashMap<String, (Vec<u8>, u32)>,
    blobs: HashMap<String, (String, Vec<u8>)>,
}

impl Provider {
    pub(super) fn new(
        egress: Arc<Egress>,
        manifest: Arc<Manifest>,
        settings: Value,
        webhook_url: String,
        secrets: BTreeMap<String, Secret>,
        script: Vec<Scripted>,
    ) -> Provider {
        Provider(Arc::new(Mutex::new(World {
            egress,
            manifest,
            settings,
            webhook_url,
            secrets,
            script,
            breaks: None,
            asked: Vec::new(),
            problems: Vec::new(),
            logged: Vec::new(),
            kv: HashMap::new(),
            blobs: HashMap::new(),
        })))
    }

    /// The request, counted from 0, breaks.
    pub(super) fn breaking(self, request: usize, how: Break) -> Provider {
        self.world().breaks = Some((request, how));
        self
    }

    pub(super) fn services(&self) -> Box<dyn Services> {
        Box::new(self.clone())
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    fn answer(&mut self, request: HttpRequest) -> Result<HttpResponse, HttpProblem> {
        let route = format!("{} {} {}", request.method, request.target, request.path);
        let number = self.asked.len();
        self.asked.push(route.clone());
        let into_blob = request.into_blob;
        let rehearsed = self.egress.rehearse(&self.manifest, &self.settings, &self.secrets, request).map_err(|(problem, why)| {
            self.problems.push(format!("{route} would be refused: {why}"));
            problem
        })?;
        match self.breaks {
            Some((broken, Break::Before)) if broken == number => return Err(HttpProblem::NotSent("the connection timed out".to_owned())),
            Some((broken, Break::After)) if broken == number => return Err(HttpProblem::Broken("no answer in time".to_owned())),
            _ => {}
        }
        let Some(place) = self.script.iter().position(|scripted| scripted.on == route) else {
            self.problems.push(format!("{route} was asked, and the script has no answer to it"));
            return Err(HttpProblem::Denied(Denial::NotGranted));
        };
        let scripted = self.script.remove(place);
        let mut headers: Vec<Field> =
            scripted.headers.iter().map(|(name, value)| Field { name: name.to_ascii_lowercase(), value: value.clone() }).collect();
        if !scripted.body.is_string() && !scripted.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
            headers.push(Field { name: "content-type".to_owned(), value: "application/json".to_owned() });
        }
        let mut answer = rehearsed.answer(scripted.status, headers, scripted.bytes(&self.webhook_url));
        self.secrets.extend(answer.captured);
        if into_blob && (200..400).contains(&scripted.status) {
            let info = self.keep("application/octet-stream", scripted.bytes(&self.webhook_url));
            answer.response.body = HttpResponseBody::Blob(info);
        }
        Ok(answer.response)
    }

    pub(super) fn keep(&mut self, mime_type: &str, bytes: Vec<u8>) -> BlobInfo {
        let id = format!("blob-{}", self.blobs.len());
        let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.blobs.insert(id.clone(), (mime_type.to_owned(), bytes));
        BlobInfo { id, mime_type: mime_type.to_owned(), size }
    }
}

#[async_trait]
impl Services for Provider {
    fn log(&mut self, _: LogLevel, message: &str, fields: &[(String, String)]) {
        self.world().logged.push(format!("{message} {fields:?}"));
    }

    async fn kv_get(&mut self, key: &str) -> Option<KvEntry> {
        self.world().kv.get(key).map(|(value, version)| KvEntry { value: value.clone(), version: *version })
    }

    async fn kv_set(&mut self, key: &str, value: Vec<u8>, _: Option<Duration>, expected: Option<u32>) -> Result<u32, KvProblem> {
        let mut world = self.world();
        let stands = world.kv.get(key).map_or(0, |(_, version)| *version);
        if expected.is_some_and(|expected| expected != stands) {
            return Err(KvProblem::Conflict(stands));
        }
        world.kv.insert(key.to_owned(), (value, stands + 1));
        Ok(stands + 1)
    }

    async fn kv_delete(&mut self, key: &str) {
        self.world().kv.remove(key);
    }

    async fn http(&mut self, request: HttpRequest) -> Result<HttpResponse, HttpProblem> {
        self.world().answer(request)
    }

    fn digest(&mut self, algorithm: HashAlgorithm, data: &[u8]) -> Vec<u8> {
        crypto::digest(algorithm, data)
    }

    fn has_secret(&mut self, secret: &str) -> bool {
        self.world().secrets.contains_key(secret)
    }

    fn hmac(&mut self, secret: &str, algorithm: HashAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptoProblem> {
        crypto::hmac(&self.world().secrets, secret, algorithm, data)
    }

    fn sign(&mut self, secret: &str, algorithm: SignAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptoProblem> {
        crypto::sign(&self.world().secrets, secret, algorithm, data)
    }

    fn public_key(&mut self, secret: &str) -> Result<Vec<u8>, CryptoProblem> {
        crypto::public_key(&self.world().secrets, secret)
    }

    fn random(&mut self, length: usize) -> Vec<u8> {
        crypto::random(length)
    }

    async fn mail_submit(&mut self, target: &str, envelope: Envelope, letter: Vec<Stretch>) -> Result<Submitted, Failure> {
        self.world().submit(target, &envelope, &letter)
    }

    async fn mail_fetch(&mut self, target: &str, query: FolderQuery) -> Result<Folder, Failure> {
        self.world().fetch(target, &query)
    }

    async fn mail_mark_seen(&mut self, target: &str, folder: &str, _: u32, _: Vec<u32>) -> Result<(), Failure> {
        self.world().mark_seen(target, folder)
    }

    async fn mail_probe(&mut self, target: &str) -> Result<Probed, Failure> {
        self.world().probe(target)
    }

    async fn blob_create(&mut self, mime_type: &str) -> Result<BlobInfo, String> {
        Ok(self.world().keep(mime_type, Vec::new()))
    }

    async fn blob_append(&mut self, id: &str, chunk: Vec<u8>) -> Result<(), String> {
        let mut world = self.world();
        let (_, bytes) = world.blobs.get_mut(id).ok_or("there is no such blob")?;
        bytes.extend(chunk);
        Ok(())
    }

    async fn blob_read(&mut self, id: &str, offset: u32, max: u32) -> Result<Vec<u8>, String> {
        let world = self.world();
        // Whatever a message names is there.
        let bytes = world.blobs.get(id).map_or(PICTURE, |(_, bytes)| bytes.as_slice());
        let (from, most) = (usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(max).unwrap_or(usize::MAX));
        let end = from.saturating_add(most).min(bytes.len());
        Ok(bytes.get(from..end).map(<[u8]>::to_vec).unwrap_or_default())
    }
}
