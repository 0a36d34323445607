//! Requests in, answers out: what lies between a request and its call.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::Response;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::failures::{Failure, Failures, Moment};
use crate::post::Poster;
use crate::recorded::Recorder;
use crate::server::hang_up;
use crate::tiktok::Options;
use crate::tiktok::answer::{Outcome, Refusal, respond, typed, words};
use crate::tiktok::ask::Ask;
use crate::tiktok::calls;
use crate::tiktok::control;
use crate::tiktok::tokens::{Grant, Lives, Minted, Tokens};
use crate::tiktok::world::World;

/// A body of more bytes is 413.
const BODY_MAX: usize = 16 * 1024 * 1024;

/// What can be changed while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// Whoever is asked to authorise says no.
    pub deny: bool,
    /// The scopes that they untick.
    pub untick: Vec<String>,
    /// The business account that logs in; left out is the first.
    pub business_id: Option<String>,
    /// Seconds that an access token lives.
    pub access_lives_s: u64,
    /// Seconds that a refresh token lives.
    pub refresh_lives_s: u64,
    /// When what the API sends comes back as `im_send_msg`.
    pub echoes: Echoes,
    /// Whether conversations take images (`IMAGE_SEND`).
    pub image_send: bool,
    /// Whether comments may be answered in private, as in three countries.
    pub comment_replies: bool,
    /// The window isn't looked at: for load runs.
    pub open_windows: bool,
    /// Webhooks come as `{"events": […]}`, as some proxies make them.
    pub batched: bool,
    /// Download URLs are this server's own instead of `https://p16-im-sg.tiktokcdn.com`.
    pub own_media_urls: bool,
    /// Seconds by which the time in signatures is wrong.
    pub signature_skew_s: i64,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            deny: false,
            untick: Vec::new(),
            business_id: None,
            access_lives_s: 86_400,
            refresh_lives_s: 31_536_000,
            echoes: Echoes::After,
            image_send: true,
            comment_replies: false,
            open_windows: false,
            batched: false,
            own_media_urls: false,
            signature_skew_s: 0,
        }
    }
}

/// When an echo is pushed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Echoes {
    /// Never.
    Off,
    /// Once the answer is out.
    #[default]
    After,
    /// Before the answer is out, as happens.
    Before,
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) options: Options,
    pub(crate) world: Mutex<World>,
    /// Where both are locked, the world comes first.
    pub(crate) tokens: Mutex<Tokens>,
    pub(crate) knobs: Mutex<Knobs>,
    pub(crate) recorder: Recorder,
    pub(crate) failures: Failures,
    pub(crate) poster: Poster,
    pub(crate) stop: CancellationToken,
    pub(crate) own_url: Mutex<String>,
    latency_ms: AtomicU64,
    sequence: AtomicU64,
    clock_ahead_ms: AtomicI64,
}

impl Server {
    pub(crate) fn new(options: Options) -> Self {
        let mut world = World::default();
        if !options.empty {
            world.seed();
        }
        let server = Self {
            world: Mutex::new(world),
            tokens: Mutex::default(),
            knobs: Mutex::new(options.knobs.clone()),
            recorder: Recorder::new(options.recording),
            failures: Failures::default(),
            poster: Poster::new(options.deliver_to.clone()),
            stop: CancellationToken::new(),
            own_url: Mutex::default(),
            latency_ms: AtomicU64::new(0),
            sequence: AtomicU64::new(crate::clock::now_ms()),
            clock_ahead_ms: AtomicI64::new(0),
            options,
        };
        server.set_latency(server.options.latency);
        server
    }

