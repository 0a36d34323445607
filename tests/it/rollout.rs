//! What a channel type runs, and how that changes: a canary for some accounts, promoted or stopped; versions compared; the way back,
//! by hand and by itself.

use std::collections::BTreeSet;

use patchbay::{
    clock::At,
    domain::canary::Canary,
    manifest::{self, Manifest},
};
use patchbay_guests::Guest;
use patchbay_providers::{Failure, Telegram};
use serde_json::{Value, json};

use crate::harness::{Database, Gateway, MONA, Nodes, Settings, both, eventually, plugin_file};

/// The token of bot `n`; its id is the number before the colon.
fn token(n: usize) -> String {
    format!("420000{n}:AAE-standin_token_0123456789abcdefghij")
}

fn update(n: usize) -> String {
    json!({"update_id": n, "message": {"message_id": n, "from": {"id": MONA, "is_bot": false, "first_name": "Mona"},
           "chat": {"id": MONA, "type": "private"}, "date": 1_764_000_000, "text": format!("in {n}")}})
    .to_string()
}

/// A component that says it is another version of Telegram's plugin, and has these hooks; the others trap.
fn version(number: &str, hooks: &[(&str, &str)]) -> Vec<u8> {
    let component = std::fs::read(plugin_file("telegram.wasm")).unwrap();
    let mut manifest = Manifest::from_component(&component).unwrap();
    number.clone_into(&mut manifest.version);
    manifest.polling = None;
    // Settings that are asked about are as they should be: the zeros at 16384 are `ok`.
    let hooks: Vec<(&str, &str)> = [("configure", "(i32.const 16384)")].into_iter().chain(hooks.iter().copied()).collect();
    manifest::embed(&Guest { hooks: &hooks, ..Guest::default() }.component(), &manifest).unwrap()
}

/// It traps on every webhook and message.
fn faulty() -> Vec<u8> {
    version("0.2.0", &[])
}

/// It reads every webhook, and finds nothing in any.
fn blind() -> Vec<u8> {
    version("0.3.0", &[("parse-inbound", "(i32.const 16384)")])
}

/// A connected bot.
struct Account {
    id: String,
    secret: String,
}

/// A gateway with version 0.1.0 of Telegram's plugin.
struct Desk {
    telegram: Telegram,
    gateway: Gateway,
}

impl Desk {
    async fn start(database: Database) -> Desk {
        let telegram = Telegram::start().await;
        let settings = Settings::default()
            .redirecting("api.telegram.org", &telegram.url())
            .line("outbox.retry_s = [1]")
            .line("outbox.breaker_failures = 1000");
        let gateway = Gateway::start(database, settings).await;
        Desk { telegram, gateway }
    }

    async fn connect(&self, n: usize) -> Account {
        connect(&self.telegram, &self.gateway, n).await
    }

    /// Brings a component in without having it run; answers its digest.
    async fn hold(&self, component: Vec<u8>) -> String {
        hold(&self.gateway, component).await
    }

    /// 0.1.1 is 0.1.0 with another number.
    async fn hold_next(&self) -> String {
        self.hold(std::fs::read(plugin_file("swap/telegram.wasm")).unwrap()).await
    }

    async fn change(&self, verb: &str, body: Value) -> Value {
        self.gateway.post(&format!("/admin/v1/plugins/TELEGRAM/{verb}"), body).await.expect_status(200)
    }

    async fn standing(&self) -> Value {
        standing(&self.gateway).await
    }

    async fn push(&self, account: &Account, n: usize) -> u16 {
        self.gateway.webhook(&account.id, Some(&account.secret), update(n)).await.status
    }

    /// The version that read the account's last webhook.
    async fn read_by(&self, account: &Account, n: usize) -> String {
        assert_eq!(self.push(account, n).await, 200);
        last_reader(&self.gateway, account).await
    }

