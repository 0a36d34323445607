//! A gateway with a type that is declared and runs nothing: whatever the provider gives, its connect fails. So each ending is seen
//! with the real database and a provider on the loopback; what a plugin makes of a token is the end-to-end suite's.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::Mutex,
};

use serde_json::Map;

use super::*;
use crate::{
    accounts::{self, OAUTH_REFRESH},
    apps::{self, NewApp},
    boot::Gateway,
    clock::At,
    config::{Config, Overrides},
    domain::{
        account::{Connection, Standing},
        actor::Actor,
        failure::{Failure, FailureClass},
    },
    manifest::Manifest,
    secrets::Secret,
    store::people::Owner,
};

pub(crate) struct World {
    pub(crate) app: Arc<App>,
    provider_app: ProviderApp,
    account: Account,
    /// What the provider was asked.
    asked: Arc<Mutex<Vec<String>>>,
    /// What it answers: a status and a body.
    answer: Arc<Mutex<(u16, String)>>,
    _gateway: Gateway,
    _folder: tempfile::TempDir,
}

fn provider(asked: Arc<Mutex<Vec<String>>>, answer: Arc<Mutex<(u16, String)>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut text, mut buffer) = (String::new(), [0; 4096]);
            // The form is short: it ends with what it was asked for.
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                text.push_str(&String::from_utf8_lossy(&buffer[..read]));
                let length = text.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
                if text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length.unwrap_or_default()) {
                    break;
                }
            }
            asked.lock().unwrap().push(text);
            let (status, body) = answer.lock().unwrap().clone();
            let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n");
            drop(stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()));
        }
    });
    format!("http://{address}")
}

async fn world() -> World {
    world_with(&json!({"scopes": ["read"], "pkce": true})).await
}

/// A recipe with more in it.
pub(crate) async fn world_with(more: &Value) -> World {
    let mut recipe = json!({"authorize": "https://login.example.com/dialog", "token": "https://api.example.com/token",
        "access_token": "token", "refresh_token": "refresh", "refresh_ahead_s": 3600});
    recipe.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let folder = tempfile::tempdir().unwrap();
    let (asked, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new((200, String::new()))));
    let base = provider(Arc::clone(&asked), Arc::clone(&answer));
    let overrides = Overrides { data: Some(folder.path().to_owned()), bind: Some("127.0.0.1:0".parse().unwrap()) };
    let mut config = Config::load(None, &overrides).unwrap();
    for host in ["login.example.com", "api.example.com"] {
        config.egress.redirect.insert(host.to_owned(), base.clone());
    }
    config.http.public_url = "https://gw.example".to_owned();
    let gateway = Gateway::build(config).await.unwrap();
    let app = Arc::clone(&gateway.app);
    let manifest = json!({
        "id": "test", "type": "TEST", "version": "1.0.0", "name": "Test", "contract": "1.0.0",
        "settings": {"type": "object", "properties": {}},
        "secrets": {
            "token": {"title": "Token", "from": "oauth"}, "refresh": {"title": "Refresh", "from": "oauth"},
            "page": {"title": "Page token", "from": "captured"},
            "app_secret": {"title": "App secret", "from": "app", "field": "client_secret"},
        },
        "oauth": [recipe],
        "signed_callbacks": {"field": "signed_request", "secret": "app_secret", "subject": "/user_id", "route": "user:{subject}"},
        "capabilities": {},
    });
    app.plugins.know(Manifest::from_json(manifest.to_string().as_bytes()).unwrap());
    let new = NewApp {
        name: "App".to_owned(),
        types: vec!["TEST".to_owned()],
        client_id: "77".to_owned(),
        client_secret: "hunter2-hunter2".to_owned(),
        webhook_secret: None,
        verify_token: None,
        settings: Map::new(),
        secrets: BTreeMap::new(),
    };
    let provider_app = apps::create(&app, new, &Actor::system()).await.unwrap();
    let now = app.clock.now();
    let (data_key, _) = app.keyring.new_data_key("account").unwrap();
    let account = Account {
        standing: Standing::plain(Connection::Unconfigured),
        facts: json!({"person": "Mona"}),
        ..Account::for_tests("account", data_key, now)
    };
    let mut tx = app.db.begin().await.unwrap();
    store::organizations::ensure(&mut tx, "org", now).await.unwrap();
    store::accounts::insert(&mut tx, &account).await.unwrap();
    tx.commit().await.unwrap();
    World { app, provider_app, account, asked, answer, _gateway: gateway, _folder: folder }
}

