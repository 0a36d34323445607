//! What lies between a request and its answer in the smaller stand-ins: it is recorded, meets the failures that were
//! asked for, and waits. Their strings for people with curl lie here, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::uri::Authority;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::failures::{Failure, Failures, Moment};
use crate::post::Poster;
use crate::recorded::{Recorder, Recording};
use crate::server::{HungUp, hang_up};

/// A webhook that isn't answered within this time isn't taken.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// The longest pause between two attempts of a webhook.
const GAP_MAX: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) recorder: Recorder,
    pub(crate) failures: Failures,
    pub(crate) stop: CancellationToken,
    poster: Poster,
    latency_ms: AtomicU64,
    sequence: AtomicU64,
}

/// What a request is called in the records, and what failures are planned by.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) call: String,
    pub(crate) account: String,
    pub(crate) recipient: String,
}

impl Desk {
    pub(crate) fn new(recording: Recording, latency: Duration, deliver_to: Option<Authority>) -> Self {
        let desk = Self {
            recorder: Recorder::new(recording),
            failures: Failures::default(),
            stop: CancellationToken::new(),
            poster: Poster::new(deliver_to),
            latency_ms: AtomicU64::new(0),
            sequence: AtomicU64::new(1),
        };
        desk.set_latency(latency);
        desk
    }

    pub(crate) fn set_latency(&self, latency: Duration) {
        self.latency_ms.store(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn latency_ms(&self) -> u64 {
        self.latency_ms.load(Ordering::Relaxed)
    }

    /// A number that no other thing of this stand-in has: 1, 2, 3…
    pub(crate) fn next_number(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    /// Records the request and answers it. `refuse` makes the provider's own error of a planned `error_code`.
    pub(crate) async fn serve(
        &self,
        asked: &Asked,
        parameters: impl FnOnce() -> Value,
        refuse: impl FnOnce(&Failure) -> Response,
        act: impl Future<Output = Response>,
    ) -> Response {
        let entry = self.recorder.record(&asked.account, &asked.call, parameters);
        let failure = if self.failures.any() { self.failures.take(&asked.call, &asked.account, &asked.recipient) } else { None };
        let response = match failure {
            None => act.await,
            Some(failure) => fail(&failure, refuse, act).await,
        };
        pause(self.latency_ms()).await;
        if let Some(entry) = entry
            && response.extensions().get::<HungUp>().is_none()
        {
            entry.answered(response.status().as_u16());
        }
        response
    }

    /// One attempt of a webhook.
    pub(crate) async fn knock(&self, method: Method, url: &str, headers: &[(HeaderName, HeaderValue)], body: Bytes) -> Delivery {
        let answer = self.poster.send(method, url, headers, body, ANSWER_WITHIN).await;
        let (status, note) = match answer {
            Ok(posted) => (Some(posted.status.as_u16()), None),
            Err(error) => (None, Some(error)),
        };
        Delivery { url: url.to_owned(), delivered: status.is_some_and(|status| (200..300).contains(&status)), status, note }
    }

    /// A file that is to be sent: loopback's own are fetched, with status, type and size told; others are believed.
    pub(crate) async fn look_at(&self, url: &str) -> Option<(u16, String, usize)> {
        let parsed = url::Url::parse(url).ok()?;
        let local = match parsed.host()? {
            url::Host::Ipv4(address) => address.is_loopback(),
            url::Host::Ipv6(address) => address.is_loopback(),
            url::Host::Domain(name) => name == "localhost",
        };
        if !local || parsed.scheme() != "http" {
            return None;
        }
        Some(match self.poster.fetch(url, ANSWER_WITHIN).await {
            Err(_) => (0, String::new(), 0),
            Ok(answer) => {
                let kind = answer.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
                (answer.status.as_u16(), kind.to_owned(), answer.body.len())
            }
        })
    }
}

/// How the first attempt of a webhook went.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Delivery {
    /// Where it went; empty where no URL is known.
    pub url: String,
    /// Whether it was taken (2xx).
    pub delivered: bool,
    /// What was answered.
    pub status: Option<u16>,
    /// Why there is no answer.
    pub note: Option<String>,
}

impl Delivery {
    /// There is nowhere to deliver to.
    pub(crate) fn nowhere(note: &str) -> Self {
        Self { note: Some(note.to_owned()), ..Self::default() }
    }
}

/// How long the attempt after so many failed ones waits: it doubles each time.
pub(crate) fn gap(first: Duration, failed: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(failed)).min(GAP_MAX)
}

/// Does what a planned failure says, with the request processed where it isn't stopped before.
async fn fail(failure: &Failure, refuse: impl FnOnce(&Failure) -> Response, act: impl Future<Output = Response>) -> Response {
    let hang = failure.hang_ms.unwrap_or_default();
    if failure.hang == Moment::Before {
        pause(hang).await;
    }
    if failure.cut == Some(Moment::Before) {
        return hang_up();
    }
    if let Some(status) = failure.status {
        return proxy_answer(status, failure.body.as_deref());
    }
    if failure.error_code.is_some() {
        return refuse(failure);
    }
    let response = act.await;
    if failure.hang == Moment::After {
        pause(hang).await;
    }
    if failure.cut == Some(Moment::After) { hang_up() } else { response }
}

/// What a proxy before the server answers in its place: HTML, where no body is given.
pub(crate) fn proxy_answer(status: u16, body: Option<&str>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let html =
        format!("<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center><hr>nginx/1.24.0</body></html>\n");
    let kind = if body.is_some_and(|body| serde_json::from_str::<Value>(body).is_ok()) { "application/json" } else { "text/html" };
    let mut response = Response::new(Body::from(body.map_or(html, ToOwned::to_owned)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

pub(crate) async fn pause(milliseconds: u64) {
    if milliseconds > 0 {
        sleep(Duration::from_millis(milliseconds)).await;
    }
}

/// Bytes that nobody can guess.
pub(crate) fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    // It can't fail on the systems that this runs on; all zeros would be seen at once.
    SystemRandom::new().fill(&mut bytes).ok();
    bytes
}

/// A new UUID, version 4.
pub(crate) fn uuid() -> String {
    let mut bytes = random::<16>();
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
    *version = *version & 0x0f | 0x40;
    *variant = *variant & 0x3f | 0x80;
    let digits = hex::encode(bytes);
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| digits.get(range).unwrap_or_default());
    groups.join("-")
}

/// What a person did wrong with a string, with what to do instead.
#[derive(Debug)]
pub(crate) struct Misuse(pub(crate) u16, pub(crate) String);

impl IntoResponse for Misuse {
    fn into_response(self) -> Response {
        (StatusCode::from_u16(self.0).unwrap_or(StatusCode::BAD_REQUEST), Json(json!({"error": self.1}))).into_response()
    }
}

/// What a string answers.
pub(crate) type Pulled = Result<Json<Value>, Misuse>;

pub(crate) fn read<T: for<'de> Deserialize<'de>>(body: &str) -> Result<T, Misuse> {
    serde_json::from_str(body).map_err(|error| Misuse(400, format!("the body: {error}")))
}

/// The strings that every stand-in has: requests, failures, settings.
pub(crate) fn strings<S: AsRef<Desk> + Send + Sync + 'static>() -> Router<Arc<S>> {
    Router::new()
        .route("/_standin/requests", get(requests::<S>).delete(clear_requests::<S>))
        .route("/_standin/failures", get(failures::<S>).post(plan_failure::<S>).delete(clear_failures::<S>))
        .route("/_standin/settings", get(settings::<S>).post(set_settings::<S>))
}

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    call: Option<String>,
    account: Option<String>,
}

