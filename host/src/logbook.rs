//! Accounts' logs are written here. Whoever has something to say hands over a [`Note`] and goes on: it waits in memory for the
//! writer, which stores what has come together every 200 ms in one transaction. A flood costs entries, never time, and what was
//! left out is told.
//!
//! Touches the database. Start at [`Logbook::note`].

mod queue;
mod sweep;

pub use sweep::sweep;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus_client::metrics::counter::Counter;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::queue::{FLUSH_AT, Queue};
use crate::{
    clock::Clock,
    domain::log::{LogEntry, LogLevel, Note},
    ids::Ids,
    store::{self, Db, Tx},
    tasks::Tasks,
};

/// How long an entry waits for others to be written with.
const FLUSH_EVERY: Duration = Duration::from_millis(200);
/// The wait after a write that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// The way into the accounts' logs.
pub struct Logbook {
    desk: Arc<Desk>,
    writer: Tasks,
}

struct Desk {
    clock: Arc<dyn Clock>,
    ids: Arc<Ids>,
    least: LogLevel,
    queue: Mutex<Queue>,
    /// There is something to write.
    filled: Notify,
    /// There is enough for a write.
    full: Notify,
    closing: CancellationToken,
}

impl Logbook {
    /// Starts the writer. Entries below `least` are dropped; `lost` counts those that found the queue full.
    pub fn start(db: Db, clock: Arc<dyn Clock>, ids: Arc<Ids>, least: LogLevel, lost: Counter) -> Logbook {
        let desk = Arc::new(Desk {
            clock,
            ids,
            least,
            queue: Mutex::new(Queue::new(lost)),
            filled: Notify::new(),
            full: Notify::new(),
            closing: CancellationToken::new(),
        });
        let logbook = Logbook { desk: Arc::clone(&desk), writer: Tasks::default() };
        logbook.writer.spawn(async move { desk.write_on(&db).await });
        logbook
    }

    /// Logs it. Never waits.
    pub fn note(&self, note: Note) {
        self.take_in(note, Queue::add);
    }

    /// Logs it together with others of the same account, kind and code: what comes within a second is one entry that says how
    /// many there were. Never waits.
    pub fn count(&self, note: Note) {
        self.take_in(note, Queue::count);
    }

    /// Logs it in the caller's transaction: what is rare, and true only where the transaction commits.
    pub async fn note_in(&self, tx: &mut Tx, note: Note) -> store::Result<()> {
        match self.desk.is_wanted(&note) {
            true => store::account_logs::insert(tx, &[self.desk.entry(note)]).await,
            false => Ok(()),
        }
    }

    fn take_in(&self, note: Note, put: impl FnOnce(&mut Queue, LogEntry)) {
        if !self.desk.is_wanted(&note) {
            return;
        }
        let entry = self.desk.entry(note);
        let waiting = {
            let mut queue = self.desk.queue();
            put(&mut queue, entry);
            queue.waiting()
        };
        self.desk.filled.notify_one();
        if waiting >= FLUSH_AT {
            self.desk.full.notify_one();
        }
    }

    /// Writes what waits and ends.
    pub async fn close(&self) {
        self.desk.closing.cancel();
        self.writer.join().await;
    }
}

impl Desk {
    fn is_wanted(&self, note: &Note) -> bool {
        note.level.rank() >= self.least.rank()
    }

    fn entry(&self, note: Note) -> LogEntry {
        let at = self.clock.now();
        LogEntry { id: self.ids.next(at), at, note }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write_on(&self, db: &Db) {
        loop {
            let closing = self.closing.is_cancelled();
            if !closing && self.queue().is_idle() {
                tokio::select! {
                    () = self.filled.notified() => {}
                    () = self.closing.cancelled() => continue,
                }
            }
            if !closing && self.queue().waiting() < FLUSH_AT {
                tokio::select! {
                    () = tokio::time::sleep(FLUSH_EVERY) => {}
                    () = self.full.notified() => {}
                    () = self.closing.cancelled() => {}
                }
            }
            let entries = self.queue().take(self.clock.now(), closing, &self.ids);
            if entries.is_empty() {
                if closing {
                    return;
                }
                continue;
            }
            self.write(db, &entries).await;
        }
    }

    /// Writes until it is written, or until the gateway ends and the database is still away.
    async fn write(&self, db: &Db, entries: &[LogEntry]) {
        while let Err(error) = try_write(db, entries).await {
            tracing::error!(%error, entries = entries.len(), "accounts' logs could not be written");
            if self.closing.is_cancelled() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = self.closing.cancelled() => {}
            }
        }
    }
}

async fn try_write(db: &Db, entries: &[LogEntry]) -> store::Result<()> {
    let mut tx = db.begin().await?;
    store::account_logs::insert(&mut tx, entries).await?;
    tx.commit().await
}
