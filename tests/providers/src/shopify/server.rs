//! Requests in, answers out: which shop is meant, what was planned to go wrong, and the call.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::failures::{Failure, Failures, Moment};
use crate::post::Poster;
use crate::recorded::Recorder;
use crate::server::hang_up;
use crate::shopify::answer::Answer;
use crate::shopify::shops::World;
use crate::shopify::{Options, admin, control, inbox, oauth};

/// A body of more bytes is 413.
const BODY_MAX: usize = 4 * 1024 * 1024;

/// What can be changed while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// Minted tokens live so many seconds.
    pub token_life_s: u64,
    /// So many GraphQL calls are throttled, in an answer of status 200.
    pub throttle: u32,
    /// Subscriptions are taken and forgotten at once.
    pub forget_subscriptions: bool,
    /// Webhooks are signed with the secret before this one.
    pub old_secret: bool,
    /// Webhooks have the newer headers, which don't begin with `X-`.
    pub bare_headers: bool,
    /// What is sent into a conversation is told as delivered and read.
    pub statuses: bool,
    /// Only conversations in which somebody has written are known.
    pub strict_conversations: bool,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            token_life_s: 86_399,
            throttle: 0,
            forget_subscriptions: false,
            old_secret: false,
            bare_headers: false,
            statuses: false,
            strict_conversations: false,
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
            knobs: Mutex::new(options.knobs.clone()),
            recorder: Recorder::new(options.recording),
            failures: Failures::default(),
            poster: Poster::new(options.deliver_to.clone()),
            stop: CancellationToken::new(),
            latency_ms: AtomicU64::new(0),
            sequence: AtomicU64::new(crate::clock::now_s()),
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

    /// The time as Shopify writes it.
    pub(crate) fn now_text(&self) -> String {
        rfc3339(self.now_ms() / 1000)
    }

    pub(crate) fn move_clock(&self, milliseconds: i64) {
        self.clock_ahead_ms.fetch_add(milliseconds, Ordering::Relaxed);
    }

    pub(crate) fn knobs(&self) -> Knobs {
        self.knobs.lock().clone()
    }
}

/// Days to a date by Howard Hinnant's algorithm.
fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// A request that has been read.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) name: String,
    /// The shop's domain; empty where nothing names one.
    pub(crate) shop: String,
    pub(crate) method: String,
    /// Without `/shops/{domain}`.
    pub(crate) path: String,
    pub(crate) token: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Ask {
    fn read(server: &Server, parts: &axum::http::request::Parts, body: Bytes) -> Self {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let whole = parts.uri.path();
        let named = whole.strip_prefix("/shops/").map(|rest| rest.split_once('/').unwrap_or((rest, "")));
        let (in_path, path) = named.map_or((None, whole.to_owned()), |(shop, rest)| (Some(shop.to_owned()), format!("/{rest}")));
        let token = header("x-shopify-access-token");
        let host = header("host");
        let world = server.world.lock();
        let by_host = world.shop(host.split(':').next().unwrap_or_default()).map(|shop| shop.domain.clone());
        let by_token = || world.shop_of_token(&token, server.now_ms()).map(|shop| shop.domain.clone());
        let mut ask = Self {
            name: String::new(),
            shop: String::new(),
            method: parts.method.as_str().to_owned(),
            path,
            token: token.clone(),
            headers: parts.headers.clone(),
            body,
        };
        // An app with the same client id in two shops has to be named by host or path.
        let by_client = || {
            let id = ask.fields().get("client_id").and_then(Value::as_str).map(str::to_owned)?;
            world.shops().iter().find(|shop| shop.client_id == id).map(|shop| shop.domain.clone())
        };
        ask.shop = in_path.or(by_host).or_else(by_token).or_else(by_client).unwrap_or_default();
        ask.name = format!("{} {}", ask.method, ask.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".json"));
        ask
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn is_json(&self) -> bool {
        self.header("content-type").split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
    }

    /// The body's JSON; null where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The fields of a JSON object or of a form.
    pub(crate) fn fields(&self) -> Map<String, Value> {
        if self.is_json() {
            return self.json().as_object().cloned().unwrap_or_default();
        }
        let form = url::form_urlencoded::parse(&self.body);
        form.map(|(name, value)| (name.into_owned(), Value::from(value.into_owned()))).collect()
    }

    /// The conversation of a send.
    pub(crate) fn conversation(&self) -> Option<String> {
        let rest = self.path.strip_prefix("/conversations/")?.strip_suffix("/messages")?;
        let rest = rest.replace('+', "%2B");
        url::form_urlencoded::parse(format!("c={rest}").as_bytes()).next().map(|(_, id)| id.into_owned())
    }
}

