//! Letters that are waited for, in a whole gateway.

use super::imap::Mailbox;
use super::*;
use crate::accounts::POLL;
use crate::boot::Gateway;
use crate::config::{Config, Overrides};
use crate::domain::account::Account;
use crate::store;

struct Desk {
    app: Arc<App>,
    world: World,
    _gateway: Gateway,
    _folder: tempfile::TempDir,
}

/// A gateway with the account, whose next poll is an hour away.
async fn desk(server: &peer::Server, max_watchers: usize) -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let overrides = Overrides { data: Some(folder.path().to_owned()), bind: Some("127.0.0.1:0".parse().unwrap()) };
    let mut config = Config::load(None, &overrides).unwrap();
    config.egress.redirect.insert(format!("{HOST}:143"), format!("tcp://127.0.0.1:{}", server.port));
    config.mail.max_watchers = max_watchers;
    let gateway = Gateway::build(config).await.unwrap();
    let app = Arc::clone(&gateway.app);
    let now = app.clock.now();
    let (data_key, _) = app.keyring.new_data_key("account").unwrap();
    let account = Account::for_tests("account", data_key, now);
    let mut tx = app.db.begin().await.unwrap();
    store::organizations::ensure(&mut tx, "org", now).await.unwrap();
    store::accounts::insert(&mut tx, &account).await.unwrap();
    store::jobs::schedule(&mut tx, "account", POLL, now.plus(Duration::from_secs(3600))).await.unwrap();
    tx.commit().await.unwrap();
    Desk { app, world: World::of(server, &json!({})), _gateway: gateway, _folder: folder }
}

impl Desk {
    /// Reads the folder as a poll does.
    async fn read(&self) {
        let query = FolderQuery { folder: "INBOX".to_owned(), after_uid: None, since_ms: None, max: 10, max_bytes: 1000 };
        let errand = Errand { egress: &self.app.egress, ..self.world.errand(None) };
        self.app.mail.fetch(errand, "in", &query).await.unwrap();
    }

    fn watch(&self) {
        self.app.mail.watch(&self.app, "account", Duration::from_secs(3600));
    }

    async fn is_due(&self) -> bool {
        store::jobs::is_any_due(&self.app.db, self.app.clock.now()).await.unwrap()
    }
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..400 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("never: {what}");
}

fn says(server: &peer::Server, end: &str) -> usize {
    server.heard().iter().filter(|line| line.ends_with(end)).count()
}

#[tokio::test]
async fn a_new_letter_has_the_account_polled_at_once() {
    let mailbox = Mailbox::of(&[(1, "a")]);
    let server = mailbox.clone().serve().await;
    let desk = desk(&server, 2).await;
    desk.read().await;
    desk.watch();
    until("it waits", async || says(&server, "IDLE") == 1).await;
    assert!(!desk.is_due().await);
    mailbox.letters.lock().unwrap().push((2, "b".to_owned()));
    until("the poll is due", async || desk.is_due().await).await;
    assert_eq!((says(&server, "DONE"), server.connections()), (1, 1));
    desk.read().await;
    assert_eq!(server.connections(), 1, "the poll has the connection that waited");
}

#[tokio::test]
async fn a_letter_that_came_before_the_wait_began_is_not_missed() {
    let mailbox = Mailbox::of(&[(1, "a")]);
    let server = mailbox.clone().serve().await;
    let desk = desk(&server, 2).await;
    desk.read().await;
    mailbox.letters.lock().unwrap().push((2, "b".to_owned()));
    desk.watch();
    until("the poll is due", async || desk.is_due().await).await;
    assert_eq!(says(&server, "IDLE"), 0);
}

#[tokio::test]
async fn the_next_poll_ends_the_wait() {
    let server = Mailbox::of(&[(1, "a")]).serve().await;
    let desk = desk(&server, 2).await;
    desk.read().await;
    desk.watch();
    until("it waits", async || says(&server, "IDLE") == 1).await;
    desk.app.mail.end_watch("account").await;
    assert_eq!((says(&server, "DONE"), desk.is_due().await), (1, false));
    desk.read().await;
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_account_that_changed_is_not_waited_for() {
    let server = Mailbox::of(&[(1, "a")]).serve().await;
    let desk = desk(&server, 2).await;
    desk.read().await;
    desk.watch();
    until("it waits", async || says(&server, "IDLE") == 1).await;
    desk.app.wake.account_changed("account");
    until("it ends", async || says(&server, "LOGOUT") == 1).await;
    assert!(!desk.is_due().await);
}

#[tokio::test]
async fn waits_are_bounded_and_only_where_the_server_offers_them() {
    let server = Mailbox::of(&[(1, "a")]).serve().await;
    let none = desk(&server, 0).await;
    none.read().await;
    none.watch();
    let without = Mailbox { offers: "", ..Mailbox::of(&[(1, "a")]) }.serve().await;
    let desk = desk(&without, 2).await;
    desk.read().await;
    desk.watch();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((says(&server, "IDLE"), says(&without, "IDLE")), (0, 0));
}

#[tokio::test]
async fn a_gateway_that_stops_waits_no_longer() {
    let server = Mailbox::of(&[(1, "a")]).serve().await;
    let desk = desk(&server, 2).await;
    desk.read().await;
    desk.watch();
    until("it waits", async || says(&server, "IDLE") == 1).await;
    desk.app.tasks.stop();
    tokio::time::timeout(Duration::from_secs(5), desk.app.tasks.join()).await.unwrap();
    assert_eq!(says(&server, "DONE"), 1);
}