impl World {
    pub(crate) async fn account(&self) -> Account {
        store::accounts::find(&self.app.db, "account").await.unwrap().unwrap()
    }

    async fn stood(&self) -> (Connection, Option<String>) {
        let standing = self.account().await.standing;
        (standing.connection, standing.reason_code)
    }

    async fn secrets(&self) -> Vec<(String, String)> {
        let secrets = accounts::open_secrets(&self.app, &self.account().await).await.unwrap();
        secrets.into_iter().filter(|(name, _)| name != "app_secret").map(|(name, secret)| (name, secret.expose().to_owned())).collect()
    }

    /// The account has these, and stands so.
    pub(crate) async fn has(&self, secrets: &[(&str, &str)], standing: &Standing) {
        let now = self.app.clock.now();
        let secrets: Vec<(String, Secret)> = secrets.iter().map(|(name, value)| ((*name).to_owned(), Secret::from(*value))).collect();
        let mut tx = self.app.db.begin_ordered().await.unwrap();
        accounts::seal(&self.app, &mut tx, &self.account, &secrets, now).await.unwrap();
        store::accounts::set_app(&mut tx, "account", Some(&self.provider_app.id), now).await.unwrap();
        accounts::stand(&self.app, &mut tx, Owner { organization_id: "org", account_id: "account" }, standing, now).await.unwrap();
        accounts::commit(&self.app, tx, "account").await.unwrap();
    }

    /// The account's refresh, claimed where it is due.
    async fn due_refresh(&self) -> Option<store::jobs::DueJob> {
        let now = self.app.clock.now();
        let mut tx = self.app.db.begin().await.unwrap();
        let due = store::jobs::claim(&mut tx, "node", now, now.plus(Duration::from_secs(90)), 10).await.unwrap();
        tx.commit().await.unwrap();
        due.into_iter().find(|job| job.job == OAUTH_REFRESH)
    }

    /// The provider refuses the token that the account had when it was read.
    async fn refused(&self, asked: &Account, code: &str) {
        let failure = Failure::new(FailureClass::Unauthorized, code, "The token is dead.");
        accounts::stand_after(&self.app, asked, &failure).await.unwrap();
    }

    fn answers(&self, status: u16, body: &Value) {
        *self.answer.lock().unwrap() = (status, body.to_string());
    }

    /// Begins, and opens the link: the state that the provider gets, and the browser's cookie.
    async fn opened(&self, reauthorize: bool) -> (String, HeaderMap) {
        let begun = begin(&self.app, &self.account().await, reauthorize).await.unwrap().unwrap();
        let prompt = begun.connect_prompt.unwrap();
        let ticket = prompt["url"].as_str().unwrap().strip_prefix("https://gw.example/oauth/start/").unwrap().to_owned();
        assert!(self.account().await.connect_prompt.unwrap().get("url").is_none(), "the link is kept nowhere");
        let answer = start(State(Arc::clone(&self.app)), Path(ticket.clone()), HeaderMap::new()).await;
        assert_eq!(answer.status(), StatusCode::FOUND);
        let page: url::Url = answer.headers()[header::LOCATION].to_str().unwrap().parse().unwrap();
        assert_eq!((page.host_str(), page.path()), (Some("127.0.0.1"), "/dialog"), "through egress.redirect");
        let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
        assert!(cookie.contains("HttpOnly; SameSite=Lax; Secure"), "{cookie}");
        let browser = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(cookie.split(';').next().unwrap()).unwrap())]);
        // Again by the same browser, and by another one.
        assert_eq!(start(State(Arc::clone(&self.app)), Path(ticket.clone()), browser.clone()).await.status(), StatusCode::FOUND);
        assert_eq!(start(State(Arc::clone(&self.app)), Path(ticket), HeaderMap::new()).await.status(), StatusCode::FORBIDDEN);
        let state = page.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        (state, browser)
    }

    async fn back(&self, query: &str, browser: &HeaderMap) -> StatusCode {
        callback(State(Arc::clone(&self.app)), RawQuery(Some(query.to_owned())), browser.clone()).await.status()
    }
}

