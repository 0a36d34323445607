//! Waiting for letters between two polls: each folder that a poll read has a connection that the server tells of new letters by
//! (IMAP IDLE), and then the account is polled at once. No plugin runs meanwhile.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::imap::{News, Session};
use super::server::Server;
use super::{CLOSING, Mail};
use crate::accounts::POLL;
use crate::app::App;
use crate::domain::failure::Failure;
use crate::store;
use crate::wake::Topic;

/// For everything but the wait itself.
const PATIENCE: Duration = Duration::from_secs(30);
/// A server may close an IDLE of half an hour, and many middle boxes close one of less.
const RENEW: Duration = Duration::from_secs(9 * 60);
/// How often the account is looked at: one that changed is not waited for with what it had before.
const LOOK: Duration = Duration::from_secs(2);
/// How often a poll is asked for that is still being settled, and the wait in between.
const WAKES_MAX: u32 = 20;
const WAKE_AGAIN: Duration = Duration::from_millis(100);
/// Letters seldom come alone.
const SETTLE: Duration = Duration::from_millis(300);
/// A poll that another node does ends no watch of this one: it ends by itself when the poll is overdue.
const OVERDUE: Duration = Duration::from_secs(30);

/// A folder that a poll read.
pub(super) struct Polled {
    pub(super) server: Server,
    pub(super) folder: String,
    /// What the next letter had at least, when it was read.
    pub(super) next_uid: u32,
}

/// The waits of one account.
pub(super) struct Watch {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Mail {
    /// Ends the waits of an account, which is about to be polled: their connections are there for the poll.
    pub async fn end_watch(&self, account_id: &str) {
        self.polled.lock().unwrap_or_else(PoisonError::into_inner).remove(account_id);
        let watch = self.watches.lock().unwrap_or_else(PoisonError::into_inner).remove(account_id);
        if let Some(watch) = watch {
            watch.stop.cancel();
            watch.tasks.close();
            // A server that doesn't answer is waited for no longer: its connection isn't used again.
            drop(tokio::time::timeout(CLOSING, watch.tasks.wait()).await);
        }
    }

    /// Waits for letters in the folders that the account's last poll read, until the next one, which comes after `interval`.
    pub fn watch(&self, app: &Arc<App>, account_id: &str, interval: Duration) {
        let Some(generation) = app.wake.account_generation(account_id) else { return };
        let polled = self.polled.lock().unwrap_or_else(PoisonError::into_inner).remove(account_id).unwrap_or_default();
        if polled.is_empty() || app.tasks.is_stopping() {
            return;
        }
        let watch = Watch { stop: CancellationToken::new(), tasks: TaskTracker::new() };
        for polled in polled {
            let Ok(place) = Arc::clone(&self.watch_places).try_acquire_owned() else { break };
            let watcher = Watcher {
                app: Arc::clone(app),
                account_id: account_id.to_owned(),
                generation,
                polled,
                stop: watch.stop.clone(),
                until: Instant::now() + interval + OVERDUE,
                _place: place,
            };
            app.tasks.spawn(watch.tasks.track_future(watcher.run()));
        }
        if let Some(before) = self.watches.lock().unwrap_or_else(PoisonError::into_inner).insert(account_id.to_owned(), watch) {
            before.stop.cancel();
        }
    }
}

struct Watcher {
    app: Arc<App>,
    account_id: String,
    generation: u64,
    polled: Polled,
    stop: CancellationToken,
    until: Instant,
    _place: OwnedSemaphorePermit,
}

/// Why a wait ended.
enum End {
    News,
    Renew,
    Over,
    /// The credentials that it was made with may be gone.
    Changed,
}

impl Watcher {
    async fn run(self) {
        let Watcher { app, account_id, polled, .. } = &self;
        let opening = app.mail.imap_session(&app.egress, account_id, &polled.server, Instant::now() + PATIENCE);
        let opened = tokio::select! {
            opened = opening => opened,
            () = self.stop.cancelled() => return,
            () = app.tasks.stopping() => return,
        };
        let mut kept = match opened {
            Ok(kept) => kept,
            Err(failure) => return self.tell(&failure),
        };
        match self.watch(&mut kept.session).await {
            Ok(End::Changed) => kept.session.close(Instant::now() + CLOSING).await,
            Ok(end) => {
                app.mail.keep_imap((account_id.clone(), polled.server.target.clone()), kept).await;
                if matches!(end, End::News) {
                    self.wake().await;
                }
            }
            Err(failure) => self.tell(&failure),
        }
    }

    async fn watch(&self, session: &mut Session) -> Result<End, Failure> {
        loop {
            session.until(Instant::now() + PATIENCE);
            let standing = session.enter(&self.polled.folder, false).await?;
            if standing.next_uid > self.polled.next_uid {
                return Ok(End::News);
            }
            let tag = session.begin_idle().await?;
            let renew = (Instant::now() + RENEW).min(self.until);
            // The wait itself is bounded here.
            session.until(renew + PATIENCE);
            let mut count = standing.exists;
            let end = loop {
                tokio::select! {
                    news = session.wait(&mut count) => match news? {
                        News::Letters => {
                            tokio::time::sleep(SETTLE).await;
                            break End::News;
                        }
                    },
                    () = sleep_until(renew) => break if renew < self.until { End::Renew } else { End::Over },
                    () = self.stop.cancelled() => break End::Over,
                    () = self.app.tasks.stopping() => break End::Over,
                    () = tokio::time::sleep(LOOK) => {
                        if self.app.wake.account_generation(&self.account_id) != Some(self.generation) {
                            break End::Changed;
                        }
                    }
                }
            };
            session.until(Instant::now() + CLOSING);
            session.end_idle(&tag).await?;
            if !matches!(end, End::Renew) {
                return Ok(end);
            }
        }
    }

    /// Has the account polled now, by whichever node is first. The poll that this watch came from may not have settled when it is due
    /// next, and would put that in its place: then it is said again.
    async fn wake(&self) {
        for _ in 0..WAKES_MAX {
            match self.hasten().await {
                Ok(true) => return self.app.wake.tell(Topic::Jobs),
                Ok(false) if self.stop.is_cancelled() => return,
                Ok(false) => tokio::time::sleep(WAKE_AGAIN).await,
                Err(error) => {
                    tracing::warn!(%error, account.id = %self.account_id, "a letter came, and the poll could not be brought forward");
                    return;
                }
            }
        }
    }

    async fn hasten(&self) -> store::Result<bool> {
        let mut tx = self.app.db.begin().await?;
        let is_hastened = store::jobs::hasten(&mut tx, &self.account_id, POLL, self.app.clock.now()).await?;
        tx.commit().await?;
        Ok(is_hastened)
    }

    /// The next poll tells what is wrong, where it lasts.
    fn tell(&self, failure: &Failure) {
        let Failure { class, code, .. } = failure;
        tracing::info!(account.id = %self.account_id, target.name = %self.polled.server.target, %class, code, "new letters are polled for alone");
    }
}
