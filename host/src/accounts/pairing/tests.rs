//! The gateway's side of a pairing, with the real database; what a plugin brings is made up here.

use super::*;
use crate::{
    accounts::{connect::progress, keep_captured, open_secrets},
    boot::Gateway,
    config::{Config, Overrides},
    domain::actor::Actor,
    manifest::Manifest,
    plugins::Captured,
    store::{Page, Run as _},
};

struct World {
    app: Arc<App>,
    _gateway: Gateway,
    _folder: tempfile::TempDir,
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let overrides = Overrides { data: Some(folder.path().to_owned()), bind: Some("127.0.0.1:0".parse().unwrap()) };
    let gateway = Gateway::build(Config::load(None, &overrides).unwrap()).await.unwrap();
    let app = Arc::clone(&gateway.app);
    let manifest = json!({
        "id": "test", "type": "TEST", "version": "1.0.0", "name": "Test", "contract": "1.0.0",
        "settings": {"type": "object", "properties": {}},
        "secrets": {"session": {"title": "Session", "from": "captured"}},
        "capabilities": {},
    });
    app.plugins.know(Manifest::from_json(manifest.to_string().as_bytes()).unwrap());
    let now = app.clock.now();
    let (data_key, _) = app.keyring.new_data_key("account").unwrap();
    let account = Account { standing: Standing::plain(Connection::Unconfigured), ..Account::for_tests("account", data_key, now) };
    let mut tx = app.db.begin().await.unwrap();
    store::organizations::ensure(&mut tx, "org", now).await.unwrap();
    store::accounts::insert(&mut tx, &account).await.unwrap();
    tx.commit().await.unwrap();
    World { app, _gateway: gateway, _folder: folder }
}

fn starts(key: &str) -> Taker<'_> {
    Taker { key: Some(key), starts: true, job: None }
}

impl World {
    async fn account(&self) -> Account {
        store::accounts::find(&self.app.db, "account").await.unwrap().unwrap()
    }

    async fn stood(&self) -> (Connection, Option<String>) {
        let standing = self.account().await.standing;
        (standing.connection, standing.reason_code)
    }

    /// The plugin brings a code that is good for so many seconds.
    async fn scans(&self, code: &str, seconds: f64, taker: &Taker<'_>) {
        #[expect(clippy::cast_precision_loss, reason = "a test's time")]
        let expires_at_ms = seconds.mul_add(1000.0, self.app.clock.now().millis() as f64);
        let pairing = wit::Pairing { code: code.to_owned(), expires_at_ms, refreshes_left: 4 };
        let outcome = wit::Outcome { progress: wit::Progress::Scan(pairing), state: Some(b"session".to_vec()) };
        progress(&self.app, &self.account().await, outcome, &Captured::default(), taker).await.unwrap();
    }

    async fn code(&self, key: &str) -> Result<String, ApiError> {
        shown_code(&self.app, &self.account().await, key).await.map(|code| code.code.expose().to_owned())
    }

    async fn told(&self) -> Vec<Value> {
        let rows = (&self.app.db).rows(store::sql("SELECT data FROM events WHERE type = 'account.pairing' ORDER BY seq")).await.unwrap();
        rows.iter().map(|row| row.json("data").unwrap()).collect()
    }

    /// The job, claimed; what it did before is let run out.
    async fn job(&self) -> DueJob {
        let far = self.app.clock.now().plus(Duration::from_secs(3600));
        let mut tx = self.app.db.begin().await.unwrap();
        let mut jobs = store::jobs::claim(&mut tx, "node", far, far, 10).await.unwrap();
        tx.commit().await.unwrap();
        jobs.retain(|job| job.job == CONNECT);
        jobs.pop().unwrap()
    }

    async fn stands(&self, connection: Connection) {
        let mut tx = self.app.db.begin_ordered().await.unwrap();
        let owner = Owner { organization_id: "org", account_id: "account" };
        stand(&self.app, &mut tx, owner, &Standing::plain(connection), self.app.clock.now()).await.unwrap();
        commit(&self.app, tx, "account").await.unwrap();
    }

