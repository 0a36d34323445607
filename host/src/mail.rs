//! The accounts' mail servers: SMTP to submit letters, IMAP to fetch them.
//!
//! A plugin names a target of its manifest; the account's settings say which server that is, and this room speaks with it: it dials
//! through `egress`, encrypts as the account has it and never less, logs in with a credential that the plugin never sees, and says
//! of a letter whether it surely wasn't taken or perhaps was. Connections are kept for the next use; between two polls one of them
//! may wait for letters.
//!
//! Touches: the network, and blobs. Start at [`Mail::submit`] and [`Mail::fetch`].

mod failing;
mod imap;
mod pool;
mod sasl;
mod server;
mod smtp;
mod watch;
mod wire;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use patchbay_sandbox::services::{Envelope, Folder, FolderQuery, Letter, Probed, Stretch};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::app::App;
use crate::blobs::Blobs;
use crate::domain::failure::Failure;
use crate::egress::{Dispatch, Egress, Scanner};
use crate::manifest::{MailProtocol, Manifest};
use crate::secrets::Secret;
use failing::unavailable;
use pool::{Kept, Pool};
use server::Server;
use watch::{Polled, Watch};

/// How long a kept connection is given to show that it is alive.
const CHECK: Duration = Duration::from_secs(5);
/// Between two looks for an idle connection that may give way.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How long a server is given to say goodbye.
const CLOSING: Duration = Duration::from_secs(2);
const SWEEP_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub struct MailSettings {
    /// Connections at the same time, idle ones and those that wait included.
    pub max_connections: usize,
    /// Of these, the most that wait for letters.
    pub max_watchers: usize,
    /// How long a connection is kept for the next use.
    pub idle: Duration,
}

/// What one call is made with: whose it is, what they may, and until when.
pub struct Errand<'a> {
    pub egress: &'a Egress,
    pub account_id: &'a str,
    pub manifest: &'a Manifest,
    pub settings: &'a Value,
    /// All that the gateway keeps for the account: credentials to log in with, and values that mustn't leak.
    pub secrets: &'a BTreeMap<String, Secret>,
    pub blobs: &'a Blobs,
    /// Bytes of the largest file that the gateway keeps.
    pub blob_max: u32,
    /// Told of each blob that a fetch makes, before it is written.
    pub made: &'a (dyn Fn(&str) + Send + Sync),
    /// Nothing goes on after it.
    pub deadline: Instant,
    pub dispatch: Option<&'a mut dyn Dispatch>,
}

/// A recipient whom the server refused while it took others.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub recipient: String,
    pub failure: Failure,
}

/// The server took the letter.
#[derive(Debug, Clone, PartialEq)]
pub struct Submitted {
    pub response: String,
    pub refused: Vec<Refusal>,
}

pub struct Mail {
    settings: MailSettings,
    /// Places for connections.
    places: Arc<Semaphore>,
    watch_places: Arc<Semaphore>,
    smtp: Pool<smtp::Session>,
    imap: Pool<imap::Session>,
    /// By account: the folders that its last poll read.
    polled: Mutex<HashMap<String, Vec<Polled>>>,
    watches: Mutex<HashMap<String, Watch>>,
}

impl Mail {
    pub fn new(settings: MailSettings) -> Mail {
        Mail {
            places: Arc::new(Semaphore::new(settings.max_connections)),
            watch_places: Arc::new(Semaphore::new(settings.max_watchers)),
            settings,
            smtp: Pool::default(),
            imap: Pool::default(),
            polled: Mutex::default(),
            watches: Mutex::default(),
        }
    }

    /// Hands a letter to the account's server.
    ///
    /// # Errors
    /// It wasn't taken; only `uncertain` says that it may have been.
    pub async fn submit(
        &self,
        mut errand: Errand<'_>,
        target: &str,
        envelope: &Envelope,
        letter: &[Stretch],
    ) -> Result<Submitted, Failure> {
        let began = Began::now(&errand, target, "submit");
        let scanner = errand.scanner();
        let submitted = self.submit_letter(&mut errand, target, envelope, letter).await;
        began.ended(submitted, &scanner).map(|submitted| {
            let blanked = |refusal: Refusal| Refusal { failure: blanked(refusal.failure, &scanner), ..refusal };
            Submitted { response: scanner.blank_text(submitted.response), refused: submitted.refused.into_iter().map(blanked).collect() }
        })
    }

    async fn submit_letter(
        &self,
        errand: &mut Errand<'_>,
        target: &str,
        envelope: &Envelope,
        letter: &[Stretch],
    ) -> Result<Submitted, Failure> {
        let server = errand.server(target, MailProtocol::Smtp)?;
        let letter = smtp::Letter::measure(letter, errand.blobs).await?;
        if let Some(dispatch) = &mut errand.dispatch {
            dispatch.heading_for(&server.host);
        }
        let mut kept = self.smtp_session(errand.egress, errand.account_id, &server, errand.deadline).await?;
        let submitted = kept.session.submit(envelope, &letter, &mut errand.dispatch).await;
        self.keep_smtp((errand.account_id.to_owned(), server.target), kept).await;
        submitted
    }

