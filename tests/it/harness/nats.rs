//! A NATS server of the test's own, with JetStream in a folder that outlives its process.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::eventually;

pub(crate) struct NatsServer {
    port: u16,
    folder: TempDir,
    child: Child,
}

impl NatsServer {
    pub(crate) async fn start() -> NatsServer {
        let folder = tempfile::tempdir().unwrap();
        // Free a moment ago: nobody else on this machine takes it just now.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = launch(port, folder.path());
        let server = NatsServer { port, folder, child };
        server.ready().await;
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Ends the process as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same data.
    pub(crate) async fn start_again(&mut self) {
        self.child = launch(self.port, self.folder.path());
        self.ready().await;
    }

    async fn ready(&self) {
        eventually("NATS listens", || async { tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.ok() }).await;
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        // Already gone where the test ended it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(port: u16, folder: &Path) -> Child {
    Command::new(program())
        .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"])
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("nats-server is missing: run `make install`")
}

/// Debian keeps it where only root's path leads.
fn program() -> PathBuf {
    let debian = Path::new("/usr/sbin/nats-server");
    if debian.exists() { debian.to_owned() } else { PathBuf::from("nats-server") }
}
