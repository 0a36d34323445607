//! Group commit: what comes in at the same time shares one transaction, and each is answered after its commit.

use std::sync::Arc;

use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{
    apply::{apply, apply_overdue},
    note,
};
use crate::{
    accounts::RELEASE,
    blobs::Blobs,
    clock::{At, Clock},
    domain::{
        account::Account,
        event::Fact,
        media::MediaFile,
        webhook::{AppWebhook, Stray, Webhook, WebhookState},
    },
    ids::Ids,
    ledger::{Applied, Ledger, Wanted},
    logbook::Logbook,
    metrics::Metrics,
    plugins::Registry,
    secrets::Keyring,
    store::{self, Db, StoreError, Tx, jobs::DueJob, people::Owner, webhooks::Disposition},
    tasks::Tasks,
    traces,
    wake::{Topic, Wake},
};

/// The most that share one transaction. More would make the connections wait in step: while one group is stored the next is read.
const GROUP_MAX: usize = 32;
/// Those that wait for their turn: the doors wait when there are more.
const WAITING_MAX: usize = 1024;

/// Where facts come from, and what is stored with them.
#[derive(Debug, Clone)]
pub enum Source {
    Webhook {
        webhook: Webhook,
        disposition: Disposition,
    },
    /// A webhook that is stored already.
    Replay {
        webhook_id: String,
        disposition: Disposition,
    },
    /// A polled page: the cursor moves with the facts that it passed.
    Poll {
        cursor: Option<Vec<u8>>,
        /// Whose cursor it is: a poll that was taken over moves it no more.
        job: DueJob,
        plugin_digest: String,
    },
    /// A fact that has waited long enough for the message of that id.
    Overdue(String),
}

impl Source {
    /// The version of the plugin that told the facts.
    fn plugin_digest(&self) -> Option<&str> {
        match self {
            Source::Webhook { disposition, .. } | Source::Replay { disposition, .. } => disposition.plugin_digest.as_deref(),
            Source::Poll { plugin_digest, .. } => Some(plugin_digest),
            Source::Overdue(_) => None,
        }
    }
}

/// One unit of work: all of it is stored, or nothing.
#[derive(Debug, Clone)]
pub struct Ingest {
    pub account_id: String,
    pub organization_id: String,
    pub channel_type: String,
    pub source: Source,
    pub facts: Vec<Fact>,
    /// Files that the plugin made along with the facts. Those that nothing new names are removed after the commit.
    pub files: Vec<MediaFile>,
}

impl Ingest {
    pub fn webhook(account: &Account, webhook: Webhook, disposition: Disposition, facts: Vec<Fact>) -> Ingest {
        Ingest::of(account, Source::Webhook { webhook, disposition }, facts)
    }

    pub fn of(account: &Account, source: Source, facts: Vec<Fact>) -> Ingest {
        Ingest {
            account_id: account.id.clone(),
            organization_id: account.organization_id.clone(),
            channel_type: account.channel_type.clone(),
            source,
            facts,
            files: Vec::new(),
        }
    }

    #[must_use]
    pub fn with_files(self, files: Vec<MediaFile>) -> Ingest {
        Ingest { files, ..self }
    }

    fn owner(&self) -> Owner<'_> {
        Owner { organization_id: &self.organization_id, account_id: &self.account_id }
    }
}

/// What is stored together or not at all: what one request holds may be of several accounts.
#[derive(Debug, Clone, Default)]
pub struct Unit {
    pub ingests: Vec<Ingest>,
    /// The request itself, where it is an app's and no account's.
    pub of_app: Option<(AppWebhook, Disposition)>,
    /// The request again, for each account that it names and that isn't there.
    pub strays: Vec<Stray>,
    /// A request of an app that was there before, and what became of it now.
    pub settled: Option<(String, Disposition)>,
}

impl Unit {
    /// The ids of its files that nothing names which was stored.
    fn unneeded(&self, applied: &Applied) -> Vec<String> {
        let files = self.ingests.iter().flat_map(|ingest| &ingest.files);
        files.map(|file| &file.id).filter(|id| !applied.kept.contains(*id)).cloned().collect()
    }
}

