//! The desktop that Chromium shows notifications on. The DevTools protocol can't press a notification, and an event that a script
//! dispatches isn't a person's: no window may be opened from it. So the tests play what really presses: the notification server of the
//! session bus, on a bus of their own.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{ece, eventually};

/// No services are started on it, and nobody else is there.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=FOLDER/bus</listen>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>"#;

/// A notification as the desktop has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OnDesktop {
    number: u64,
    pub(crate) title: String,
    /// The site's address, an empty line, and the text.
    pub(crate) body: String,
    /// What lies behind a button, and what is on it.
    buttons: Vec<(String, String)>,
}

impl OnDesktop {
    /// What is on the buttons that the site made; Chromium has two of its own.
    pub(crate) fn labels(&self) -> Vec<&str> {
        let own = |key: &str| matches!(key, "default" | "settings");
        self.buttons.iter().filter(|(key, _)| !own(key)).map(|(_, label)| label.as_str()).collect()
    }
}

/// The bus ends with its input, and so with the test however that ends.
const SERVE: &str = r#"dbus-daemon --nofork --config-file="$1" & bus=$!; read -r _; kill $bus; wait"#;

pub(crate) struct Desktop {
    lines: Arc<Mutex<Vec<Value>>>,
    commands: ChildStdin,
    server: Child,
    bus: Child,
    folder: TempDir,
}

impl Desktop {
    pub(crate) async fn start() -> Desktop {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("bus.conf");
        std::fs::write(&config, BUS.replace("FOLDER", folder.path().to_str().unwrap())).unwrap();
        let mut bus = Command::new("sh");
        bus.args(["-c", SERVE, "sh"]).arg(config).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let bus = bus.spawn().unwrap();
        let socket = folder.path().join("bus");
        eventually("the bus is there (of Debian's dbus-daemon: see `make install`)", || async { socket.exists().then_some(()) }).await;
        let mut server = Command::new(ece::python());
        server.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("it/harness/desktop.py")).env("DBUS_SESSION_BUS_ADDRESS", address(&folder));
        let mut server = server.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (kept, output) = (Arc::clone(&lines), server.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                kept.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        let commands = server.stdin.take().unwrap();
        let desktop = Desktop { lines, commands, server, bus, folder };
        eventually("the desktop is there", || async { desktop.find("ready") }).await;
        desktop
    }

    /// For the programs that show notifications here.
    pub(crate) fn address(&self) -> String {
        address(&self.folder)
    }

    /// The notification of that title, once it is shown and as long as nobody has closed it.
    pub(crate) async fn shown(&self, title: &str) -> OnDesktop {
        eventually(&format!("the desktop shows {title}"), || async { self.open().into_iter().find(|shown| shown.title == title) }).await
    }

    /// Those that nobody has closed, oldest first.
    pub(crate) fn open(&self) -> Vec<OnDesktop> {
        let mut open: Vec<OnDesktop> = Vec::new();
        for line in self.lines.lock().unwrap().iter() {
            let number = line["shown"].as_u64().or_else(|| line["closed"].as_u64());
            open.retain(|shown| Some(shown.number) != number);
            if let Some(number) = line["shown"].as_u64() {
                let text = |name: &str| line[name].as_str().unwrap().to_owned();
                let buttons = serde_json::from_value(line["buttons"].clone()).unwrap();
                open.push(OnDesktop { number, title: text("title"), body: text("body"), buttons });
            }
        }
        open
    }

    /// How often something was shown, anew or again.
    pub(crate) fn times_shown(&self) -> usize {
        self.lines.lock().unwrap().iter().filter(|line| line["shown"].is_u64()).count()
    }

    /// The user presses the notification itself.
    pub(crate) fn press(&mut self, shown: &OnDesktop) {
        self.order(&json!({"press": shown.number, "key": "default"}));
    }

    /// The user presses the button with these words.
    pub(crate) fn press_button(&mut self, shown: &OnDesktop, label: &str) {
        let (key, _) = shown.buttons.iter().find(|(_, words)| words == label).expect("there is no such button");
        self.order(&json!({"press": shown.number, "key": key}));
    }

    /// The user closes it.
    pub(crate) fn dismiss(&mut self, shown: &OnDesktop) {
        self.order(&json!({"dismiss": shown.number}));
    }

    fn order(&mut self, command: &Value) {
        writeln!(self.commands, "{command}").unwrap();
    }

    fn find(&self, name: &str) -> Option<Value> {
        self.lines.lock().unwrap().iter().find_map(|line| line.get(name).cloned())
    }
}

fn address(folder: &TempDir) -> String {
    format!("unix:path={}", folder.path().join("bus").display())
}

impl Drop for Desktop {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        drop(self.bus.stdin.take());
        let _ = self.bus.wait();
    }
}
