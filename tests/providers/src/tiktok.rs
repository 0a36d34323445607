//! TikTok's Business Messaging API: logging in, tokens that rotate, messages within their window, media, and the webhooks.
//!
//! One server plays the login page, the API and the media host, told apart by path, so that `[egress.redirect]` sends all of
//! them here. What it can do from Rust it can mostly do over HTTP under `/_standin`: see the README.

mod accounts;
mod answer;
mod ask;
mod calls;
mod control;
mod events;
mod login;
mod media;
mod pusher;
mod reading;
mod sending;
mod server;
mod tokens;
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

pub use accounts::{App, Business, Person, Post};
pub use events::samples;
pub use pusher::{Delivery, signature};
pub use server::{Echoes, Knobs};
pub use tokens::Minted;
pub use world::Sent;

/// The hosts that it plays.
pub const HOSTS: &[&str] = &["business-api.tiktok.com", "www.tiktok.com", "p16-im-sg.tiktokcdn.com"];

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// Nothing and nobody is there at first; else an app, two business accounts and two people, under the ids of the fixtures.
    pub empty: bool,
    /// How much of each request is kept.
    pub recording: Recording,
    /// Every answer waits so long.
    pub latency: Duration,
    /// Webhooks go to this authority (`127.0.0.1:8080`) over HTTP, whatever host and scheme their URL has.
    pub deliver_to: Option<Authority>,
    /// How long the first repetition of a webhook waits; each next one waits twice as long, up to a minute.
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
            webhook_gap: Duration::from_secs(1),
            knobs: Knobs::default(),
        }
    }
}

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct TikTok {
    server: Arc<server::Server>,
    address: SocketAddr,
}

impl TikTok {
    /// Starts on a free port of loopback.
    ///
    /// # Panics
    /// Where loopback can't be listened on: a test can't go on without it. `start_with` returns the error instead.
    pub async fn start() -> Self {
        match Self::start_with(Options::default()).await {
            Ok(tiktok) => tiktok,
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

    /// `http://127.0.0.1:9103`: what each of `HOSTS` is redirected to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    // ---- who is there ----

    /// Adds an app, or puts it in place of the one of the same id.
    pub fn add_app(&self, app: App) {
        self.server.world.lock().add_app(app);
    }

    /// Adds a business account, or puts it in place of the one of the same id.
    pub fn add_business(&self, business: Business) {
        self.server.world.lock().add_business(business);
    }

    /// Adds a person, or puts them in place of the one of the same id.
    pub fn add_person(&self, person: Person) {
        self.server.world.lock().add_person(person);
    }

    /// Tokens of a business, as if it had authorised the app with these scopes.
    pub fn mint(&self, app_id: &str, business_id: &str, scopes: &[&str]) -> Minted {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self.server.mint(app_id, business_id, scopes)
    }

    /// Sets the URL of direct messages, as `/business/webhook/update/` does.
    pub fn set_webhook(&self, app_id: &str, url: &str) {
        self.server.world.lock().set_webhook(app_id, "DIRECT_MESSAGE", url);
    }

    // ---- what people do ----

    /// A person writes: it opens the window and answers how the first attempt of the webhook went.
    pub async fn say(&self, business_id: &str, person_id: &str, text: &str) -> Delivery {
        self.message(business_id, person_id, "text", serde_json::json!({"body": text})).await
    }

    /// A person sends a message of any type: `image`, `video`, `share_post`, `sticker`, `emoji`, with what stands under that name.
    pub async fn message(&self, business_id: &str, person_id: &str, kind: &str, value: Value) -> Delivery {
        events::message(&self.server, business_id, person_id, kind, value).await
    }

    /// A person has read all up to a time.
    pub async fn read(&self, business_id: &str, person_id: &str, up_to_ms: u64) -> Delivery {
        events::read(&self.server, business_id, person_id, up_to_ms).await
    }

    /// Somebody of the business writes in TikTok's own app: an echo whose source is `APP`.
    pub async fn write_in_app(&self, business_id: &str, person_id: &str, text: &str) -> Delivery {
        events::written_in_app(&self.server, business_id, person_id, text).await
    }

    /// Any event of a business, with its content as an object.
    pub async fn push(&self, event: &str, business_id: &str, content: &Value) -> Delivery {
        pusher::push(&self.server, event, business_id, content).await
    }

    /// One of `samples()`.
    pub async fn deliver(&self, sample: &str) -> Delivery {
        events::deliver(&self.server, sample).await
    }

    /// The id of the conversation of a business with a person, which is made where there is none.
    #[must_use]
    pub fn conversation(&self, business_id: &str, person_id: &str) -> String {
        let now = self.server.now_ms();
        self.server.world.lock().conversation_with(business_id, person_id, now)
    }

    // ---- what was asked ----

    /// Every request kept, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.server.recorder.list(None, None)
    }

    /// Requests of one call: its path without slashes at the ends (`business/message/send`, `tt_user/oauth2/token`, `v2/auth/authorize`).
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

    /// What the business sent, oldest first: only what was accepted.
    #[must_use]
    pub fn sent(&self, business_id: &str) -> Vec<Sent> {
        self.server.world.lock().sent.iter().filter(|sent| sent.business_id == business_id).cloned().collect()
    }

    // ---- what goes wrong ----

    /// Plans a failure of any sort; `method` is the call's name, `chat` the conversation.
    pub fn fail(&self, failure: Failure) {
        self.server.failures.plan(failure);
    }

    /// The next `times` requests of the call meet this code.
    pub fn fail_next(&self, call: &str, code: u32, times: u32) {
        self.server.failures.plan(Failure { method: Some(call.into()), error_code: Some(code), ..Failure::default() }.times(times));
    }

    /// Forgets the planned failures.
    pub fn clear_failures(&self) {
        self.server.failures.clear();
    }

    /// Every access token of a business is dead from now on (40105); its refresh token lives.
    pub fn expire_tokens(&self, business_id: &str) {
        self.server.tokens.lock().expire(business_id);
    }

    /// The business takes its authorisation back: every token is dead.
    pub fn withdraw(&self, business_id: &str) {
        self.server.tokens.lock().withdraw(business_id);
    }

    /// Changes how it behaves.
    pub fn set(&self, change: impl FnOnce(&mut Knobs)) {
        change(&mut self.server.knobs.lock());
    }

    /// Every answer waits so long from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.server.set_latency(latency);
    }

    /// Moves the clock: codes, tokens, media and windows run out by it.
    pub fn advance(&self, by: Duration) {
        self.server.move_clock(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    /// The stand-in's time in milliseconds since 1970 UTC.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.server.now_ms()
    }
}

impl Drop for TikTok {
    fn drop(&mut self) {
        self.server.stop.cancel();
    }
}
