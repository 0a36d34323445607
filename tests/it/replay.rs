//! A call that failed, kept without secrets and run again on its author's machine.

use patchbay_guests::Guest;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Database, Gateway, Receiver, Settings, both, eventually};

/// A credential that stands in what comes in, too.
const TOKEN: &str = "pigeon/4711:AAE+standin-token";

/// What the guest says, by address: a target, a method, a path, a secret, a key, a code.
const WORDS: &str = r#"(data (i32.const 9000) "apiPOST/thingtokenseen{}too_bad")"#;
/// A request to the target, its 84 bytes: three texts, no query, no headers, the body `{}`.
const REQUEST: &str = r#"(data (i32.const 8192) "\28\23\00\00\03\00\00\00\2b\23\00\00\04\00\00\00\2f\23\00\00\06\00\00\00")
    (data (i32.const 8232) "\01\00\00\00\3e\23\00\00\02\00\00\00")"#;
/// `ok("{}")`.
const CONFIGURE: &str = "(i32.store offset=8 (i32.const 16384) (i32.const 9022))
    (i32.store offset=12 (i32.const 16384) (i32.const 2))
    (i32.const 16384)";
/// Asks the provider, and doesn't survive the answer.
const HEALTH: &str = "(call $http.send (i32.const 8192) (i32.const 4096)) unreachable";

/// What becomes of a body `{"do":"…`.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Traps at `trap`, loops at `loop`, fails at `fail`, and takes everything else.
    Faulty,
    /// The same, and it takes `trap`.
    Mended,
    /// Looks for another key.
    Straying,
}

fn component(kind: Kind) -> Vec<u8> {
    let key = if kind == Kind::Straying { 9019 } else { 9018 };
    let trap = if kind == Kind::Mended { "" } else { "(if (i32.eq (local.get $do) (i32.const 116)) (then unreachable))" };
    // A webhook's body is at 64 of its record, and what to do is behind `{"do":"`.
    let parse = format!(
        "(local $body i32) (local $length i32) (local $do i32)
         (local.set $body (i32.load offset=64 (local.get 0)))
         (local.set $length (i32.load offset=68 (local.get 0)))
         (local.set $do (i32.load8_u offset=7 (local.get $body)))
         (call $kv.get (i32.const {key}) (i32.const 4) (i32.const 4096))
         (call $crypto.random (i32.const 16) (i32.const 4096))
         (call $crypto.hmac (i32.const 9013) (i32.const 5) (i32.const 1) (local.get $body) (local.get $length) (i32.const 4096))
         (call $log.write (i32.const 3) (local.get $body) (local.get $length) (i32.const 0) (i32.const 0))
         {trap}
         (if (i32.eq (local.get $do) (i32.const 108)) (then (loop $again (br $again))))
         (if (i32.eq (local.get $do) (i32.const 102)) (then
           (i32.store8 (i32.const 32768) (i32.const 1))
           (i32.store8 offset=8 (i32.const 32768) (i32.const 10))
           (i32.store offset=16 (i32.const 32768) (i32.const 9024))
           (i32.store offset=20 (i32.const 32768) (i32.const 7))
           (i32.store offset=24 (i32.const 32768) (i32.const 9024))
           (i32.store offset=28 (i32.const 32768) (i32.const 7))))
         (i32.const 32768)"
    );
    let hooks = [("configure", CONFIGURE), ("health", HEALTH), ("parse-inbound", parse.as_str())];
    let items = format!("{WORDS}\n{REQUEST}");
    let component = Guest { hooks: &hooks, items: &items, ..Guest::default() }.component();
    let manifest = json!({
        "id": "pigeon", "type": "PIGEON", "version": "1.0.0", "name": "Pigeon", "contract": patchbay::manifest::CONTRACT,
        "settings": {"type": "object", "properties": {"token": {"type": "string", "writeOnly": true}}},
        "secrets": {"token": {"title": "Token", "from": "typed", "required": true}},
        "egress": {"api": {"base": "https://api.pigeon.example", "methods": ["POST"], "bearer": "token"}},
        "webhook": {"scope": "account", "max_body_kb": 64,
                    "verify": {"kind": "secret-header", "header": "x-pigeon-token", "secret": "token"}},
        "capabilities": {"commands": []},
    });
    let manifest = patchbay::manifest::Manifest::from_json(manifest.to_string().as_bytes()).unwrap();
    patchbay::manifest::embed(&component, &manifest).unwrap()
}

