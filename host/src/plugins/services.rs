//! What one call may ask of the gateway: the sandbox's `Services` for one account and one version.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use patchbay_sandbox::{
    contract::types::{Detail, Failure, Retry},
    services::{
        BlobInfo, CryptoProblem, Denial, Envelope, Folder, FolderQuery, HashAlgorithm, HttpBody, HttpProblem, HttpRequest, HttpResponse,
        HttpResponseBody, KvEntry, KvProblem, LogLevel, PartContent, Probed, Refusal, Services, SignAlgorithm, Stretch, Submitted,
    },
};
use serde_json::Value;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{
    CallBlobs, Version, convert, crypto,
    http_trace::{HttpTrace, HttpTraces},
    recording::{Recorded, Recordings, Tape},
};
use crate::{
    accounts::{self, Opened},
    app::App,
    blobs::Blobs,
    clock::Clock,
    domain::{
        account::Account,
        log::{self, LogKind, Note},
        provider_app::ProviderApp,
    },
    egress::{Dispatch, Errand, Scanner},
    logbook::Logbook,
    mail,
    manifest::Manifest,
    secrets::Secret,
    store::{self, Db},
    traces,
};

/// Keys that one account may have in its plugin's store.
const KV_KEYS_MAX: i64 = 10_000;
/// Bytes of one value.
const KV_VALUE_MAX: usize = 64 * 1024;
const KV_KEY_MAX: usize = 256;
/// The call's own bound ends a request before this does.
const REQUEST_BOUND: Duration = Duration::from_secs(60);

/// What is left of a call's time for a letter's outcome to be told.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Secrets that were lifted out of responses, by name.
#[derive(Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<(String, Secret)>>>);

impl Captured {
    pub fn push(&self, name: String, secret: Secret) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((name, secret));
    }

    /// What was lifted, to be sealed.
    pub fn all(&self) -> Vec<(String, Secret)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same; nothing is left.
    pub fn take(&self) -> Vec<(String, Secret)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What reaches beyond this machine: absent where a hook has no business there.
struct Online {
    app: Arc<App>,
    /// With what is the app's to say in place of the account's.
    settings: Value,
    dispatch: Option<Box<dyn Dispatch>>,
}

pub struct CallServices {
    /// Empty where the call belongs to no account.
    organization_id: String,
    account_id: String,
    manifest: Arc<Manifest>,
    digest: String,
    db: Db,
    blobs: Blobs,
    clock: Arc<dyn Clock>,
    secrets: BTreeMap<String, Secret>,
    provider_app: Option<ProviderApp>,
    online: Option<Online>,
    /// Whether the account's store is there for it.
    has_store: bool,
    /// Whether what it logs is kept.
    logs: bool,
    captured: Captured,
    call_blobs: CallBlobs,
    /// Bytes of a file that the plugin may make.
    blob_max: u32,
    logbook: Arc<Logbook>,
    traces: HttpTraces,
    recordings: Arc<Recordings>,
    tape: Tape,
}

impl Drop for CallServices {
    fn drop(&mut self) {
        // With what was captured and derived meanwhile.
        self.tape.note_secrets(std::mem::take(&mut self.secrets));
    }
}

impl CallServices {
    /// For a call that belongs to no account: nothing to reach, nothing to keep.
    pub fn detached(app: &App, version: &Version) -> CallServices {
        CallServices::new(app, version, None, BTreeMap::new())
    }

    /// For hooks that only read what they are given; they may still check a hash with the account's secrets.
    pub fn offline(app: &App, version: &Version, account: &Account, secrets: BTreeMap<String, Secret>) -> CallServices {
        CallServices::new(app, version, Some(account), secrets)
    }

    /// For what came to an app's URL: the same, of no account yet.
    pub fn for_app(app: &App, version: &Version, secrets: BTreeMap<String, Secret>) -> CallServices {
        CallServices::new(app, version, None, secrets)
    }

    /// For hooks that talk to the provider.
    pub async fn for_account(app: &Arc<App>, version: &Version, account: &Account) -> store::Result<CallServices> {
        let Opened { secrets, provider_app } = accounts::open(app, account).await?;
        let mut services = CallServices::new(app, version, Some(account), secrets);
        let settings = accounts::effective_settings(&version.manifest, account, provider_app.as_ref());
        services.provider_app = provider_app;
        services.online = Some(Online { app: Arc::clone(app), settings, dispatch: None });
        Ok(services)
    }

