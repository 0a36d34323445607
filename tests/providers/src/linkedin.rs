//! LinkedIn's servers, as far as a gateway meets them: OAuth, organisations, posts with their uploads, comments, member messages,
//! event subscriptions, and the webhooks.
//!
//! One server plays `www.linkedin.com` and `api.linkedin.com`, told apart by path. What it can do from Rust it can mostly do over
//! HTTP under `/_standin`: see the README.

mod answer;
mod ask;
mod control;
mod little;
mod messages;
mod oauth;
mod organizations;
mod posts;
mod pusher;
mod server;
mod subscriptions;
mod uploads;
mod world;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::uri::Authority;
use serde_json::Value;

use crate::failures::Failure;
use crate::recorded::{RecordedRequest, Recording};

pub use answer::Refusal;
pub use pusher::{Delivery, challenge_response, signature};
pub use server::Knobs;
pub use world::{App, Comment, Member, Message, Organization, Post};

/// The hosts that it plays.
pub const HOSTS: &[&str] = &["api.linkedin.com", "www.linkedin.com"];

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// How much of each request is kept.
    pub recording: Recording,
    /// Every answer waits so long.
    pub latency: Duration,
    /// Webhooks and challenges go to this authority (`127.0.0.1:8080`) over HTTP, whatever host and scheme their URL has.
    pub deliver_to: Option<Authority>,
    /// A webhook that isn't taken is posted so many times more: for 8 hours in production.
    pub webhook_retries: u32,
    /// How long each of these waits: 5 minutes in production.
    pub webhook_gap: Duration,
    /// What can be changed later.
    pub knobs: Knobs,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
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
pub struct LinkedIn {
    server: Arc<server::Server>,
    address: SocketAddr,
}

impl LinkedIn {
    /// Starts on a free port of loopback.
    ///
    /// # Panics
    /// Where loopback can't be listened on: a test can't go on without it. `start_with` returns the error instead.
    pub async fn start() -> Self {
        match Self::start_with(Options::default()).await {
            Ok(linkedin) => linkedin,
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
        let address = crate::server::listen(address, server::router(&server), server.stop.clone()).await?;
        *server.own_url.lock() = format!("http://{address}");
        Ok(Self { server, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:9104`: what each of `HOSTS` is redirected to.
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

    /// Requests of one call: `POST posts`, `GET userinfo`, `POST accessToken`, `PUT upload`…
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

    /// What was published, oldest first, deleted ones left out.
    #[must_use]
    pub fn posts(&self) -> Vec<Post> {
        self.server.world.lock().posts.clone()
    }

    /// What was written below posts.
    #[must_use]
    pub fn comments(&self) -> Vec<Comment> {
        self.server.world.lock().comments.clone()
    }

    /// What was sent to members.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.server.world.lock().messages.clone()
    }

    // ---- who is there ----

    /// One more organisation that the member administrates.
    pub fn add_organization(&self, organization: Organization) {
        self.server.world.lock().organizations.push(organization);
    }

    /// Another member whom the own one is connected with, or not.
    pub fn add_member(&self, member: Member) {
        self.server.world.lock().members.push(member);
    }

    /// A token of the own member's with these scopes, good for so many seconds.
    #[must_use]
    pub fn token(&self, scopes: &[&str], lives_s: u64) -> String {
        self.server.mint(scopes.iter().map(|scope| (*scope).to_owned()).collect(), lives_s)
    }

    /// The member takes back what was granted: every token of theirs is dead.
    pub fn revoke(&self) {
        self.server.world.lock().revoke();
    }

    // ---- what comes in ----

    /// Sets the app's webhook, after the challenge.
    ///
    /// # Errors
    /// What LinkedIn says of a URL that doesn't answer the challenge.
    pub async fn set_webhook(&self, url: &str) -> Result<(), String> {
        pusher::register(&self.server, url).await
    }

    /// Asks every known URL for the challenge again, as LinkedIn does every two hours. Answers those that failed.
    pub async fn validate_webhooks(&self) -> Vec<String> {
        pusher::validate(&self.server).await
    }

    /// A member writes to the organisation or, as an owner, to a person: the gateway's own proposal of a webhook.
    pub async fn say(&self, to: &str, from: &str, text: &str) -> Delivery {
        let payload = self.server.message_created(to, from, text);
        pusher::push(&self.server, &payload).await
    }

    /// Posts a webhook's payload, signed, to where it belongs; ten notifications at most for each POST.
    pub async fn push(&self, payload: &Value) -> Delivery {
        pusher::push(&self.server, payload).await
    }

    // ---- what goes wrong ----

    /// Plans a failure of any sort; `method` is the call's name.
    pub fn fail(&self, failure: Failure) {
        self.server.failures.plan(failure);
    }

    /// The next `times` requests of the call meet this refusal.
    pub fn fail_next(&self, call: &str, refusal: &Refusal, times: u32) {
        let mut failure = Failure::error(call, u32::from(refusal.status), &refusal.message).times(times);
        failure.parameters = serde_json::to_value(refusal).ok();
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

    /// Moves the clock: codes and tokens run out by it.
    pub fn advance(&self, by: Duration) {
        self.server.move_clock(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }
}

impl Drop for LinkedIn {
    fn drop(&mut self) {
        self.server.stop.cancel();
    }
}