impl From<Ingest> for Unit {
    fn from(ingest: Ingest) -> Unit {
        Unit { ingests: vec![ingest], ..Unit::default() }
    }
}

struct Waiting {
    unit: Unit,
    /// Told the ids of its files that nothing names.
    done: oneshot::Sender<Result<Vec<String>, StoreError>>,
}

/// The way into the database for what comes in.
pub struct Inbox {
    queue: mpsc::Sender<Waiting>,
    closing: CancellationToken,
    committer: Tasks,
    logbook: Arc<Logbook>,
    blobs: Blobs,
}

/// What the way into the database is made of.
pub struct Committer {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<Ids>,
    pub keyring: Arc<Keyring>,
    pub plugins: Arc<Registry>,
    pub wake: Wake,
    pub metrics: Arc<Metrics>,
}

impl Inbox {
    /// Starts the committer. It outlives the gateway's other tasks, which may have something to store to the last: see
    /// [`Inbox::close`].
    pub fn start(committer: Committer, logbook: Arc<Logbook>, blobs: Blobs) -> Inbox {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let inbox = Inbox { queue, closing: CancellationToken::new(), committer: Tasks::default(), logbook, blobs };
        inbox.committer.spawn(committer.run(waiting, inbox.closing.clone()));
        inbox
    }

    /// Stores what waits and ends. What is handed over later is refused.
    pub async fn close(&self) {
        self.closing.cancel();
        self.committer.join().await;
    }

    /// Stores the unit; answers after the commit.
    pub async fn commit(&self, unit: impl Into<Unit>) -> Result<(), StoreError> {
        let unit = unit.into();
        let stopped = || StoreError::Open("the gateway is shutting down".to_owned());
        let notes: Vec<_> = unit.ingests.iter().filter_map(note::note).collect();
        let (done, answer) = oneshot::channel();
        let commit = async {
            self.queue.send(Waiting { unit, done }).await.map_err(|_| stopped())?;
            answer.await.map_err(|_| stopped())?
        };
        let unneeded: Vec<String> = commit.instrument(traces::span!("commit")).await?;
        for id in unneeded {
            if let Err(error) = self.blobs.delete(&id).await {
                tracing::warn!(%error, "a blob that nobody knows of stays in the store for now");
            }
        }
        for note in notes {
            self.logbook.note(note);
        }
        Ok(())
    }
}

