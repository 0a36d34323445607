//! An SMTP server of the test's own, with TLS and logins: Debian's aiosmtpd, by `smtp_server.py`. What it takes lies in its folder.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Certificates, MAIL_PASSWORD, eventually};

/// The Python that Debian's packages are for.
const PYTHON: &str = "/usr/bin/python3";

pub(crate) struct SmtpServer {
    /// With STARTTLS, and nothing before.
    pub(crate) starttls: u16,
    /// With TLS from the first byte.
    pub(crate) tls: u16,
    folder: TempDir,
    child: Child,
    /// Closed, it ends the process.
    open: Option<ChildStdin>,
}

/// A letter that was taken.
pub(crate) struct Taken {
    /// `connection`, `encrypted`, `user`, `hello`, `sender`, `sender_options`, `recipients`.
    pub(crate) envelope: Value,
    /// As Python's parser reads it: see `read_letter.py`.
    pub(crate) letter: Value,
    pub(crate) raw: Vec<u8>,
}

impl SmtpServer {
    /// For one user with the one password, by these mechanisms alone. Tokens are looked up as Dovecot does.
    pub(crate) fn start(certificates: &Certificates, user: &str, mechanisms: &[&str], token_info: &str) -> SmtpServer {
        let folder = tempfile::tempdir().unwrap();
        let told = json!({
            "certificate": certificates.certificate, "key": certificates.key, "folder": folder.path(),
            "users": BTreeMap::from([(user, MAIL_PASSWORD)]), "mechanisms": mechanisms, "token_info": token_info
        });
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(PYTHON);
        command.arg(script("smtp_server.py")).arg(told.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let open = child.stdin.take();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ports: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            panic!("python3-aiosmtpd is missing? run `make install`: {}", std::fs::read_to_string(folder.path().join("log")).unwrap())
        });
        let port = |name: &str| u16::try_from(ports[name].as_u64().unwrap()).unwrap();
        SmtpServer { starttls: port("starttls"), tls: port("tls"), folder, child, open }
    }

    /// How many letters were taken.
    pub(crate) fn count(&self) -> usize {
        self.files().len()
    }

    /// Waits until there are so many; answers them in their order.
    pub(crate) async fn wait(&self, count: usize) -> Vec<Taken> {
        let files = eventually(&format!("{count} letters are taken"), || async {
            let files = self.files();
            (files.len() >= count).then_some(files)
        })
        .await;
        files
            .iter()
            .map(|file| Taken {
                envelope: serde_json::from_slice(&std::fs::read(file.with_extension("json")).unwrap()).unwrap(),
                letter: read_letter(file),
                raw: std::fs::read(file).unwrap(),
            })
            .collect()
    }

    fn files(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().path());
        let mut files: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|extension| extension == "eml")).collect();
        files.sort();
        files
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        drop(self.open.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!(
                "---- what the SMTP server logged ----\n{}",
                std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
            );
        }
    }
}

/// A letter in a file, by a parser that the gateway has nothing to do with.
pub(crate) fn read_letter(file: &Path) -> Value {
    let output = Command::new(PYTHON).arg(script("read_letter.py")).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("it/harness").join(name)
}