    /// The digest of the version that sends a message of the account.
    async fn sent_by(&self, account: &Account) -> String {
        let message = json!({"channel_account_id": account.id, "to": MONA.to_string(), "content": [{"type": "text", "text": "out"}]});
        let id = self.gateway.post("/rest/v1/messages", message).await.expect_status(202)["id"].as_str().unwrap().to_owned();
        eventually("the message is sent", || async {
            let message = self.gateway.get(&format!("/rest/v1/messages/{id}")).await.expect_status(200);
            (message["state"] == "sent").then_some(())
        })
        .await;
        let attempts = self.gateway.get(&format!("/rest/v1/messages/{id}/attempts")).await.expect_status(200);
        attempts[0]["plugin_digest"].as_str().unwrap().to_owned()
    }

    /// Texts that came in.
    async fn received(&self, account: &Account) -> Vec<String> {
        let path = format!("/rest/v1/messages?channel_account_id={}&direction=inbound&limit=1000", account.id);
        let messages = self.gateway.get(&path).await.expect_status(200);
        let mut texts: Vec<String> =
            messages.as_array().unwrap().iter().map(|message| message["content"][0]["text"].as_str().unwrap().to_owned()).collect();
        texts.sort();
        texts
    }

    async fn moves(&self) -> Vec<Value> {
        let moves = self.gateway.get("/admin/v1/plugins/moves?type=TELEGRAM").await.expect_status(200);
        moves.as_array().unwrap().clone()
    }

