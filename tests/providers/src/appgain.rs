//! Appgain, as far as a messaging gateway meets it: Notify's `send` for SMS, WhatsApp and app pushes, the session that a
//! phone is linked to, and the events that come back.
//!
//! Much of it is our own proposal: Appgain documents `send` and little else. What it can do from Rust it can mostly do
//! over HTTP under `/_standin`: see the README.

mod answer;
mod control;
mod devices;
mod magic;
mod phone;
mod pusher;
mod scene;
mod send;
mod server;
mod session;
mod subscriptions;
mod world;

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

pub use crate::desk::Delivery;
pub use pusher::signature;
pub use scene::{SaidFile, Say};
pub use server::Knobs;
pub use session::Session;
pub use world::{Hook, Kind, Sent};

/// The hosts that it plays.
pub const HOSTS: &[&str] = &["notify.appgain.io", "api.appgain.io"];

/// The project that is there from the start.
pub const SUIT: &str = "5db9";
/// Its key.
pub const API_KEY: &str = "appgain-standin-key";

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// Projects with their keys.
    pub projects: Vec<(String, String)>,
    /// How much of each request is kept.
    pub recording: Recording,
    /// Every answer waits so long.
    pub latency: Duration,
    /// Webhooks are posted to this authority (`127.0.0.1:8080`) over HTTP, whatever host and scheme their URL has.
    pub deliver_to: Option<Authority>,
    /// A webhook that isn't taken is posted so many times more.
    pub webhook_retries: u32,
    /// How long the first of these waits; each next one waits twice as long, an hour at most.
    pub webhook_gap: Duration,
    /// What can be changed later.
    pub knobs: Knobs,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            projects: vec![(SUIT.into(), API_KEY.into())],
            recording: Recording::Full,
            latency: Duration::ZERO,
            deliver_to: None,
            webhook_retries: 15,
            webhook_gap: Duration::from_secs(1),
            knobs: Knobs::default(),
        }
    }
}

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct Appgain {
    server: Arc<server::Server>,
    address: SocketAddr,
}

