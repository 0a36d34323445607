//! A headless Chromium of the test's own, spoken to by the DevTools protocol.
//!
//! The protocol comes by a pipe (`--remote-debugging-pipe`): JSON that ends with a zero byte. That takes no crate, no port and no wait for one,
//! and Chromium ends by itself when the test does, because its pipe ends then.

use std::{
    collections::HashMap,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::Url;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::oneshot,
};

use super::{Desktop, eventually};

/// How long an answer may take: a machine with more tests than processors is slow to open windows.
const PATIENCE: Duration = Duration::from_secs(60);
const ENDED: &str = "Chromium has ended, or was never there: `make install` installs it";
/// The shell puts the pipe where Chromium looks for it.
const LAUNCH: &str = r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;

pub(crate) struct Chromium {
    wire: Arc<Wire>,
    child: Child,
    pub(crate) desktop: Desktop,
    profile: TempDir,
}

/// Something that runs scripts: a page, or a service worker.
pub(crate) struct Target {
    wire: Arc<Wire>,
    session: String,
}

struct Wire {
    count: AtomicU64,
    input: tokio::sync::Mutex<ChildStdin>,
    /// Who waits for the answer of which call.
    waiting: Mutex<HashMap<u64, oneshot::Sender<Value>>>,
    events: Mutex<Vec<Value>>,
}

impl Wire {
    /// Calls a method, of the browser where no session is named.
    async fn call(&self, session: Option<&str>, method: &str, parameters: Value) -> Value {
        let id = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id, sender);
        let mut line = message.to_string().into_bytes();
        line.push(0);
        self.input.lock().await.write_all(&line).await.expect(ENDED);
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        let answer = answer.unwrap_or_else(|_| panic!("Chromium doesn't answer {method}")).expect(ENDED);
        assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        answer["result"].clone()
    }

    async fn read(self: Arc<Self>, output: ChildStdout) {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(0, &mut line).await.is_ok_and(|read| read > 0) {
            line.pop();
            let message: Value = serde_json::from_slice(&line).unwrap();
            line.clear();
            match message["id"].as_u64().and_then(|id| self.waiting.lock().unwrap().remove(&id)) {
                // Nobody waits any more where a test has failed.
                Some(sender) => drop(sender.send(message)),
                None => self.events.lock().unwrap().push(message),
            }
        }
        // Those who wait are told that nothing will come.
        self.waiting.lock().unwrap().clear();
    }
}

impl Chromium {
    pub(crate) async fn start() -> Chromium {
        let desktop = Desktop::start().await;
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", LAUNCH, "sh", "chromium", "--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu"]);
        // Root has no user of less rights to put the sandbox into. Nothing but the tests' own pages is opened.
        command.args(["--no-sandbox", "--disable-dev-shm-usage", &format!("--user-data-dir={}", profile.path().display()), "about:blank"]);
        command.env("DBUS_SESSION_BUS_ADDRESS", desktop.address());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let wire = Wire { count: AtomicU64::new(0), input: input.into(), waiting: Mutex::default(), events: Mutex::default() };
        let wire = Arc::new(wire);
        tokio::spawn(Arc::clone(&wire).read(output));
        let chromium = Chromium { wire, child, desktop, profile };
        chromium.alive().await;
        chromium
    }

    async fn alive(&self) {
        let call = self.wire.call(None, "Browser.getVersion", json!({}));
        tokio::time::timeout(PATIENCE, call).await.expect("Chromium doesn't start");
    }

    /// The origin may show notifications.
    pub(crate) async fn allow_notifications(&self, origin: &str) {
        self.wire.call(None, "Browser.grantPermissions", json!({"origin": origin, "permissions": ["notifications"]})).await;
    }

    /// Opens a page, with a script that runs before any of its own.
    pub(crate) async fn open(&self, url: &str, script: &str) -> Target {
        let made = self.wire.call(None, "Target.createTarget", json!({"url": "about:blank"})).await;
        let page = self.attach(made["targetId"].as_str().unwrap()).await;
        for domain in ["Page.enable", "Runtime.enable", "Log.enable", "ServiceWorker.enable"] {
            page.call(domain, json!({})).await;
        }
        page.call("Page.addScriptToEvaluateOnNewDocument", json!({"source": script})).await;
        page.load(url).await;
        page
    }

    /// The addresses of the pages that are open.
    pub(crate) async fn pages(&self) -> Vec<String> {
        self.targets("page").await.into_iter().map(|(_, url)| url).collect()
    }

