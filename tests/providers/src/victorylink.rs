//! VictoryLink's SMS gateway: sending with and without receipts, credit, polled and called receipts, and its numbers for everything.
//!
//! What it can do from Rust it can mostly do over HTTP under `/_standin`: see the README.

mod account;
mod answer;
mod calls;
mod codes;
mod control;
mod receipts;
mod server;
mod text;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::uri::Authority;

use crate::failures::Failure;
use crate::recorded::{RecordedRequest, Recording};

pub use crate::desk::Delivery;
pub use account::{Sms, User};
pub use answer::Form;
pub use server::{Knobs, Receipts};

/// The host that it plays.
pub const HOSTS: &[&str] = &["smsvas.vlserv.com"];
/// The user that is there from the start.
pub const USER: &str = "vl_user";
/// Its password.
pub const PASSWORD: &str = "vl-standin-password";

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// Who may send.
    pub users: Vec<User>,
    /// How much of each request is kept.
    pub recording: Recording,
    /// Every answer waits so long.
    pub latency: Duration,
    /// Receipts go to this authority (`127.0.0.1:8080`) over HTTP, whatever host and scheme their URL has.
    pub deliver_to: Option<Authority>,
    /// A receipt that isn't taken is tried so many times more.
    pub receipt_retries: u32,
    /// How long the first of these waits; each next one waits twice as long.
    pub receipt_gap: Duration,
    /// What can be changed later.
    pub knobs: Knobs,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            users: vec![User::new(USER, PASSWORD)],
            recording: Recording::Full,
            latency: Duration::ZERO,
            deliver_to: None,
            receipt_retries: 5,
            receipt_gap: Duration::from_secs(1),
            knobs: Knobs::default(),
        }
    }
}

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct VictoryLink {
    server: Arc<server::Server>,
    address: SocketAddr,
}

impl VictoryLink {
    /// Starts on a free port of loopback.
    ///
    /// # Panics
    /// Where loopback can't be listened on: a test can't go on without it. `start_with` returns the error instead.
    pub async fn start() -> Self {
        match Self::start_with(Options::default()).await {
            Ok(victorylink) => victorylink,
            Err(error) => panic!("can't listen on loopback: {error}"),
        }
    }

    /// Starts with options.
    ///
    /// # Errors
    /// Where the address can't be bound.
    pub async fn start_with(options: Options) -> io::Result<Self> {
        let address = options.address;
        let server = Arc::new(server::Server::new(options));
        let address = crate::server::listen(address, server::router(&server), server.desk.stop.clone()).await?;
        Ok(Self { server, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:9107`: what each of `HOSTS` is redirected to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    // ---- what was asked ----

    /// Every request kept, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.server.desk.recorder.list(None, None)
    }

    /// Requests of one call: `SendSMS`, `SendSMSWithDLR`, `CheckCredit`…; those of the old service under `asmx/SendSMS`.
    #[must_use]
    pub fn requests_of(&self, call: &str) -> Vec<RecordedRequest> {
        self.server.desk.recorder.list(Some(call), None)
    }

    /// Waits until there are `count` requests of the call, `within` at most, and returns those that are there.
    pub async fn wait_for(&self, call: &str, count: usize, within: Duration) -> Vec<RecordedRequest> {
        self.server.desk.recorder.wait_for(call, count, within).await
    }

    /// Forgets the requests.
    pub fn clear_requests(&self) {
        self.server.desk.recorder.clear();
    }

    /// Requests since the start, kept or not.
    #[must_use]
    pub fn request_count(&self) -> u64 {
        self.server.desk.recorder.count()
    }

    /// What was accepted, oldest first.
    #[must_use]
    pub fn sent(&self) -> Vec<Sms> {
        self.server.accounts.lock().sent.clone()
    }

    // ---- what goes wrong ----

    /// Plans a failure of any sort; `method` is the call's name. For its own codes there is `fail_next`.
    pub fn fail(&self, failure: Failure) {
        self.server.desk.failures.plan(failure);
    }

    /// The next `times` requests of the call are answered with this code and do nothing.
    pub fn fail_next(&self, call: &str, code: i64, times: u32) {
        let failure = Failure { status: Some(200), body: Some(code.to_string()), method: Some(call.into()), ..Failure::default() };
        self.server.desk.failures.plan(failure.times(times));
    }

    /// Forgets the planned failures.
    pub fn clear_failures(&self) {
        self.server.desk.failures.clear();
    }

    /// Changes how it behaves.
    pub fn set(&self, change: impl FnOnce(&mut Knobs)) {
        change(&mut self.server.knobs.lock());
    }

    /// Every answer waits so long from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.server.desk.set_latency(latency);
    }

    // ---- users ----

    /// A user; one of that name is replaced.
    pub fn set_user(&self, user: &User) {
        self.server.accounts.lock().set(user.clone());
    }

    /// The user as he is now: his credit is less after every message.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<User> {
        self.server.accounts.lock().users.iter().find(|user| user.name == name).cloned()
    }

    // ---- what comes back ----

    /// A receipt for a message that was sent with a `DLRURL`.
    pub async fn receipt(&self, sms_id: &str, status: &str) -> Delivery {
        receipts::tell(&self.server, sms_id, status).await
    }
}

impl Drop for VictoryLink {
    fn drop(&mut self) {
        self.server.desk.stop.cancel();
    }
}
