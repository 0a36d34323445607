//! Requests in, answers out: what lies between a request and its call.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::failures::{Failure, Failures, Moment};
use crate::linkedin::answer::{Outcome, Refusal, respond};
use crate::linkedin::ask::Ask;
use crate::linkedin::world::{Grant, World};
use crate::linkedin::{Options, control, messages, oauth, organizations, posts, subscriptions, uploads};
use crate::post::Poster;
use crate::recorded::Recorder;
use crate::server::hang_up;

const BODY_MAX: usize = 110 * 1024 * 1024;

/// What can be changed while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// The member doesn't consent.
    pub deny: bool,
    /// Scopes that are never granted.
    pub declined: Vec<String>,
    /// The app is a partner with refresh tokens.
    pub refresh_tokens: bool,
    /// The app is a partner that may write to members.
    pub messaging: bool,
    /// Versions that have been sunset: 426.
    pub retired_versions: Vec<String>,
    /// So many calls of a resource in a day; then 429.
    pub daily_limit: Option<u32>,
    /// Upload URLs are this server's own instead of `https://www.linkedin.com`.
    pub own_upload_urls: bool,
    /// So many looks until a video is available.
    pub video_looks: u32,
    /// Bytes of one part of a video.
    pub part_bytes: usize,
    /// The signature of webhooks comes with `hmacsha256=` before it.
    pub prefixed_signature: bool,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            deny: false,
            declined: Vec::new(),
            refresh_tokens: true,
            messaging: true,
            retired_versions: Vec::new(),
            daily_limit: None,
            own_upload_urls: false,
            video_looks: 1,
            part_bytes: 4 * 1024 * 1024,
            prefixed_signature: false,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) options: Options,
    pub(crate) world: Mutex<World>,
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
        let server = Self {
            world: Mutex::new(World::seeded()),
            knobs: Mutex::new(options.knobs.clone()),
            recorder: Recorder::new(options.recording),
            failures: Failures::default(),
            poster: Poster::new(options.deliver_to.clone()),
            stop: CancellationToken::new(),
            own_url: Mutex::default(),
            latency_ms: AtomicU64::new(0),
            sequence: AtomicU64::new(7_000_000_000_000_000_000 + crate::clock::now_ms()),
            clock_ahead_ms: AtomicI64::new(0),
            options,
        };
        server.set_latency(server.options.latency);
        server
    }

    pub(crate) fn set_latency(&self, latency: Duration) {
        self.latency_ms.store(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// A number that no other thing of this server has.
    pub(crate) fn next_number(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    /// The stand-in's time, which can be moved.
    pub(crate) fn now_ms(&self) -> u64 {
        crate::clock::now_ms().saturating_add_signed(self.clock_ahead_ms.load(Ordering::Relaxed))
    }

    pub(crate) fn now_s(&self) -> u64 {
        self.now_ms() / 1000
    }

    pub(crate) fn move_clock(&self, milliseconds: i64) {
        self.clock_ahead_ms.fetch_add(milliseconds, Ordering::Relaxed);
    }

    pub(crate) fn knobs(&self) -> Knobs {
        self.knobs.lock().clone()
    }

    /// A token of the own member's.
    pub(crate) fn mint(&self, scopes: Vec<String>, lives_s: u64) -> String {
        let token = format!("AQ-standin-access-{}", self.next_number());
        let now = self.now_s();
        let grant = Grant { scopes, issued_s: now, expires_s: now.saturating_add(lives_s), ..Grant::default() };
        self.world.lock().tokens.insert(token.clone(), grant);
        token
    }

    /// The caller, whose token is alive.
    fn caller(&self, ask: &Ask) -> Result<Grant, Refusal> {
        let Some(token) = ask.bearer() else {
            return Err(Refusal::new(401, "EMPTY_ACCESS_TOKEN", "Empty oauth2 access token").numbered(65_604));
        };
        let world = self.world.lock();
        match world.tokens.get(token) {
            None => Err(Refusal::new(401, "INVALID_ACCESS_TOKEN", "Invalid access token").numbered(65_600)),
            Some(grant) if grant.revoked => {
                Err(Refusal::new(401, "REVOKED_ACCESS_TOKEN", "The token used in the request has been revoked by the user")
                    .numbered(65_601))
            }
            Some(grant) if grant.expires_s <= self.now_s() => Err(Refusal::of(401)),
            Some(grant) => Ok(grant.clone()),
        }
    }

    /// `/rest/*` wants its two headers; the version has to be one that lives.
    fn versioned(&self, ask: &Ask) -> Result<(), Refusal> {
        let Some(version) = ask.header("linkedin-version") else {
            let message = "A version must be present. Please specify a version by adding the LinkedIn-Version header.";
            return Err(Refusal::new(400, "VERSION_MISSING", message));
        };
        let month = version.get(4..).and_then(|month| month.parse::<u32>().ok()).unwrap_or_default();
        let digits = version.len() == 6 && version.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || !(1..=12).contains(&month) || self.knobs.lock().retired_versions.iter().any(|retired| retired == version) {
            return Err(Refusal::version(version));
        }
        if ask.header("x-restli-protocol-version") != Some("2.0.0") {
            return Err(Refusal::new(400, "ILLEGAL_ARGUMENT", "The header X-Restli-Protocol-Version: 2.0.0 is needed"));
        }
        Ok(())
    }

    fn throttle(&self, ask: &Ask) -> Result<(), Refusal> {
        let Some(limit) = self.knobs.lock().daily_limit else { return Ok(()) };
        let mut world = self.world.lock();
        let calls = world.calls.entry(format!("{} {}", self.now_s() / 86_400, ask.name)).or_default();
        *calls += 1;
        if *calls > limit { Err(Refusal::throttled("MEMBER")) } else { Ok(()) }
    }
}

impl Grant {
    /// One of the scopes will do.
    pub(crate) fn need(&self, scopes: &[&str], what: &str) -> Result<(), Refusal> {
        if self.scopes.iter().any(|scope| scopes.contains(&scope.as_str())) { Ok(()) } else { Err(Refusal::denied(what)) }
    }
}

/// A recipient, or a text, that stands for an error: `urn:li:person:error-429`, `… standin-error-503 …`.
pub(crate) fn magic(text: &str) -> Result<(), Refusal> {
    let status = text.split("error-").nth(1).and_then(|rest| rest.get(..3)).and_then(|digits| digits.parse().ok());
    match status {
        Some(status @ 400..=599) => Err(Refusal::of(status)),
        _ => Ok(()),
    }
}

pub(crate) fn router(server: &Arc<Server>) -> Router {
    control::router().fallback(answer).with_state(Arc::clone(server))
}

async fn call(server: &Arc<Server>, ask: &Ask) -> Outcome {
    let segments: Vec<&str> = ask.segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["oauth", "v2", call] => return oauth::call(server, ask, call),
        ["dms-uploads", ..] => return uploads::put(server, ask),
        ["v2" | "rest", ..] => {}
        _ => return Err(missing(ask)),
    }
    let caller = server.caller(ask)?;
    if segments.first() == Some(&"rest") {
        server.versioned(ask)?;
    }
    server.throttle(ask)?;
    match (&ask.method, segments.as_slice()) {
        (&Method::GET, ["v2", "userinfo"]) => oauth::userinfo(server, &caller),
        (&Method::POST, ["v2", "messages"]) => messages::send(server, ask),
        (&Method::GET, ["rest", "organizationAcls"]) => organizations::acls(server, ask, &caller),
        (&Method::GET, ["rest", "organizations", _]) => organizations::read(server, ask, &caller),
        (&Method::POST, ["rest", "posts"]) => posts::publish(server, ask, &caller),
        (_, ["rest", "posts", _]) => posts::one(server, ask, &caller),
        (_, ["rest", "socialActions", _, "comments"]) => posts::comment(server, ask, &caller),
        (_, ["rest", "images" | "documents" | "videos", ..]) => uploads::call(server, ask, &caller),
        (_, ["rest", "eventSubscriptions", _]) => subscriptions::call(server, ask, &caller).await,
        _ => Err(missing(ask)),
    }
}

pub(crate) fn missing(ask: &Ask) -> Refusal {
    Refusal::new(404, "RESOURCE_NOT_FOUND", &format!("No virtual resource found for {} {}", ask.method, ask.path))
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_MAX).await else {
        return respond(Err(Refusal::new(413, "REQUEST_ENTITY_TOO_LARGE", "The request is too large")));
    };
    let ask = Ask::read(&parts, body);
    let entry = server.recorder.record(&"", &ask.name, || ask.recorded());
    let failure = if server.failures.any() { server.failures.take(&ask.name, "", "") } else { None };
    let response = match failure {
        None => respond(call(&server, &ask).await),
        Some(failure) => fail(&failure, call(&server, &ask)).await,
    };
    pause(server.latency_ms.load(Ordering::Relaxed)).await;
    if let Some(entry) = entry
        && response.extensions().get::<crate::server::HungUp>().is_none()
    {
        entry.answered(response.status().as_u16());
    }
    response
}

