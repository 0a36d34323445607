//! Every route, met by everybody who mayn't: nobody, a key of too small a scope, another organisation's admin by key and by token. A new
//! route fails here until its line says what it is.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use patchbay_providers::Telegram;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{
    Told, ask,
    routes::{self, Door},
    theirs::{MARKER, OURS, THEIRS, Theirs, settings},
    token,
};
use crate::harness::{Database, Gateway, PATIENCE, TOKEN, both};

/// What a route is, and so what it says to whom.
enum Rule {
    /// For anybody, and why that is right.
    Open(&'static str),
    /// The same for every organisation.
    Shared,
    /// The operator's alone, with the scope admin.
    Operator,
    /// The operator's alone, with any scope.
    Oversight,
    /// What it names in its path is an organisation's: nobody else finds it.
    Thing(Scope, fn() -> Value),
    /// What it names in its query or body is an organisation's: the statuses that somebody else may get.
    Naming(Scope, fn(&Theirs) -> (String, Value), &'static [u16]),
    /// An organisation's own rows, whatever is asked for.
    List(Scope),
    /// The events, as they happen.
    Stream,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Read,
    Send,
    Manage,
    Admin,
}

use Rule::{List, Naming, Open, Operator, Oversight, Shared, Stream, Thing};
use Scope::{Admin, Manage, Read, Send};

const HOW: &str = "add a line to `rules` in tests/it/who_may/matrix.rs: Thing(scope, body) where the path names a thing of an organisation, \
                   Naming(…) where the query or the body does, List(scope) for rows, Operator for /admin/v1, Open(why) for anybody";

fn nothing() -> Value {
    json!({})
}

fn by_id(id: &str) -> String {
    format!("?id=eq.{id}")
}

/// Every column that a client may give.
fn whole_account(id: &str) -> Value {
    let settings = json!({"bot_token": TOKEN});
    json!({"id": id, "organization_id": OURS, "name": "x", "type": "TELEGRAM", "settings": settings, "app_id": null, "is_active": false})
}

fn whole_endpoint(id: &str) -> Value {
    json!({"id": id, "organization_id": OURS, "kind": "webhook", "url": "https://example.com/hook", "description": "x",
           "event_types": ["message.received"], "channel_account_id": null, "is_active": false})
}

fn account(theirs: &Theirs) -> (String, Value) {
    (String::new(), json!({"channel_account_id": theirs.account}))
}

fn rules() -> BTreeMap<&'static str, Rule> {
    let named = || json!({"name": "mine now"});
    BTreeMap::from([
        // Accounts
        // What the API is
        (
            "GET /openapi.json",
            Open("a client has to read it before it can ask for anything; it holds the channel types' forms and no rows"),
        ),
        ("GET /docs", Open("the same for people")),
        ("GET /docs/{file}", Open("what the page is made of")),
        ("GET /rest/v1/channel_accounts", List(Read)),
        (
            "POST /rest/v1/channel_accounts",
            Naming(
                Manage,
                |_| {
                    let settings = json!({"bot_token": TOKEN});
                    (String::new(), json!({"organization_id": THEIRS, "name": "x", "type": "TELEGRAM", "settings": settings}))
                },
                &[403],
            ),
        ),
        // Rows that a filter chooses: of another's there are none to be changed.
        ("PATCH /rest/v1/channel_accounts", Naming(Manage, |theirs| (by_id(&theirs.account), json!({"name": "mine now"})), &[204])),
        ("DELETE /rest/v1/channel_accounts", Naming(Manage, |theirs| (by_id(&theirs.account), nothing()), &[204])),
        ("PUT /rest/v1/channel_accounts", Naming(Manage, |theirs| (by_id(&theirs.account), whole_account(&theirs.account)), &[400])),
        ("GET /rest/v1/channel_accounts/{id}", Thing(Read, nothing)),
        ("PATCH /rest/v1/channel_accounts/{id}", Thing(Manage, named)),
        ("DELETE /rest/v1/channel_accounts/{id}", Thing(Manage, nothing)),
        ("POST /rest/v1/channel_accounts/{id}/connect", Thing(Manage, nothing)),
        ("POST /rest/v1/channel_accounts/{id}/disconnect", Thing(Manage, nothing)),
        ("GET /rest/v1/channel_accounts/{id}/health", Thing(Read, nothing)),
        ("POST /rest/v1/channel_accounts/{id}/health", Thing(Manage, nothing)),
        ("GET /rest/v1/channel_accounts/{id}/health/history", Thing(Read, nothing)),
        ("GET /rest/v1/channel_accounts/{id}/pairing", Thing(Read, nothing)),
        ("GET /rest/v1/channel_accounts/{id}/templates", Thing(Read, nothing)),
        ("POST /rest/v1/channel_accounts/{id}/test", Thing(Manage, nothing)),
        ("GET /rest/v1/account_logs", List(Read)),
        ("GET /rest/v1/channel_account_stats", List(Read)),
        ("GET /rest/v1/channel_account_stats/summary", List(Read)),
        ("POST /rest/v1/channel_account_stats/recompute", Naming(Admin, account, &[404, 422])),
        ("GET /rest/v1/channel_types", Shared),
        ("GET /rest/v1/channel_types/{type}", Shared),
        // Messages
        ("GET /rest/v1/messages", List(Read)),
        (
            "POST /rest/v1/messages",
            Naming(
                Send,
                |theirs| {
                    let content = json!([{"type": "text", "text": "x"}]);
                    (String::new(), json!({"channel_account_id": theirs.account, "to": "70010001", "content": content}))
                },
                &[422],
            ),
        ),
        ("GET /rest/v1/messages/{id}", Thing(Read, nothing)),
        ("POST /rest/v1/messages/{id}/cancel", Thing(Send, nothing)),
        ("POST /rest/v1/messages/{id}/replay", Thing(Send, nothing)),
        ("POST /rest/v1/messages/{id}/resolve", Thing(Send, || json!({"outcome": "sent"}))),
        ("GET /rest/v1/messages/{id}/attempts", Thing(Read, nothing)),
        ("GET /rest/v1/messages/{id}/media/{index}", Thing(Read, nothing)),
        ("GET /rest/v1/dead_letters", List(Read)),
        // Nothing of theirs is among ours: none is sent again.
        ("POST /rest/v1/dead_letters/replay", Naming(Send, account, &[200, 404, 422])),
        ("GET /rest/v1/conversations", List(Read)),
        ("GET /rest/v1/conversations/{id}", Thing(Read, nothing)),
        ("GET /rest/v1/contacts", List(Read)),
        ("GET /rest/v1/contacts/{id}", Thing(Read, nothing)),
        ("GET /rest/v1/subscriptions", List(Read)),
        ("DELETE /rest/v1/subscriptions", Naming(Manage, |theirs| (by_id(&theirs.subscription), nothing()), &[204])),
        ("GET /rest/v1/subscriptions/{id}", Thing(Read, nothing)),
        ("DELETE /rest/v1/subscriptions/{id}", Thing(Manage, nothing)),
        // Files
        (
            "POST /rest/v1/media",
            Naming(Send, |_| (format!("?organization_id={THEIRS}"), json!({"url": "https://example.com/x.png"})), &[403]),
        ),
        ("GET /rest/v1/media/{id}", Thing(Read, nothing)),
        ("POST /rest/v1/media/{id}/url", Thing(Read, nothing)),
        // Events
        ("GET /rest/v1/events", Stream),
        ("GET /rest/v1/event_types", Shared),
        ("GET /rest/v1/event_types/{type}", Shared),
        ("GET /rest/v1/media", List(Read)),
        ("GET /rest/v1/endpoints", List(Read)),
        (
            "POST /rest/v1/endpoints",
            Naming(Manage, |_| (String::new(), json!({"organization_id": THEIRS, "url": "https://example.com/hook"})), &[403]),
        ),
        ("PATCH /rest/v1/endpoints", Naming(Manage, |theirs| (by_id(&theirs.endpoint), json!({"description": "mine now"})), &[204])),
        ("DELETE /rest/v1/endpoints", Naming(Manage, |theirs| (by_id(&theirs.endpoint), nothing()), &[204])),
        ("PUT /rest/v1/endpoints", Naming(Manage, |theirs| (by_id(&theirs.endpoint), whole_endpoint(&theirs.endpoint)), &[400])),
        ("GET /rest/v1/endpoints/{id}", Thing(Read, nothing)),
        ("PATCH /rest/v1/endpoints/{id}", Thing(Manage, || json!({"description": "mine now"}))),
        ("DELETE /rest/v1/endpoints/{id}", Thing(Manage, nothing)),
        ("POST /rest/v1/endpoints/{id}/rotate_secret", Thing(Manage, nothing)),
        ("GET /rest/v1/endpoints/{id}/deliveries", Thing(Read, nothing)),
        ("POST /rest/v1/endpoints/{id}/replay", Thing(Manage, || json!({"since": "2026-01-01T00:00:00Z"}))),
        ("POST /rest/v1/endpoints/{id}/test", Thing(Manage, nothing)),
        // Webhooks
        ("GET /rest/v1/webhook_deliveries", List(Read)),
        ("GET /rest/v1/webhook_deliveries/{id}", Thing(Read, nothing)),
        ("POST /rest/v1/webhook_deliveries/{id}/replay", Thing(Manage, nothing)),
        ("POST /rest/v1/webhook_deliveries/replay", Naming(Manage, account, &[422])),
        // Who may
        ("GET /rest/v1/api_keys", List(Admin)),
        (
            "POST /rest/v1/api_keys",
            Naming(Admin, |_| (String::new(), json!({"organization_id": THEIRS, "name": "x", "scope": "read"})), &[403]),
        ),
        ("GET /rest/v1/api_keys/{id}", Thing(Admin, nothing)),
        ("PATCH /rest/v1/api_keys/{id}", Thing(Admin, named)),
        ("DELETE /rest/v1/api_keys/{id}", Thing(Admin, nothing)),
        ("POST /rest/v1/api_keys/{id}/rotate", Thing(Admin, nothing)),
        ("GET /rest/v1/audit_log", List(Admin)),
        // The operator's
        ("GET /admin/v1/apps", Operator),
        ("POST /admin/v1/apps", Operator),
        ("GET /admin/v1/apps/{id}", Operator),
        ("PATCH /admin/v1/apps/{id}", Operator),
        ("DELETE /admin/v1/apps/{id}", Operator),
        ("GET /admin/v1/audit", Operator),
        ("GET /admin/v1/nodes", Operator),
        ("GET /admin/v1/plugin_keys", Operator),
        ("POST /admin/v1/plugin_keys", Operator),
        ("DELETE /admin/v1/plugin_keys/{id}", Operator),
        ("GET /admin/v1/plugins", Operator),
        ("POST /admin/v1/plugins", Operator),
        ("GET /admin/v1/plugins/calls", Operator),
        ("GET /admin/v1/plugins/calls/{id}", Operator),
        ("GET /admin/v1/plugins/moves", Operator),
        ("GET /admin/v1/plugins/versions", Operator),
        ("GET /admin/v1/plugins/versions/{digest}", Operator),
        ("GET /admin/v1/plugins/versions/{digest}/component", Operator),
        ("POST /admin/v1/plugins/versions/{digest}/approve", Operator),
        ("POST /admin/v1/plugins/versions/{digest}/reject", Operator),
        ("POST /admin/v1/plugins/versions/{digest}/revoke", Operator),
        ("POST /admin/v1/plugins/{type}/activate", Operator),
        ("POST /admin/v1/plugins/{type}/rollback", Operator),
        ("POST /admin/v1/plugins/{type}/canary", Operator),
        ("DELETE /admin/v1/plugins/{type}/canary", Operator),
        ("POST /admin/v1/plugins/{type}/promote", Operator),
        ("POST /admin/v1/plugins/{type}/shadow", Operator),
        ("GET /metrics", Oversight),
        // For anybody
        ("GET /", Open("says the gateway's name and version")),
        ("GET /healthz", Open("whoever restarts the process asks")),
        ("GET /readyz", Open("balancers ask")),
        ("GET /media/{id}", Open("its signature opens one file for a time")),
        ("GET /webhooks/{account}", Open("providers prove themselves by the type's recipe")),
        ("POST /webhooks/{account}", Open("providers prove themselves by the type's recipe")),
        ("GET /webhooks/{account}/{token}", Open("providers prove themselves by the type's recipe")),
        ("POST /webhooks/{account}/{token}", Open("providers prove themselves by the type's recipe")),
        ("GET /webhooks/apps/{app}", Open("providers prove themselves by the type's recipe")),
        ("POST /webhooks/apps/{app}", Open("providers prove themselves by the type's recipe")),
        ("GET /push/{account}/{name}", Open("files for pages in browsers")),
        ("POST /push/{account}/{name}", Open("pages in browsers; the plugin checks what they claim")),
        ("PUT /push/{account}/{name}", Open("pages in browsers; the plugin checks what they claim")),
        ("DELETE /push/{account}/{name}", Open("pages in browsers; the plugin checks what they claim")),
        ("GET /oauth/start/{ticket}", Open("a ticket and a cookie prove the browser")),
        ("GET /oauth/callback", Open("its state and a cookie prove the browser")),
        ("POST /oauth/answers", Open("a ticket and a cookie prove the browser")),
        ("POST /oauth/apps/{app}/deauthorize", Open("the provider signs")),
        ("POST /oauth/apps/{app}/deletion", Open("the provider signs")),
        ("GET /oauth/deletions/{code}", Open("the code was told to whoever asked for the deletion")),
    ])
}

/// The same questions in every form that a list may be asked in.
fn queries(theirs: &Theirs) -> Vec<String> {
    let account = &theirs.account;
    vec![
        String::new(),
        format!("?organization_id={THEIRS}"),
        format!("?organization_id=eq.{THEIRS}"),
        format!("?organization_id=neq.{OURS}"),
        format!("?organization_id=in.({OURS},{THEIRS})"),
        format!("?organization_id=like.{}*", &THEIRS[..2]),
        format!("?or=(organization_id.eq.{THEIRS},organization_id.eq.{OURS})"),
        format!("?not.and=(organization_id.eq.{OURS},id.is.null)"),
        format!("?organization_id={OURS}&organization_id={THEIRS}"),
        format!("?channel_account_id={account}"),
        format!("?channel_account_id=eq.{account}"),
        format!("?id=eq.{account}"),
        format!("?id=not.eq.{OURS}&limit=1000"),
        "?select=*,channel_accounts(*),conversations(*),contacts(*),messages(*),endpoints(*)&limit=1000".to_owned(),
        "?order=organization_id.desc&limit=1000".to_owned(),
        "?limit=1000&offset=0".to_owned(),
    ]
}

struct Matrix {
    gateway: Gateway,
    theirs: Theirs,
    /// Our keys, from the smallest scope to the widest.
    keys: BTreeMap<Scope, String>,
    /// A token of ours with the scope admin.
    token: String,
}

impl Matrix {
    async fn ask(&self, key: Option<&str>, method: &Method, path: &str, body: &Value) -> Told {
        Told::of(with(ask(&self.gateway, method.clone(), path), key, method, body)).await
    }

