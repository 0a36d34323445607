//! Meta's servers, as far as a messaging gateway meets them: Graph for WhatsApp, Messenger and Instagram, the login
//! dialogs, media, and the webhooks.
//!
//! One server plays every host; it tells them apart by path, so that `[egress.redirect]` sends all of them here. What it
//! can do from Rust it can mostly do over HTTP under `/_standin`: see the README.

mod accounts;
mod answer;
mod ask;
mod calls;
mod cast;
mod control;
mod errors;
mod events;
mod fields;
mod params;
mod pusher;
mod scene;
mod server;
mod sign;
mod tokens;
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

pub use accounts::{App, Business, Config, Consent, Instagram, Number, Page, Person, User, Waba};
pub use answer::GraphError;
pub use pusher::{Delivery, Pushed};
pub use server::{Echoes, Knobs};
pub use sign::{appsecret_proof, escaped, signature, signed_request};
pub use world::Sent;

/// The hosts that it plays.
pub const HOSTS: &[&str] = &[
    "graph.facebook.com",
    "www.facebook.com",
    "graph.instagram.com",
    "api.instagram.com",
    "www.instagram.com",
    "lookaside.fbsbx.com",
    "scontent.xx.fbcdn.net",
    "scontent.cdninstagram.com",
];

/// The objects of webhooks.
const OBJECTS: &[&str] = &["page", "instagram", "whatsapp_business_account"];

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// Nothing and nobody is there at first; else one app, a user, a business, a WABA with two numbers, a Page and its
    /// Instagram account, under the ids of the fixtures.
    pub empty: bool,
    /// How much of each request is kept.
    pub recording: Recording,
    /// Every answer waits so long.
    pub latency: Duration,
    /// Webhooks and challenges go to this authority (`127.0.0.1:8080`) over HTTP, whatever host and scheme their URL has.
    pub deliver_to: Option<Authority>,
    /// A webhook that isn't taken is posted so many times more.
    pub webhook_retries: u32,
    /// How long the first of these waits; each next one waits twice as long.
    pub webhook_gap: Duration,
    /// What can be changed later.
    pub knobs: Knobs,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            empty: false,
            recording: Recording::Full,
            latency: Duration::ZERO,
            deliver_to: None,
            webhook_retries: 5,
            webhook_gap: Duration::from_secs(1),
            knobs: Knobs::default(),
        }
    }
}

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct Meta {
    server: Arc<server::Server>,
    address: SocketAddr,
}

impl Meta {
    /// Starts on a free port of loopback.
    ///
    /// # Panics
    /// Where loopback can't be listened on: a test can't go on without it. `start_with` returns the error instead.
    pub async fn start() -> Self {
        match Self::start_with(Options::default()).await {
            Ok(meta) => meta,
            Err(error) => panic!("can't listen on loopback: {error}"),
        }
    }

    /// Starts with options.
    ///
    /// # Errors
    /// Where the address can't be bound.
    pub async fn start_with(options: Options) -> io::Result<Self> {
        let address = options.address;
        let seeded = !options.empty;
        let server = Arc::new(server::Server::new(options));
        if seeded {
            scene::people().into_iter().for_each(|person| server.world.lock().learn(person));
        }
        let address = crate::server::listen(address, server::router(&server), server.stop.clone()).await?;
        *server.own_url.lock() = format!("http://{address}");
        Ok(Self { server, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:9102`: what each of `HOSTS` is redirected to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    // ---- what was asked ----

    /// Every request kept, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.server.recorder.list(None, None)
    }

    /// Requests of one call: `POST messages`, `GET number`, `POST oauth/access_token`, `GET dialog/oauth`…
    #[must_use]
    pub fn requests_of(&self, call: &str) -> Vec<RecordedRequest> {
        self.server.recorder.list(Some(call), None)
    }

    /// Waits until there are `count` requests of the call, `within` at most, and returns those that are there.
    pub async fn wait_for(&self, call: &str, count: usize, within: Duration) -> Vec<RecordedRequest> {
        self.server.recorder.wait_for(call, count, within).await
    }

    /// Forgets the requests.
    pub fn clear_requests(&self) {
        self.server.recorder.clear();
    }

    /// Requests since the start, kept or not.
    #[must_use]
    pub fn request_count(&self) -> u64 {
        self.server.recorder.count()
    }

    /// What the account sent, oldest first: only what was accepted.
    #[must_use]
    pub fn sent(&self, account: &str) -> Vec<Sent> {
        self.server.world.lock().sent.iter().filter(|sent| sent.account == account).cloned().collect()
    }

    // ---- what goes wrong ----

    /// Plans a failure of any sort; `method` is the call's name.
    pub fn fail(&self, failure: Failure) {
        self.server.failures.plan(failure);
    }

    /// The next `times` requests of the call meet this error.
    pub fn fail_next(&self, call: &str, error: &GraphError, times: u32) {
        let mut failure = Failure::error(call, error.code, &error.message).times(times);
        failure.parameters = serde_json::to_value(error).ok();
        self.server.failures.plan(failure);
    }

    /// Forgets the planned failures.
    pub fn clear_failures(&self) {
        self.server.failures.clear();
    }

    /// Changes how it behaves.
    pub fn set(&self, change: impl FnOnce(&mut Knobs)) {
        change(&mut self.server.knobs.lock());
    }

    /// Every answer waits so long from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.server.set_latency(latency);
    }

    /// Moves the clock: tokens, codes, URLs and windows run out by it.
    pub fn advance(&self, by: Duration) {
        self.server.move_clock(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    /// The stand-in's time in milliseconds since 1970 UTC.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.server.now_ms()
    }
}

impl Drop for Meta {
    fn drop(&mut self) {
        self.server.stop.cancel();
    }
}