    fn new(app: &App, version: &Version, account: Option<&Account>, secrets: BTreeMap<String, Secret>) -> CallServices {
        CallServices {
            organization_id: account.map(|account| account.organization_id.clone()).unwrap_or_default(),
            account_id: account.map(|account| account.id.clone()).unwrap_or_default(),
            manifest: Arc::clone(&version.manifest),
            digest: version.digest.clone(),
            db: app.db.clone(),
            blobs: app.blobs.clone(),
            clock: Arc::clone(&app.clock),
            secrets,
            provider_app: None,
            online: None,
            // A call of no account keeps nothing.
            has_store: account.is_some(),
            logs: true,
            captured: Captured::default(),
            call_blobs: CallBlobs::default(),
            blob_max: app.config.media.max_bytes(),
            logbook: Arc::clone(&app.logbook),
            traces: HttpTraces::default(),
            recordings: Arc::clone(&app.recordings),
            tape: app.recordings.tape(),
        }
    }

    /// For hooks that tell the same whenever they are asked the same.
    #[must_use]
    pub fn without_store(mut self) -> CallServices {
        self.has_store = false;
        self
    }

    /// For a call that is only tried: it leaves no trace.
    #[must_use]
    pub fn in_shadow(mut self) -> CallServices {
        self.has_store = false;
        self.logs = false;
        self
    }

    /// Has `dispatch` told before anything leaves that may change something at the provider.
    #[must_use]
    pub fn with_dispatch(mut self, dispatch: Box<dyn Dispatch>) -> CallServices {
        if let Some(online) = &mut self.online {
            online.dispatch = Some(dispatch);
        }
        self
    }

    /// Where captured secrets can be found after the call.
    pub fn captured(&self) -> Captured {
        self.captured.clone()
    }

    /// Where blobs that the call made can be found after it.
    pub fn call_blobs(&self) -> CallBlobs {
        self.call_blobs.clone()
    }

    /// The account's app.
    pub(super) fn provider_app(&self) -> Option<ProviderApp> {
        self.provider_app.clone()
    }

    /// Where the call's requests can be found after it.
    pub(super) fn traces(&self) -> HttpTraces {
        self.traces.clone()
    }

    /// What the call asks and is told, to be kept where it fails.
    pub(super) fn tape(&self) -> Tape {
        self.tape.clone()
    }

    pub(super) fn recordings(&self) -> Arc<Recordings> {
        Arc::clone(&self.recordings)
    }

    /// For the sandbox: what goes through is noted on the tape.
    pub(super) fn recorded(self) -> Box<dyn Services> {
        let tape = self.tape.clone();
        Box::new(Recorded::new(self, tape))
    }

    /// Notes blobs that the gateway makes for the call.
    fn made(&self) -> impl Fn(&str) + Send + Sync + use<> {
        let call_blobs = self.call_blobs.clone();
        move |id| call_blobs.note(id)
    }

    /// What the account's mail servers are asked with.
    fn mail_errand<'a>(&'a mut self, made: &'a (dyn Fn(&str) + Send + Sync)) -> Option<(&'a App, mail::Errand<'a>)> {
        let Online { app, settings, dispatch } = self.online.as_mut()?;
        let errand = mail::Errand {
            egress: &app.egress,
            account_id: &self.account_id,
            manifest: &self.manifest,
            settings,
            secrets: &self.secrets,
            blobs: &self.blobs,
            blob_max: self.blob_max,
            made,
            deadline: Instant::now() + REQUEST_BOUND,
            dispatch: dispatch.as_mut().map(|dispatch| dispatch.as_mut() as &mut dyn Dispatch),
        };
        Some((app, errand))
    }

    /// Whether the call may use the file: it made it, or its account's organisation has it. An id alone opens nothing.
    pub(super) async fn may_use(&mut self, id: &str) -> store::Result<bool> {
        if self.call_blobs.has(id) {
            return Ok(true);
        }
        let known = store::media::find(&self.db, id).await?;
        Ok(known.is_some_and(|file| file.organization_id == self.organization_id))
    }

    /// What the plugin says, in its account's log.
    fn log_to_account(&self, level: log::LogLevel, message: &str, fields: &[(String, String)]) {
        if self.account_id.is_empty() {
            return;
        }
        let note = Note::of(self.organization_id.clone(), self.account_id.clone(), LogKind::Plugin, level, "plugin_log", message);
        let note = fields.iter().fold(note, |note, (name, value)| note.detail(name, value.as_str()));
        self.logbook.note(note.by_plugin(&self.digest));
    }
}