    pub(crate) fn set_latency(&self, latency: Duration) {
        self.latency_ms.store(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn latency_ms(&self) -> u64 {
        self.latency_ms.load(Ordering::Relaxed)
    }

    /// A number that no other thing of this server has.
    pub(crate) fn next_number(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    /// The stand-in's time, which can be moved.
    pub(crate) fn now_ms(&self) -> u64 {
        crate::clock::now_ms().saturating_add_signed(self.clock_ahead_ms.load(Ordering::Relaxed))
    }

    pub(crate) fn move_clock(&self, milliseconds: i64) {
        self.clock_ahead_ms.fetch_add(milliseconds, Ordering::Relaxed);
    }

    pub(crate) fn clock_ahead_ms(&self) -> i64 {
        self.clock_ahead_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn knobs(&self) -> Knobs {
        self.knobs.lock().clone()
    }

    pub(crate) fn lives(&self) -> Lives {
        let knobs = self.knobs.lock();
        Lives { access_s: knobs.access_lives_s, refresh_s: knobs.refresh_lives_s }
    }

    pub(crate) fn mint(&self, app_id: &str, business_id: &str, scopes: Vec<String>) -> Minted {
        let grant = Grant { app_id: app_id.to_owned(), business_id: business_id.to_owned(), scopes };
        let lives = self.lives();
        self.tokens.lock().mint(grant, lives, self.now_ms())
    }

    /// The app's id, where the secret is its own.
    pub(crate) fn app_with_secret(&self, id: &str, secret: &str) -> Result<String, Refusal> {
        let world = self.world.lock();
        match world.app(id) {
            Some(app) if app.secret == secret => Ok(app.id.clone()),
            Some(_) => Err(Refusal::parameter("The app secret is incorrect.")),
            None => Err(Refusal::parameter("The app doesn't exist.")),
        }
    }

    /// The business that the request is for, where its token lives, is that business's, and may.
    pub(crate) fn acting(&self, ask: &Ask, scope: &str) -> Result<String, Refusal> {
        if ask.token.is_empty() {
            return Err(Refusal::new(40_105, "Access token is empty: it goes into the Access-Token header."));
        }
        let tokens = self.tokens.lock();
        let grant = tokens.grant(&ask.token, self.now_ms())?;
        let business_id = ask.needed("business_id")?;
        if grant.business_id != business_id {
            return Err(Refusal::new(40_001, "No permission to operate this account: the token is another account's."));
        }
        if !grant.may(scope) {
            return Err(Refusal::new(40_001, format!("No permission to operate this account: {scope} isn't granted.")));
        }
        Ok(business_id.to_owned())
    }
}

pub(crate) fn router(server: &Arc<Server>) -> Router {
    control::router().fallback(answer).with_state(Arc::clone(server))
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    let request_id = server.next_number().to_string();
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_MAX).await else {
        return respond(Err(Refusal { status: 413, ..Refusal::parameter("The request is too large.") }), &request_id);
    };
    let (ask, unreadable) = Ask::read(&parts, body).await;
    let account = ask.text("business_id").to_owned();
    let entry = server.recorder.record(&account, &ask.name, || ask.recorded());
    let failure = if server.failures.any() { server.failures.take(&ask.name, &account, ask.text("recipient")) } else { None };
    let act = async {
        match unreadable {
            Some(refusal) if ask.is_api => Err(refusal),
            _ => calls::call(&server, &ask).await,
        }
    };
    let response = match failure {
        None => respond(act.await, &request_id),
        Some(failure) => fail(&failure, act, &request_id).await,
    };
    pause(server.latency_ms()).await;
    if let Some(entry) = entry
        && response.extensions().get::<crate::server::HungUp>().is_none()
    {
        entry.answered(response.status().as_u16());
    }
    response
}

/// Does what a planned failure says, with the request processed where it isn't stopped before.
async fn fail(failure: &Failure, act: impl Future<Output = Outcome>, request_id: &str) -> Response {
    let hang = failure.hang_ms.unwrap_or_default();
    if failure.hang == Moment::Before {
        pause(hang).await;
    }
    if failure.cut == Some(Moment::Before) {
        return hang_up();
    }
    if let Some(status) = failure.status {
        let html = "<html><body><h1>Bad Gateway</h1></body></html>\n".to_owned();
        return typed(status, "text/html; charset=utf-8", failure.body.clone().unwrap_or(html).into());
    }
    if let Some(code) = failure.error_code {
        let message = failure.description.clone().unwrap_or_else(|| words(code).to_owned());
        return respond(Err(Refusal::new(code, message)), request_id);
    }
    let outcome = act.await;
    if failure.hang == Moment::After {
        pause(hang).await;
    }
    if failure.cut == Some(Moment::After) { hang_up() } else { respond(outcome, request_id) }
}

async fn pause(milliseconds: u64) {
    if milliseconds > 0 {
        sleep(Duration::from_millis(milliseconds)).await;
    }
}