struct Loft {
    gateway: Gateway,
    account: String,
    provider: Receiver,
}

impl Loft {
    async fn open(database: Database, settings: Settings) -> Loft {
        let provider = Receiver::start().await;
        let settings = settings.without_plugin().redirecting("api.pigeon.example", provider.url().trim_end_matches("/hook"));
        let gateway = Gateway::start(database, settings).await;
        gateway.upload("/admin/v1/plugins", "application/wasm", component(Kind::Faulty)).await.expect_status(201);
        let new = json!({"organization_id": "org-1", "name": "Loft", "type": "PIGEON", "settings": {"token": TOKEN}, "is_active": true});
        let account = gateway.post("/rest/v1/channel_accounts", new).await.expect_status(201);
        let account = account["id"].as_str().unwrap().to_owned();
        Loft { gateway, account, provider }
    }

    /// A webhook in which the token stands; answers the status.
    async fn webhook(&self, what: &str) -> u16 {
        let body = json!({"do": what, "token": TOKEN}).to_string();
        let request = self.gateway.request(Method::POST, &format!("/webhooks/{}", self.account));
        request
            .header("x-pigeon-token", TOKEN)
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    }

    async fn calls(&self, filters: &str) -> Vec<Value> {
        let calls = self.gateway.get(&format!("/admin/v1/plugins/calls?{filters}")).await.expect_status(200);
        calls.as_array().unwrap().clone()
    }

    /// Waits for the records of so many failed calls; answers the newest.
    async fn newest(&self, count: usize) -> Value {
        eventually("the failed call is kept", || async {
            let calls = self.calls("type=PIGEON").await;
            (calls.len() >= count).then(|| calls[0].clone())
        })
        .await
    }

    /// `patchbay plugin …` with the gateway's address and key.
    fn plugin(&self, args: &[&str]) -> (Option<i32>, String) {
        let args = [&["plugin"], args, &["--url", &self.gateway.url, "--key", &self.gateway.key]].concat();
        self.gateway.run_to_status(&args)
    }

    fn file(&self, name: &str) -> String {
        self.gateway.data.join(name).display().to_string()
    }

    fn component_file(&self, kind: Kind, name: &str) -> String {
        let file = self.file(name);
        std::fs::write(&file, component(kind)).unwrap();
        file
    }
}