    async fn has_job(&self) -> bool {
        let rows = (&self.app.db).rows(store::sql("SELECT job FROM account_jobs WHERE job = 'connect'")).await.unwrap();
        !rows.is_empty()
    }
}

#[tokio::test]
async fn the_code_is_shown_to_who_began_and_is_nowhere_else() {
    let world = world().await;
    world.scans("2@secret", 20.0, &starts("key-1")).await;
    assert_eq!(world.code("key-1").await.unwrap(), "2@secret");
    let refused = world.code("key-2").await.unwrap_err();
    assert_eq!((refused.status, refused.body.code), (StatusCode::FORBIDDEN, "pairing_of_another"));
    assert!(refused.body.hint.unwrap().contains("/connect"));

    let account = world.account().await;
    assert_eq!(account.standing.connection, Connection::Pairing);
    let prompt = account.connect_prompt.as_ref().unwrap();
    assert_eq!(prompt["pairing_url"], "/rest/v1/channel_accounts/account/pairing");
    assert_eq!((&prompt["kind"], &prompt["refreshes_left"]), (&json!("scan"), &json!(4)));
    let pairing = store::pairings::find(&world.app.db, "account").await.unwrap().unwrap();
    let sealed = pairing.code.clone().unwrap();
    assert!(!sealed.windows(8).any(|bytes| bytes == b"2@secret"));
    let told = world.told().await;
    assert_eq!(told.len(), 1);
    for text in [format!("{account:?}"), format!("{pairing:?}"), json!(told).to_string()] {
        assert!(!text.contains("secret"), "{text}");
    }
    assert!(world.has_job().await, "the provider is asked again by itself");
}

#[tokio::test]
async fn a_new_code_takes_the_place_of_the_old_one_and_is_told_without_it() {
    let world = world().await;
    world.scans("first", 20.0, &starts("key-1")).await;
    let at = store::pairings::find(&world.app.db, "account").await.unwrap().unwrap().expires_at;
    let job = world.job().await;
    let tick = Taker { job: Some(&job), ..Taker::default() };
    // The same once more: no news.
    #[expect(clippy::cast_precision_loss, reason = "a test's time")]
    let expires_at_ms = at.micros() as f64 / 1000.0;
    let same = wit::Pairing { code: "first".to_owned(), expires_at_ms, refreshes_left: 4 };
    let mut tx = world.app.db.begin_ordered().await.unwrap();
    keep(&world.app, &mut tx, &world.account().await, same, &tick, world.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.told().await.len(), 1);
    world.scans("first", 23.0, &tick).await;
    assert_eq!(world.told().await.len(), 1, "its end was reckoned anew");
    // Its look is the next one's job.
    let job = world.job().await;
    let tick = Taker { job: Some(&job), ..Taker::default() };
    world.scans("second", 40.0, &tick).await;
    assert_eq!(world.code("key-1").await.unwrap(), "second");
    let told = world.told().await;
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|data| data.get("code").is_none() && data["account"]["id"] == "account" && data["refreshes_left"] == 4));
    let schema = jsonschema::validator_for(&crate::domain::payload::find("account.pairing").unwrap().schema).unwrap();
    let mut event = event(&world.app, &world.account().await, &store::pairings::find(&world.app.db, "account").await.unwrap().unwrap(), at);
    event.seq = 1;
    assert!(schema.is_valid(&json!(event)));
}

#[tokio::test]
async fn who_begins_again_is_the_one_who_began_and_the_log_tells_of_it() {
    let world = world().await;
    world.scans("first", 20.0, &starts("key-1")).await;
    world.scans("second", 20.0, &Taker { key: Some("key-2"), starts: false, job: None }).await;
    assert_eq!(world.code("key-1").await.unwrap(), "second", "a new code that another asked for is still the first one's");
    world.scans("third", 20.0, &starts("key-2")).await;
    assert_eq!(world.code("key-2").await.unwrap(), "third");
    assert_eq!(world.code("key-1").await.unwrap_err().body.code, "pairing_of_another");
    let filter = store::account_logs::Filter { account_id: Some("account".to_owned()), ..store::account_logs::Filter::default() };
    let logs = store::account_logs::list(&world.app.db, &filter, &Page { limit: 100, offset: 0 }).await.unwrap();
    assert_eq!(logs.iter().filter(|log| log.note.code == "pairing_taken_over").count(), 1);
}