/// The files that a request's body names.
fn files_of(body: &HttpBody) -> Vec<&str> {
    match body {
        HttpBody::Blob(id) | HttpBody::Piece { id, .. } => vec![id],
        HttpBody::Multipart(parts) => parts
            .iter()
            .filter_map(|part| match &part.content {
                PartContent::Blob(id) => Some(id.as_str()),
                PartContent::Bytes(_) => None,
            })
            .collect(),
        HttpBody::Empty | HttpBody::Bytes(_) | HttpBody::Form(_) => Vec::new(),
    }
}

fn no_mail(target: &str) -> Failure {
    let message = format!("the mail server “{target}” isn't there for a hook that only reads what it is given");
    Failure::Fault(Detail { code: "not_granted".to_owned(), message, extras: Vec::new() })
}

fn unknown_file(id: &str) -> Failure {
    let message = format!("the letter names the file {id}, which neither this call made nor the account's organisation has");
    Failure::Fault(Detail { code: "unknown_file".to_owned(), message, extras: Vec::new() })
}

/// Files can't be read or looked up for now.
fn unkept(error: &dyn std::fmt::Display) -> Failure {
    let detail = Detail { code: "blob_store".to_owned(), message: error.to_string(), extras: Vec::new() };
    Failure::Unavailable(Retry { after_ms: None, detail })
}

#[async_trait]
impl Services for CallServices {
    fn wall_clock(&mut self) -> Option<Duration> {
        u64::try_from(self.clock.now().micros()).ok().map(Duration::from_micros)
    }

    fn log(&mut self, level: LogLevel, message: &str, given: &[(String, String)]) {
        if !self.logs {
            return;
        }
        // Without the account's secrets, whatever the plugin had of them.
        let scanner = Scanner::new(self.secrets.iter().map(|(name, secret)| (name.as_str(), secret)));
        let message = scanner.blank_text(message.to_owned());
        let blanked = |(name, value): &(String, String)| (scanner.blank_text(name.clone()), scanner.blank_text(value.clone()));
        let given: Vec<(String, String)> = given.iter().map(blanked).collect();
        let fields = given.iter().map(|(name, value)| format!(" {name}={value}")).collect::<String>();
        let (plugin, account) = (&self.manifest.id, &self.account_id);
        let kept = match level {
            LogLevel::Debug => None,
            LogLevel::Info => Some(log::LogLevel::Info),
            LogLevel::Warn => Some(log::LogLevel::Warn),
            LogLevel::Error => Some(log::LogLevel::Error),
        };
        if let Some(kept) = kept {
            self.log_to_account(kept, &message, &given);
        }
        match level {
            LogLevel::Debug => tracing::debug!(target: "patchbay::plugin", %plugin, account.id = %account, "{message}{fields}"),
            LogLevel::Info => tracing::info!(target: "patchbay::plugin", %plugin, account.id = %account, "{message}{fields}"),
            LogLevel::Warn => tracing::warn!(target: "patchbay::plugin", %plugin, account.id = %account, "{message}{fields}"),
            LogLevel::Error => {
                tracing::error!(target: "patchbay::plugin", %plugin, plugin.digest = %self.digest, account.id = %account, "{message}{fields}");
            }
        }
    }

    async fn kv_get(&mut self, key: &str) -> Option<KvEntry> {
        if !self.has_store {
            return None;
        }
        match store::kv::get(&self.db, &self.account_id, key, self.clock.now()).await {
            Ok(entry) => entry.map(|entry| KvEntry { value: entry.value, version: entry.version }),
            Err(error) => {
                tracing::error!(%error, account.id = %self.account_id, "a plugin's store could not be read");
                None
            }
        }
    }