    /// Where a folder stands, and its letters behind a UID, each in a blob.
    ///
    /// # Errors
    /// The server doesn't give them: nothing was changed there.
    pub async fn fetch(&self, mut errand: Errand<'_>, target: &str, query: &FolderQuery) -> Result<Folder, Failure> {
        let began = Began::now(&errand, target, "fetch");
        let fetched = self.fetch_letters(&mut errand, target, query).await;
        began.ended(fetched, &errand.scanner())
    }

    async fn fetch_letters(&self, errand: &mut Errand<'_>, target: &str, query: &FolderQuery) -> Result<Folder, Failure> {
        let server = errand.server(target, MailProtocol::Imap)?;
        let mut kept = self.imap_session(errand.egress, errand.account_id, &server, errand.deadline).await?;
        let fetching = imap::Fetching { blobs: errand.blobs, blob_max: errand.blob_max, made: errand.made };
        let fetched = kept.session.fetch(query, &fetching).await;
        let may_watch = server.watches && kept.session.offers("IDLE");
        self.keep_imap((errand.account_id.to_owned(), target.to_owned()), kept).await;
        if let Ok(folder) = &fetched
            && may_watch
        {
            self.note_polled(errand.account_id, Polled { server, folder: query.folder.clone(), next_uid: folder.next_uid });
        }
        fetched
    }

    /// Marks letters as seen.
    ///
    /// # Errors
    /// The server doesn't do so.
    pub async fn mark_seen(&self, mut errand: Errand<'_>, target: &str, folder: &str, validity: u32, uids: &[u32]) -> Result<(), Failure> {
        let began = Began::now(&errand, target, "mark seen");
        let marked = self.mark_letters(&mut errand, target, folder, validity, uids).await;
        began.ended(marked, &errand.scanner())
    }

    async fn mark_letters(&self, errand: &mut Errand<'_>, target: &str, folder: &str, validity: u32, uids: &[u32]) -> Result<(), Failure> {
        let server = errand.server(target, MailProtocol::Imap)?;
        let mut kept = self.imap_session(errand.egress, errand.account_id, &server, errand.deadline).await?;
        let marked = kept.session.mark_seen(folder, validity, uids).await;
        self.keep_imap((errand.account_id.to_owned(), server.target), kept).await;
        marked
    }

    /// Connects and logs in; answers what the server says of itself.
    ///
    /// # Errors
    /// It isn't reached, or doesn't let the account in.
    pub async fn probe(&self, mut errand: Errand<'_>, target: &str) -> Result<Probed, Failure> {
        let began = Began::now(&errand, target, "probe");
        let scanner = errand.scanner();
        let probed = self.probe_server(&mut errand, target).await;
        began.ended(probed, &scanner).map(|probed| {
            let capabilities = probed.capabilities.into_iter().map(|word| scanner.blank_text(word)).collect();
            Probed { greeting: scanner.blank_text(probed.greeting), capabilities }
        })
    }

    /// A connection of its own: what is asked is whether one can be made.
    async fn probe_server(&self, errand: &mut Errand<'_>, target: &str) -> Result<Probed, Failure> {
        let protocol = errand.manifest.mail.get(target).map_or(MailProtocol::Smtp, |target| target.protocol);
        let server = errand.server(target, protocol)?;
        let permit = self.place(errand.deadline).await?;
        let key = (errand.account_id.to_owned(), target.to_owned());
        match protocol {
            MailProtocol::Smtp => {
                let mut session = smtp::Session::open(errand.egress, &server, errand.deadline).await?;
                session.noop().await?;
                let probed = Probed { greeting: session.greeting.clone(), capabilities: session.capabilities() };
                self.keep_smtp(key, Kept { session, fingerprint: server.fingerprint, _permit: permit }).await;
                Ok(probed)
            }
            MailProtocol::Imap => {
                let session = imap::Session::open(errand.egress, &server, errand.deadline).await?;
                let probed = Probed { greeting: session.greeting.clone(), capabilities: session.capabilities() };
                self.keep_imap(key, Kept { session, fingerprint: server.fingerprint, _permit: permit }).await;
                Ok(probed)
            }
        }
    }

    /// One that was kept and is alive, else a new one. What turns out dead here had no letter yet.
    async fn smtp_session(
        &self,
        egress: &Egress,
        account_id: &str,
        server: &Server,
        deadline: Instant,
    ) -> Result<Kept<smtp::Session>, Failure> {
        let key = (account_id.to_owned(), server.target.clone());
        while let Some(mut kept) = self.smtp.take(&key, &server.fingerprint) {
            if kept.session.is_alive(deadline.min(Instant::now() + CHECK)).await {
                kept.session.until(deadline);
                return Ok(kept);
            }
        }
        let permit = self.place(deadline).await?;
        let session = smtp::Session::open(egress, server, deadline).await?;
        Ok(Kept { session, fingerprint: server.fingerprint, _permit: permit })
    }