impl Committer {
    async fn run(self, mut waiting: mpsc::Receiver<Waiting>, closing: CancellationToken) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        loop {
            let got = tokio::select! {
                biased;
                got = waiting.recv_many(&mut group, GROUP_MAX) => got,
                () = closing.cancelled(), if !waiting.is_closed() => {
                    waiting.close();
                    continue;
                }
            };
            if got == 0 {
                return;
            }
            self.commit(std::mem::take(&mut group)).await;
        }
    }

    async fn commit(&self, group: Vec<Waiting>) {
        let (began, size) = (Instant::now(), group.len());
        if let Ok(applied) = self.try_commit(&group.iter().map(|waiting| &waiting.unit).collect::<Vec<_>>()).await {
            self.metrics.committed(size, began.elapsed());
            self.tell(&applied);
            for waiting in group {
                // A door that no longer waits has lost its connection; the work is stored all the same.
                let _ = waiting.done.send(Ok(waiting.unit.unneeded(&applied)));
            }
            return;
        }
        // One of them can't be stored, or the database failed: each alone tells which.
        for waiting in group {
            let outcome = self.try_commit(&[&waiting.unit]).await;
            if let Ok(applied) = &outcome {
                self.tell(applied);
            }
            let _ = waiting.done.send(outcome.map(|applied| waiting.unit.unneeded(&applied)));
        }
    }

    async fn try_commit(&self, units: &[&Unit]) -> Result<Applied, StoreError> {
        let group: Vec<&Ingest> = units.iter().flat_map(|unit| &unit.ingests).collect();
        let now = self.clock.now();
        let mut tx = self.db.begin_ordered().await?;
        let mut ledger = Ledger::new(Arc::clone(&self.ids), now);
        let mut wanted = Wanted::default();
        for ingest in &group {
            for fact in &ingest.facts {
                wanted.fact(&ingest.account_id, fact);
            }
        }
        ledger.load(&mut tx, &wanted).await?;
        self.store(&mut tx, &group, now).await?;
        for unit in units {
            store_of_app(&mut tx, unit, now).await?;
        }
        for ingest in group {
            let manifest = self.plugins.manifest_of(&ingest.channel_type, &ingest.account_id);
            let inbox = manifest.as_ref().is_none_or(|manifest| manifest.capabilities.inbox);
            let requests = manifest.is_some_and(|manifest| manifest.capabilities.message_requests);
            let mut page =
                ledger.page(ingest.owner(), inbox, ingest.source.plugin_digest()).marking_requests(requests).with_files(&ingest.files);
            for fact in &ingest.facts {
                match &ingest.source {
                    Source::Overdue(_) => apply_overdue(&mut page, fact),
                    _ => apply(&mut page, fact),
                }
            }
        }
        let applied = ledger.save(&mut tx, &self.keyring).await?;
        tx.commit().await?;
        Ok(applied)
    }

    /// Stores where the facts come from.
    async fn store(&self, tx: &mut Tx, group: &[&Ingest], now: At) -> Result<(), StoreError> {
        let mut webhooks = Vec::with_capacity(group.len());
        for ingest in group {
            match &ingest.source {
                Source::Webhook { webhook, disposition } => {
                    webhooks.push((webhook, disposition));
                    if disposition.state == WebhookState::Held {
                        self.release_if_active(tx, &ingest.account_id, now).await?;
                    }
                }
                Source::Replay { webhook_id, disposition } => store::webhooks::set_disposition(tx, webhook_id, disposition, now).await?,
                Source::Poll { cursor, job, .. } => {
                    if store::jobs::is_held(tx, job).await? {
                        store::accounts::set_poll_cursor(tx, &ingest.account_id, cursor.clone()).await?;
                    }
                }
                Source::Overdue(reference) => {
                    for fact in &ingest.facts {
                        store::parked::delete(tx, &ingest.account_id, reference, &fact.dedupe_key).await?;
                    }
                }
            }
        }
        store::webhooks::insert(tx, &webhooks).await
    }

    /// The account may have been activated since the door looked: then nobody else would process what it holds.
    async fn release_if_active(&self, tx: &mut Tx, account_id: &str, now: At) -> Result<(), StoreError> {
        if store::accounts::find(&mut *tx, account_id).await?.is_some_and(|account| account.is_active) {
            store::jobs::schedule(tx, account_id, RELEASE, now).await?;
        }
        Ok(())
    }

    fn tell(&self, applied: &Applied) {
        for account_id in &applied.stood {
            self.wake.account_changed(account_id);
        }
        if !applied.stood.is_empty() {
            // A look at the account is due.
            self.wake.tell(Topic::Jobs);
        }
        if applied.queued > 0 {
            self.wake.tell(Topic::Outbox);
        }
        if applied.files > 0 {
            self.wake.tell(Topic::Media);
        }
        if applied.events > 0 {
            self.wake.tell(Topic::Events);
        }
    }
}

/// Stores what a request to an app's URL leaves besides what its accounts get.
async fn store_of_app(tx: &mut Tx, unit: &Unit, now: At) -> Result<(), StoreError> {
    if let Some((webhook, disposition)) = &unit.of_app {
        store::webhooks::insert_of_app(tx, webhook, disposition).await?;
    }
    for stray in &unit.strays {
        store::webhooks::quarantine(tx, stray).await?;
    }
    if let Some((id, disposition)) = &unit.settled {
        store::webhooks::set_disposition(tx, id, disposition, now).await?;
    }
    Ok(())
}