pub(crate) fn router(server: &Arc<Server>) -> Router {
    control::router().fallback(answer).with_state(Arc::clone(server))
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_MAX).await else {
        return Answer::error(413, "Request Entity Too Large").response();
    };
    let ask = Ask::read(&server, &parts, body);
    let entry = server.recorder.record(&ask.shop, &ask.name, || recorded(&ask));
    let conversation = ask.conversation().unwrap_or_default();
    let failure = if server.failures.any() { server.failures.take(&ask.name, &ask.shop, &conversation) } else { None };
    let response = match failure {
        None => call(&server, &ask).response(),
        Some(failure) => fail(&server, &ask, &failure).await,
    };
    pause(server.latency_ms()).await;
    if let Some(entry) = entry
        && response.extensions().get::<crate::server::HungUp>().is_none()
    {
        entry.answered(response.status().as_u16());
    }
    response
}

fn recorded(ask: &Ask) -> Value {
    let mut values = ask.fields();
    for (name, value) in [
        ("_path", ask.path.as_str()),
        ("_host", ask.header("host")),
        ("_token", &ask.token),
        ("_idempotency_key", ask.header("idempotency-key")),
    ] {
        values.insert(name.into(), value.into());
    }
    values.into()
}

fn call(server: &Arc<Server>, ask: &Ask) -> Answer {
    match (ask.method.as_str(), ask.path.as_str()) {
        ("POST", "/admin/oauth/access_token") => oauth::mint(server, ask),
        ("POST", path) if path.starts_with("/admin/api/") && path.ends_with("/graphql.json") => admin::graphql(server, ask),
        ("POST", _) if ask.conversation().is_some() => inbox::send(server, ask),
        _ => Answer::error(404, "Not Found"),
    }
}

/// Does what a planned failure says, with the request processed where it isn't stopped before.
async fn fail(server: &Arc<Server>, ask: &Ask, failure: &Failure) -> Response {
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
    if let Some(answer) = planned(failure) {
        return answer.response();
    }
    let answer = call(server, ask);
    if failure.hang == Moment::After {
        pause(hang).await;
    }
    if failure.cut == Some(Moment::After) { hang_up() } else { answer.response() }
}

/// `error_code` is the HTTP status; `description` its words, or `THROTTLED` for GraphQL's throttling in an answer of status 200;
/// `parameters`: `retry_after`, or the numbers of the throttling.
fn planned(failure: &Failure) -> Option<Answer> {
    let code = u16::try_from(failure.error_code?).unwrap_or(500);
    let parameters = failure.parameters.clone().unwrap_or_else(|| json!({}));
    let number = |name: &str, otherwise: f64| parameters[name].as_f64().unwrap_or(otherwise);
    if failure.description.as_deref() == Some("THROTTLED") {
        return Some(admin::throttled(number("requested", 20.0), number("available", 0.0), number("restore_rate", 50.0)));
    }
    let mut answer = Answer::of_status(code);
    if let Some(words) = &failure.description {
        answer.body = json!({"errors": words});
    }
    if parameters["retry_after"].is_number() {
        answer.headers.retain(|(name, _)| *name != "retry-after");
        answer = answer.with("retry-after", parameters["retry_after"].to_string());
    }
    Some(answer)
}

/// What a proxy before the server answers in its place.
fn proxy_error(status: u16, body: Option<&str>) -> Response {
    let html = "<!DOCTYPE html>\n<html><head><title>Something went wrong</title></head><body>Shopify</body></html>\n";
    let mut response = Response::new(Body::from(body.unwrap_or(html).to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

async fn pause(milliseconds: u64) {
    if milliseconds > 0 {
        sleep(Duration::from_millis(milliseconds)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_shopify_does() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_709_210_096), "2024-02-29T12:34:56Z");
        assert_eq!(rfc3339(1_764_000_000), "2025-11-24T16:00:00Z");
    }
}