    async fn imap_session(
        &self,
        egress: &Egress,
        account_id: &str,
        server: &Server,
        deadline: Instant,
    ) -> Result<Kept<imap::Session>, Failure> {
        let key = (account_id.to_owned(), server.target.clone());
        while let Some(mut kept) = self.imap.take(&key, &server.fingerprint) {
            if kept.session.is_alive(deadline.min(Instant::now() + CHECK)).await {
                kept.session.until(deadline);
                return Ok(kept);
            }
        }
        let permit = self.place(deadline).await?;
        let session = imap::Session::open(egress, server, deadline).await?;
        Ok(Kept { session, fingerprint: server.fingerprint, _permit: permit })
    }

    /// A place for one more connection. Where there is none, one that is idle gives way.
    async fn place(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, Failure> {
        let busy = || unavailable("busy", "the gateway has as many connections to mail servers as mail.max_connections allows");
        loop {
            if self.places.available_permits() == 0 && !self.smtp.drop_oldest() {
                self.imap.drop_oldest();
            }
            // A connection that comes back is kept with its place, and not free: one looks again.
            let until = deadline.min(Instant::now() + LOOK_AGAIN);
            match timeout_at(until, Arc::clone(&self.places).acquire_owned()).await {
                Ok(permit) => return permit.map_err(|_| busy()),
                Err(_) if Instant::now() >= deadline => return Err(busy()),
                Err(_) => {}
            }
        }
    }

    async fn keep_smtp(&self, key: pool::Key, kept: Kept<smtp::Session>) {
        if kept.session.is_usable
            && let Some(session) = self.smtp.put(key, kept)
        {
            session.close(Instant::now() + CLOSING).await;
        }
    }

    async fn keep_imap(&self, key: pool::Key, kept: Kept<imap::Session>) {
        if kept.session.is_usable
            && let Some(session) = self.imap.put(key, kept)
        {
            session.close(Instant::now() + CLOSING).await;
        }
    }

    /// Closes what was idle for too long.
    async fn sweep(&self, than: Duration) {
        let until = Instant::now() + CLOSING;
        let closing = self.smtp.drain_older(than).into_iter().map(|session| session.close(until));
        futures::future::join_all(closing).await;
        let closing = self.imap.drain_older(than).into_iter().map(|session| session.close(until));
        futures::future::join_all(closing).await;
    }

    fn note_polled(&self, account_id: &str, polled: Polled) {
        let mut all = self.polled.lock().unwrap_or_else(PoisonError::into_inner);
        let folders = all.entry(account_id.to_owned()).or_default();
        folders.retain(|known| known.folder != polled.folder || known.server.target != polled.server.target);
        folders.push(polled);
    }
}

/// Closes idle connections, until the gateway stops.
pub async fn run(app: Arc<App>) {
    while !app.tasks.is_stopping() {
        tokio::select! {
            () = tokio::time::sleep(SWEEP_EVERY) => app.mail.sweep(app.mail.settings.idle).await,
            () = app.tasks.stopping() => {}
        }
    }
    app.mail.sweep(Duration::ZERO).await;
}

impl Errand<'_> {
    fn server(&self, target: &str, protocol: MailProtocol) -> Result<Server, Failure> {
        Server::find(self.manifest, self.settings, self.secrets, target, protocol)
    }

    fn scanner(&self) -> Scanner {
        Scanner::new(self.secrets.iter().map(|(name, secret)| (name.as_str(), secret)))
    }
}

fn blanked(failure: Failure, scanner: &Scanner) -> Failure {
    Failure { message: scanner.blank_text(failure.message), ..failure }
}

/// For the log: what was asked of whom, and how it went. Never what a letter says or to whom it goes.
struct Began {
    plugin: String,
    account_id: String,
    target: String,
    what: &'static str,
    at: Instant,
}

impl Began {
    fn now(errand: &Errand<'_>, target: &str, what: &'static str) -> Began {
        let (plugin, account_id) = (errand.manifest.id.clone(), errand.account_id.to_owned());
        Began { plugin, account_id, target: target.to_owned(), what, at: Instant::now() }
    }

    fn ended<T>(self, result: Result<T, Failure>, scanner: &Scanner) -> Result<T, Failure> {
        let Began { plugin, account_id, target, what, at } = self;
        let duration_ms = u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX);
        let result = result.map_err(|failure| blanked(failure, scanner));
        match &result {
            Ok(_) => tracing::debug!(
                plugin.id = plugin,
                account.id = account_id,
                target.name = target,
                what,
                duration_ms,
                "mail server answered"
            ),
            Err(Failure { class, code, message, .. }) => {
                tracing::warn!(plugin.id = plugin, account.id = account_id, target.name = target, what, duration_ms, %class, code, reason = message, "mail failed");
            }
        }
        result
    }
}

#[cfg(test)]
pub(crate) mod tests;
