//! A mail server: SMTP that takes letters, mailboxes that IMAP reads, people who write, and recipients for everything that goes wrong.
//!
//! What it can do from Rust it can mostly do over HTTP under `/_standin`: see the README.

mod answer;
mod control;
mod header;
mod imap;
mod letter;
mod magic;
mod oauth;
mod sasl;
mod server;
mod smtp;
mod world;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::uri::Authority;

use crate::failures::Failure;
use crate::recorded::{RecordedRequest, Recording};

pub use letter::{Attachment, Say};
pub use server::{Knobs, StartTls};
pub use world::{Letter, Sent};

/// The hosts of HTTP that it plays: where people consent to their mailbox being read, and where tokens come from.
pub const HOSTS: &[&str] = &["accounts.google.com", "oauth2.googleapis.com", "login.microsoftonline.com"];
/// The password of every mailbox that wasn't given another.
pub const PASSWORD: &str = "mail-standin-password";
/// An access token that opens every mailbox and never ends.
pub const TOKEN: &str = "mail-standin-token";
/// The shop's mailbox, who consents where a login doesn't say who.
pub const SHOP: &str = "support@acme.test";

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where its strings are; port 0 takes a free one.
    pub address: SocketAddr,
    /// Where it takes letters.
    pub smtp: SocketAddr,
    /// Where mailboxes are read.
    pub imap: SocketAddr,
    /// How much of each command is kept.
    pub recording: Recording,
    /// Every answer waits so long.
    pub latency: Duration,
    /// Mail posts no webhooks; the other stand-ins' option is taken so that all are started alike.
    pub deliver_to: Option<Authority>,
    /// What can be changed later.
    pub knobs: Knobs,
}

impl Default for Options {
    fn default() -> Self {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            address: free,
            smtp: free,
            imap: free,
            recording: Recording::Full,
            latency: Duration::ZERO,
            deliver_to: None,
            knobs: Knobs::default(),
        }
    }
}

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct Mail {
    server: Arc<server::Server>,
    address: SocketAddr,
    smtp: SocketAddr,
    imap: SocketAddr,
}

impl Mail {
    /// Starts on free ports of loopback.
    ///
    /// # Panics
    /// Where loopback can't be listened on: a test can't go on without it. `start_with` returns the error instead.
    pub async fn start() -> Self {
        match Self::start_with(Options::default()).await {
            Ok(mail) => mail,
            Err(error) => panic!("can't listen on loopback: {error}"),
        }
    }

    /// Starts with options.
    ///
    /// # Errors
    /// Where an address can't be bound.
    pub async fn start_with(options: Options) -> io::Result<Self> {
        let (address, smtp, imap) = (options.address, options.smtp, options.imap);
        let server = Arc::new(server::Server::new(options));
        let address = crate::server::listen(address, control::router(&server), server.desk.stop.clone()).await?;
        let smtp = server::listen(&server, smtp, smtp::serve).await?;
        let imap = server::listen(&server, imap, imap::serve).await?;
        Ok(Self { server, address, smtp, imap })
    }

    /// `http://127.0.0.1:9111`: its strings, and what each of `HOSTS` is redirected to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it takes letters.
    #[must_use]
    pub fn smtp(&self) -> SocketAddr {
        self.smtp
    }

    /// Where mailboxes are read.
    #[must_use]
    pub fn imap(&self) -> SocketAddr {
        self.imap
    }

    // ---- what was asked ----

    /// Every command kept, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.server.desk.recorder.list(None, None)
    }

    /// Commands of one name: `SMTP RCPT`, `SMTP CONNECT`, `IMAP FETCH`…
    #[must_use]
    pub fn requests_of(&self, command: &str) -> Vec<RecordedRequest> {
        self.server.desk.recorder.list(Some(command), None)
    }

    /// Waits until there are `count` commands of the name, `within` at most, and returns those that are there.
    pub async fn wait_for(&self, command: &str, count: usize, within: Duration) -> Vec<RecordedRequest> {
        self.server.desk.recorder.wait_for(command, count, within).await
    }

    /// Forgets the commands.
    pub fn clear_requests(&self) {
        self.server.desk.recorder.clear();
    }

    /// Every letter that was taken, oldest first.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.server.world.lock().sent.clone()
    }

    // ---- what goes wrong ----

    /// Plans a failure of a command: its `error_code` and `description` are SMTP's reply, or of IMAP the words after `NO`.
    pub fn fail(&self, failure: Failure) {
        self.server.desk.failures.plan(failure);
    }

    /// Forgets the planned failures.
    pub fn clear_failures(&self) {
        self.server.desk.failures.clear();
    }

    /// Changes how it behaves.
    pub fn set(&self, change: impl FnOnce(&mut Knobs)) {
        change(&mut self.server.knobs.lock());
    }

    /// Breaks every connection that is open.
    pub fn cut(&self) {
        self.server.cut();
    }

    // ---- mailboxes ----

    /// Gives a mailbox another password.
    pub fn set_password(&self, address: &str, password: &str) {
        self.server.world.lock().set_password(address, password);
    }

    /// Puts a raw letter into a mailbox's folder; answers its UID.
    pub fn put(&self, address: &str, folder: &str, letter: impl Into<bytes::Bytes>) -> u32 {
        self.server.put(address, folder, letter.into())
    }

    /// The letters of a mailbox's folder, oldest first.
    #[must_use]
    pub fn letters(&self, address: &str, folder: &str) -> Vec<Letter> {
        self.server.world.lock().folder(address, folder).letters.clone()
    }

    /// Takes a letter out of a folder.
    pub fn remove(&self, address: &str, folder: &str, uid: u32) -> bool {
        self.server.remove(address, folder, uid)
    }

    /// Gives the folder another UIDVALIDITY and its letters other UIDs, as after a restore. Connections to it are cut.
    pub fn renumber(&self, address: &str, folder: &str) -> u32 {
        self.server.renumber(address, folder)
    }

    /// Somebody writes; answers the letter's Message-ID without its angle brackets.
    pub fn say(&self, say: &Say) -> String {
        letter::say(&self.server, say)
    }

    /// The mail system answers the last letter that was sent: it didn't arrive. Answers whether there was one.
    pub fn bounce(&self, recipient: &str, status: &str) -> bool {
        letter::bounce(&self.server, recipient, status)
    }

    /// The access tokens that were handed out end, as after a time or a changed password. Those that never end go on.
    pub fn expire_tokens(&self) {
        self.server.world.lock().tokens.clear();
    }
}

impl Drop for Mail {
    fn drop(&mut self) {
        self.server.desk.stop.cancel();
        self.server.cut();
    }
}