/// Does what a planned failure says, with the request processed where it isn't stopped before.
async fn fail(failure: &Failure, act: impl Future<Output = Outcome>) -> Response {
    let hang = failure.hang_ms.unwrap_or_default();
    if failure.hang == Moment::Before {
        pause(hang).await;
    }
    if failure.cut == Some(Moment::Before) {
        return hang_up();
    }
    if let Some(status) = failure.status {
        let html = failure.body.clone().unwrap_or_else(|| "<!DOCTYPE html><html><body>LinkedIn: Request Error</body></html>".into());
        let mut response = Response::new(Body::from(html));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
        return response;
    }
    if let Some(refusal) = planned(failure) {
        return respond(Err(refusal));
    }
    let outcome = act.await;
    if failure.hang == Moment::After {
        pause(hang).await;
    }
    if failure.cut == Some(Moment::After) { hang_up() } else { respond(outcome) }
}

/// `error_code` is the status; the rest of a `Refusal` is in `parameters`, or what LinkedIn says with that status.
fn planned(failure: &Failure) -> Option<Refusal> {
    let status = u16::try_from(failure.error_code?).ok()?;
    let mut refusal = json!(Refusal::of(status));
    if let (Some(refusal), Some(Value::Object(given))) = (refusal.as_object_mut(), failure.parameters.clone()) {
        refusal.extend(given);
    }
    let mut refusal: Refusal = serde_json::from_value(refusal).ok()?;
    if let Some(description) = failure.description.as_ref().filter(|description| !description.is_empty()) {
        refusal.message.clone_from(description);
    }
    Some(refusal)
}

async fn pause(milliseconds: u64) {
    if milliseconds > 0 {
        sleep(Duration::from_millis(milliseconds)).await;
    }
}