async fn requests<S: AsRef<Desk>>(State(server): State<Arc<S>>, Query(wanted): Query<Wanted>) -> Json<Value> {
    let desk: &Desk = server.as_ref().as_ref();
    Json(json!({"requests": desk.recorder.list(wanted.call.as_deref(), wanted.account.as_deref())}))
}

async fn clear_requests<S: AsRef<Desk>>(State(server): State<Arc<S>>) -> Json<Value> {
    let desk: &Desk = server.as_ref().as_ref();
    desk.recorder.clear();
    Json(json!({"requests": []}))
}

async fn failures<S: AsRef<Desk>>(State(server): State<Arc<S>>) -> Json<Value> {
    let desk: &Desk = server.as_ref().as_ref();
    Json(json!({"failures": desk.failures.list()}))
}

async fn plan_failure<S: AsRef<Desk>>(State(server): State<Arc<S>>, body: String) -> Pulled {
    let desk: &Desk = server.as_ref().as_ref();
    desk.failures.plan(read::<Failure>(&body)?);
    Ok(failures(State(server)).await)
}

async fn clear_failures<S: AsRef<Desk>>(State(server): State<Arc<S>>) -> Json<Value> {
    let desk: &Desk = server.as_ref().as_ref();
    desk.failures.clear();
    failures(State(server)).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    latency_ms: Option<u64>,
    recording: Option<Recording>,
}

async fn settings<S: AsRef<Desk>>(State(server): State<Arc<S>>) -> Json<Value> {
    let desk: &Desk = server.as_ref().as_ref();
    Json(json!({"latency_ms": desk.latency_ms(), "recording": desk.recorder.recording()}))
}

async fn set_settings<S: AsRef<Desk>>(State(server): State<Arc<S>>, body: String) -> Pulled {
    let wanted = read::<Settings>(&body)?;
    let desk: &Desk = server.as_ref().as_ref();
    if let Some(latency_ms) = wanted.latency_ms {
        desk.set_latency(Duration::from_millis(latency_ms));
    }
    if let Some(recording) = wanted.recording {
        desk.recorder.set(recording);
    }
    Ok(settings(State(server)).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_its_version_and_variant_in_place() {
        let uuid = uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid.as_bytes()[14], b'4', "{uuid}");
        assert!(b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
        assert_ne!(uuid, super::uuid());
    }

    #[test]
    fn pauses_double_and_end_at_an_hour() {
        let second = Duration::from_secs(1);
        assert_eq!([gap(second, 0), gap(second, 3), gap(second, 40)], [second, second * 8, GAP_MAX]);
    }
}