    /// The service worker whose script has that address, once it runs.
    pub(crate) async fn worker(&self, script: &str) -> Target {
        let found = || async { self.targets("service_worker").await.into_iter().find(|(_, url)| url == script) };
        let (id, _) = eventually(&format!("the worker {script} runs"), found).await;
        self.attach(&id).await
    }

    async fn targets(&self, kind: &str) -> Vec<(String, String)> {
        let all = self.wire.call(None, "Target.getTargets", json!({})).await;
        let text = |target: &Value, name: &str| target[name].as_str().unwrap().to_owned();
        let wanted = all["targetInfos"].as_array().unwrap().iter().filter(|target| target["type"] == kind);
        wanted.map(|target| (text(target, "targetId"), text(target, "url"))).collect()
    }

    async fn attach(&self, target: &str) -> Target {
        let attached = self.wire.call(None, "Target.attachToTarget", json!({"targetId": target, "flatten": true})).await;
        Target { wire: Arc::clone(&self.wire), session: attached["sessionId"].as_str().unwrap().to_owned() }
    }

    /// Has the push service's connection deliver a push to the worker of that scope, as the browser does once it has decrypted it.
    pub(crate) async fn deliver(&self, page: &Target, scope: &str, data: &str) {
        let registration = eventually(&format!("{scope} is registered"), || async { self.registration(scope) }).await;
        let origin = Url::parse(scope).unwrap().origin().ascii_serialization();
        page.call("ServiceWorker.deliverPushMessage", json!({"origin": origin, "registrationId": registration, "data": data})).await;
    }

    /// The newest registration of that scope that the browser told of.
    fn registration(&self, scope: &str) -> Option<String> {
        let events = self.wire.events.lock().unwrap();
        let told = events.iter().filter(|event| event["method"] == "ServiceWorker.workerRegistrationUpdated");
        let mut all = told.flat_map(|event| event["params"]["registrations"].as_array().unwrap());
        let found = all.rfind(|registration| registration["scopeURL"] == scope && registration["isDeleted"] == false)?;
        found["registrationId"].as_str().map(ToOwned::to_owned)
    }

    /// What pages and workers wrote to their consoles, and what their policies forbade.
    pub(crate) fn complaints(&self) -> Vec<Value> {
        let kinds = ["Runtime.exceptionThrown", "Log.entryAdded", "ServiceWorker.workerErrorReported"];
        self.wire.events.lock().unwrap().iter().filter(|event| kinds.iter().any(|kind| event["method"] == *kind)).cloned().collect()
    }
}

impl Target {
    async fn call(&self, method: &str, parameters: Value) -> Value {
        self.wire.call(Some(&self.session), method, parameters).await
    }

    /// Goes to a page and waits until all of it is there.
    pub(crate) async fn load(&self, url: &str) {
        let gone = self.call("Page.navigate", json!({"url": url})).await;
        assert!(gone["errorText"].is_null(), "{url}: {gone}");
        let loaded = || async { (self.evaluate("document.readyState").await == "complete").then_some(()) };
        eventually(&format!("{url} is loaded"), loaded).await;
    }

    /// Presses a key, as somebody at the keyboard does.
    pub(crate) async fn press(&self, key: &str) {
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({"type": kind, "key": key, "code": key, "text": text, "windowsVirtualKeyCode": 13});
            self.call("Input.dispatchKeyEvent", event).await;
        }
    }

    /// The value of an expression, waited for where it is a promise. It runs as if the user had just clicked.
    pub(crate) async fn evaluate(&self, expression: &str) -> Value {
        self.try_evaluate(expression).await.unwrap_or_else(|thrown| panic!("{expression}: {thrown}"))
    }

    /// The same; what it throws instead.
    pub(crate) async fn try_evaluate(&self, expression: &str) -> Result<Value, Value> {
        let how = json!({"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true});
        let evaluated = self.call("Runtime.evaluate", how).await;
        let thrown = &evaluated["exceptionDetails"];
        if thrown.is_null() { Ok(evaluated["result"]["value"].clone()) } else { Err(thrown.clone()) }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.child.start_kill();
        // Its own children end with it, and write to the profile until they have.
        for _ in 0..100 {
            let ended = self.child.try_wait().is_ok_and(|status| status.is_some());
            if ended && std::fs::remove_dir_all(self.profile.path()).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