#[test]
fn a_denial_is_told_from_a_refusal() {
    assert_eq!(refused("access_denied", Some(&"The user said no.".to_owned())).code, "oauth_denied");
    let other = refused("invalid_scope", Some(&format!("Scope\n{}", "x".repeat(1000))));
    assert_eq!(other.code, "oauth_refused");
    assert!(other.reason.contains("(invalid_scope)") && other.reason.len() < 500 && !other.reason.contains('\n'), "{}", other.reason);
}

#[tokio::test]
async fn every_way_but_the_right_one_leaves_nothing_and_says_why() {
    let world = world().await;
    let (state, browser) = world.opened(false).await;
    assert_eq!(world.stood().await, (Connection::Authorizing, Some("oauth".to_owned())));
    assert_eq!(world.back("state=forged&code=c", &browser).await, StatusCode::BAD_REQUEST);
    assert_eq!(world.back(&format!("state={state}&code=c"), &HeaderMap::new()).await, StatusCode::FORBIDDEN);
    assert_eq!(world.stood().await.0, Connection::Authorizing, "a stranger ends nothing");
    assert_eq!(world.back(&format!("error=access_denied&state={state}%23_=_"), &browser).await, StatusCode::OK);
    assert_eq!(world.stood().await, (Connection::Unconfigured, Some("oauth_denied".to_owned())));
    assert_eq!(world.back(&format!("state={state}&code=c"), &browser).await, StatusCode::CONFLICT, "it was used");
    assert!(world.asked.lock().unwrap().is_empty(), "no code was exchanged");

    let (state, browser) = world.opened(false).await;
    world.answers(400, &json!({"error": {"message": "Wrong redirect", "type": "AuthFault"}}));
    assert_eq!(world.back(&format!("state={state}&code=c"), &browser).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(world.stood().await, (Connection::Unconfigured, Some("oauth_refused".to_owned())));
    let asked = world.asked.lock().unwrap().pop().unwrap();
    for part in [
        "code=c",
        "client_id=77",
        "client_secret=hunter2-hunter2",
        "code_verifier=",
        "redirect_uri=https%3A%2F%2Fgw.example%2Foauth%2Fcallback",
    ] {
        assert!(asked.contains(part), "{part}: {asked}");
    }

    // The token comes, and connecting with it fails.
    let (state, browser) = world.opened(false).await;
    world.answers(200, &json!({"data": [{"access_token": "new-token"}]}));
    assert_ne!(world.back(&format!("state={state}&code=c"), &browser).await, StatusCode::OK);
    assert_eq!(world.stood().await.0, Connection::Unconfigured);
    assert_eq!(world.secrets().await, []);
    assert!(store::oauth::open_of(&world.app.db, "account").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_connected_account_keeps_its_token_until_the_new_one_is_proven() {
    let world = world().await;
    let old = [("page", "old-page"), ("refresh", "old-refresh"), ("token", "old-token")];
    world.has(&old, &Standing::plain(Connection::Connected)).await;
    assert!(begin(&world.app, &world.account().await, false).await.unwrap().is_none(), "its token will do");
    let (state, browser) = world.opened(true).await;
    world.answers(200, &json!({"access_token": "new-token", "refresh_token": "new-refresh", "expires_in": 7200}));
    assert_ne!(world.back(&format!("state={state}&code=c"), &browser).await, StatusCode::OK);
    assert_eq!(world.stood().await, (Connection::Connected, None));
    assert_eq!(world.secrets().await, old.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(world.account().await.oauth_expires_at, None);
}

#[tokio::test]
async fn a_refreshed_token_is_rotated_and_a_dead_one_asks_for_a_person() {
    let world = world().await;
    let now = world.app.clock.now();
    world.has(&[("token", "t1"), ("refresh", "r1")], &Standing::plain(Connection::Connected)).await;
    let claim = async || {
        let mut tx = world.app.db.begin().await.unwrap();
        store::oauth::set_expiry(&mut tx, "account", Some(now.plus(Duration::from_secs(60)))).await.unwrap();
        store::jobs::schedule(&mut tx, "account", OAUTH_REFRESH, now).await.unwrap();
        let due = store::jobs::claim(&mut tx, "node", now, now.plus(Duration::from_secs(90)), 10).await.unwrap();
        tx.commit().await.unwrap();
        due.into_iter().find(|job| job.job == OAUTH_REFRESH).unwrap()
    };
    world.answers(200, &json!({"access_token": "t2", "refresh_token": "r2", "expires_in": 7200}));
    let stale = claim().await;
    let job = claim().await;
    assert_eq!(refresh(&world.app, &world.account().await, &stale).await, None);
    assert_eq!(world.secrets().await[1].1, "t1", "whoever lost the job stores nothing");
    let wait = refresh(&world.app, &world.account().await, &job).await.unwrap();
    assert!((3500..=3600).contains(&wait.as_secs()), "{wait:?}");
    assert_eq!(world.secrets().await, [("refresh".to_owned(), "r2".to_owned()), ("token".to_owned(), "t2".to_owned())]);
    world.answers(503, &json!({}));
    let job = claim().await;
    assert!(refresh(&world.app, &world.account().await, &job).await.unwrap() >= Duration::from_secs(15));
    assert_eq!(world.stood().await.0, Connection::Connected);
    world.answers(400, &json!({"error": "invalid_grant"}));
    let job = claim().await;
    assert_eq!(refresh(&world.app, &world.account().await, &job).await, None);
    assert_eq!(world.stood().await, (Connection::NeedsReauth, Some("oauth_refresh_refused".to_owned())));
}

#[tokio::test]
async fn what_a_person_takes_back_is_erased() {
    let world = world().await;
    world.has(&[("token", "t1"), ("page", "p1")], &Standing::plain(Connection::Connected)).await;
    let mut tx = world.app.db.begin().await.unwrap();
    store::routes::replace(&mut tx, "account", "TEST", &["user:218471".to_owned(), "group:1".to_owned()]).await.unwrap();
    tx.commit().await.unwrap();
    let body = |key: &str| {
        Bytes::from(format!("signed_request={}", signed::tests::signed(key, r#"{"algorithm":"HMAC-SHA256","user_id":"218471"}"#)))
    };
    let id = || Path(world.provider_app.id.clone());
    let app = || State(Arc::clone(&world.app));
    assert_eq!(deauthorize(app(), id(), body("wrong")).await.unwrap_err().status, StatusCode::FORBIDDEN);
    assert_eq!(world.secrets().await.len(), 2);
    assert_eq!(deauthorize(app(), id(), body("hunter2-hunter2")).await.unwrap(), StatusCode::OK);
    assert_eq!(world.secrets().await, []);
    assert_eq!(world.stood().await, (Connection::NeedsReauth, Some("deauthorized".to_owned())));
    assert_eq!(world.account().await.facts, json!({"person": "Mona"}));
    let answer = deletion(app(), id(), body("hunter2-hunter2")).await.unwrap().0;
    let code = answer["confirmation_code"].as_str().unwrap().to_owned();
    assert_eq!(answer["url"], format!("https://gw.example/oauth/deletions/{code}"));
    assert_eq!(world.account().await.facts, json!({}));
    let ids = async |route: &str| store::routes::account_ids(&world.app.db, "TEST", route).await.unwrap();
    assert!(ids("user:218471").await.is_empty() && ids("group:1").await == ["account"]);
    assert_eq!(deletion_status(app(), Path(code)).await.status(), StatusCode::OK);
    assert_eq!(deletion_status(app(), Path("other".to_owned())).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_app_is_changed_field_by_field_and_stays_while_accounts_use_it() {
    let world = world().await;
    let (app, id) = (&world.app, &world.provider_app.id);
    let change = |value: Value| serde_json::from_value::<apps::AppChange>(value).unwrap();
    let wrong =
        json!({"name": " ", "types": ["TEST", "GONE"], "client_secret": null, "settings": {"a": []}, "secrets": {"client_secret": "x"}});
    let refused = apps::update(app, id, change(wrong), &Actor::system()).await.unwrap_err();
    let pointers: Vec<&str> = refused.body.errors.iter().map(|problem| problem.pointer.as_str()).collect();
    assert_eq!(pointers, ["/name", "/types/1", "/settings/a", "/secrets/client_secret", "/client_secret"]);

    let right = json!({"client_secret": {"set": true, "last4": "ter2"}, "webhook_secret": "signs", "settings": {"v": 1}, "secrets": {"extra": "e"}});
    apps::update(app, id, change(right), &Actor::system()).await.unwrap();
    let updated =
        apps::update(app, id, change(json!({"webhook_secret": null, "secrets": {"extra": null}})), &Actor::system()).await.unwrap();
    let secrets = apps::open_secrets(app, &updated).await.unwrap();
    assert_eq!(secrets.keys().collect::<Vec<_>>(), ["client_secret", "verify_token"]);
    assert_eq!((secrets["client_secret"].expose(), updated.value("v").as_deref()), ("hunter2-hunter2", Some("1")));

    world.has(&[], &Standing::plain(Connection::Unconfigured)).await;
    let in_use = apps::delete(app, id, &Actor::system()).await.unwrap_err();
    assert_eq!((in_use.status, in_use.body.message.as_str()), (StatusCode::CONFLICT, "The app is used by 1 account."));
    let serving = async |asked: Option<&str>| apps::serving(&app.db, "TEST", asked).await;
    assert_eq!(serving(None).await.unwrap().unwrap().id, *id, "one alone is taken by itself");
    assert_eq!(serving(Some("gone")).await.unwrap_err().body.errors[0].pointer, "/app_id");
    assert!(apps::serving(&app.db, "OTHER", Some(id)).await.is_err() && apps::serving(&app.db, "OTHER", None).await.unwrap().is_none());
}

const BENT: &str = r#"{"token_body": "json", "token_params": {"client_id": "app", "refresh_token": "old"},
    "refresh": "https://api.example.com/renew/", "dead_codes": ["40105"]}"#;

#[tokio::test]
async fn a_provider_may_want_json_and_have_its_own_words_for_a_dead_token() {
    let world = world_with(&serde_json::from_str(BENT).unwrap()).await;
    world.has(&[("token", "t1"), ("refresh", "r1")], &Standing::plain(Connection::Connected)).await;
    let renew = async || {
        let mut tx = world.app.db.begin().await.unwrap();
        store::oauth::set_expiry(&mut tx, "account", Some(world.app.clock.now())).await.unwrap();
        store::jobs::schedule(&mut tx, "account", OAUTH_REFRESH, world.app.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        let job = world.due_refresh().await.unwrap();
        refresh(&world.app, &world.account().await, &job).await
    };
    let given = json!({"access_token": "t2", "refresh_token": "r2", "expires_in": 86_400, "refresh_token_expires_in": 31_536_000});
    world.answers(200, &json!({"code": 0, "message": "OK", "data": given}));
    let began = world.app.clock.now();
    assert!(renew().await.is_some());
    let asked = world.asked.lock().unwrap().pop().unwrap();
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /renew/ HTTP") && head.contains("content-type: application/json"), "{head}");
    let right = json!({"grant_type": "refresh_token", "old": "r1", "app": "77", "client_secret": "hunter2-hunter2"});
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), right);

    let account = world.account().await;
    let lives = |at: Option<At>| at.unwrap().since(began).unwrap().as_secs();
    assert!((86_400..86_410).contains(&lives(account.oauth_expires_at)), "{account:?}");
    assert!((31_536_000..31_536_010).contains(&lives(account.oauth_refresh_expires_at)), "{account:?}");
    let extras = crate::plugins::Version::extras(&world.app, &account, None);
    for (name, at) in [("token_expires_ms", account.oauth_expires_at), ("refresh_expires_ms", account.oauth_refresh_expires_at)] {
        let told = extras.iter().find(|field| field.name == name).map(|field| field.value.clone());
        assert_eq!(told, at.map(|at| at.millis().to_string()), "{name}");
    }

    // An answer that tells of no refresh token changes nothing of it; one with another and no word on its life, does.
    world.answers(200, &json!({"access_token": "t3", "expires_in": 86_400}));
    renew().await;
    assert_eq!(world.account().await.oauth_refresh_expires_at, account.oauth_refresh_expires_at);
    world.answers(200, &json!({"access_token": "t4", "refresh_token": "r4", "expires_in": 86_400}));
    renew().await;
    assert_eq!(world.account().await.oauth_refresh_expires_at, None);

    world.answers(200, &json!({"code": 40100, "message": "Too often."}));
    assert!(renew().await.is_some());
    assert_eq!(world.stood().await.0, Connection::Connected);
    world.answers(200, &json!({"code": 40105, "message": "The refresh token is dead."}));
    assert_eq!(renew().await, None);
    assert_eq!(world.stood().await, (Connection::NeedsReauth, Some("oauth_refresh_refused".to_owned())));
}

#[tokio::test]
async fn a_token_that_dies_early_is_renewed_once() {
    let world = world().await;
    world.has(&[("token", "t1"), ("refresh", "r1")], &Standing::plain(Connection::Connected)).await;
    assert!(world.due_refresh().await.is_none());
    let asked = world.account().await;
    world.refused(&asked, "token_expired").await;
    world.refused(&asked, "token_expired").await;
    assert_eq!(world.stood().await, (Connection::Connected, None));
    let job = world.due_refresh().await.unwrap();

    // While one is asked for, another refusal takes the job from nobody: the new tokens would be lost.
    world.refused(&asked, "token_expired").await;
    assert!(world.due_refresh().await.is_none());
    world.answers(200, &json!({"access_token": "t2", "refresh_token": "r2", "expires_in": 7200}));
    assert!(refresh(&world.app, &world.account().await, &job).await.is_some());
    assert_eq!(world.secrets().await, [("refresh".to_owned(), "r2".to_owned()), ("token".to_owned(), "t2".to_owned())]);

    // What was under way with the old token says nothing of the new one.
    world.refused(&asked, "token_expired").await;
    assert_eq!(world.stood().await, (Connection::Connected, None));
    let fresh = world.account().await;
    world.refused(&fresh, "token_expired").await;
    assert_eq!(world.stood().await, (Connection::NeedsReauth, Some("token_expired".to_owned())), "a token so fresh isn't the cause");
}

#[tokio::test]
async fn a_refresh_that_is_refused_asks_for_a_person() {
    let world = world().await;
    world.has(&[("token", "t1"), ("refresh", "r1")], &Standing::plain(Connection::Connected)).await;
    world.refused(&world.account().await, "token_expired").await;
    world.answers(400, &json!({"error": "invalid_grant"}));
    let job = world.due_refresh().await.unwrap();
    assert_eq!(refresh(&world.app, &world.account().await, &job).await, None);
    assert_eq!(world.stood().await, (Connection::NeedsReauth, Some("oauth_refresh_refused".to_owned())));
}

#[tokio::test]
async fn a_refusal_that_no_refresh_mends_is_told_at_once() {
    let world = world().await;
    let connected = Standing::plain(Connection::Connected);
    world.has(&[("token", "t1")], &connected).await;
    world.refused(&world.account().await, "token_expired").await;
    assert_eq!(world.stood().await.0, Connection::NeedsReauth, "there is no refresh token");

    world.has(&[("refresh", "r1")], &connected).await;
    world.refused(&world.account().await, "logged_out").await;
    assert!(!world.stood().await.0.is_connected());

    world.has(&[], &connected).await;
    let mut tx = world.app.db.begin().await.unwrap();
    for _ in 0..5 {
        store::oauth::count_failure(&mut tx, "account").await.unwrap();
    }
    tx.commit().await.unwrap();
    world.refused(&world.account().await, "token_expired").await;
    assert_eq!(world.stood().await.0, Connection::NeedsReauth, "it was tried often enough");
    assert!(world.due_refresh().await.is_none());
}
