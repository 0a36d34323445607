//! A gateway with a mailbox at real servers, or at the stand-in.

use std::fmt::Write as _;

use patchbay_providers::Mail;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Certificates, Database, Dovecot, Gateway, MAIL_PASSWORD, Settings, SmtpServer, eventually_within};

pub(super) const SHOP: &str = "support@acme.test";
pub(super) const MONA: &str = "mona@example.test";

const SMTP: &str = "smtp.acme.test";
const IMAP: &str = "imap.acme.test";

/// How long a letter may take that comes with the next look, not at once.
const LOOK: std::time::Duration = std::time::Duration::from_secs(45);

/// Dovecot and an SMTP server, and a stand-in that knows tokens.
pub(super) struct Servers {
    pub(super) dovecot: Dovecot,
    pub(super) smtp: SmtpServer,
    pub(super) tokens: Mail,
    pub(super) authority: String,
    _folder: TempDir,
}

impl Servers {
    pub(super) async fn start() -> Servers {
        Servers::offering(&["PLAIN", "LOGIN", "XOAUTH2"]).await
    }

    /// The SMTP server knows these mechanisms alone.
    pub(super) async fn offering(mechanisms: &[&str]) -> Servers {
        let folder = tempfile::tempdir().unwrap();
        let certificates = Certificates::make(folder.path(), &[SMTP, IMAP, "smtp.gmail.com", "imap.gmail.com"]);
        let tokens = Mail::start().await;
        let token_info = format!("{}/tokeninfo?access_token=", tokens.url());
        let dovecot = Dovecot::start(&certificates, &token_info).await;
        let smtp = SmtpServer::start(&certificates, SHOP, mechanisms, &token_info);
        Servers { dovecot, smtp, tokens, authority: certificates.authority, _folder: folder }
    }

    /// The gateway's own settings: where the servers' names lead.
    pub(super) fn redirects(&self) -> Settings {
        let to = |port: u16| format!("tcp://127.0.0.1:{port}");
        let mut settings = Settings::default().without_plugin().channel("email");
        for (smtp, imap) in [(SMTP, IMAP), ("smtp.gmail.com", "imap.gmail.com")] {
            settings = settings
                .redirecting(&format!("{smtp}:587"), &to(self.smtp.starttls))
                .redirecting(&format!("{smtp}:465"), &to(self.smtp.tls))
                .redirecting(&format!("{imap}:143"), &to(self.dovecot.imap))
                .redirecting(&format!("{imap}:993"), &to(self.dovecot.imaps));
        }
        patchbay_providers::mail::HOSTS.iter().fold(settings, |settings, host| settings.redirecting(host, &self.tokens.url()))
    }

    /// An account's settings. Everything in the mailbox is fetched, also what came before the first look.
    pub(super) fn account(&self, more: Value) -> Value {
        let settings = json!({
            "email_address": SHOP, "display_name": "Shop", "smtp_host": SMTP, "imap_host": IMAP, "password": MAIL_PASSWORD,
            "tls_ca_pem": self.authority, "initial_sync": "2020-01-01", "poll_interval_s": 5
        });
        with(settings, more)
    }
}

/// A gateway with one mailbox at real servers.
pub(super) struct Bench {
    pub(super) gateway: Gateway,
    pub(super) account: String,
    pub(super) servers: Servers,
}

impl Bench {
    pub(super) async fn connected(database: Database) -> Bench {
        Bench::with(database, json!({})).await
    }

    pub(super) async fn with(database: Database, more: Value) -> Bench {
        let servers = Servers::start().await;
        let gateway = Gateway::start(database, servers.redirects()).await;
        let account = gateway.connected(servers.account(more)).await;
        Bench { gateway, account, servers }
    }

    /// Drops a letter into the shop's mailbox.
    pub(super) fn deliver(&self, letter: impl AsRef<[u8]>) {
        self.servers.dovecot.deliver(SHOP, "INBOX", letter);
    }

    /// The message of that subject, once it is there.
    pub(super) async fn arrived(&self, subject: &str) -> Value {
        self.gateway.arrived(&self.account, subject).await
    }

    /// Sends and waits until the server has it.
    pub(super) async fn send(&self, to: &str, content: Value) -> Value {
        self.gateway.send(&self.account, to, content, "sent").await
    }
}

/// A gateway with one mailbox at the stand-in, without encryption.
pub(super) struct Scripted {
    pub(super) gateway: Gateway,
    pub(super) account: String,
    pub(super) mail: Mail,
}

impl Scripted {
    pub(super) async fn connected(database: Database, more: Value) -> Scripted {
        let mail = Mail::start().await;
        let gateway = Gateway::start(database, standin(&mail)).await;
        let account = gateway.connected(at_standin(SHOP, more)).await;
        Scripted { gateway, account, mail }
    }

    pub(super) async fn arrived(&self, subject: &str) -> Value {
        self.gateway.arrived(&self.account, subject).await
    }
}

/// The gateway's own settings for the stand-in.
pub(super) fn standin(mail: &Mail) -> Settings {
    let settings = Settings::default().without_plugin().channel("email");
    settings
        .redirecting(&format!("{SMTP}:2525"), &format!("tcp://{}", mail.smtp()))
        .redirecting(&format!("{IMAP}:1143"), &format!("tcp://{}", mail.imap()))
}

/// An account's settings for the stand-in.
pub(super) fn at_standin(address: &str, more: Value) -> Value {
    let settings = json!({
        "email_address": address, "smtp_host": SMTP, "smtp_port": 2525, "smtp_security": "none", "imap_host": IMAP, "imap_port": 1143,
        "imap_security": "none", "password": patchbay_providers::mail::PASSWORD, "initial_sync": "2020-01-01", "poll_interval_s": 5
    });
    with(settings, more)
}

fn with(mut settings: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("settings are an object: {more}") };
    settings.as_object_mut().unwrap().extend(more);
    // Null takes one away.
    settings.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    settings
}

impl Gateway {
    /// Makes a mailbox and connects it.
    pub(super) async fn connected(&self, settings: Value) -> String {
        let account = self.create("EMAIL", settings).await;
        let after = self.connect(&account, json!({})).await;
        assert_eq!(after["connection"], "connected", "{after}");
        account
    }

    /// The message that came in with that subject, once it is there.
    pub(super) async fn arrived(&self, account: &str, subject: &str) -> Value {
        eventually_within(LOOK, &format!("the letter “{subject}” is there"), || async {
            self.received(account).await.into_iter().find(|message| message["content"][0]["subject"] == subject)
        })
        .await
    }

    /// The subjects that came in, in order.
    pub(super) async fn subjects(&self, account: &str) -> Vec<String> {
        let received = self.received(account).await;
        received.iter().map(|message| message["content"][0]["subject"].as_str().unwrap().to_owned()).collect()
    }
}

/// A short letter with these headers besides: lines end as on the wire.
pub(super) fn letter(from: &str, subject: &str, id: &str, more: &[(&str, &str)], text: &str) -> String {
    let mut letter =
        format!("From: {from}\r\nTo: {SHOP}\r\nSubject: {subject}\r\nMessage-ID: <{id}>\r\nDate: Sun, 22 Nov 2026 08:00:00 +0200\r\n");
    for (name, value) in more {
        write!(letter, "{name}: {value}\r\n").unwrap();
    }
    write!(letter, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n")
        .unwrap();
    letter
}

/// A fixture as it goes over the wire.
pub(super) fn wired(text: &str) -> String {
    text.trim_start_matches('\n').replace('\n', "\r\n")
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(ring::digest::digest(&ring::digest::SHA256, bytes))
}
