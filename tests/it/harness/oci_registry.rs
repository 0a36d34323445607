//! Debian's docker-registry of the test's own, in a folder of the test's own, as an ordinary process.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::eventually;

/// Who may use a registry that asks for it, and the line that htpasswd would write.
pub(crate) const REGISTRY_USER: &str = "pigeon";
pub(crate) const REGISTRY_PASSWORD: &str = "coo-coo";
const HTPASSWD: &str = "pigeon:$2b$05$abcdefghijklmnopqrstuuGI8y0/nKB2TFp5jvUPULVt3QQv0MnzW\n";

pub(crate) struct OciRegistry {
    port: u16,
    folder: TempDir,
    child: Child,
}

impl OciRegistry {
    /// One that anybody may use.
    pub(crate) async fn start() -> OciRegistry {
        OciRegistry::launch(false).await
    }

    /// One that asks for a name and a password.
    pub(crate) async fn with_password() -> OciRegistry {
        OciRegistry::launch(true).await
    }

    async fn launch(closed: bool) -> OciRegistry {
        let folder = tempfile::tempdir().unwrap();
        // Free a moment ago: nobody else on this machine takes it just now.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let path = folder.path().display();
        let mut config = format!(
            "version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {path}/data}}}}\nhttp: {{addr: '127.0.0.1:{port}', secret: test}}\n"
        );
        if closed {
            std::fs::write(folder.path().join("htpasswd"), HTPASSWD).unwrap();
            config += &format!("auth: {{htpasswd: {{realm: test, path: {path}/htpasswd}}}}\n");
        }
        let file = folder.path().join("config.yml");
        std::fs::write(&file, config).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(program())
            .arg("serve")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("docker-registry is missing: run `make install`");
        let registry = OciRegistry { port, folder, child };
        eventually("the registry listens", || async { tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok() }).await;
        registry
    }

    /// As references begin.
    pub(crate) fn name(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The line of a gateway's configuration that names it.
    pub(crate) fn setting(&self) -> String {
        format!("plugins.registries.\"{}\".plain_http = true", self.name())
    }

    /// Where it keeps a blob.
    pub(crate) fn blob_file(&self, sha256: &str) -> PathBuf {
        let blobs = self.folder.path().join("data/docker/registry/v2/blobs/sha256");
        blobs.join(&sha256[..2]).join(sha256).join("data")
    }
}

impl Drop for OciRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            eprintln!("---- what the registry logged ----\n{log}");
        }
    }
}

/// Where only root's path may lead.
fn program() -> PathBuf {
    let known = ["/usr/bin/docker-registry", "/usr/sbin/docker-registry"].map(Path::new);
    known.into_iter().find(|file| file.exists()).map_or_else(|| PathBuf::from("docker-registry"), Path::to_owned)
}
