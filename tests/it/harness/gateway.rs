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

use super::{Database, TOKEN, events::Listener, eventually};

/// Settings that a test changes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    redirects: Vec<(String, String)>,
    lines: Vec<String>,
    without_plugin: bool,
    plugins: Vec<String>,
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

    /// Another plugin than Telegram's, by its folder's name.
    pub(crate) fn plugin(mut self, name: &str) -> Settings {
        self.plugins.push(name.to_owned());
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
    /// The setting `database.url`.
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
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The program under test: `make test` builds it before the tests.
pub(crate) fn program() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    // target/debug/deps/it-… → target/debug/patchbay
    let program = here.parent().unwrap().parent().unwrap().join("patchbay");
    assert!(program.exists(), "{} is missing: run `make test`, or cargo build -p patchbay", program.display());
    program
}

/// The component of a plugin: `make test` builds it before the tests.
pub(crate) fn plugin_file(name: &str) -> PathBuf {
    let plugins = root().join("target/plugins");
    // The hostile one is in a folder of its own, where no gateway finds it by itself.
    let file = if name == "zoo.wasm" { plugins.join("zoo").join(name) } else { plugins.join(name) };
    assert!(file.exists(), "{} is missing: run `make plugins`", file.display());
    file
}

impl Gateway {
    /// Starts one with a database of its own.
    pub(crate) async fn start(database: Database, settings: Settings) -> Gateway {
        Gateway::start_on(&database.make_url(), &settings)
    }

    /// Starts one on that database, which may be others' too: then only the first is told a key.
    pub(crate) fn start_on(database_url: &str, settings: &Settings) -> Gateway {
        Gateway::try_start_on(database_url, settings).unwrap_or_else(|log| panic!("the gateway didn't start:\n{log}"))
    }

    /// The same; its log where it refuses to start.
    pub(crate) fn try_start_on(database_url: &str, settings: &Settings) -> Result<Gateway, String> {
        let folder = prepare(database_url, settings);
        let (child, url, key) = launch(folder.path())?;
        install_tls();
        let client = Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        Ok(Gateway {
            url,
            key: key.unwrap_or_default(),
            data: folder.path().join("data"),
            database_url: database_url.to_owned(),
            client,
            child,
            folder,
        })
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
        let (child, url, key) = launch(self.folder.path()).unwrap_or_else(|log| panic!("the gateway didn't start:\n{log}"));
        assert!(key.is_none(), "a key is told once");
        self.child = child;
        self.url = url;
    }

    /// Starts it again where it should refuse to; answers its log.
    pub(crate) fn refuse_to_start_again(&mut self) -> String {
        match launch(self.folder.path()) {
            Ok((child, ..)) => {
                self.child = child;
                panic!("it started");
            }
            Err(log) => log,
        }
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(&mut self) {
        self.terminate();
        assert!(self.child.wait().unwrap().success(), "a stop that was asked for is no failure");
    }

    /// Waits until it has stopped, while the test's own servers go on answering it.
    pub(crate) async fn stopped(&mut self) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(40);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(tokio::time::Instant::now() < deadline, "it didn't stop");
            tokio::time::sleep(Duration::from_millis(25)).await;
        };
        assert!(status.success(), "a stop that was asked for is no failure");
    }

    /// Takes its database away.
    pub(crate) fn drop_database(&self) {
        Database::drop_url(&self.database_url);
    }

    /// A request that the test sends itself.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    /// The same without a key.
    pub(crate) fn bare_request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// With an Idempotency-Key; answers the headers too.
    pub(crate) async fn post_once(&self, path: &str, key: &str, body: Value) -> (Answer, HeaderMap) {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.key).header("idempotency-key", key).json(&body);
        let response = request.send().await.unwrap();
        let headers = response.headers().clone();
        (Answer::of(response).await, headers)
    }

    pub(crate) async fn upload_once(&self, path: &str, key: &str, bytes: Vec<u8>) -> Answer {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.key).header("idempotency-key", key);
        Answer::of(request.header("content-type", "image/png").body(bytes).send().await.unwrap()).await
    }

    /// Has the process die at that step of an attempt: see `outbox/crash.rs`.
    pub(crate) fn crash_at(&self, step: &str) {
        std::fs::write(self.data.join("crash-at"), step).unwrap();
    }

    /// Posts to a process that may die of it.
    pub(crate) async fn post_and_crash(&mut self, path: &str, body: Value) {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.key).json(&body);
        // Its answer may be lost with the process.
        let _ = request.send().await;
        eventually("the process dies", || {
            let ended = self.child.try_wait().unwrap();
            async move { ended }
        })
        .await;
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

    /// What the process has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("gateway.log")).unwrap()
    }

    /// Another key.
    pub(crate) fn new_key(&self, scope: &str, organization: &str) -> String {
        let (made, key) = self.run(&["key", "new", "--scope", scope, "--organization", organization]);
        assert!(made, "{key}");
        key.lines().last().unwrap().trim().to_owned()
    }

    /// Runs the program with these arguments on the same data.
    pub(crate) fn run(&self, args: &[&str]) -> (bool, String) {
        let (status, text) = self.run_to_status(args);
        (status == Some(0), text)
    }

    /// The same with the exit status.
    pub(crate) fn run_to_status(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = Command::new(program()).arg("--config").arg(self.folder.path().join("patchbay.toml")).args(args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text)
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

/// Writes the configuration and the data folder.
fn prepare(database_url: &str, settings: &Settings) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir_all(data.join("plugins")).unwrap();
    if !settings.without_plugin {
        std::fs::copy(plugin_file("telegram.wasm"), data.join("plugins/telegram.wasm")).unwrap();
    }
    for name in &settings.plugins {
        let file = plugin_file(&format!("{name}.wasm"));
        std::fs::copy(&file, data.join("plugins").join(file.file_name().unwrap())).unwrap();
    }
    // Compiled once for all gateways of the suite: the names are digests.
    let compiled = root().join("target/it-compiled");
    std::fs::create_dir_all(&compiled).unwrap();
    std::os::unix::fs::symlink(&compiled, data.join("compiled")).unwrap();
    let mut config = format!("data = {data:?}\n");
    config += &settings.lines.join("\n");
    if !settings.lines.iter().any(|line| line.starts_with("outbox.rates")) {
        // The tests are faster than Telegram lets a bot be; those of the rates set their own.
        config += "\noutbox.rates.TELEGRAM = { per_account_per_s = 0, per_conversation_per_s = 0, per_group_per_min = 0 }";
    }
    // With their whole paths: a test may add settings of the same tables.
    config += "\nhttp.bind = \"127.0.0.1:0\"\n";
    config += &format!("database.url = \"{database_url}\"\ndatabase.connections = 8\n");
    if !settings.redirects.is_empty() {
        config += "[egress.redirect]\n";
        for (host, url) in &settings.redirects {
            config += &format!("\"{host}\" = \"{url}\"\n");
        }
    }
    std::fs::write(folder.path().join("patchbay.toml"), config).unwrap();
    folder
}

/// Starts the process and reads what it announces: its address, and its key on the first start. Its log where it ends instead.
fn launch(folder: &Path) -> Result<(Child, String, Option<String>), String> {
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
            return Ok((child, url.expect("the address comes first"), key));
        }
    }
    child.wait().unwrap();
    Err(std::fs::read_to_string(folder.join("gateway.log")).unwrap())
}

/// What a request was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn of(response: reqwest::Response) -> Answer {
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
