//! A Telegram Bot API server, as far as a messaging gateway meets it.
//!
//! It keeps bots, chats, messages, files and updates in memory, answers in the words of the real server, and can be
//! told to misbehave. Everything it can do from Rust it can do over HTTP under `/_standin`: see the README.

mod answer;
mod bots;
mod chats;
mod control;
mod delivery;
mod files;
mod html;
mod markup;
mod media;
mod message;
mod methods;
mod params;
mod pictures;
mod samples;
mod scene;
mod server;
mod text;
mod updates;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::uri::Authority;
use serde_json::{Map, Value};

use crate::failures::Failure;
use crate::recorded::{RecordedRequest, Recording};

pub use chats::ChatState;
pub use pictures::png;
pub use scene::{Press, Say};
pub use updates::Delivery;

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// Only tokens of `Telegram::register` open a bot; else any token of the right shape does.
    pub only_registered: bool,
    /// Messages that this server hasn't seen can't be answered or reacted to; else it believes that they exist.
    pub strict_history: bool,
    /// How much of each request is kept.
    pub recording: Recording,
    /// Every answer waits so long.
    pub latency: Duration,
    /// Webhooks are posted to this authority (`127.0.0.1:8080`) over HTTP, whatever host and scheme their URL has.
    pub deliver_to: Option<Authority>,
    /// How long a second of the webhooks' retry schedule lasts: tests shorten it.
    pub webhook_second: Duration,
    /// A webhook that answers nothing but 410 for longer is dropped: 23 hours.
    pub webhook_gone_after: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            only_registered: false,
            strict_history: false,
            recording: Recording::Full,
            latency: Duration::ZERO,
            deliver_to: None,
            webhook_second: Duration::from_secs(1),
            webhook_gone_after: Duration::from_secs(23 * 60 * 60),
        }
    }
}

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct Telegram {
    server: Arc<server::Server>,
    address: SocketAddr,
}

impl Telegram {
    /// Starts on a free port of loopback.
    ///
    /// # Panics
    /// Where loopback can't be listened on: a test can't go on without it. `start_with` returns the error instead.
    pub async fn start() -> Self {
        match Self::start_with(Options::default()).await {
            Ok(telegram) => telegram,
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

    /// `http://127.0.0.1:9101`: what `https://api.telegram.org` is redirected to.
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

    /// Requests of one method, in any case.
    #[must_use]
    pub fn requests_of(&self, method: &str) -> Vec<RecordedRequest> {
        self.server.recorder.list(Some(method), None)
    }

    /// Waits until there are `count` requests of `method`, `within` at most, and returns those that are there.
    pub async fn wait_for(&self, method: &str, count: usize, within: Duration) -> Vec<RecordedRequest> {
        self.server.recorder.wait_for(method, count, within).await
    }

    /// Requests since the start, kept or not.
    #[must_use]
    pub fn request_count(&self) -> u64 {
        self.server.recorder.count()
    }

    /// Forgets the requests.
    pub fn clear_requests(&self) {
        self.server.recorder.clear();
    }

    /// Requests that would have locked the bot out of the real server (`logOut`, `close`).
    #[must_use]
    pub fn mistakes(&self) -> Vec<RecordedRequest> {
        self.server.mistakes()
    }

    /// How much of each request is kept from now on.
    pub fn set_recording(&self, recording: Recording) {
        self.server.recorder.set(recording);
    }

    /// Every answer waits so long from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.server.set_latency(latency);
    }

    // ---- what goes wrong ----

    /// Plans a failure.
    pub fn fail(&self, failure: Failure) {
        self.server.failures.plan(failure);
    }

    /// Forgets the planned failures.
    pub fn clear_failures(&self) {
        self.server.failures.clear();
    }

    /// What bots meet when they write to this chat.
    pub fn set_chat(&self, chat: i64, state: ChatState) {
        self.server.chats.set_state(chat, state);
    }

    /// Tells the server of a chat: a `Chat` object with its id.
    pub fn learn_chat(&self, chat: &Map<String, Value>) {
        self.server.chats.learn(chat);
    }

    // ---- bots ----

    /// From now on this token alone opens its bot. False for a token of the wrong shape.
    pub fn register(&self, token: &str, username: &str, first_name: &str) -> bool {
        self.server.bots.register(token, Some(username), Some(first_name)).is_some()
    }

    /// The bot's tokens answer 401 until `restore` or a new `register`.
    pub fn revoke(&self, bot: i64) {
        self.server.bots.set_revoked(bot, true);
    }

    /// Takes a revocation back.
    pub fn restore(&self, bot: i64) {
        self.server.bots.set_revoked(bot, false);
    }

    /// What `getWebhookInfo` tells the bot.
    #[must_use]
    pub fn webhook_info(&self, bot: i64) -> Value {
        self.server.bots.bot(bot).feed.info()
    }

    /// The messages of a chat as the bot knows them, oldest first.
    #[must_use]
    pub fn messages(&self, bot: i64, chat: i64) -> Vec<Value> {
        self.server.chats.with(bot, chat, |conversation| conversation.messages())
    }

    // ---- what happens at the provider ----

    /// Delivers an update to the bot: to its webhook, or queued for `getUpdates`. Without an `update_id` it gets the
    /// next; with one that was used already it is a second delivery. Returns after the first attempt; later ones go on
    /// in the background. Anything but an object is delivered as an update without a payload.
    pub async fn push(&self, bot: i64, update: Value) -> Delivery {
        delivery::push(&self.server, &self.server.bots.bot(bot), message::fields(update)).await
    }

    /// Somebody writes to the bot.
    pub async fn say(&self, bot: i64, say: &Say) -> Delivery {
        let bot = self.server.bots.bot(bot);
        delivery::push(&self.server, &bot, scene::say(&self.server, &bot, say)).await
    }

    /// Somebody presses a button of a message.
    pub async fn press(&self, bot: i64, press: &Press) -> Delivery {
        let bot = self.server.bots.bot(bot);
        delivery::push(&self.server, &bot, scene::press(&self.server, &bot, press)).await
    }

    /// The names of the samples.
    #[must_use]
    pub fn samples(&self) -> Vec<&'static str> {
        samples::names()
    }

    /// Pushes a sample's updates in their order. Empty where there is no such sample.
    pub async fn push_sample(&self, bot: i64, name: &str) -> Vec<Delivery> {
        let bot = self.server.bots.bot(bot);
        let mut deliveries = Vec::new();
        for update in samples::updates(&self.server, &bot, name).unwrap_or_default() {
            deliveries.push(delivery::push(&self.server, &bot, update).await);
        }
        deliveries
    }
}

impl Drop for Telegram {
    fn drop(&mut self) {
        self.server.stop.cancel();
    }
}
