//! A push service for browsers: what Google's, Mozilla's and Apple's have in common (RFC 8030, 8291, 8292), strictly, with the refusals of each.
//!
//! What it can do from Rust it can mostly do over HTTP under `/_standin`: see the README.

mod answer;
mod control;
mod door;
mod envelope;
mod server;
mod service;
mod subscriptions;
mod vapid;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::failures::Failure;
use crate::recorded::{RecordedRequest, Recording};

pub use door::Received;
pub use envelope::decrypt;
pub use service::{HOSTS, Service};
pub use subscriptions::{New, Subscription};

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// How much of each request is kept.
    pub recording: Recording,
    /// Every answer waits so long.
    pub latency: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), recording: Recording::Full, latency: Duration::ZERO }
    }
}

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct Push {
    server: Arc<server::Server>,
    address: SocketAddr,
}

impl Push {
    /// Starts on a free port of loopback.
    ///
    /// # Panics
    /// Where loopback can't be listened on: a test can't go on without it. `start_with` returns the error instead.
    pub async fn start() -> Self {
        match Self::start_with(Options::default()).await {
            Ok(push) => push,
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
        server.set_address(address);
        Ok(Self { server, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:9111`: the origin of its own endpoints, and what each of `HOSTS` can be redirected to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    // ---- subscriptions ----

    /// A subscription of that service, at an endpoint of this server's own.
    #[must_use]
    pub fn subscribe(&self, service: Service) -> Subscription {
        self.subscribe_with(New { service, ..New::default() }).unwrap_or_default()
    }

    /// With its id, keys and more.
    ///
    /// # Errors
    /// Where the keys given aren't any.
    pub fn subscribe_with(&self, new: New) -> Result<Subscription, String> {
        self.server.subscribe(new)
    }

    /// The subscription was made with this key: pushes with another are refused.
    pub fn bind(&self, id: &str, application_server_key: &str) {
        self.server.change(id, |subscription| subscription.application_server_key = Some(application_server_key.to_owned()));
    }

    /// The browser's user has taken it back: 410 from now on.
    pub fn drop_subscription(&self, id: &str) {
        self.server.change(id, |subscription| subscription.gone = true);
    }

    /// As it is now.
    #[must_use]
    pub fn subscription(&self, id: &str) -> Option<Subscription> {
        self.server.subscription(id)
    }

    // ---- what came ----

    /// What was accepted, oldest first.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.server.received.lock().clone()
    }

    /// What was accepted for one subscription.
    #[must_use]
    pub fn received_for(&self, id: &str) -> Vec<Received> {
        self.server.received.lock().iter().filter(|received| received.subscription == id).cloned().collect()
    }

    /// Every request kept, accepted or not, in the order of arrival. All of them are `POST push`, the account being the service's name.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.server.desk.recorder.list(None, None)
    }

    /// Waits until there were `count` requests, `within` at most, and returns those that are there.
    pub async fn wait_for(&self, count: usize, within: Duration) -> Vec<RecordedRequest> {
        self.server.desk.recorder.wait_for(server::CALL, count, within).await
    }

    // ---- what goes wrong ----

    /// Plans a failure of any sort; `error_code` is an HTTP status, refused as the service does, `chat` a subscription's id.
    pub fn fail(&self, failure: Failure) {
        self.server.desk.failures.plan(failure);
    }

    /// The next `times` pushes are refused with that status, and told to wait so many seconds.
    pub fn fail_next(&self, status: u32, retry_after: Option<u32>, times: u32) {
        let parameters = retry_after.map(|seconds| serde_json::json!({"retry_after": seconds}));
        self.fail(Failure { parameters, ..Failure::error(server::CALL, status, "") }.times(times));
    }

    /// Forgets the planned failures.
    pub fn clear_failures(&self) {
        self.server.desk.failures.clear();
    }

    /// Every answer waits so long from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.server.desk.set_latency(latency);
    }
}

impl Drop for Push {
    fn drop(&mut self) {
        self.server.desk.stop.cancel();
    }
}
