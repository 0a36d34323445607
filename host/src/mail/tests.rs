//! Against servers on the loopback that say what the test has them say.

mod imap;
mod login;
mod peer;
mod smtp;
mod watch;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::domain::failure::FailureClass;
use crate::egress::EgressSettings;
use peer::Server as Peers;

/// Beginnings of what a server hears, and what it answers.
type Script = &'static [(&'static str, &'static str)];

/// The host that every test's server is known by.
const HOST: &str = "mail.example.com";
const PASSWORD: &str = "hunter2-hunter2";

struct World {
    egress: Egress,
    mail: Mail,
    manifest: Manifest,
    settings: Value,
    secrets: BTreeMap<String, Secret>,
    blobs: Blobs,
    _folder: tempfile::TempDir,
    made: Arc<Mutex<Vec<String>>>,
    note: Box<dyn Fn(&str) + Send + Sync>,
    patience: Duration,
}

/// An egress that finds the server in the place of the host's usual ports.
fn redirected(port: u16) -> BTreeMap<String, url::Url> {
    let to: url::Url = format!("tcp://127.0.0.1:{port}").parse().unwrap();
    [465, 587, 993, 143].map(|port| (format!("{HOST}:{port}"), to.clone())).into()
}

impl World {
    /// The account's servers are this one, without encryption unless the settings say otherwise.
    fn of(server: &Peers, more: &Value) -> World {
        let mut settings = json!({"email_address": "me@example.org", "smtp_host": HOST, "imap_host": HOST, "smtp_security": "none",
            "imap_security": "none", "smtp_auth": "none", "tls_ca_pem": server.certificate()});
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        World::with(EgressSettings { redirect: redirected(server.port), ..EgressSettings::default() }, settings)
    }

    fn with(egress: EgressSettings, settings: Value) -> World {
        let folder = tempfile::tempdir().unwrap();
        let made = Arc::<Mutex<Vec<String>>>::default();
        World {
            egress: Egress::new(egress).unwrap(),
            mail: Mail::new(MailSettings { max_connections: 4, max_watchers: 2, idle: Duration::from_secs(30) }),
            manifest: manifest(),
            settings,
            secrets: [("password", PASSWORD), ("access_token", "ya29.token-token")]
                .map(|(name, value)| (name.to_owned(), value.into()))
                .into(),
            blobs: Blobs::in_folder(folder.path()).unwrap(),
            _folder: folder,
            note: Box::new({
                let made = Arc::clone(&made);
                move |id| made.lock().unwrap().push(id.to_owned())
            }),
            made,
            patience: Duration::from_secs(10),
        }
    }

    async fn submit(&self, recipients: &[&str]) -> Result<Submitted, Failure> {
        self.submit_told(recipients, &[Stretch::Bytes(b"Subject: Hi\r\n\r\nHi\r\n".to_vec())], None).await
    }

    async fn submit_told<'a>(
        &'a self,
        recipients: &[&str],
        letter: &[Stretch],
        dispatch: Option<&'a mut dyn Dispatch>,
    ) -> Result<Submitted, Failure> {
        let recipients = recipients.iter().map(|recipient| (*recipient).to_owned()).collect();
        let envelope = Envelope { sender: Some("me@example.org".to_owned()), recipients };
        self.mail.submit(self.errand(dispatch), "out", &envelope, letter).await
    }

    async fn fetch(&self, after_uid: Option<u32>) -> Result<Folder, Failure> {
        self.fetch_as(FolderQuery { folder: "INBOX".to_owned(), after_uid, since_ms: None, max: 50, max_bytes: 1000 }).await
    }

    async fn fetch_as(&self, query: FolderQuery) -> Result<Folder, Failure> {
        self.mail.fetch(self.errand(None), "in", &query).await
    }

    async fn probe(&self, target: &str) -> Result<Probed, Failure> {
        self.mail.probe(self.errand(None), target).await
    }

    fn errand<'a>(&'a self, dispatch: Option<&'a mut dyn Dispatch>) -> Errand<'a> {
        Errand {
            egress: &self.egress,
            account_id: "account",
            manifest: &self.manifest,
            settings: &self.settings,
            secrets: &self.secrets,
            blobs: &self.blobs,
            blob_max: 1024 * 1024,
            made: &*self.note,
            deadline: Instant::now() + self.patience,
            dispatch,
        }
    }

    async fn text(&self, letter: &Letter) -> String {
        String::from_utf8(self.blobs.read(&letter.content.id, 0, u32::MAX).await.unwrap().to_vec()).unwrap()
    }
}

/// What a send was told before it went.
#[derive(Default)]
struct Told {
    host: String,
    times: u32,
    refuses: bool,
}

#[async_trait]
impl Dispatch for Told {
    fn heading_for(&mut self, host: &str) {
        host.clone_into(&mut self.host);
    }

    async fn about_to_send(&mut self) -> Result<(), String> {
        self.times += 1;
        if self.refuses { Err("the lease was lost".to_owned()) } else { Ok(()) }
    }
}

fn class<T: std::fmt::Debug>(result: Result<T, Failure>) -> (FailureClass, String) {
    let failure = result.unwrap_err();
    (failure.class, failure.code)
}

pub(crate) fn manifest() -> crate::manifest::Manifest {
    let manifest = serde_json::json!({
        "id": "test", "type": "TEST", "version": "1.0.0", "name": "Test", "contract": "1.0.0",
        "settings": {"type": "object", "properties": {
            "email_address": {"type": "string"}, "tls_ca_pem": {"type": "string"}, "ehlo_name": {"type": "string"}, "use_idle": {"type": "boolean"},
            "smtp_host": {"type": "string"}, "smtp_port": {"type": "integer"}, "smtp_security": {"enum": ["tls", "starttls", "none"]},
            "smtp_auth": {"enum": ["plain", "login", "xoauth2", "oauthbearer", "none"]}, "smtp_username": {"type": "string"},
            "imap_host": {"type": "string"}, "imap_port": {"type": "integer"}, "imap_security": {"enum": ["tls", "starttls", "none"]},
            "imap_auth": {"enum": ["plain", "login", "xoauth2", "oauthbearer", "none"]},
            "password": {"type": "string", "writeOnly": true}
        }},
        "secrets": {"password": {"title": "Password", "from": "typed"}, "access_token": {"title": "Token", "from": "oauth"}},
        "mail": {
            "out": {"protocol": "smtp", "host": "smtp_host", "port": "smtp_port", "security": "smtp_security", "auth": "smtp_auth",
                "username": ["smtp_username", "email_address"], "password": ["password"], "token": "access_token", "ca": "tls_ca_pem",
                "hello": "ehlo_name"},
            "in": {"protocol": "imap", "host": "imap_host", "port": "imap_port", "security": "imap_security", "auth": "imap_auth",
                "username": ["email_address"], "password": ["password"], "token": "access_token", "ca": "tls_ca_pem", "idle": "use_idle"},
        },
        "capabilities": {},
    });
    crate::manifest::Manifest::from_json(manifest.to_string().as_bytes()).unwrap()
}
