//! Several gateways on one PostgreSQL.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use patchbay::{
    clock::At,
    domain::message::Priority,
    store::{self, Db, Run, sql},
};
use patchbay_providers::Telegram;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, Row, postgres::PgListener};

use crate::harness::{Database, Gateway, MONA, Nodes, Settings, both, eventually, eventually_within, plugin_file};

/// Longer than a lease of these tests and the sweep behind it, on a busy machine.
const LONG: Duration = Duration::from_secs(90);

fn node(telegram: &Telegram, roles: &str) -> Settings {
    Settings::default()
        .redirecting("api.telegram.org", &telegram.url())
        .line(&format!("node.roles = {roles}"))
        .line("outbox.workers = 8")
        .line("outbox.lease_s = 12")
        .line("outbox.send_ms = 11000")
}

const BOTH: &str = r#"["web", "worker"]"#;
const WEB: &str = r#"["web"]"#;
const WORKER: &str = r#"["worker"]"#;

/// A connected account, made at that node; its id and the secret of its webhooks.
async fn connect(telegram: &Telegram, gateway: &Gateway) -> (String, String) {
    let account = gateway.create_account("Help desk", json!({})).await;
    gateway.post(&format!("/rest/v1/channel_accounts/{account}/connect"), json!({})).await.expect_status(200);
    let secret = telegram.requests_of("setWebhook").pop().unwrap().text("secret_token");
    (account, secret)
}

fn update(n: usize) -> String {
    json!({"update_id": n, "message": {"message_id": n, "from": {"id": MONA, "is_bot": false, "first_name": "Mona"},
           "chat": {"id": MONA, "type": "private"}, "date": 1_764_000_000, "text": format!("in {n}")}})
    .to_string()
}

async fn running_version(gateway: &Gateway) -> Option<String> {
    let plugins = gateway.get("/admin/v1/plugins").await.expect_status(200);
    plugins["types"].as_array()?.iter().find(|active| active["type"] == "TELEGRAM")?["version"].as_str().map(str::to_owned)
}

async fn listed(gateway: &Gateway) -> Vec<Value> {
    gateway.get("/admin/v1/nodes").await.expect_status(200).as_array().unwrap().clone()
}

/// What the load did, as those saw it who did it.
#[derive(Default)]
struct Load {
    /// Webhooks that were answered 2xx, by the node that did.
    answered: Mutex<BTreeMap<usize, Vec<usize>>>,
    /// Sends that were answered 202: the message's id by its text.
    accepted: Mutex<BTreeMap<String, String>>,
    /// How many webhooks were answered so far.
    count: AtomicUsize,
}

const WEBHOOKS: usize = 500;
const SENDS: usize = 240;

