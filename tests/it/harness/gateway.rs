//! A gateway process of the test's own.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Once,
    time::Duration,
};

use reqwest::{Client, Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};
use sqlx::Connection as _;
use tempfile::TempDir;

use super::{Database, TOKEN, events::Listener};

/// Settings that a test changes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    redirects: Vec<(String, String)>,
    lines: Vec<String>,
    without_plugin: bool,
}

impl Settings {
    pub(crate) fn redirecting(mut self, host: &str, url: &str) -> Settings {
        self.redirects.push((host.to_owned(), url.to_owned()));
        self
    }

    /// A setting in TOML, with its whole path: `outbox.retry_s = [1]`.
    pub(crate) fn line(mut self, line: &str) -> Settings {
        self.lines.push(line.to_owned());
        self
    }

    pub(crate) fn without_plugin(mut self) -> Settings {
        self.without_plugin = true;
        self
    }
}

pub(crate) struct Gateway {
    pub(crate) url: String,
    pub(crate) key: String,
    pub(crate) data: PathBuf,
    database_url: String,
    client: Client,
    child: Child,
    /// Holds the data folder; removed with the test.
    folder: TempDir,
}

/// What every HTTP client of the tests needs before it is made.
pub(crate) fn install_tls() {
    static TLS: Once = Once::new();
    TLS.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
}

/// The project's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The program under test: `make test` builds it before the tests.
fn program() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    // target/debug/deps/it-… → target/debug/patchbay
    let program = here.parent().unwrap().parent().unwrap().join("patchbay");
    assert!(program.exists(), "{} is missing: run `make test`, or cargo build -p patchbay", program.display());
    program
}

/// The component of a plugin: `make test` builds it before the tests.
pub(crate) fn plugin_file(name: &str) -> PathBuf {
    let file = root().join("target/plugins").join(name);
    assert!(file.exists(), "{} is missing: run `make plugins`", file.display());
    file
}

impl Gateway {
    pub(crate) async fn start(database: Database, settings: Settings) -> Gateway {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir_all(data.join("plugins")).unwrap();
        if !settings.without_plugin {
            std::fs::copy(plugin_file("telegram.wasm"), data.join("plugins/telegram.wasm")).unwrap();
        }
        // Compiled once for all gateways of the suite: the names are digests.
        let compiled = root().join("target/it-compiled");
        std::fs::create_dir_all(&compiled).unwrap();
        std::os::unix::fs::symlink(&compiled, data.join("compiled")).unwrap();
        let mut config = format!("data = {data:?}\n");
        config += &settings.lines.join("\n");
        config += "\n[http]\nbind = \"127.0.0.1:0\"\n";
        let database_url = database.make_url();
        config += &format!("[database]\nurl = \"{database_url}\"\nconnections = 8\n");
        if !settings.redirects.is_empty() {
            config += "[egress.redirect]\n";
            for (host, url) in &settings.redirects {
                config += &format!("\"{host}\" = \"{url}\"\n");
            }
        }
        std::fs::write(folder.path().join("patchbay.toml"), config).unwrap();
        let (child, url, key) = launch(folder.path());
        install_tls();
        let client = Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        Gateway { url, key: key.expect("the first start tells a key"), data, database_url, client, child, folder }
    }

    /// Does something to the database behind the gateway's back.
    pub(crate) async fn execute(&self, statement: &'static str) {
        if self.database_url.is_empty() {
            let file = self.data.join("patchbay.db");
            let mut database = sqlx::SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
            sqlx::query(statement).execute(&mut database).await.unwrap();
        } else {
            let mut database = sqlx::PgConnection::connect(&self.database_url).await.unwrap();
            sqlx::query(statement).execute(&mut database).await.unwrap();
        }
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same data.
    pub(crate) fn start_again(&mut self) {
        let (child, url, key) = launch(self.folder.path());
        assert!(key.is_none(), "a key is told once");
        self.child = child;
        self.url = url;
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(&mut self) {
        let status = Command::new("kill").args(["-TERM", &self.id().to_string()]).status().unwrap();
        assert!(status.success());
        assert!(self.child.wait().unwrap().success(), "a stop that was asked for is no failure");
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, None).await
    }

    pub(crate) async fn upload(&self, path: &str, mime_type: &str, bytes: Vec<u8>) -> Answer {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.key).header("content-type", mime_type).body(bytes);
        Answer::of(request.send().await.unwrap()).await
    }

    pub(crate) async fn download(&self, path: &str) -> (u16, Vec<u8>) {
        let response = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.key).send().await.unwrap();
        (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
    }

    pub(crate) async fn headers(&self, path: &str) -> HeaderMap {
        self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.key).send().await.unwrap().headers().clone()
    }

    /// With another key, or none.
    pub(crate) async fn ask_as(&self, key: Option<&str>, method: Method, path: &str) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(key) = key {
            request = request.header("apikey", key);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    /// A webhook as Telegram posts it.
    pub(crate) async fn webhook(&self, account: &str, secret: Option<&str>, body: impl Into<reqwest::Body>) -> Answer {
        Answer::of(self.webhook_request(account, secret, body).send().await.unwrap()).await
    }

    pub(crate) fn webhook_request(&self, account: &str, secret: Option<&str>, body: impl Into<reqwest::Body>) -> RequestBuilder {
        let request = self.client.post(format!("{}/webhooks/{account}", self.url)).header("content-type", "application/json").body(body);
        match secret {
            Some(secret) => request.header("x-telegram-bot-api-secret-token", secret),
            None => request,
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    /// Makes an active Telegram account with these settings besides its token; answers its id.
    pub(crate) async fn create_account(&self, name: &str, settings: Value) -> String {
        let mut whole = json!({"bot_token": TOKEN});
        whole.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let new = json!({"organization_id": "org-1", "name": name, "type": "TELEGRAM", "settings": whole, "is_active": true});
        self.post("/rest/v1/channel_accounts", new).await.expect_status(201)["id"].as_str().unwrap().to_owned()
    }

    /// Listens to the events from here on, or after the one named.
    pub(crate) async fn listen(&self, last: Option<&str>) -> Listener {
        Listener::open(&self.url, &self.key, last).await
    }

    /// Runs the program with these arguments on the same data.
    pub(crate) fn run(&self, args: &[&str]) -> (bool, String) {
        let output = Command::new(program()).arg("--config").arg(self.folder.path().join("patchbay.toml")).args(args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), text)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Already gone where the test ended it.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("gateway.log")).unwrap_or_default();
            eprintln!("---- what the gateway logged ----\n{log}");
        }
    }
}

/// Starts the process and reads what it announces: its address, and its key on the first start.
fn launch(folder: &Path) -> (Child, String, Option<String>) {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("gateway.log")).unwrap();
    let mut child = Command::new(program())
        .arg("--config")
        .arg(folder.join("patchbay.toml"))
        .arg("serve")
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut url = None;
    for line in lines.by_ref() {
        let line = line.unwrap();
        if let Some(address) = line.strip_prefix("Patchbay ") {
            url = address.split(" on ").nth(1).map(str::to_owned);
        }
        if let Some(rest) = line.trim().strip_prefix("key ") {
            let key = rest.split_whitespace().next().filter(|word| word.starts_with("pb_")).map(str::to_owned);
            return (child, url.expect("the address comes first"), key);
        }
    }
    child.wait().unwrap();
    panic!("the gateway didn't start:\n{}", std::fs::read_to_string(folder.join("gateway.log")).unwrap());
}

/// What a request was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    async fn of(response: reqwest::Response) -> Answer {
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    /// The body, where the status is the expected one.
    pub(crate) fn expect_status(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }
}