async fn a_call_that_trapped_is_kept_without_secrets_and_traps_again(database: Database) {
    let loft = Loft::open(database, Settings::default()).await;
    assert_eq!(loft.webhook("trap").await, 503);
    let call = loft.newest(1).await;
    assert_eq!((&call["hook"], &call["outcome"], &call["version"]), (&json!("parse"), &json!("trap"), &json!("1.0.0")), "{call:#}");
    assert_eq!(call["channel_account_id"], loft.account.as_str());
    let id = call["id"].as_str().unwrap();

    let record = loft.gateway.get(&format!("/admin/v1/plugins/calls/{id}")).await.expect_status(200);
    let names: Vec<&String> =
        record["exchanges"].as_array().unwrap().iter().flat_map(|exchange| exchange["asked"].as_object().unwrap().keys()).collect();
    assert_eq!(names, ["kv_get", "random", "hmac"], "{record:#}");
    assert_eq!(record["input"]["webhook"]["method"], "POST");
    assert!(record["log"][0]["message"].as_str().unwrap().starts_with("{\"do\":\"trap\""), "{record:#}");
    assert_eq!(record["blanked"], json!(["token"]));
    let text = format!("{record} {call}");
    for secret in [TOKEN, "pigeon/4711", "pigeon\\/4711", "standin-token"] {
        assert!(!text.contains(secret), "“{secret}” is in {text}");
    }
    let entry = eventually("the account's log names the record", || async {
        let path = format!("/rest/v1/account_logs?channel_account_id={}&kind=webhook", loft.account);
        let entries = loft.gateway.get(&path).await.expect_status(200);
        entries.as_array().unwrap().iter().find(|entry| entry["code"] == "plugin_fault").cloned()
    })
    .await;
    assert_eq!(entry["details"]["call_id"], id, "{entry:#}");

    let (listed, text) = loft.plugin(&["calls", "--type", "PIGEON", "--hook", "parse"]);
    assert!(listed == Some(0) && text.contains(id) && text.contains("trap"), "{text}");
    let (saved, fixture) = (loft.file("call.json"), loft.file("fixture.json"));
    let (status, text) = loft.plugin(&["replay", id, "--save", &saved, "--as-fixture", &fixture]);
    assert_eq!(status, Some(0), "{text}");
    for shown in ["crypto.hmac", "The same outcome as recorded.", "fault trap", "{\"do\":\"trap\""] {
        assert!(text.contains(shown), "“{shown}” isn't in {text}");
    }
    let fixture: Value = serde_json::from_str(&std::fs::read_to_string(fixture).unwrap()).unwrap();
    assert_eq!((&fixture["body"]["do"], &fixture["method"], &fixture["expected"]), (&json!("trap"), &json!("POST"), &json!([])));

    // From a file, and without the gateway.
    let run = |file: &str, component: &str| loft.gateway.run_to_status(&["plugin", "replay", file, "--component", component]);
    let (status, text) = run(&saved, &loft.component_file(Kind::Faulty, "faulty.wasm"));
    assert_eq!(status, Some(0), "{text}");
    let (status, text) = run(&saved, &loft.component_file(Kind::Mended, "mended.wasm"));
    assert!(status == Some(1) && text.contains("the fault is gone"), "{text}");
    let (status, text) = run(&saved, &loft.component_file(Kind::Straying, "straying.wasm"));
    assert!(status == Some(2) && text.contains("exchange 1 differs") && text.contains("\"key\":\"een{\""), "{text}");
    let (status, text) = loft.gateway.run_to_status(&["plugin", "replay", &saved]);
    assert!(status == Some(3) && text.contains("--component"), "{text}");

    // What the call waited for until its time was over it waits for again.
    let mut record: Value = serde_json::from_str(&std::fs::read_to_string(&saved).unwrap()).unwrap();
    record["exchanges"].as_array_mut().unwrap().truncate(1);
    record["exchanges"][0]["answer"] = Value::Null;
    record["outcome"] = json!({"fault": {"word": "deadline", "text": "no answer"}});
    std::fs::write(&saved, record.to_string()).unwrap();
    let (status, text) = run(&saved, &loft.file("faulty.wasm"));
    assert!(status == Some(0) && text.contains("fault deadline"), "{text}");
    // And what the record has no more of isn't made up.
    record["exchanges"] = json!([]);
    std::fs::write(&saved, record.to_string()).unwrap();
    let (status, text) = run(&saved, &loft.file("faulty.wasm"));
    assert!(status == Some(2) && text.contains("past the end") && text.contains("kv.get"), "{text}");
}

