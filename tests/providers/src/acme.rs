//! Acme Chat: the provider of the example channels, which exists nowhere else. Sending, whose token it is, signed webhooks.
//!
//! What it can do from Rust it can mostly do over HTTP under `/_standin`: see the README.

mod control;
mod server;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::uri::Authority;
use serde_json::{Value, json};

use crate::failures::Failure;
use crate::recorded::{RecordedRequest, Recording};

pub use crate::desk::Delivery;
pub use server::signature;

/// The host that it plays.
pub const HOSTS: &[&str] = &["api.acme-chat.example"];
/// The token of the workspace that is there from the start.
pub const TOKEN: &str = "acme-standin-token";
/// Its id.
pub const WORKSPACE: &str = "ws_42";

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// How much of each request is kept.
    pub recording: Recording,
    /// Every answer waits so long.
    pub latency: Duration,
    /// Webhooks go to this authority (`127.0.0.1:8080`) over HTTP, whatever host and scheme their URL has.
    pub deliver_to: Option<Authority>,
}

impl Default for Options {
    fn default() -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { address, recording: Recording::Full, latency: Duration::ZERO, deliver_to: None }
    }
}

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct Acme {
    server: Arc<server::Server>,
    address: SocketAddr,
}

impl Acme {
    /// Starts on a free port of loopback.
    ///
    /// # Panics
    /// Where loopback can't be listened on: a test can't go on without it. `start_with` returns the error instead.
    pub async fn start() -> Self {
        match Self::start_with(Options::default()).await {
            Ok(acme) => acme,
            Err(error) => panic!("can't listen on loopback: {error}"),
        }
    }

    /// Starts with options.
    ///
    /// # Errors
    /// Where the address can't be bound.
    pub async fn start_with(options: Options) -> io::Result<Self> {
        let server = Arc::new(server::Server::new(&options));
        let address = crate::server::listen(options.address, server::router(&server), server.desk.stop.clone()).await?;
        Ok(Self { server, address })
    }

    /// `http://127.0.0.1:9112`: what each of `HOSTS` is redirected to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    // ---- what was asked ----

    /// Requests of one call: `GET /v1/me`, `PUT /v1/webhook`, `POST /v1/messages`…
    #[must_use]
    pub fn requests_of(&self, call: &str) -> Vec<RecordedRequest> {
        self.server.desk.recorder.list(Some(call), None)
    }

    /// Waits until there are `count` requests of the call, `within` at most, and returns those that are there.
    pub async fn wait_for(&self, call: &str, count: usize, within: Duration) -> Vec<RecordedRequest> {
        self.server.desk.recorder.wait_for(call, count, within).await
    }

    /// What was accepted, oldest first, each with its `id`.
    #[must_use]
    pub fn sent(&self) -> Vec<Value> {
        self.server.world.lock().sent.clone()
    }

    // ---- what goes wrong ----

    /// Plans a failure of any sort: `method` is the call, `chat` the recipient, `error_code` an HTTP status, `description` the error's code.
    pub fn fail(&self, failure: Failure) {
        self.server.desk.failures.plan(failure);
    }

    // ---- what comes back ----

    /// A person writes; answers how the webhook went, with the message's id.
    pub async fn say(&self, from: &str, name: &str, text: &str) -> (Delivery, String) {
        let id = self.server.next_id("in");
        let event = json!({"type": "message", "message": {"id": id, "from": {"id": from, "name": name}, "text": text}});
        (self.push(vec![event]).await, id)
    }

    /// Events as they are, but for `id` and `at`, which are made where they are missing.
    pub async fn push(&self, events: Vec<Value>) -> Delivery {
        server::push(&self.server, events).await
    }

    /// A body as it stands, signed.
    pub async fn push_raw(&self, body: &str) -> Delivery {
        server::post(&self.server, body.to_owned()).await
    }
}

impl Drop for Acme {
    fn drop(&mut self) {
        self.server.desk.stop.cancel();
    }
}
