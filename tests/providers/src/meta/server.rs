//! Requests in, answers out: what lies between a request and its call. One server plays every host, told apart by path.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::failures::{Failure, Failures, Moment};
use crate::meta::Options;
use crate::meta::answer::{GraphError, Outcome, respond};
use crate::meta::ask::Ask;
use crate::meta::calls;
use crate::meta::control;
use crate::meta::params::{Params, text_of};
use crate::meta::tokens::Tokens;
use crate::meta::world::World;
use crate::post::Poster;
use crate::recorded::Recorder;
use crate::server::hang_up;

/// A body of more bytes is 413: the largest document and its form around it.
const BODY_MAX: usize = 102 * 1024 * 1024;

/// What can be changed while it runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// Instagram's code exchange answers in `{"data":[{…}]}`.
    pub wrapped_token: bool,
    /// Its `permissions` are text with commas.
    pub permissions_text: bool,
    /// What Pages and Instagram accounts send comes back as an echo.
    pub echoes: Echoes,
    /// What WhatsApp numbers send is told as sent, delivered and read.
    pub statuses: bool,
    /// Webhooks are raw UTF-8 instead of escaped ASCII.
    pub raw_utf8: bool,
    /// Nobody can be written to who hasn't written; else windows are open until they are known to be closed.
    pub strict_windows: bool,
    /// Media URLs are this server's own instead of `https://lookaside.fbsbx.com`.
    pub own_media_urls: bool,
    /// Scopes aren't checked: for load runs.
    pub any_scope: bool,
}

/// When an echo is pushed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Echoes {
    /// Never.
    #[default]
    Off,
    /// Once the answer is out.
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
            sequence: AtomicU64::new(crate::clock::now_s()),
            clock_ahead_ms: AtomicI64::new(0),
            options,
        };
        server.set_latency(server.options.latency);
        calls::media::seed(&server);
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

    pub(crate) fn now_s(&self) -> u64 {
        self.now_ms() / 1000
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
}

pub(crate) fn router(server: &Arc<Server>) -> Router {
    control::router().fallback(answer).with_state(Arc::clone(server))
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_MAX).await else {
        return respond(Err(GraphError::of(1).saying("Request Entity Too Large").status(413)), "", "");
    };
    let params = Params::read(parts.uri.query(), &parts.headers, body).await;
    let (params, unreadable) = match params {
        Ok(params) => (params, None),
        Err(error) => (Params::default(), Some(error)),
    };
    let ask = Ask::read(&server, &parts, params);
    let entry = server.recorder.record(&ask.account, &ask.name, || recorded(&ask));

    let failure = if server.failures.any() { server.failures.take(&ask.name, &ask.account, &recipient(&ask)) } else { None };
    let act = async {
        match unreadable {
            Some(error) => Err(error),
            None => calls::call(&server, &ask).await,
        }
    };
    let response = match failure {
        None => finish(&ask, act.await),
        Some(failure) => fail(&ask, &failure, act).await,
    };
    pause(server.latency_ms()).await;
    if let Some(entry) = entry
        && response.extensions().get::<crate::server::HungUp>().is_none()
    {
        entry.answered(response.status().as_u16());
    }
    response
}

/// Parameters, and beside them, with an underscore, what came in headers.
fn recorded(ask: &Ask) -> Value {
    let mut values = ask.params.as_json();
    values.insert("_path".into(), ask.path.clone().into());
    values.insert("_host".into(), ask.host.clone().into());
    values.insert("_bearer".into(), ask.bearer.clone().map_or(Value::Null, Value::String));
    Value::Object(values)
}

/// Whom a send goes to, as the request writes it.
fn recipient(ask: &Ask) -> String {
    match ask.params.get("recipient") {
        Value::Object(recipient) => recipient.get("id").map(text_of).unwrap_or_default(),
        Value::Null => ask.params.text("to"),
        other => text_of(other),
    }
}

fn finish(ask: &Ask, outcome: Outcome) -> Response {
    let outcome = outcome.map_err(|error| {
        // graph.instagram.com has a name of its own for its errors.
        if ask.by_instagram && error.kind == "OAuthException" { error.kind("IGApiException") } else { error }
    });
    respond(outcome, &ask.version, &ask.account)
}

/// Does what a planned failure says, with the request processed where it isn't stopped before.
async fn fail(ask: &Ask, failure: &Failure, act: impl Future<Output = Outcome>) -> Response {
    let hang = failure.hang_ms.unwrap_or_default();
    if failure.hang == Moment::Before {
        pause(hang).await;
    }
    if failure.cut == Some(Moment::Before) {
        return hang_up();
    }
    if let Some(status) = failure.status {
        return proxy_error(status, failure.body.as_deref());
    }
    if let Some(error) = planned(failure) {
        return finish(ask, Err(error));
    }
    let outcome = act.await;
    if failure.hang == Moment::After {
        pause(hang).await;
    }
    if failure.cut == Some(Moment::After) { hang_up() } else { finish(ask, outcome) }
}

/// The error of a failure: `error_code` and `description`, the rest of `GraphError` in `parameters`.
fn planned(failure: &Failure) -> Option<GraphError> {
    let code = failure.error_code?;
    let parameters = failure.parameters.clone().unwrap_or_else(|| json!({}));
    let mut error: GraphError = serde_json::from_value(parameters).unwrap_or_default();
    error.code = code;
    if let Some(description) = &failure.description {
        error.message.clone_from(description);
    }
    Some(error.completed())
}

/// What a proxy before the server answers in its place.
fn proxy_error(status: u16, body: Option<&str>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let html = format!(
        "<!DOCTYPE html>\n<html><head><title>Error</title></head><body><h1>Sorry, something went wrong.</h1>{status}</body></html>\n"
    );
    let mut response = Response::new(Body::from(body.map_or(html, ToOwned::to_owned)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

async fn pause(milliseconds: u64) {
    if milliseconds > 0 {
        sleep(Duration::from_millis(milliseconds)).await;
    }
}