/// Pushes webhooks and sends messages at the web nodes, kills one node under it and swaps the plugin, then counts.
async fn survive(nodes: &mut Nodes, telegram: &Telegram, web: &[usize], victim: usize) {
    let (account, secret) = connect(telegram, &nodes.nodes[0]).await;
    telegram.set_latency(Duration::from_millis(20));
    let load = Arc::new(Load::default());
    let mut tasks = tokio::task::JoinSet::new();
    // Requests are made anew for each try: a provider delivers again, elsewhere, what wasn't answered.
    let doors: Vec<(usize, String, String)> = web.iter().map(|&n| (n, nodes.nodes[n].url.clone(), nodes.nodes[n].key.clone())).collect();
    let (next_push, next_send) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for _ in 0..6 {
        let (load, doors, next) = (Arc::clone(&load), doors.clone(), Arc::clone(&next_push));
        let (account, secret) = (account.clone(), secret.clone());
        tasks.spawn(async move {
            let client = reqwest::Client::new();
            loop {
                let n = next.fetch_add(1, Ordering::SeqCst);
                if n >= WEBHOOKS {
                    return;
                }
                for attempt in 0.. {
                    let (node, url, _) = &doors[(n + attempt) % doors.len()];
                    let request = client
                        .post(format!("{url}/webhooks/{account}"))
                        .header("x-telegram-bot-api-secret-token", &secret)
                        .header("content-type", "application/json")
                        .body(update(n));
                    if request.send().await.is_ok_and(|response| response.status().is_success()) {
                        load.answered.lock().unwrap().entry(*node).or_default().push(n);
                        load.count.fetch_add(1, Ordering::SeqCst);
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        });
    }
    for _ in 0..4 {
        let (load, doors, next) = (Arc::clone(&load), doors.clone(), Arc::clone(&next_send));
        let account = account.clone();
        tasks.spawn(async move {
            let client = reqwest::Client::new();
            loop {
                let n = next.fetch_add(1, Ordering::SeqCst);
                if n >= SENDS {
                    return;
                }
                let (_, url, key) = &doors[n % doors.len()];
                let text = format!("out {n}");
                let to = (MONA + 1 + i64::try_from(n % 40).unwrap()).to_string();
                let body = json!({"channel_account_id": account, "to": to, "content": {"type": "text", "text": text}});
                // Not tried again: without an answer nobody knows whether it was accepted.
                let Ok(response) = client.post(format!("{url}/rest/v1/messages")).bearer_auth(key).json(&body).send().await else {
                    continue;
                };
                if response.status() == 202 {
                    let message: Value = response.json().await.unwrap();
                    load.accepted.lock().unwrap().insert(text, message["id"].as_str().unwrap().to_owned());
                }
            }
        });
    }
    let under_way = |count: usize| {
        let load = Arc::clone(&load);
        async move {
            let look = || async { (load.count.load(Ordering::SeqCst) >= count).then_some(()) };
            eventually_within(LONG, "the load is under way", look).await;
        }
    };
    under_way(WEBHOOKS / 5).await;
    let component = std::fs::read(plugin_file("swap/telegram.wasm")).unwrap();
    let swapped = nodes.nodes[0].upload("/admin/v1/plugins", "application/wasm", component).await;
    assert!(matches!(swapped.status, 200 | 201), "{:#}", swapped.body);
    under_way(WEBHOOKS / 2).await;
    nodes.nodes[victim].kill();
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }

    // Every webhook that was answered is one message.
    let answered = std::mem::take(&mut *load.answered.lock().unwrap());
    for node in web {
        assert!(answered.contains_key(node), "node {node} took part");
    }
    assert_eq!(answered.values().flatten().count(), WEBHOOKS);
    let path = format!("/rest/v1/messages?channel_account_id={account}&direction=inbound&limit=1000");
    let kept = nodes.nodes[0].get(&path).await.expect_status(200);
    let texts: Vec<String> =
        kept.as_array().unwrap().iter().map(|message| message["content"][0]["text"].as_str().unwrap().to_owned()).collect();
    let distinct: BTreeSet<&String> = texts.iter().collect();
    assert_eq!(texts.len(), distinct.len(), "none twice");
    assert_eq!(texts.len(), WEBHOOKS, "none lost");

    // Every send that was accepted reached the provider once, or nobody can know.
    let accepted = std::mem::take(&mut *load.accepted.lock().unwrap());
    assert!(accepted.len() > SENDS / 2, "most sends were accepted: {}", accepted.len());
    let mut states = BTreeMap::new();
    for (text, id) in &accepted {
        let state = eventually_within(LONG, "the message is settled", || async {
            let message = nodes.nodes[0].get(&format!("/rest/v1/messages/{id}")).await.expect_status(200);
            let state = message["state"].as_str().unwrap().to_owned();
            (state != "queued").then_some(state)
        })
        .await;
        states.insert(text.clone(), state);
    }
    let mut reached: BTreeMap<String, usize> = BTreeMap::new();
    for request in telegram.requests_of("sendMessage") {
        *reached.entry(request.text("text")).or_default() += 1;
    }
    assert!(reached.values().all(|&times| times == 1), "none twice: {reached:?}");
    let uncertain = states.values().filter(|state| *state == "uncertain").count();
    assert!(uncertain <= 8, "only what the killed node was sending can be uncertain: {uncertain}");
    for (text, state) in &states {
        match state.as_str() {
            "sent" => assert!(reached.contains_key(text), "{text} was sent"),
            "uncertain" => {}
            other => panic!("{text} is {other}"),
        }
    }

    // Every node that is left runs the new version, and the dead one is known to be gone.
    eventually_within(LONG, "the live nodes run the new version, the dead one is gone", || async {
        let listed = listed(&nodes.nodes[0]).await;
        assert_eq!(listed.len(), nodes.nodes.len());
        let (live, gone): (Vec<&Value>, Vec<&Value>) = listed.iter().partition(|node| node["state"] == "live");
        (gone.len() == 1 && live.iter().all(|node| node["plugins"][0]["version"] == "0.1.1")).then_some(())
    })
    .await;
    for node in web.iter().filter(|&&node| node != victim) {
        assert_eq!(running_version(&nodes.nodes[*node]).await.as_deref(), Some("0.1.1"));
    }
}

async fn a_gateway_that_lost_its_master_key_refuses_to_start(database: Database) {
    let mut gateway = Gateway::start(database, Settings::default()).await;
    let file = gateway.data.join("master.key");
    let key = std::fs::read(&file).unwrap();
    gateway.stop();
    std::fs::remove_file(&file).unwrap();
    let log = gateway.refuse_to_start_again();
    assert!(log.contains("sealed under the master key") && log.contains("there is no file"), "{log}");
    assert!(!file.exists(), "no other key is made in its place");
    std::fs::write(&file, key).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    gateway.start_again();
    let listed = listed(&gateway).await;
    assert_eq!(listed.len(), 1, "the stopped process left the list");
    assert_eq!(listed[0]["plugins"][0]["version"], "0.1.0");
}

async fn a_killed_process_is_no_node_of_the_next_one(database: Database) {
    let mut gateway = Gateway::start(database, Settings::default()).await;
    gateway.kill();
    gateway.start_again();
    let listed = listed(&gateway).await;
    let answering: Vec<&Value> = listed.iter().filter(|node| node["answers"] == true).collect();
    assert_eq!(answering.len(), 1);
    assert_eq!(answering[0]["state"], "live");
    assert_eq!(listed.len(), 1, "its data folder's last process is gone");
}

both! {
    a_gateway_that_lost_its_master_key_refuses_to_start,
    a_killed_process_is_no_node_of_the_next_one,
}

async fn claim_under_race(db: &Db, url: &str) {
    const LANES: i64 = 12;
    const EACH: i64 = 12;
    const CLAIMERS: u64 = 10;
    let start = 1_764_000_000_000_000_i64;
    let lease = Duration::from_secs(3600);
    let mut tx = db.begin().await.unwrap();
    tx.run(sql("INSERT INTO organizations (id, name, created_at) VALUES ('o', 'o', 0)")).await.unwrap();
    tx.run(
        sql("INSERT INTO channel_accounts (id, organization_id, type, name, settings, is_active, connection, facts, data_key, webhook_refusals, created_at, updated_at)
             VALUES ('a', 'o', 'T', 'a', $1, $2, 'connected', $1, $3, 0, 0, 0)")
        .bind(json!({}))
        .bind(true)
        .bind(Vec::<u8>::new()),
    )
    .await
    .unwrap();
    for n in 0..LANES * EACH {
        let id = format!("m{n}");
        tx.run(
            sql("INSERT INTO messages (id, organization_id, account_id, direction, kind, content, echo, reactions, votes, extras, state, attempts, created_at)
                 VALUES ($1, 'o', 'a', 'outbound', 'message', $2, $3, $2, $2, $4, 'queued', 0, 0)")
            .bind(&id)
            .bind(json!([]))
            .bind(false)
            .bind(json!({})),
        )
        .await
        .unwrap();
        // Every third one is due a little later than those behind it: claimers whose clocks differ don't agree on the first.
        let due = start + if n / LANES % 3 == 0 { 3 } else { 0 };
        let lane = format!("lane {}", n % LANES);
        let queued = store::outbox::Queued {
            message_id: id.clone(),
            account_id: "a".to_owned(),
            lane,
            priority: Priority::Normal,
            due_at: At::from_micros(due),
            expires_at: At::from_micros(start).plus(lease),
            parked: None,
        };
        store::outbox::insert(&mut tx, vec![queued]).await.unwrap();
    }
    tx.commit().await.unwrap();

    let on_the_way: Arc<Mutex<HashSet<String>>> = Arc::default();
    let done: Arc<Mutex<Vec<String>>> = Arc::default();
    let mut claimers = tokio::task::JoinSet::new();
    for claimer in 0..CLAIMERS {
        let db = Db::open_postgres(url, 2).await.unwrap();
        let (on_the_way, done) = (Arc::clone(&on_the_way), Arc::clone(&done));
        claimers.spawn(async move {
            for round in 0_i64.. {
                if done.lock().unwrap().len() >= usize::try_from(LANES * EACH).unwrap() {
                    return;
                }
                let now = At::from_micros(start + (i64::try_from(claimer).unwrap() + round) % 6);
                let mut tx = db.begin_claim().await.unwrap();
                let free = store::outbox::candidates(&mut tx, "a", Priority::Normal, now, 4).await.unwrap();
                let seqs: Vec<i64> = free.iter().map(|candidate| candidate.seq).collect();
                let claims = store::outbox::lease(&mut tx, &seqs, now, now.plus(lease)).await.unwrap();
                tx.commit().await.unwrap();
                assert!(claims.len() <= 4, "no more than asked");
                for claim in &claims {
                    assert!(on_the_way.lock().unwrap().insert(claim.lane.clone()), "two of {} are on their way", claim.lane);
                }
                tokio::time::sleep(Duration::from_millis(claimer % 3)).await;
                for claim in claims {
                    on_the_way.lock().unwrap().remove(&claim.lane);
                    let mut tx = db.begin().await.unwrap();
                    assert!(store::outbox::finish(&mut tx, &claim).await.unwrap(), "nobody else has it");
                    tx.commit().await.unwrap();
                    done.lock().unwrap().push(claim.message_id);
                }
            }
        });
    }
    while let Some(claimer) = claimers.join_next().await {
        claimer.unwrap();
    }
    let done = done.lock().unwrap();
    assert_eq!(done.iter().collect::<BTreeSet<_>>().len(), done.len(), "each was claimed once");
}

/// The database's processes that listen for notices.
async fn listeners(connection: &mut PgConnection) -> BTreeSet<i32> {
    let rows = sqlx::query("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN \"patchbay\"%'")
        .fetch_all(connection)
        .await
        .unwrap();
    rows.iter().map(|row| row.get("pid")).collect()
}

/// What only several nodes can show.
mod several_on_postgres {
    use super::*;

    #[tokio::test]
    async fn three_nodes_lose_and_double_nothing_when_one_is_killed_under_load() {
        let telegram = Telegram::start().await;
        let mut nodes = Nodes::start((0..3).map(|_| node(&telegram, BOTH)).collect()).await;
        survive(&mut nodes, &telegram, &[0, 1, 2], 2).await;
    }

    #[tokio::test]
    async fn workers_apart_from_the_web_lose_and_double_nothing_when_one_is_killed_under_load() {
        let telegram = Telegram::start().await;
        let mut nodes = Nodes::start(vec![node(&telegram, WEB), node(&telegram, WORKER), node(&telegram, WORKER)]).await;
        survive(&mut nodes, &telegram, &[0], 1).await;
    }

    #[tokio::test]
    async fn nodes_that_start_at_once_on_an_empty_database_agree() {
        // That one key was told is asserted where they start.
        let nodes = Nodes::start((0..3).map(|n| Settings::default().line(&format!("node.name = \"node-{n}\""))).collect()).await;
        for gateway in &nodes.nodes {
            let listed = listed(gateway).await;
            let names: BTreeSet<&str> = listed.iter().map(|node| node["name"].as_str().unwrap()).collect();
            assert_eq!(names, BTreeSet::from(["node-0", "node-1", "node-2"]));
            assert_eq!(listed.iter().filter(|node| node["answers"] == true).count(), 1);
            assert!(listed.iter().all(|node| node["roles"] == json!(["web", "worker"]) && node["state"] == "live"), "{listed:#?}");
            let versions = gateway.get("/admin/v1/plugins").await.expect_status(200)["versions"].clone();
            assert_eq!(versions.as_array().unwrap().len(), 1, "the same component is one version");
        }
    }

    #[tokio::test]
    async fn a_node_that_stops_leaves_the_list() {
        let mut nodes = Nodes::start(vec![Settings::default(), Settings::default()]).await;
        assert_eq!(listed(&nodes.nodes[0]).await.len(), 2);
        nodes.nodes[1].stop();
        assert_eq!(listed(&nodes.nodes[0]).await.len(), 1);
    }

    #[tokio::test]
    async fn a_node_with_another_master_key_refuses_to_start() {
        let nodes = Nodes::start(vec![Settings::default()]).await;
        let other = Settings::default().line("secrets.master_key = \"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\"");
        let log = Gateway::try_start_on(&nodes.database_url, &other).err().expect("it refuses");
        assert!(log.contains("sealed under the master key") && log.contains("this gateway was given"), "{log}");
        let none = Gateway::try_start_on(&nodes.database_url, &Settings::default()).err().expect("it refuses");
        assert!(none.contains("sealed under the master key") && none.contains("there is no file"), "{none}");
    }

    #[tokio::test]
    async fn a_web_node_takes_in_and_a_worker_sends() {
        let telegram = Telegram::start().await;
        let mut nodes = Nodes::start(vec![node(&telegram, WEB)]).await;
        let (account, _) = connect(&telegram, &nodes.nodes[0]).await;
        let send = json!({"channel_account_id": account, "to": MONA.to_string(), "content": {"type": "text", "text": "waits"}});
        let id = nodes.nodes[0].post("/rest/v1/messages", send).await.expect_status(202)["id"].as_str().unwrap().to_owned();
        // Two heartbeats: a worker would have looked at the queue meanwhile.
        let first = listed(&nodes.nodes[0]).await[0]["seen_at"].clone();
        let second = eventually("a heartbeat", || async {
            let seen = listed(&nodes.nodes[0]).await[0]["seen_at"].clone();
            (seen != first).then_some(seen)
        })
        .await;
        eventually("another one", || async { (listed(&nodes.nodes[0]).await[0]["seen_at"] != second).then_some(()) }).await;
        let message = nodes.nodes[0].get(&format!("/rest/v1/messages/{id}")).await.expect_status(200);
        assert_eq!(message["state"], "queued");
        assert!(telegram.requests_of("sendMessage").is_empty());

        let worker = nodes.add(node(&telegram, WORKER));
        eventually("the worker sends it", || async {
            let message = nodes.nodes[0].get(&format!("/rest/v1/messages/{id}")).await.expect_status(200);
            (message["state"] == "sent").then_some(())
        })
        .await;
        let worker = &nodes.nodes[worker];
        worker.get("/healthz").await.expect_status(200);
        worker.get("/readyz").await.expect_status(200);
        assert_eq!(worker.get("/rest/v1/channel_types").await.expect_status(404)["code"], "not_web");
        assert_eq!(worker.webhook(&account, None, "{}").await.expect_status(404)["code"], "not_web");
    }

    #[tokio::test]
    async fn a_version_activated_at_one_node_runs_at_all_of_them() {
        let mut nodes = Nodes::start(vec![Settings::default(), Settings::default().line(&format!("node.roles = {WEB}"))]).await;
        let worker = nodes.add(Settings::default().line(&format!("node.roles = {WORKER}")));
        let component = std::fs::read(plugin_file("swap/telegram.wasm")).unwrap();
        nodes.nodes[0].upload("/admin/v1/plugins", "application/wasm", component).await.expect_status(201);
        let all_run = |version: &'static str| {
            let first = &nodes.nodes[0];
            eventually("all of them run it", move || async move {
                let plugins = first.get("/admin/v1/plugins").await.expect_status(200);
                let runs = plugins["types"][0]["nodes"].as_array().unwrap().clone();
                (runs.len() == 3 && runs.iter().all(|node| node["version"] == version)).then_some(())
            })
        };
        all_run("0.1.1").await;
        assert_eq!(running_version(&nodes.nodes[1]).await.as_deref(), Some("0.1.1"));
        nodes.nodes[1].post("/admin/v1/plugins/TELEGRAM/rollback", json!({})).await.expect_status(200);
        all_run("0.1.0").await;
        assert_eq!(nodes.nodes[worker].ask_as(None, Method::GET, "/healthz").await.status, 200);
    }

    #[tokio::test]
    async fn what_happens_at_one_node_is_told_to_the_others() {
        let telegram = Telegram::start().await;
        let nodes = Nodes::start(vec![node(&telegram, BOTH)]).await;
        let gateway = &nodes.nodes[0];
        let (account, _) = connect(&telegram, gateway).await;
        let mut listener = PgListener::connect(&nodes.database_url).await.unwrap();
        listener.listen("patchbay").await.unwrap();
        let send = json!({"channel_account_id": account, "to": MONA.to_string(), "content": {"type": "text", "text": "Hi"}});
        gateway.post("/rest/v1/messages", send).await.expect_status(202);
        gateway.patch(&format!("/rest/v1/channel_accounts/{account}"), json!({"name": "Front desk"})).await.expect_status(200);
        gateway.upload("/admin/v1/plugins", "application/wasm", std::fs::read(plugin_file("swap/telegram.wasm")).unwrap()).await;
        let mut expected: BTreeSet<String> = ["outbox", "events", "jobs", "plugins"].map(str::to_owned).into();
        expected.insert(format!("account:{account}"));
        while !expected.is_empty() {
            let notice = tokio::time::timeout(LONG, listener.recv()).await.unwrap_or_else(|_| panic!("not told: {expected:?}")).unwrap();
            for word in notice.payload().split(' ').skip(1) {
                expected.remove(word);
            }
        }
    }

    #[tokio::test]
    async fn a_node_whose_listening_connection_is_cut_listens_again() {
        let nodes = Nodes::start(vec![Settings::default()]).await;
        let mut connection = PgConnection::connect(&nodes.database_url).await.unwrap();
        let mut cut = BTreeSet::new();
        while cut.is_empty() {
            cut = listeners(&mut connection).await;
        }
        sqlx::query("SELECT pg_terminate_backend($1)").bind(cut.first().unwrap()).execute(&mut connection).await.unwrap();
        let mut again = BTreeSet::new();
        let deadline = tokio::time::Instant::now() + LONG;
        while again.is_empty() || again == cut {
            assert!(tokio::time::Instant::now() < deadline, "it doesn't listen again");
            tokio::time::sleep(Duration::from_millis(25)).await;
            again = listeners(&mut connection).await;
        }
        // And it is well.
        nodes.nodes[0].get("/readyz").await.expect_status(200);
    }

    #[tokio::test]
    async fn two_messages_of_a_lane_are_never_on_their_way_together() {
        let url = Database::Postgres.make_url();
        let db = Db::open_postgres(&url, 4).await.unwrap();
        db.migrate().await.unwrap();
        claim_under_race(&db, &url).await;
    }
}