#[tokio::test]
async fn a_code_that_has_expired_is_not_shown_and_not_kept() {
    let world = world().await;
    world.scans("old", -1.0, &starts("key-1")).await;
    let refused = world.code("key-1").await.unwrap_err();
    assert_eq!((refused.status, refused.body.code), (StatusCode::CONFLICT, "pairing_expired"));
    assert_eq!(refused.headers[header::RETRY_AFTER], "2");
    let mut tx = world.app.db.begin().await.unwrap();
    assert_eq!(store::pairings::drop_expired_codes(&mut tx, world.app.clock.now()).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert!(store::pairings::find(&world.app.db, "account").await.unwrap().unwrap().code.is_none());
    assert_eq!(world.code("key-1").await.unwrap_err().body.code, "pairing_expired");
}

#[tokio::test]
async fn whatever_ends_the_pairing_takes_the_code_away() {
    for connection in [Connection::Connected, Connection::LoggedOut, Connection::Error, Connection::NeedsReauth] {
        let world = world().await;
        world.scans("code", 20.0, &starts("key-1")).await;
        world.stands(connection).await;
        assert!(store::pairings::find(&world.app.db, "account").await.unwrap().is_none(), "{connection}");
        assert!(world.account().await.connect_prompt.is_none() && !world.has_job().await, "{connection}");
        let refused = world.code("key-1").await.unwrap_err();
        assert_eq!((refused.status, refused.body.code), (StatusCode::CONFLICT, "not_pairing"));
        assert!(refused.body.message.contains(connection.as_str()) && refused.body.hint.is_some(), "{refused:?}");
    }
}

#[tokio::test]
async fn deactivating_ends_it() {
    let world = world().await;
    world.scans("code", 20.0, &starts("key-1")).await;
    let change = crate::accounts::AccountChange { is_active: Some(false), ..crate::accounts::AccountChange::default() };
    let updated = crate::accounts::update(&world.app, world.account().await, change, &Actor::system()).await.unwrap();
    assert!(updated.connect_prompt.is_none());
    assert_eq!(world.stood().await, (Connection::Unconfigured, Some("pairing_stopped".to_owned())));
    assert!(store::pairings::find(&world.app.db, "account").await.unwrap().is_none());
}

#[tokio::test]
async fn what_a_look_brings_after_the_end_is_nothing() {
    let world = world().await;
    world.scans("first", 20.0, &starts("key-1")).await;
    let job = world.job().await;
    let late = Taker { job: Some(&job), ..Taker::default() };
    // Begun again while the provider was asked.
    world.scans("second", 20.0, &starts("key-1")).await;
    world.scans("late", 20.0, &late).await;
    assert_eq!(world.code("key-1").await.unwrap(), "second");
    // Ended while the provider was asked.
    let job = world.job().await;
    world.stands(Connection::LoggedOut).await;
    world.scans("late", 20.0, &Taker { job: Some(&job), ..Taker::default() }).await;
    assert_eq!(world.stood().await.0, Connection::LoggedOut);
    let failure = crate::domain::failure::Failure::new(FailureClass::Rejected, "late", "late");
    fail(&world.app, &world.account().await, failure, Some(&job)).await.unwrap();
    assert_eq!(world.stood().await.0, Connection::LoggedOut);
}

#[tokio::test]
async fn what_a_person_sees_after_the_end_is_nothing_either() {
    let world = world().await;
    world.scans("first", 20.0, &starts("key-1")).await;
    let before = world.account().await;
    world.stands(Connection::LoggedOut).await;
    let wait = || wit::Outcome { progress: wit::Progress::Wait(1000.0), state: None };
    progress(&world.app, &before, wait(), &Captured::default(), &Taker::default()).await.unwrap();
    let failure = crate::domain::failure::Failure::new(FailureClass::Rejected, "late", "late");
    fail(&world.app, &before, failure, None).await.unwrap();
    assert_eq!(world.stood().await.0, Connection::LoggedOut);
    progress(&world.app, &before, wait(), &Captured::default(), &starts("key-1")).await.unwrap();
    assert_eq!(world.stood().await.0, Connection::Connecting, "who begins again means it");
}

#[tokio::test]
async fn what_a_step_brings_for_an_account_that_was_deleted_meanwhile_is_nothing() {
    let world = world().await;
    let account = world.account().await;
    let mut tx = world.app.db.begin_ordered().await.unwrap();
    store::accounts::delete(&mut tx, "account", world.app.clock.now()).await.unwrap();
    commit(&world.app, tx, "account").await.unwrap();
    let captured = Captured::default();
    captured.push("session".to_owned(), Secret::from("s-1"));
    let pairing = wit::Pairing { code: "code".to_owned(), expires_at_ms: 0.0, refreshes_left: 4 };
    let outcome = wit::Outcome { progress: wit::Progress::Scan(pairing), state: None };
    progress(&world.app, &account, outcome, &captured, &starts("key-1")).await.unwrap();
    assert!(store::secrets::list(&world.app.db, "account").await.unwrap().is_empty());
    assert!(store::pairings::find(&world.app.db, "account").await.unwrap().is_none() && !world.has_job().await);
    assert!(world.told().await.is_empty());
}

#[tokio::test]
async fn it_ends_after_ten_minutes() {
    let world = world().await;
    world.scans("code", 20.0, &starts("key-1")).await;
    let job = world.job().await;
    assert_eq!(go_on(&world.app, &world.account().await, &job).await, Some(EVERY), "its plugin is away for a moment");
    let mut pairing = store::pairings::find(&world.app.db, "account").await.unwrap().unwrap();
    pairing.begun_at = world.app.clock.now().minus(BOUND);
    let mut tx = world.app.db.begin().await.unwrap();
    store::pairings::put(&mut tx, &pairing).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(go_on(&world.app, &world.account().await, &job).await, None);
    assert_eq!(world.stood().await, (Connection::Error, Some("pairing_timeout".to_owned())));
    assert!(world.account().await.standing.user_action.unwrap().contains("/connect"));
    assert!(store::pairings::find(&world.app.db, "account").await.unwrap().is_none());
}

#[tokio::test]
async fn a_provider_that_is_away_ends_nothing_and_a_session_that_ended_does() {
    let world = world().await;
    world.scans("code", 20.0, &starts("key-1")).await;
    let failed = |class, code: &str| crate::domain::failure::Failure::new(class, code, "why");
    for class in [FailureClass::Unavailable, FailureClass::Limited] {
        fail(&world.app, &world.account().await, failed(class, "away"), None).await.unwrap();
        assert_eq!(world.stood().await.0, Connection::Pairing);
    }
    fail(&world.app, &world.account().await, failed(FailureClass::Unauthorized, "logged_out"), None).await.unwrap();
    assert_eq!(world.stood().await, (Connection::LoggedOut, Some("logged_out".to_owned())));
    assert!(world.account().await.standing.user_action.unwrap().contains("/connect"));
    assert_eq!(world.code("key-1").await.unwrap_err().body.code, "not_pairing");
}

#[tokio::test]
async fn what_a_hook_captured_is_there_for_the_next_call() {
    let world = world().await;
    let captured = Captured::default();
    captured.push("session".to_owned(), Secret::from("s-1"));
    keep_captured(&world.app, &world.account().await, &captured).await.unwrap();
    assert_eq!(open_secrets(&world.app, &world.account().await).await.unwrap()["session"].expose(), "s-1");
    // A deleted account's secrets stay erased.
    let account = world.account().await;
    let mut tx = world.app.db.begin().await.unwrap();
    store::secrets::remove_all(&mut tx, "account").await.unwrap();
    store::accounts::delete(&mut tx, "account", world.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    keep_captured(&world.app, &account, &captured).await.unwrap();
    assert!(store::secrets::list(&world.app.db, "account").await.unwrap().is_empty());
}
