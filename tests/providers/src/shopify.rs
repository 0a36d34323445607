//! Shopify's Admin API as far as a messaging gateway meets it, and the merchant's own app that owns the chat, in the form that Patchbay
//! proposes (there is no public API of Shopify Inbox).
//!
//! One server plays every shop. Which one is meant says the `Host` header (`egress.redirect` keeps it), a path that begins with
//! `/shops/{domain}`, or else the token. What it can do from Rust it can mostly do over HTTP under `/_standin`: see the README.

mod admin;
mod answer;
mod control;
mod graphql;
mod inbox;
mod oauth;
mod pusher;
mod server;
mod shops;

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

pub use inbox::Sent;
pub use pusher::{Delivery, signature};
pub use server::Knobs;
pub use shops::{Shop, Standing, Subscription};

/// The hosts that it plays at the start: those of its shops.
pub const HOSTS: &[&str] = &["a.myshopify.com", "b.myshopify.com"];

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// No shops at first; else `a.myshopify.com` and `b.myshopify.com`.
    pub empty: bool,
    /// How much of each request is kept.
    pub recording: Recording,
    /// Every answer waits so long.
    pub latency: Duration,
    /// Webhooks go to this authority (`127.0.0.1:8080`) over HTTP, whatever host and scheme their URL has.
    pub deliver_to: Option<Authority>,
    /// A webhook that isn't taken is posted so many times more; then its subscription is dropped.
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
            webhook_retries: 8,
            webhook_gap: Duration::from_secs(1),
            knobs: Knobs::default(),
        }
    }
}

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct Shopify {
    server: Arc<server::Server>,
    address: SocketAddr,
}

impl Shopify {
    /// Starts on a free port of loopback.
    ///
    /// # Panics
    /// Where loopback can't be listened on: a test can't go on without it. `start_with` returns the error instead.
    pub async fn start() -> Self {
        match Self::start_with(Options::default()).await {
            Ok(shopify) => shopify,
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
        Ok(Self { server, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:9105`: what the hosts are redirected to, and the `inbox_base_url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The `base_url` of one shop, where hosts aren't redirected.
    #[must_use]
    pub fn shop_url(&self, domain: &str) -> String {
        format!("{}/shops/{domain}", self.url())
    }

    // ---- what was asked ----

    /// Every request kept, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.server.recorder.list(None, None)
    }

    /// Requests of one call: `POST access_token`, `POST graphql`, `POST messages`. `account` is the shop's domain.
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

    /// What was sent into the shop's conversations, oldest first: only what was accepted, each once.
    #[must_use]
    pub fn sent(&self, shop: &str) -> Vec<Sent> {
        self.server.world.lock().sent.iter().filter(|sent| sent.shop == shop).cloned().collect()
    }

    // ---- shops ----

    /// Adds a shop, or changes it.
    pub fn set_shop(&self, shop: Shop) {
        self.server.world.lock().set_shop(shop);
    }

    /// The shop as it stands.
    #[must_use]
    pub fn shop(&self, domain: &str) -> Option<Shop> {
        self.server.world.lock().shop(domain).cloned()
    }

    /// What the shop's app is subscribed to.
    #[must_use]
    pub fn subscriptions(&self, shop: &str) -> Vec<Subscription> {
        self.server.world.lock().subscriptions.iter().filter(|subscription| subscription.shop == shop).cloned().collect()
    }

    /// Drops the shop's subscriptions, as happens after a day of failures; answers how many there were.
    pub fn drop_subscriptions(&self, shop: &str) -> usize {
        self.server.world.lock().drop_subscriptions(shop)
    }

    /// The tokens that were minted are good no more.
    pub fn expire_tokens(&self) {
        self.server.world.lock().minted.clear();
    }

    /// Nothing can be written into the conversation any more.
    pub fn close_conversation(&self, shop: &str, conversation: &str) {
        self.server.world.lock().closed.insert((shop.to_owned(), conversation.to_owned()));
    }

    // ---- what goes wrong ----

    /// Plans a failure of any sort; `method` is the call's name, `account` the shop, `chat` the conversation.
    pub fn fail(&self, failure: Failure) {
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

    /// Moves the clock: minted tokens run out by it.
    pub fn advance(&self, by: Duration) {
        self.server.move_clock(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    // ---- what is pushed ----

    /// Where the merchant's app posts what happens in the chat (`inbox/…`). Without it: to the first subscription of the shop.
    pub fn set_webhook(&self, shop: &str, url: &str) {
        self.server.world.lock().webhooks.insert(shop.to_owned(), url.to_owned());
    }

    /// A customer writes.
    pub async fn say(&self, shop: &str, conversation: &str, customer: u64, name: &str, text: &str) -> Delivery {
        let payload = inbox::said(&self.server, conversation, customer, name, text);
        pusher::push(&self.server, shop, "inbox/message_created", &payload).await
    }

    /// Something became of a message that was sent: `delivered`, `read`, `failed`.
    pub async fn status(&self, shop: &str, conversation: &str, message: &str, status: &str) -> Delivery {
        let payload = inbox::status(&self.server, conversation, message, status);
        pusher::push(&self.server, shop, "inbox/message_status", &payload).await
    }

    /// Pushes any topic: those of Shopify to who is subscribed, `inbox/…` to the webhook of the chat.
    pub async fn push(&self, shop: &str, topic: &str, payload: &Value) -> Delivery {
        pusher::push(&self.server, shop, topic, payload).await
    }

    /// The app is taken out of the shop: its tokens are dead, and `app/uninstalled` is the last thing told.
    pub async fn uninstall(&self, shop: &str) -> Delivery {
        pusher::uninstall(&self.server, shop).await
    }

    /// Pushes a sample by its name.
    pub async fn deliver(&self, shop: &str, sample: &str) -> Option<Delivery> {
        let (topic, payload) = control::sample(sample)?;
        Some(pusher::push(&self.server, shop, &topic, &payload).await)
    }
}

impl Drop for Shopify {
    fn drop(&mut self) {
        self.server.stop.cancel();
    }
}