    async fn kv_set(&mut self, key: &str, value: Vec<u8>, ttl: Option<Duration>, expected: Option<u32>) -> Result<u32, KvProblem> {
        if value.len() > KV_VALUE_MAX || key.len() > KV_KEY_MAX {
            return Err(KvProblem::TooLarge);
        }
        if !self.has_store {
            return Err(KvProblem::Quota);
        }
        let now = self.clock.now();
        let write = async {
            let mut tx = self.db.begin().await?;
            let known = store::kv::get(&mut tx, &self.account_id, key, now).await?.is_some();
            if !known && store::kv::count(&mut tx, &self.account_id, now).await? >= KV_KEYS_MAX {
                return Ok(Err(KvProblem::Quota));
            }
            let expires_at = ttl.map(|ttl| now.plus(ttl));
            let written = store::kv::set(&mut tx, &self.account_id, key, value, expires_at, expected, now).await?;
            tx.commit().await?;
            store::Result::Ok(written.map_err(KvProblem::Conflict))
        };
        write.await.unwrap_or_else(|error| {
            tracing::error!(%error, account.id = %self.account_id, "a plugin's store could not be written");
            Err(KvProblem::Quota)
        })
    }

    async fn kv_delete(&mut self, key: &str) {
        if !self.has_store {
            return;
        }
        let delete = async {
            let mut tx = self.db.begin().await?;
            store::kv::delete(&mut tx, &self.account_id, key).await?;
            tx.commit().await
        };
        if let Err(error) = delete.await {
            tracing::error!(%error, account.id = %self.account_id, "a plugin's store could not be written");
        }
    }

    async fn http(&mut self, request: HttpRequest) -> Result<HttpResponse, HttpProblem> {
        self.call_blobs.finish_all().await.map_err(|error| HttpProblem::NotSent(error.to_string()))?;
        for id in files_of(&request.body) {
            if !self.may_use(id).await.map_err(|error| HttpProblem::NotSent(error.to_string()))? {
                tracing::warn!(plugin = %self.manifest.id, account.id = %self.account_id, "a request names a file that is none of its account's");
                return Err(HttpProblem::Denied(Denial::NotGranted));
            }
        }
        let Some(online) = &mut self.online else { return Err(HttpProblem::Denied(Denial::NotGranted)) };
        let Online { app, settings, dispatch } = online;
        let errand = Errand {
            manifest: &self.manifest,
            settings,
            secrets: &self.secrets,
            blobs: &self.blobs,
            deadline: Instant::now() + REQUEST_BOUND,
            dispatch: dispatch.as_mut().map(|dispatch| dispatch.as_mut() as &mut dyn Dispatch),
        };
        let began = HttpTrace::begin(&self.manifest, errand.settings, &request);
        let span = traces::span!("http", http.request.method = %began.method, server.address = %began.host, url.path = %began.path, http.response.status_code = tracing::field::Empty);
        let answer = app.egress.call(errand, request).instrument(span.clone()).await;
        let trace = began.end(&answer);
        if let Some(status) = trace.status {
            span.record("http.response.status_code", status);
        }
        self.traces.push(trace);
        let answer = answer.inspect_err(|problem| {
            if *problem == HttpProblem::Denied(Denial::TooLarge) {
                self.call_blobs.note_too_large();
            }
        })?;
        if let HttpResponseBody::Blob(info) = &answer.response.body {
            self.call_blobs.note(&info.id);
        }
        // What was captured is known from here on: later requests may carry it, and nothing may leak it.
        let has_captured = !answer.captured.is_empty();
        for (name, secret) in answer.captured {
            self.secrets.insert(name.clone(), secret.clone());
            self.captured.push(name, secret);
        }
        if has_captured {
            accounts::derive(&self.manifest, self.provider_app.as_ref(), &mut self.secrets);
        }
        Ok(answer.response)
    }

    fn digest(&mut self, algorithm: HashAlgorithm, data: &[u8]) -> Vec<u8> {
        crypto::digest(algorithm, data)
    }

    fn has_secret(&mut self, secret: &str) -> bool {
        self.secrets.contains_key(secret)
    }

