//! An author's first ten minutes: `new`, the project's own tests, `build`, `test`, and a message each way through a gateway of his own.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
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
