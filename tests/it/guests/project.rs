//! An author's first ten minutes: `new`, the project's own tests, `build`, `test`, and a message each way through a gateway of his own.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;

use crate::harness::{Database, Gateway, Settings, eventually, eventually_within, program, root};

/// An unoptimised compiler takes its time for a runtime of 20 MB.
const COMPILED: Duration = Duration::from_secs(600);

/// Runs a command of the author's in the project's folder.
fn run(folder: &Path, program: &Path, args: &[&str]) -> String {
    // The repository's own compilations are as good for him: the dependencies are the same.
    let output = Command::new(program).args(args).current_dir(folder).env("CARGO_TARGET_DIR", root().join("target")).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{} {args:?}:\n{text}", program.display());
    text
}

/// `patchbay plugin stand-in`, until it is dropped.
struct StandIn {
    child: Child,
    url: String,
}

impl StandIn {
    fn start(folder: &Path) -> StandIn {
        let mut child = Command::new(program())
            .args(["plugin", "stand-in", ".", "--bind", "127.0.0.1:0"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.next().unwrap().unwrap().split_whitespace().next().unwrap().to_owned();
        // What it says besides has to go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        StandIn { child, url }
    }

    async fn post(&self, path: &str) -> serde_json::Value {
        let answer = reqwest::Client::new().post(format!("{}{path}", self.url)).send().await.unwrap();
        let status = answer.status();
        let body = answer.json().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn ten_minutes(language: &str, tests: &[&str]) {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("parcel-pigeon");
    let told = run(place.path(), &program(), &["plugin", "new", "parcel-pigeon", "--lang", language]);
    assert!(told.contains("patchbay plugin build ."), "{told}");
    let [command, args @ ..] = tests else { panic!("no tests") };
    run(&folder, Path::new(command), args);
    run(&folder, &program(), &["plugin", "build", "."]);
    let checked = run(&folder, &program(), &["plugin", "test", "."]);
    assert!(checked.starts_with("parcel-pigeon: ") && checked.contains(" 0 findings"), "{checked}");

    let stand_in = StandIn::start(&folder);
    let settings = super::patient(Settings::default().without_plugin()).redirecting("api.parcel-pigeon.example", &stand_in.url);
    let gateway = Gateway::start(Database::Sqlite, settings).await;
    std::fs::copy(folder.join("target/plugins/parcel-pigeon.wasm"), gateway.data.join("plugins/parcel-pigeon.wasm")).unwrap();
    eventually_within(COMPILED, "the plugin runs", || async {
        let types = gateway.get("/rest/v1/channel_types").await.expect_status(200);
        types.as_array().unwrap().iter().any(|known| known["type"] == "PARCEL_PIGEON").then_some(())
    })
    .await;
    let account = gateway.create("PARCEL_PIGEON", json!({"token": "a-token-of-mine"})).await;
    assert_eq!(gateway.connect(&account, json!({})).await["connection"], "connected");
    let hi = || json!({"type": "text", "text": "Hi"});
    let first = gateway.send(&account, "user_7", hi(), "sent").await;
    let second = gateway.send(&account, "user_7", hi(), "sent").await;
    assert_ne!(first["external_id"], second["external_id"], "no two messages are called the same");
    stand_in.post("/_standin/say/01-text").await;
    stand_in.post("/_standin/say/01-text").await;
    stand_in.post("/_standin/say/01-text?in_1=in_77").await;
    assert_eq!(gateway.received(&account).await.len(), 2, "the same fixture is the same fact");
    stand_in.post("/_standin/fail?about=nobody%20of%20that%20id").await;
    let request = json!({"channel_account_id": account, "to": "user_7", "content": [hi()]});
    let queued = gateway.post("/rest/v1/messages", request).await.expect_status(202);
    eventually("the error of the suite is the provider's", || async {
        let message = gateway.get(&format!("/rest/v1/messages/{}", queued["id"].as_str()?)).await.expect_status(200);
        (message["failure"]["class"] == "recipient").then_some(())
    })
    .await;
}

/// `patchbay plugin dev`, until it is dropped, and what it has said so far.
struct Dev {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Dev {
    fn start(folder: &Path, gateway: &Gateway) -> Dev {
        let mut child = Command::new(program())
            .args(["plugin", "dev", "."])
            .current_dir(folder)
            .env("CARGO_TARGET_DIR", root().join("target"))
            .env("PATCHBAY_URL", &gateway.url)
            .env("PATCHBAY_KEY", &gateway.key)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let streams: [Box<dyn Read + Send>; 2] = [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for stream in streams {
            let said = Arc::clone(&said);
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    said.lock().unwrap().push_str(&(line + "\n"));
                }
            });
        }
        Dev { child, said }
    }

    async fn says(&self, words: &str) {
        eventually_within(COMPILED, &format!("dev says “{words}”"), || async {
            self.said.lock().unwrap().contains(words).then_some(())
        })
        .await;
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn what_is_changed_runs_as_soon_as_it_builds_and_the_log_is_told() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("quick-pigeon");
    run(place.path(), &program(), &["plugin", "new", "quick-pigeon", "--lang", "rust"]);
    let stand_in = StandIn::start(&folder);
    let settings = super::patient(Settings::default().without_plugin()).redirecting("api.quick-pigeon.example", &stand_in.url);
    let gateway = Gateway::start(Database::Sqlite, settings).await;
    let dev = Dev::start(&folder, &gateway);
    let runs = |version: &'static str| {
        let gateway = &gateway;
        eventually_within(COMPILED, version, move || async move {
            let plugins = gateway.get("/admin/v1/plugins").await.expect_status(200);
            (plugins["types"][0]["version"] == version).then_some(())
        })
    };
    let change = |file: &str, from: &str, to: &str| {
        let path = folder.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    };
    runs("0.1.0").await;
    change("plugin.toml", "version = \"0.1.0\"", "version = \"0.1.1\"");
    runs("0.1.1").await;

    let account = gateway.create("QUICK_PIGEON", json!({"token": "a-token-of-mine"})).await;
    assert_eq!(gateway.connect(&account, json!({})).await["connection"], "connected");
    dev.says("connection").await;

    change("src/lib.rs", "use ", "uze ");
    dev.says("not swapped: ").await;
    runs("0.1.1").await;
    change("src/lib.rs", "uze ", "use ");
    change("plugin.toml", "version = \"0.1.1\"", "version = \"0.1.2\"");
    runs("0.1.2").await;
}

#[tokio::test]
async fn a_new_project_in_rust_sends_and_receives() {
    ten_minutes("rust", &["cargo", "test", "--quiet"]).await;
}

#[tokio::test]
async fn a_new_project_in_javascript_sends_and_receives() {
    ten_minutes("javascript", &["node", "--test"]).await;
}

#[tokio::test]
async fn a_new_project_in_python_sends_and_receives() {
    ten_minutes("python", &["python3", "-m", "unittest", "tests.test_channel"]).await;
}