    /// Nothing of theirs is in the answer.
    fn check_unseen(&self, told: &Told, about: &str) {
        let headers = format!("{:?}", told.headers);
        assert!(!told.text.contains(MARKER) && !headers.contains(MARKER), "{about} tells what is theirs: {told:?}");
        assert!(told.status < 500, "{about}: {told:?}");
        if told.status < 300 {
            for id in self.theirs.ids() {
                assert!(!told.text.contains(id) && !headers.contains(id), "{about} tells of {id}: {told:?}");
            }
        }
    }

    async fn meet(&self, route: &str, rule: &Rule) {
        if matches!(rule, Open(_)) {
            return;
        }
        let (method, path) = route.split_once(' ').unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let place = self.theirs.fill(path);
        let admins = [self.keys[&Admin].as_str(), self.token.as_str()];
        match rule {
            Open(_) => unreachable!("it isn't met"),
            Shared => {
                for key in admins {
                    let told = self.ask(Some(key), &method, &place, &nothing()).await;
                    self.check_unseen(&told, route);
                }
            }
            Operator | Oversight => {
                for key in admins.into_iter().chain(self.keys.values().map(String::as_str)) {
                    let told = self.ask(Some(key), &method, &place, &nothing()).await;
                    self.check_unseen(&told, route);
                    told.refused(403);
                }
            }
            Thing(scope, body) => {
                let body = body();
                self.refuse_smaller(*scope, &method, &place, &body).await;
                for key in admins {
                    let told = self.ask(Some(key), &method, &place, &body).await;
                    self.check_unseen(&told, route);
                    told.refused(404);
                }
                if method == Method::GET {
                    let own = self.ask(Some(&self.theirs.text), &method, &place, &body).await;
                    assert!(!matches!(own.status, 401 | 403 | 404), "{route} names no thing of theirs: {own:?}");
                }
            }
            Naming(scope, named, statuses) => {
                let (query, body) = named(&self.theirs);
                let place = place + &query;
                self.refuse_smaller(*scope, &method, &place, &body).await;
                for key in admins {
                    let told = self.ask(Some(key), &method, &place, &body).await;
                    self.check_unseen(&told, route);
                    assert!(statuses.contains(&told.status), "{route}: one of {statuses:?} was expected: {told:?}");
                }
            }
            List(scope) => {
                self.refuse_smaller(*scope, &method, &place, &nothing()).await;
                for key in admins {
                    for query in queries(&self.theirs) {
                        let told = self.ask(Some(key), &method, &format!("{place}{query}"), &nothing()).await;
                        self.check_unseen(&told, &format!("{route}{query}"));
                    }
                }
            }
            Stream => {
                for key in admins {
                    self.hear(&place, key).await;
                    let told = self.ask(Some(key), &method, &format!("{place}?organization_id={THEIRS}"), &nothing()).await;
                    told.refused(403);
                }
            }
        }
    }