    fn hmac(&mut self, secret: &str, algorithm: HashAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptoProblem> {
        crypto::hmac(&self.secrets, secret, algorithm, data)
    }

    fn sign(&mut self, secret: &str, algorithm: SignAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptoProblem> {
        crypto::sign(&self.secrets, secret, algorithm, data)
    }

    fn public_key(&mut self, secret: &str) -> Result<Vec<u8>, CryptoProblem> {
        crypto::public_key(&self.secrets, secret)
    }

    fn random(&mut self, length: usize) -> Vec<u8> {
        crypto::random(length)
    }

    async fn mail_submit(&mut self, target: &str, envelope: Envelope, letter: Vec<Stretch>) -> Result<Submitted, Failure> {
        self.call_blobs.finish_all().await.map_err(|error| unkept(&error))?;
        for stretch in &letter {
            if let Stretch::File(id) = stretch
                && !self.may_use(id).await.map_err(|error| unkept(&error))?
            {
                return Err(unknown_file(id));
            }
        }
        let bytes = letter.iter().map(|stretch| if let Stretch::Bytes(bytes) = stretch { bytes.len() } else { 0 }).sum();
        let (made, traces) = (self.made(), self.traces.clone());
        let Some((app, mut errand)) = self.mail_errand(&made) else { return Err(no_mail(target)) };
        // Before the call's own end, which can't tell whether the letter's last dot had left.
        errand.deadline -= LAST_WORDS;
        let began = HttpTrace::begin_mail(&errand, target, "SUBMIT", "", bytes);
        let span = traces::span!("mail", mail.request = "SUBMIT", server.address = %began.host);
        let submitted = app.mail.submit(errand, target, &envelope, &letter).instrument(span).await;
        traces.push(began.end_mail(submitted.as_ref().map(|submitted| (submitted.response.as_str(), 0))));
        let submitted = submitted.map_err(convert::failure_out)?;
        let refusal = |refusal: mail::Refusal| Refusal { recipient: refusal.recipient, failure: convert::failure_out(refusal.failure) };
        Ok(Submitted { response: submitted.response, refused: submitted.refused.into_iter().map(refusal).collect() })
    }

    async fn mail_fetch(&mut self, target: &str, query: FolderQuery) -> Result<Folder, Failure> {
        let (made, traces) = (self.made(), self.traces.clone());
        let Some((app, errand)) = self.mail_errand(&made) else { return Err(no_mail(target)) };
        let began = HttpTrace::begin_mail(&errand, target, "FETCH", &query.folder, 0);
        let span = traces::span!("mail", mail.request = "FETCH", server.address = %began.host);
        let folder = app.mail.fetch(errand, target, &query).instrument(span).await;
        let bytes = |folder: &Folder| folder.letters.iter().map(|letter| u64::from(letter.content.size)).sum();
        traces.push(began.end_mail(folder.as_ref().map(|folder| ("", bytes(folder)))));
        folder.map_err(convert::failure_out)
    }

    async fn mail_mark_seen(&mut self, target: &str, folder: &str, validity: u32, uids: Vec<u32>) -> Result<(), Failure> {
        let (made, traces) = (self.made(), self.traces.clone());
        let Some((app, errand)) = self.mail_errand(&made) else { return Err(no_mail(target)) };
        let began = HttpTrace::begin_mail(&errand, target, "SEEN", folder, 0);
        let span = traces::span!("mail", mail.request = "SEEN", server.address = %began.host);
        let marked = app.mail.mark_seen(errand, target, folder, validity, &uids).instrument(span).await;
        traces.push(began.end_mail(marked.as_ref().map(|()| ("", 0))));
        marked.map_err(convert::failure_out)
    }

    async fn mail_probe(&mut self, target: &str) -> Result<Probed, Failure> {
        let (made, traces) = (self.made(), self.traces.clone());
        let Some((app, errand)) = self.mail_errand(&made) else { return Err(no_mail(target)) };
        let began = HttpTrace::begin_mail(&errand, target, "PROBE", "", 0);
        let span = traces::span!("mail", mail.request = "PROBE", server.address = %began.host);
        let probed = app.mail.probe(errand, target).instrument(span).await;
        traces.push(began.end_mail(probed.as_ref().map(|_| ("", 0))));
        probed.map_err(convert::failure_out)
    }

    async fn blob_create(&mut self, mime_type: &str) -> Result<BlobInfo, String> {
        let writer = self.blobs.create(mime_type, self.blob_max).map_err(|error| error.to_string())?;
        Ok(self.call_blobs.begin(writer))
    }

    async fn blob_append(&mut self, id: &str, chunk: Vec<u8>) -> Result<(), String> {
        self.call_blobs.append(id, chunk).await
    }

    async fn blob_read(&mut self, id: &str, offset: u32, max: u32) -> Result<Vec<u8>, String> {
        self.call_blobs.finish(id).await.map_err(|error| error.to_string())?;
        self.blobs.read(id, offset, max).await.map(|bytes| bytes.to_vec()).map_err(|error| error.to_string())
    }
}