impl Appgain {
    /// Starts on a free port of loopback.
    ///
    /// # Panics
    /// Where loopback can't be listened on: a test can't go on without it. `start_with` returns the error instead.
    pub async fn start() -> Self {
        match Self::start_with(Options::default()).await {
            Ok(appgain) => appgain,
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
        *server.own_authority.lock() = address.to_string();
        Ok(Self { server, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:9106`: what each of `HOSTS` is redirected to.
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

    /// Requests of one call: `POST send`, `GET session/qr`, `GET probe`…
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
    pub fn sent(&self, suit_id: &str) -> Vec<Sent> {
        self.server.world.lock().sent.iter().filter(|sent| sent.suit_id == suit_id).cloned().collect()
    }

    /// What went to a whole project because no audience was named: this list has to stay empty.
    #[must_use]
    pub fn sent_to_everybody(&self) -> Vec<Sent> {
        self.server.world.lock().sent.iter().filter(|sent| sent.everybody).cloned().collect()
    }

    /// Whether the number has unsubscribed from SMS.
    #[must_use]
    pub fn is_unsubscribed(&self, suit_id: &str, number: &str) -> bool {
        self.server.world.lock().projects.get(suit_id).is_some_and(|project| project.unsubscribed.contains(number))
    }

    // ---- what goes wrong ----

    /// Plans a failure of any sort; `method` is the call's name, `error_code` an HTTP status in Appgain's envelope.
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

    /// Every answer waits so long from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.server.desk.set_latency(latency);
    }

    // ---- projects ----

    /// A project; of one that is there the key changes.
    pub fn add_project(&self, suit_id: &str, api_key: &str) {
        self.server.world.lock().projects.entry(suit_id.to_owned()).or_default().api_key = api_key.to_owned();
    }

    /// Where a project's events of this kind go, and what signs them. WhatsApp's go to the session's `webhook_url` where no URL is given.
    pub fn set_webhook(&self, suit_id: &str, kind: Kind, url: Option<&str>, secret: Option<&str>) {
        let hook = Hook { url: url.map(str::to_owned), secret: secret.map(str::to_owned) };
        self.server.world.lock().projects.entry(suit_id.to_owned()).or_default().hooks.insert(kind, hook);
    }

    /// So many WhatsApp messages were sent today.
    pub fn set_used(&self, suit_id: &str, used: u64) {
        self.server.world.lock().projects.entry(suit_id.to_owned()).or_default().set_used(used, crate::clock::now_ms());
    }

    // ---- the session and its phone ----

    /// The project's session.
    #[must_use]
    pub fn session(&self, suit_id: &str) -> Option<Session> {
        self.server.world.lock().session(suit_id).cloned()
    }

    /// Waits until the session is in that status, `within` at most.
    pub async fn wait_for_status(&self, suit_id: &str, status: &str, within: Duration) -> bool {
        let waiting = async {
            while self.session(suit_id).is_none_or(|session| session.status != status) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(within, waiting).await.is_ok()
    }

    /// A phone with this number scans the code. False where none is shown.
    pub fn scan(&self, suit_id: &str, number: &str) -> bool {
        phone::scan(&self.server, suit_id, number, "Shop")
    }

    /// The session is unlinked on the phone. False where there is none.
    pub fn unlink(&self, suit_id: &str) -> bool {
        phone::end(&self.server, suit_id, session::FAILED, Some("LOGGED_OUT"))
    }

    /// WhatsApp bans the number. False where there is no session.
    pub fn ban(&self, suit_id: &str) -> bool {
        phone::end(&self.server, suit_id, session::FAILED, Some("BANNED"))
    }

    /// A status of any name. False where there is no session.
    pub fn set_status(&self, suit_id: &str, status: &str) -> bool {
        phone::set_status(&self.server, suit_id, status)
    }

    // ---- what comes back ----

    /// Somebody writes to the session's number. A file whose base64 can't be read is an undelivered message.
    pub async fn say(&self, suit_id: &str, say: &Say) -> Delivery {
        match scene::message(&self.server, suit_id, say) {
            Ok(payload) => pusher::push(&self.server, suit_id, "message", payload).await,
            Err(error) => Delivery::nowhere(&error),
        }
    }

    /// An ack of a message: -1 error, 1 sent, 2 delivered, 3 read, 4 played.
    pub async fn ack(&self, suit_id: &str, id: &str, client_ref: Option<&str>, ack: i64) -> Delivery {
        pusher::push(&self.server, suit_id, "message.ack", pusher::ack(id, client_ref, ack)).await
    }

    /// A receipt of an SMS: `DELIVRD`, `UNDELIV`…
    pub async fn sms_status(&self, suit_id: &str, client_ref: Option<&str>, number: &str, status: &str) -> Delivery {
        pusher::push(&self.server, suit_id, "sms.status", pusher::sms_status(client_ref, number, status)).await
    }

    /// Somebody answers an SMS.
    pub async fn sms_inbound(&self, suit_id: &str, number: &str, text: &str) -> Delivery {
        pusher::push(&self.server, suit_id, "sms.inbound", control::sms_inbound(&self.server, number, text)).await
    }

    /// What a phone does with a push (`received`, `open`, `dismiss`), or `failed` with a reason as `value`.
    pub async fn push_status(&self, suit_id: &str, client_ref: Option<&str>, user: &str, action: &str, value: &str) -> Delivery {
        pusher::push(&self.server, suit_id, "push.status", pusher::push_status(client_ref, user, action, value, None)).await
    }

    /// An envelope of any sort; what it leaves out of `id`, `timestamp`, `suit_id` and `session` is filled in. The same `id` again is a second delivery.
    pub async fn push(&self, suit_id: &str, envelope: &Map<String, Value>) -> Delivery {
        pusher::push_envelope(&self.server, suit_id, envelope.clone()).await
    }

    /// The names of the samples.
    #[must_use]
    pub fn samples(&self) -> Vec<&'static str> {
        scene::samples().keys().map(String::as_str).collect()
    }

    /// Pushes a sample as it stands.
    pub async fn push_sample(&self, suit_id: &str, name: &str) -> Delivery {
        match scene::samples().get(name).and_then(Value::as_object) {
            Some(envelope) => pusher::push_envelope(&self.server, suit_id, envelope.clone()).await,
            None => Delivery::nowhere("there is no such sample"),
        }
    }
}

impl Drop for Appgain {
    fn drop(&mut self) {
        self.server.desk.stop.cancel();
    }
}