    /// Pushes until the version is taken back; answers how many webhooks it took, each of which was refused for now or read.
    async fn push_until(&self, account: &Account, first: usize, is_over: impl Fn(&Value) -> bool) -> usize {
        for n in first..first + 2_000 {
            let status = self.push(account, n).await;
            assert!(matches!(status, 200 | 503), "webhook {n} was answered {status}");
            if is_over(&self.standing().await) {
                return n;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("it was never taken back: {:#}", self.standing().await);
    }
}

async fn connect(telegram: &Telegram, gateway: &Gateway, n: usize) -> Account {
    telegram.register(&token(n), &format!("desk_{n}_bot"), "Desk");
    let id = gateway.create_account(&format!("Desk {n}"), json!({"bot_token": token(n)})).await;
    gateway.post(&format!("/rest/v1/channel_accounts/{id}/connect"), json!({})).await.expect_status(200);
    let secret = telegram.requests_of("setWebhook").pop().unwrap().text("secret_token");
    Account { id, secret }
}

async fn hold(gateway: &Gateway, component: Vec<u8>) -> String {
    let answer = gateway.upload("/admin/v1/plugins?rollout=hold", "application/wasm", component).await;
    assert!(matches!(answer.status, 200 | 201), "{:#}", answer.body);
    assert_eq!(answer.body["state"], "ready", "{:#}", answer.body);
    answer.body["digest"].as_str().unwrap().to_owned()
}

async fn standing(gateway: &Gateway) -> Value {
    let plugins = gateway.get("/admin/v1/plugins").await.expect_status(200);
    plugins["types"].as_array().unwrap().iter().find(|active| active["type"] == "TELEGRAM").unwrap().clone()
}

async fn last_reader(gateway: &Gateway, account: &Account) -> String {
    let path = format!("/rest/v1/webhook_deliveries?channel_account_id={}&limit=1", account.id);
    gateway.get(&path).await.expect_status(200)[0]["plugin_version"].as_str().unwrap().to_owned()
}

/// What the counter says; 0 where it isn't there yet.
async fn counted(gateway: &Gateway, sample: &str) -> f64 {
    let metrics = gateway.get("/metrics").await.expect_status(200);
    let line = metrics.as_str().unwrap().lines().find(|line| line.starts_with(sample)).map(str::to_owned);
    line.map_or(0.0, |line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
}

fn texts(numbers: impl Iterator<Item = usize>) -> Vec<String> {
    let mut texts: Vec<String> = numbers.map(|n| format!("in {n}")).collect();
    texts.sort();
    texts
}

async fn a_canary_serves_its_accounts_alone_and_is_promoted(database: Database) {
    let desk = Desk::start(database).await;
    let (chosen, other) = (desk.connect(1).await, desk.connect(2).await);
    let old = desk.standing().await["digest"].as_str().unwrap().to_owned();
    let new = desk.hold_next().await;
    assert_eq!(desk.read_by(&chosen, 1).await, "0.1.0", "what is held doesn't run");

    let begun = desk.change("canary", json!({"digest": new, "accounts": [chosen.id], "reason": "one desk first"})).await;
    assert_eq!(begun["version"], "0.1.1");
    assert_eq!(desk.read_by(&chosen, 2).await, "0.1.1");
    assert_eq!(desk.read_by(&other, 3).await, "0.1.0");
    assert_eq!((desk.sent_by(&chosen).await, desk.sent_by(&other).await), (new.clone(), old.clone()));
    let sends = |version: &str| {
        format!(r#"patchbay_plugin_calls_total{{channel_type="TELEGRAM",version="{version}",hook="send",outcome="answered"}}"#)
    };
    assert!((counted(&desk.gateway, &sends("0.1.1")).await - 1.0).abs() < f64::EPSILON);
    assert!((counted(&desk.gateway, &sends("0.1.0")).await - 1.0).abs() < f64::EPSILON);

    let standing = desk.standing().await;
    assert_eq!((&standing["digest"], &standing["canary"]["digest"], &standing["canary_running"]), (&json!(old), &json!(new), &json!(new)));

    let promoted = desk.change("promote", json!({"reason": "it was good"})).await;
    assert_eq!((&promoted["version"], &promoted["changed"]), (&json!("0.1.1"), &json!(true)));
    assert_eq!(desk.read_by(&other, 4).await, "0.1.1");
    let moves = desk.moves().await;
    let told: Vec<_> = moves.iter().take(3).map(|made| (made["from"].as_str().unwrap(), made["to"].as_str().unwrap())).collect();
    assert_eq!(told, [("canary", "active"), ("active", "retired"), ("ready", "canary")]);
    assert_eq!((&moves[2]["reason"], &moves[0]["actor"]["kind"]), (&json!("one desk first"), &json!("key")));
    let audit = desk.gateway.get("/admin/v1/audit?action=plugin.canary").await.expect_status(200);
    assert_eq!(audit[0]["subject_id"], "TELEGRAM");
}

async fn a_canary_is_stopped_and_lives_through_a_crash(database: Database) {
    let mut desk = Desk::start(database).await;
    let (chosen, other) = (desk.connect(1).await, desk.connect(2).await);
    let new = desk.hold_next().await;
    desk.change("canary", json!({"digest": new, "accounts": [chosen.id]})).await;
    desk.gateway.kill();
    desk.gateway.start_again();
    assert_eq!((desk.read_by(&chosen, 1).await.as_str(), desk.read_by(&other, 2).await.as_str()), ("0.1.1", "0.1.0"));
    desk.gateway.delete("/admin/v1/plugins/TELEGRAM/canary").await.expect_status(200);
    assert_eq!(desk.read_by(&chosen, 3).await, "0.1.0");
    let again = desk.gateway.delete("/admin/v1/plugins/TELEGRAM/canary").await.expect_status(409);
    assert_eq!(again["code"], "no_canary");
    desk.gateway.kill();
    desk.gateway.start_again();
    assert_eq!(desk.read_by(&chosen, 4).await, "0.1.0");
}

async fn a_canary_that_is_revoked_serves_nobody_any_more(database: Database) {
    let mut desk = Desk::start(database).await;
    let chosen = desk.connect(1).await;
    let new = desk.hold_next().await;
    desk.change("canary", json!({"digest": new, "accounts": [chosen.id]})).await;
    assert_eq!(desk.read_by(&chosen, 1).await, "0.1.1");
    let revoke = format!("/admin/v1/plugins/versions/{new}/revoke");
    desk.gateway.post(&revoke, json!({"reason": "it leaks"})).await.expect_status(200);
    assert_eq!(desk.read_by(&chosen, 2).await, "0.1.0");
    assert_eq!(desk.received(&chosen).await, ["in 1", "in 2"]);
    let moves = desk.moves().await;
    let ended = moves.iter().find(|made| made["from"] == "canary").unwrap_or_else(|| panic!("{moves:#?}"));
    assert_eq!((&ended["reason"], &ended["actor"]["kind"]), (&json!("the canary was revoked"), &json!("system")));
    let again = json!({"digest": new, "accounts": [chosen.id]});
    desk.gateway.post("/admin/v1/plugins/TELEGRAM/canary", again).await.expect_status(409);
    desk.gateway.kill();
    desk.gateway.start_again();
    assert_eq!(desk.read_by(&chosen, 3).await, "0.1.0");
}

async fn a_share_is_the_same_accounts_every_time(database: Database) {
    let mut desk = Desk::start(database).await;
    let mut accounts = Vec::new();
    for n in 1..=6 {
        accounts.push(desk.connect(n).await);
    }
    let new = desk.hold_next().await;
    let in_share = |share: u8| -> BTreeSet<usize> {
        let canary =
            Canary { digest: new.clone(), share: Some(share), accounts: BTreeSet::new(), since: At::from_micros(0), generation: 1 };
        (0..accounts.len()).filter(|n| canary.takes(&accounts[*n].id)).collect()
    };
    // A share that some are in and some aren't, whatever ids they got.
    let share = (1..100).find(|share| !in_share(*share).is_empty()).unwrap();
    desk.change("canary", json!({"digest": new, "share": share})).await;
    let mut seen = Vec::new();
    for restart in [false, true] {
        if restart {
            desk.gateway.kill();
            desk.gateway.start_again();
        }
        let mut served = BTreeSet::new();
        for (n, account) in accounts.iter().enumerate() {
            if desk.read_by(account, 10 * (n + 1) + usize::from(restart)).await == "0.1.1" {
                served.insert(n);
            }
        }
        seen.push(served);
    }
    assert_eq!((&seen[0], &seen[1]), (&in_share(share), &in_share(share)));
    desk.change("canary", json!({"digest": new, "share": 100})).await;
    for (n, account) in accounts.iter().enumerate() {
        assert_eq!(desk.read_by(account, 100 * (n + 1)).await, "0.1.1");
    }
}

async fn what_was_overtaken_or_makes_no_sense_changes_nothing(database: Database) {
    let desk = Desk::start(database).await;
    let chosen = desk.connect(1).await;
    let new = desk.hold_next().await;
    let post = |verb: &str, body: Value| {
        let path = format!("/admin/v1/plugins/TELEGRAM/{verb}");
        let gateway = &desk.gateway;
        async move { gateway.post(&path, body).await }
    };
    let seen = desk.standing().await["generation"].as_i64().unwrap();
    desk.change("canary", json!({"digest": new, "share": 10, "generation": seen})).await;
    for (verb, body) in [
        ("promote", json!({"generation": seen})),
        ("canary", json!({"digest": new, "share": 50, "generation": seen})),
        ("activate", json!({"digest": new, "generation": seen})),
    ] {
        assert_eq!(post(verb, body).await.expect_status(409)["code"], "overtaken", "{verb}");
    }
    let standing = desk.standing().await;
    assert_eq!((&standing["canary"]["share"], &standing["generation"]), (&json!(10), &json!(seen + 1)));

    let active = standing["digest"].clone();
    for (body, field) in [
        (json!({"digest": new}), "/share"),
        (json!({"digest": new, "share": 0}), "/share"),
        (json!({"digest": new, "share": 5, "accounts": [chosen.id]}), "/accounts"),
        (json!({"digest": new, "accounts": ["nobody"]}), "/accounts"),
        (json!({"digest": active, "share": 5}), "/digest"),
        (json!({"digest": "0".repeat(64), "share": 5}), "/digest"),
    ] {
        let refused = post("canary", body.clone()).await.expect_status(422);
        assert_eq!(refused["errors"][0]["pointer"], field, "{body}");
    }
    post("rollback", json!({})).await.expect_status(409);
    let unknown = desk.gateway.post("/admin/v1/plugins/PIGEON/promote", json!({})).await;
    unknown.expect_status(404);
    assert_eq!(desk.standing().await["generation"], seen + 1);
}

async fn a_new_version_is_compared_with_what_runs(database: Database) {
    let desk = Desk::start(database).await;
    let account = desk.connect(1).await;
    for n in 1..=3 {
        assert_eq!(desk.push(&account, n).await, 200);
    }
    let compare = |digest: String| desk.change("shadow", json!({"digest": digest}));
    let (same, blind, faulty) = (desk.hold_next().await, desk.hold(blind()).await, desk.hold(faulty()).await);

    let report = compare(same).await;
    assert_eq!((&report["compared"], &report["same"], &report["different"]), (&json!(3), &json!(3), &json!(0)), "{report:#}");

    let report = compare(blind.clone()).await;
    assert_eq!((&report["different"], &report["faults"]), (&json!(3), &json!(0)), "{report:#}");
    let first = &report["differing"][0];
    assert_eq!(first["channel_account_id"], json!(account.id));
    assert_eq!(first["changes"][0]["what"], "missing");
    assert!(first["changes"][0]["was"].to_string().contains("in 3"), "the newest first, with what was told: {first:#}");

    let report = compare(faulty).await;
    assert_eq!((&report["different"], &report["faults"]), (&json!(3), &json!(3)), "{report:#}");
    assert_eq!(report["differing"][0]["changes"][0]["what"], "unread");

    // With the version it is kept without what people wrote; the way in has made it before anybody asked.
    let kept = desk.gateway.get(&format!("/admin/v1/plugins/versions/{blind}")).await.expect_status(200);
    assert_eq!(kept["shadow"]["different"], 3);
    assert!(!kept["shadow"].to_string().contains("in 3"), "{kept:#}");
    // Nothing came of it.
    assert_eq!(desk.received(&account).await, texts(1..=3));
    assert_eq!(last_reader(&desk.gateway, &account).await, "0.1.0");
}

async fn a_difference_has_a_version_wait_where_that_is_asked_for(database: Database) {
    let telegram = Telegram::start().await;
    let settings = Settings::default().redirecting("api.telegram.org", &telegram.url()).line("plugins.shadow_differences = \"hold\"");
    let desk = Desk { gateway: Gateway::start(database, settings).await, telegram };
    let account = desk.connect(1).await;
    assert_eq!(desk.push(&account, 1).await, 200);
    let held = desk.gateway.upload("/admin/v1/plugins", "application/wasm", blind()).await.expect_status(202);
    assert_eq!(held["state"], "awaiting_approval");
    assert!(held["reason"].as_str().unwrap().contains("1 of the last 1 webhooks"), "{held:#}");
    assert_eq!(desk.read_by(&account, 2).await, "0.1.0");
}

async fn a_version_that_fails_goes_back_by_itself_and_nothing_is_lost(database: Database) {
    let mut desk = Desk::start(database).await;
    let account = desk.connect(1).await;
    let good = desk.standing().await["digest"].clone();
    for n in 1..=10 {
        assert_eq!(desk.push(&account, n).await, 200);
    }
    let bad = desk.gateway.upload("/admin/v1/plugins", "application/wasm", faulty()).await.expect_status(201);
    assert_eq!(desk.standing().await["version"], "0.2.0");
    let last = desk.push_until(&account, 11, |standing| standing["version"] == "0.1.0").await;

    let standing = desk.standing().await;
    assert_eq!(standing["digest"], good);
    let notice = standing["notice"]["text"].as_str().unwrap();
    assert!(notice.contains("Version 0.2.0 was taken back by itself, 0.1.0 runs again: "), "{notice}");
    let back = desk.moves().await;
    let back: Vec<&Value> = back.iter().filter(|made| made["actor"]["kind"] == "system" && made["to"] == "retired").collect();
    assert_eq!((back.len(), &back[0]["digest"], &back[0]["from"]), (1, &bad["digest"], &json!("active")));
    let audit = desk.gateway.get("/admin/v1/audit?action=plugin.rollback").await.expect_status(200);
    assert_eq!((audit.as_array().unwrap().len(), &audit[0]["actor"]["kind"]), (1, &json!("system")));
    let rollbacks = counted(&desk.gateway, r#"patchbay_plugin_rollbacks_total{channel_type="TELEGRAM"}"#).await;
    assert!((rollbacks - 1.0).abs() < f64::EPSILON);

    // What it failed on was kept, and is read by the version that runs again: each once.
    let all = texts(1..=last);
    eventually("all that came in is there", || async { (desk.received(&account).await == all).then_some(()) }).await;
    assert_eq!(desk.read_by(&account, last + 1).await, "0.1.0");
    desk.gateway.kill();
    desk.gateway.start_again();
    assert_eq!(desk.standing().await["version"], "0.1.0");
    // The notice stays until somebody changes something.
    assert!(desk.standing().await["notice"].is_object());
    let next = desk.hold_next().await;
    desk.change("activate", json!({"digest": next})).await;
    assert!(desk.standing().await["notice"].is_null());
}

async fn a_canary_that_fails_ends_by_itself(database: Database) {
    let desk = Desk::start(database).await;
    let (chosen, other) = (desk.connect(1).await, desk.connect(2).await);
    let bad = desk.hold(faulty()).await;
    desk.change("canary", json!({"digest": bad, "accounts": [chosen.id]})).await;
    assert_eq!(desk.push(&other, 1).await, 200, "it is none of theirs");
    let last = desk.push_until(&chosen, 2, |standing| standing["canary"].is_null()).await;
    let standing = desk.standing().await;
    assert_eq!(standing["version"], "0.1.0");
    assert!(standing["notice"]["text"].as_str().unwrap().contains("0.2.0 ended by itself"), "{standing:#}");
    eventually("the canary's webhooks are read", || async { (desk.received(&chosen).await == texts(2..=last)).then_some(()) }).await;
    assert_eq!(desk.received(&other).await, texts(1..=1));
}

async fn a_provider_that_fails_is_no_fault_of_the_version(database: Database) {
    let desk = Desk::start(database).await;
    let account = desk.connect(1).await;
    assert_eq!(desk.push(&account, 1).await, 200);
    let next = desk.hold_next().await;
    desk.change("activate", json!({"digest": next})).await;
    desk.telegram.fail(Failure::error("sendMessage", 502, "Bad Gateway"));
    for n in 0..12 {
        let message = json!({"channel_account_id": account.id, "to": (MONA + n).to_string(), "content": [{"type": "text", "text": "out"}]});
        desk.gateway.post("/rest/v1/messages", message).await.expect_status(202);
    }
    let calls = eventually("the failed sends are counted", || async {
        let standing = desk.standing().await;
        let calls = standing["calls"].as_array()?.iter().find(|calls| calls["digest"] == json!(next))?.clone();
        (calls["calls"].as_i64()? >= 12).then_some(calls)
    })
    .await;
    assert_eq!(calls["faults"], 0, "{calls:#}");
    let standing = desk.standing().await;
    assert_eq!((&standing["version"], &standing["notice"]), (&json!("0.1.1"), &Value::Null));
}

async fn the_command_line_moves_versions_too(database: Database) {
    let desk = Desk::start(database).await;
    let account = desk.connect(1).await;
    assert_eq!(desk.push(&account, 1).await, 200);
    let (new, bad) = (desk.hold_next().await, desk.hold(faulty()).await);
    let (url, key) = (desk.gateway.url.clone(), desk.gateway.key.clone());
    let run = |args: &[&str]| {
        let gateway = ["--url", url.as_str(), "--key", key.as_str()];
        desk.gateway.run(&["plugin"].into_iter().chain(args.iter().copied()).chain(gateway).collect::<Vec<_>>())
    };
    let (done, said) = run(&["canary", "TELEGRAM", &new, "--account", &account.id, "--reason", "by hand"]);
    assert!(done && said.contains("0.1.1 runs for"), "{said}");
    assert_eq!(desk.read_by(&account, 2).await, "0.1.1");
    let (_, listed) = run(&["list"]);
    assert!(listed.contains(&format!("canary {new} for {}", account.id)), "{listed}");
    assert!(run(&["stop-canary", "TELEGRAM"]).0);
    assert_eq!(desk.read_by(&account, 3).await, "0.1.0");
    assert!(run(&["canary", "TELEGRAM", &new, "--share", "5"]).0);
    assert!(run(&["promote", "TELEGRAM"]).0);
    assert_eq!(desk.read_by(&account, 4).await, "0.1.1");
    let (fits, said) = run(&["shadow", "TELEGRAM", &bad]);
    assert!(!fits && said.contains("it breaks on 4 of them"), "{said}");
    let (overtaken, said) = run(&["rollback", "TELEGRAM", "--generation", "1"]);
    assert!(!overtaken && said.contains("changed meanwhile"), "{said}");
    assert!(run(&["rollback", "TELEGRAM"]).0);
    assert_eq!(desk.read_by(&account, 5).await, "0.1.0");
    assert!(run(&["activate", "TELEGRAM", &new]).0);
    assert_eq!(desk.standing().await["version"], "0.1.1");
}

/// On PostgreSQL alone: with SQLite there is one node.
#[tokio::test]
async fn every_node_runs_the_canary_too() {
    let telegram = Telegram::start().await;
    let node = || Settings::default().redirecting("api.telegram.org", &telegram.url());
    let mut nodes = Nodes::start(vec![node(), node()]).await;
    let (chosen, other) = (connect(&telegram, &nodes.nodes[0], 1).await, connect(&telegram, &nodes.nodes[0], 2).await);
    let new = hold(&nodes.nodes[0], std::fs::read(plugin_file("swap/telegram.wasm")).unwrap()).await;
    let canary = json!({"digest": new, "accounts": [chosen.id]});
    nodes.nodes[0].post("/admin/v1/plugins/TELEGRAM/canary", canary).await.expect_status(200);
    eventually("both nodes run it", || async {
        let standing = standing(&nodes.nodes[0]).await;
        let running = standing["nodes"].as_array()?.iter().filter(|node| node["canary"] == json!(new)).count();
        (running == 2).then_some(())
    })
    .await;
    for (n, node) in nodes.nodes.iter().enumerate() {
        for (account, version) in [(&chosen, "0.1.1"), (&other, "0.1.0")] {
            let body = update(10 * n + usize::from(version == "0.1.1"));
            node.webhook(&account.id, Some(&account.secret), body).await.expect_status(200);
            assert_eq!(last_reader(node, account).await, version, "node {n}");
        }
    }
    // One that comes later finds both.
    let late = nodes.add(node());
    let node = &nodes.nodes[late];
    node.webhook(&chosen.id, Some(&chosen.secret), update(77)).await.expect_status(200);
    assert_eq!(last_reader(node, &chosen).await, "0.1.1");
    // Two that promote what they saw at the same time: one does.
    let seen = standing(node).await["generation"].clone();
    let promote = |n: usize| nodes.nodes[n].post("/admin/v1/plugins/TELEGRAM/promote", json!({"generation": seen}));
    let (first, second) = futures::join!(promote(0), promote(1));
    let mut answers = [first.status, second.status];
    answers.sort_unstable();
    assert_eq!(answers, [200, 409], "{:#} {:#}", first.body, second.body);
    for node in &nodes.nodes {
        eventually("every node runs the promoted version for all", || async {
            let standing = standing(node).await;
            (standing["running"] == json!(new) && standing["canary_running"].is_null()).then_some(())
        })
        .await;
    }
}

both! {
    a_canary_serves_its_accounts_alone_and_is_promoted,
    a_canary_is_stopped_and_lives_through_a_crash,
    a_canary_that_is_revoked_serves_nobody_any_more,
    a_share_is_the_same_accounts_every_time,
    what_was_overtaken_or_makes_no_sense_changes_nothing,
    a_new_version_is_compared_with_what_runs,
    a_difference_has_a_version_wait_where_that_is_asked_for,
    a_version_that_fails_goes_back_by_itself_and_nothing_is_lost,
    a_canary_that_fails_ends_by_itself,
    a_provider_that_fails_is_no_fault_of_the_version,
    the_command_line_moves_versions_too,
}
