//! Group commit: work that comes at the same time shares one transaction, and each is answered after its commit. A disk or a
//! server that has to be waited for is waited for once.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Db, Result, StoreError, Tx};
use crate::tasks::Tasks;

/// The most that share one transaction.
const GROUP_MAX: usize = 64;
/// Those that wait for their turn; who brings more waits to hand it over.
const WAITING_MAX: usize = 1024;

/// The way to a shared transaction.
#[derive(Clone)]
pub struct Group {
    queue: mpsc::Sender<Box<dyn Unit>>,
    closing: CancellationToken,
    committer: Tasks,
}

impl Group {
    /// Starts the committer. It outlives the gateway's other tasks, which may have something to store to the last: see
    /// [`Group::close`].
    pub fn start(db: Db) -> Group {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let group = Group { queue, closing: CancellationToken::new(), committer: Tasks::default() };
        group.committer.spawn(run(db, waiting, group.closing.clone()));
        group
    }

    /// Commits what waits and ends. What is handed over later is refused.
    pub async fn close(&self) {
        self.closing.cancel();
        self.committer.join().await;
    }

    /// Does the work in a transaction begun with [`Db::begin_ordered`]; answers after its commit.
    ///
    /// # Errors
    /// The work's own, or the database's: then nothing of it is stored.
    pub async fn commit<W: Work>(&self, work: &Arc<W>) -> Result<W::Made> {
        let stopped = || StoreError::Open("the gateway is shutting down".to_owned());
        let (done, answer) = oneshot::channel();
        let waiting = Waiting { work: Arc::clone(work), made: None, done };
        self.queue.send(Box::new(waiting)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

/// A small write.
pub trait Work: Send + Sync + 'static {
    type Made: Send;

    /// Writes. It may be asked more than once, each time in a new transaction: nothing but the database may remember it.
    fn write(&self, tx: &mut Tx) -> impl Future<Output = Result<Self::Made>> + Send;
}

async fn run(db: Db, mut waiting: mpsc::Receiver<Box<dyn Unit>>, closing: CancellationToken) {
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
        commit(&db, std::mem::take(&mut group)).await;
    }
}

async fn commit(db: &Db, mut group: Vec<Box<dyn Unit>>) {
    if together(db, &mut group).await.is_ok() {
        group.into_iter().for_each(|unit| unit.answer(Ok(())));
        return;
    }
    // One of them can't be stored, or the database failed: each alone tells which.
    for mut unit in group {
        let outcome = together(db, std::slice::from_mut(&mut unit)).await;
        unit.answer(outcome);
    }
}

async fn together(db: &Db, group: &mut [Box<dyn Unit>]) -> Result<()> {
    let mut tx = db.begin_ordered().await?;
    for unit in group {
        unit.run(&mut tx).await?;
    }
    tx.commit().await
}

#[async_trait]
trait Unit: Send {
    async fn run(&mut self, tx: &mut Tx) -> Result<()>;
    /// Tells who waits. Somebody who waits no more has lost its connection; the work is stored all the same.
    fn answer(self: Box<Self>, outcome: Result<()>);
}

struct Waiting<W: Work> {
    work: Arc<W>,
    made: Option<W::Made>,
    done: oneshot::Sender<Result<W::Made>>,
}

#[async_trait]
impl<W: Work> Unit for Waiting<W> {
    async fn run(&mut self, tx: &mut Tx) -> Result<()> {
        self.made = Some(self.work.write(tx).await?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<()>) {
        let made = self.made.ok_or_else(|| StoreError::Open("the work wasn't done".to_owned()));
        let _ = self.done.send(outcome.and(made));
    }
}
