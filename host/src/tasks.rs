//! Background tasks that a shutdown waits for.

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The gateway's tasks and the signal that ends them.
#[derive(Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    drain: CancellationToken,
    stop: CancellationToken,
}

impl Tasks {
    /// Starts a task. It is waited for, so it has to end soon after [`Tasks::stopping`] does.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tracker.spawn(task);
    }

    /// Does work to its end, whoever waits for it: a client that hangs up must not leave it half done. None where it panicked.
    pub async fn finish<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, answer) = tokio::sync::oneshot::channel();
        self.spawn(async move {
            // Nobody waits any more: the work is done all the same.
            let _ = done.send(work.await);
        });
        answer.await.ok()
    }

    /// The gateway was told to stop: it goes on, but whoever asks whether it is ready hears no.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Ends when the gateway shuts down.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Tells every task to end.
    pub fn stop(&self) {
        self.drain.cancel();
        self.stop.cancel();
    }

    /// Waits until every task has ended.
    pub async fn join(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