    /// A key of ours whose scope doesn't reach isn't even told that there is no such thing.
    async fn refuse_smaller(&self, needed: Scope, method: &Method, place: &str, body: &Value) {
        if let Some((_, smaller)) = self.keys.range(..needed).next_back() {
            let told = self.ask(Some(smaller), method, place, body).await;
            assert_eq!(told.refused(403), "scope", "{method} {place}: {told:?}");
        }
    }

    /// Listens from the first event to one of ours that is younger than all of theirs.
    async fn hear(&self, place: &str, key: &str) {
        let ours = self.gateway.get("/rest/v1/channel_accounts?organization_id=ours").await.expect_status(200)[0]["id"].clone();
        let send = json!({"channel_account_id": ours, "to": "70010001", "content": [{"type": "text", "text": "the last"}]});
        let last = self.gateway.post("/rest/v1/messages", send).await.expect_status(202)["id"].as_str().unwrap().to_owned();
        let listening = ask(&self.gateway, Method::GET, &format!("{place}?after=0")).bearer_auth(key).send().await.unwrap();
        assert_eq!(listening.status(), 200);
        let (mut heard, mut bytes) = (String::new(), listening.bytes_stream());
        while !heard.contains(&last) {
            let chunk = tokio::time::timeout(PATIENCE, bytes.next()).await.expect("our event comes").unwrap().unwrap();
            heard.push_str(&String::from_utf8_lossy(&chunk));
        }
        assert!(!heard.contains(MARKER) && !heard.contains(&self.theirs.account), "it hears what is theirs: {heard}");
    }
}

fn with(request: RequestBuilder, key: Option<&str>, method: &Method, body: &Value) -> RequestBuilder {
    let request = if *method == Method::GET { request } else { request.json(body) };
    match key {
        Some(key) => request.bearer_auth(key),
        None => request,
    }
}

async fn every_route_keeps_to_itself_what_is_anothers(database: Database) {
    let telegram = Telegram::start().await;
    let gateway = Gateway::start(database, settings(&telegram)).await;
    let theirs = Theirs::make(&gateway, &telegram).await;
    let mut keys = BTreeMap::new();
    for (scope, word) in [(Read, "read"), (Send, "send"), (Manage, "manage"), (Admin, "admin")] {
        keys.insert(scope, gateway.make_key(json!({"organization_id": OURS, "name": word, "scope": word})).await.0);
    }
    let token = token(&json!({"role": "owner", "organization_id": OURS}));
    let account = json!({"organization_id": OURS, "name": "Ours", "type": "TELEGRAM", "settings": {"bot_token": TOKEN}, "is_active": true});
    let account = gateway.post("/rest/v1/channel_accounts", account).await.expect_status(201);
    let connect = format!("/rest/v1/channel_accounts/{}/connect", account["id"].as_str().unwrap());
    gateway.post(&connect, json!({})).await.expect_status(200);
    let matrix = Matrix { gateway, theirs, keys, token };

    let (routes, rules) = (routes::all(&matrix.gateway, &matrix.keys[&Read]).await, rules());
    let unknown: Vec<&String> = routes.keys().filter(|route| !rules.contains_key(route.as_str())).collect();
    assert!(unknown.is_empty(), "nobody says who may do this: {unknown:#?}; {HOW}");
    let gone: BTreeSet<&&str> = rules.keys().filter(|route| !routes.contains_key(**route)).collect();
    assert!(gone.is_empty(), "there is no such route any more: {gone:?}");

    let before = matrix.theirs.snapshot(&matrix.gateway).await;
    for (route, door) in &routes {
        let rule = &rules[route.as_str()];
        if let Open(why) = rule {
            assert_eq!(*door, Door::Open, "{route} is for anybody ({why}), and asks for a key");
        } else {
            assert_eq!(*door, Door::Locked, "{route} lets in anybody; {HOW}");
            let (method, path) = route.split_once(' ').unwrap();
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            for wrong in [None, Some("pb_000000000000000000000000000000000000000000000000"), Some("a.b.c")] {
                let told = matrix.ask(wrong, &method, &matrix.theirs.fill(path), &nothing()).await;
                told.refused(401);
                assert!(told.header("www-authenticate").starts_with("Bearer"), "{route}: {told:?}");
            }
        }
        matrix.meet(route, rule).await;
    }
    let after = matrix.theirs.snapshot(&matrix.gateway).await;
    for (list, rows) in before.as_object().unwrap() {
        assert_eq!(*rows, after[list], "somebody else changed what is theirs: {list}");
    }
}

/// What a request of ours names besides the path: nothing of theirs is taken into what is ours.
async fn nothing_of_another_organisation_is_used(database: Database) {
    let telegram = Telegram::start().await;
    let gateway = Gateway::start(database, settings(&telegram)).await;
    let theirs = Theirs::make(&gateway, &telegram).await;
    let (key, _) = gateway.make_key(json!({"organization_id": OURS, "name": "admin", "scope": "admin"})).await;
    let account = json!({"organization_id": OURS, "name": "Ours", "type": "TELEGRAM", "settings": {"bot_token": TOKEN}, "is_active": true});
    let account = gateway.post("/rest/v1/channel_accounts", account).await.expect_status(201)["id"].as_str().unwrap().to_owned();
    gateway.post(&format!("/rest/v1/channel_accounts/{account}/connect"), json!({})).await.expect_status(200);
    let post = async |path: &str, body: Value| Told::of(ask(&gateway, Method::POST, path).bearer_auth(&key).json(&body)).await;
    let media = json!([{"type": "media", "kind": "image", "media_id": theirs.media}]);
    let text = json!([{"type": "text", "text": "x"}]);
    let cases = [
        ("/rest/v1/messages", json!({"channel_account_id": account, "to": "70010001", "content": media})),
        ("/rest/v1/messages", json!({"channel_account_id": account, "conversation_id": theirs.conversation, "content": text})),
        ("/rest/v1/endpoints", json!({"url": "https://example.com/hook", "channel_account_id": theirs.account})),
    ];
    for (path, body) in cases {
        let told = post(path, body.clone()).await;
        assert!((400..500).contains(&told.status), "{path} takes {body}: {told:?}");
        assert!(!told.text.contains(MARKER), "{told:?}");
    }
    let sent = telegram.requests_of("sendPhoto");
    assert_eq!(sent.len(), 1, "theirs alone was sent");
}

both! {
    every_route_keeps_to_itself_what_is_anothers,
    nothing_of_another_organisation_is_used,
}
