//! Between nodes: what is told here is gathered and sent as one notice, and what others tell is passed on. However much comes
//! in, a node sends at most one notice each [`GAP`].

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use super::Notice;
use crate::{
    app::App,
    store::{self, notices::Listener},
};

/// The least time between two notices of a node: what is told meanwhile goes with the next.
const GAP: Duration = Duration::from_millis(10);
/// Each node tells something so often, if only that it is there.
const BEAT: Duration = Duration::from_secs(5);
/// A connection that has brought nothing for so long, not even this node's own beat, is dead.
const DEAF: Duration = Duration::from_secs(20);
/// The wait before a lost connection is opened again.
const PAUSE: Duration = Duration::from_secs(1);

/// A node's end of the link.
pub(super) struct Link {
    node_id: String,
    pending: Mutex<Notice>,
    ready: Notify,
    hears: AtomicBool,
}

impl Link {
    pub(super) fn new(node_id: &str) -> Link {
        Link { node_id: node_id.to_owned(), pending: Mutex::default(), ready: Notify::new(), hears: AtomicBool::new(false) }
    }

    /// Whether other nodes are heard.
    pub(super) fn hears(&self) -> bool {
        self.hears.load(Ordering::Relaxed)
    }

    /// Adds to the next notice; `add` answers whether it added anything.
    pub(super) fn add(&self, add: impl FnOnce(&mut Notice) -> bool) {
        let added = add(&mut self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        if added {
            self.ready.notify_one();
        }
    }

    /// What is to be told; empty afterwards.
    fn take(&self) -> Notice {
        std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What another node told; none where it was this one.
    fn read(&self, text: &str) -> Option<Notice> {
        let (sender, notice) = Notice::read(text);
        (sender != self.node_id).then_some(notice)
    }
}

/// Carries what is told until the gateway stops. Ends at once where there are no other nodes: with SQLite.
pub async fn run(app: Arc<App>) {
    let Some(link) = app.wake.link.clone() else { return };
    tokio::join!(send(&app, &link), listen(&app, &link));
}

async fn send(app: &App, link: &Link) {
    loop {
        tokio::select! {
            () = link.ready.notified() => {}
            () = tokio::time::sleep(BEAT) => {}
            () = app.tasks.stopping() => return,
        }
        let sent = tell(app, link).await;
        tokio::time::sleep(if sent { GAP } else { PAUSE }).await;
    }
}

/// Sends what is to be told; what can't be sent now goes with the next notice. Answers whether it was sent.
async fn tell(app: &App, link: &Link) -> bool {
    let notice = link.take();
    let sent = store::notices::tell(&app.db, &notice.write(&link.node_id)).await;
    if let Err(error) = &sent {
        tracing::warn!(%error, "other nodes could not be told");
        link.add(|pending| pending.take_up(notice));
    }
    sent.is_ok()
}

/// Sends what a shutdown has still brought: [`run`] ends before the last requests do.
pub async fn finish(app: &App) {
    let Some(link) = &app.wake.link else { return };
    if tokio::time::timeout(PAUSE, tell(app, link)).await.is_err() {
        tracing::warn!("other nodes could not be told any more");
    }
}

async fn listen(app: &App, link: &Link) {
    while !app.tasks.is_stopping() {
        tokio::select! {
            why = hear(app, link) => tracing::warn!(%why, "other nodes aren't heard: this one looks by itself meanwhile"),
            () = app.tasks.stopping() => {}
        }
        link.hears.store(false, Ordering::Relaxed);
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = app.tasks.stopping() => {}
        }
    }
}

/// Passes on what others tell; ends with the connection and answers why.
async fn hear(app: &App, link: &Link) -> String {
    let mut listener = match Listener::open(&app.db).await {
        Ok(listener) => listener,
        Err(error) => return error.to_string(),
    };
    link.hears.store(true, Ordering::Relaxed);
    // What was told while nobody listened.
    app.wake.pass_on(&Notice::everything());
    loop {
        match tokio::time::timeout(DEAF, listener.next()).await {
            Ok(Ok(Some(text))) => {
                if let Some(notice) = link.read(&text) {
                    app.wake.pass_on(&notice);
                }
            }
            Ok(Ok(None)) => return "the connection was lost".to_owned(),
            Ok(Err(error)) => return error.to_string(),
            Err(_) => return format!("nothing came for {} s", DEAF.as_secs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wake::{Topic, Wake};

    #[test]
    fn a_flood_is_one_notice() {
        let wake = Wake::among_nodes("node-1");
        for n in 0..1000 {
            wake.tell(Topic::Outbox);
            wake.tell(Topic::Events);
            wake.account_changed(&format!("account-{}", n % 3));
        }
        let link = wake.link.as_ref().unwrap();
        let notice = link.take();
        assert_eq!(notice.write("n"), "n outbox events account:account-0 account:account-1 account:account-2");
        assert_eq!(link.take(), Notice::default(), "told once");
    }

    #[test]
    fn a_node_doesnt_wake_itself_twice() {
        let link = Link::new("node-1");
        assert_eq!(link.read("node-1 outbox"), None);
        assert!(link.read("node-2 outbox").is_some());
    }

    #[test]
    fn what_is_remembered_of_an_account_is_void_after_a_change_here_or_there() {
        let wake = Wake::among_nodes("node-1");
        assert_eq!(wake.account_generation("a"), None, "nobody is heard: a change elsewhere would be missed");
        wake.link.as_ref().unwrap().hears.store(true, Ordering::Relaxed);
        let before = wake.account_generation("a");
        assert!(before.is_some());
        assert_eq!(wake.account_generation("a"), before);
        wake.account_changed("a");
        let after = wake.account_generation("a");
        assert_ne!(after, before);
        let (_, told) = Notice::read("node-2 account:a");
        wake.pass_on(&told);
        let told = wake.account_generation("a");
        assert_ne!(told, after);
        wake.pass_on(&Notice::everything());
        assert_ne!(wake.account_generation("a"), told);
    }

    #[test]
    fn a_process_alone_may_always_remember() {
        let wake = Wake::default();
        let before = wake.account_generation("a");
        assert!(before.is_some());
        wake.account_changed("a");
        assert_ne!(wake.account_generation("a"), before);
    }

    #[tokio::test]
    async fn what_another_node_tells_wakes_whoever_waits() {
        let wake = Wake::among_nodes("node-1");
        let events = wake.events.notified();
        tokio::pin!(events);
        events.as_mut().enable();
        wake.pass_on(&Notice::read("node-2 outbox events").1);
        wake.outbox.notified().await;
        events.await;
    }
}