async fn a_loop_a_failing_of_its_own_and_a_fault_behind_a_request_end_the_same_again(database: Database) {
    let loft = Loft::open(database, Settings::default()).await;
    assert_eq!(loft.webhook("open").await, 200);
    for (count, what, outcome) in [(1, "loop", "cpu"), (2, "fail", "failure.fault")] {
        assert_eq!(loft.webhook(what).await, 503);
        let call = loft.newest(count).await;
        assert_eq!(call["outcome"], outcome, "{call:#}");
        let (status, text) = loft.plugin(&["replay", call["id"].as_str().unwrap()]);
        assert!(status == Some(0) && text.contains("The same outcome"), "{text}");
    }
    let checked = loft.gateway.post(&format!("/rest/v1/channel_accounts/{}/health", loft.account), json!({})).await;
    assert!(!loft.provider.received().is_empty(), "{:#}", checked.body);
    let call = loft.newest(3).await;
    assert_eq!((&call["hook"], &call["outcome"]), (&json!("health"), &json!("trap")), "{call:#}");
    let id = call["id"].as_str().unwrap();
    let record = loft.gateway.get(&format!("/admin/v1/plugins/calls/{id}")).await.expect_status(200);
    let exchange = &record["exchanges"][0];
    assert_eq!((&exchange["asked"]["http"]["target"], &exchange["asked"]["http"]["path"]), (&json!("api"), &json!("/thing")), "{record:#}");
    assert!(exchange["answer"]["response"]["Ok"]["status"].is_u64(), "{record:#}");
    assert!(!record.to_string().contains(TOKEN), "{record:#}");
    let asked = loft.provider.received().len();
    let (status, text) = loft.plugin(&["replay", id]);
    assert!(status == Some(0) && text.contains("http.send"), "{text}");
    assert_eq!(loft.provider.received().len(), asked, "a replay asks nobody");
    assert_eq!(loft.calls("type=PIGEON").await.len(), 3, "a call that went well isn't kept");
}

async fn records_are_few_listed_page_by_page_and_the_operators_alone(database: Database) {
    let loft = Loft::open(database, Settings::default().line("plugins.failed_calls = 3")).await;
    let mut seen: Vec<String> = Vec::new();
    for n in 1..=5 {
        assert_eq!(loft.webhook("trap").await, 503);
        let newest = eventually("the next one is kept", || async {
            let id = loft.calls("").await.first()?["id"].as_str()?.to_owned();
            (!seen.contains(&id)).then_some(id)
        })
        .await;
        seen.push(newest);
        assert_eq!(seen.len(), n);
    }
    seen.reverse();
    let ids = |calls: Vec<Value>| calls.iter().map(|call| call["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(loft.calls("").await), seen[..3], "the newest stay");
    assert_eq!(ids(loft.calls("limit=2").await), seen[..2]);
    assert_eq!(ids(loft.calls(&format!("limit=2&before={}", seen[1])).await), seen[2..3]);
    let whole = format!("type=PIGEON&version=1.0.0&hook=parse&account={}", loft.account);
    assert_eq!(loft.calls(&whole).await.len(), 3);
    for none in ["type=TELEGRAM", "version=2.0.0", "hook=send", "account=nobody", "digest=00"] {
        assert!(loft.calls(none).await.is_empty(), "{none}");
    }
    loft.gateway.get("/admin/v1/plugins/calls?colour=red").await.expect_status(400);
    loft.gateway.get(&format!("/admin/v1/plugins/calls/{}", seen[4])).await.expect_status(404);
    let theirs = loft.gateway.new_key("admin", "org-1");
    let digest = loft.calls("").await[0]["digest"].as_str().unwrap().to_owned();
    for path in ["calls".to_owned(), format!("calls/{}", seen[0]), format!("versions/{digest}/component")] {
        loft.gateway.ask_as(Some(&theirs), Method::GET, &format!("/admin/v1/plugins/{path}")).await.expect_status(403);
    }
    let (status, bytes) = loft.gateway.download(&format!("/admin/v1/plugins/versions/{digest}/component")).await;
    assert!(status == 200 && bytes == component(Kind::Faulty));
}

both! {
    a_call_that_trapped_is_kept_without_secrets_and_traps_again,
    a_loop_a_failing_of_its_own_and_a_fault_behind_a_request_end_the_same_again,
    records_are_few_listed_page_by_page_and_the_operators_alone,
}
