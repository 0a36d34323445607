//! Requests in, answers out: the paths of the Bot API and what lies between a request and its method.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::failures::{Failure, Failures, Moment};
use crate::post::Poster;
use crate::recorded::{RecordedRequest, Recorder};
use crate::server::hang_up;
use crate::telegram::Options;
use crate::telegram::answer::{Outcome, Refusal, respond};
use crate::telegram::bots::Bots;
use crate::telegram::chats::Chats;
use crate::telegram::control;
use crate::telegram::files::Files;
use crate::telegram::methods::{self, Method};
use crate::telegram::params::Params;

/// A body of more bytes is 413: the largest upload and its form around it.
const BODY_MAX: usize = 52 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) options: Options,
    pub(crate) bots: Bots,
    pub(crate) chats: Chats,
    pub(crate) files: Files,
    pub(crate) recorder: Recorder,
    pub(crate) failures: Failures,
    pub(crate) poster: Poster,
    pub(crate) stop: CancellationToken,
    latency_ms: AtomicU64,
    sequence: AtomicU64,
}

impl Server {
    pub(crate) fn new(options: Options) -> Self {
        let server = Self {
            bots: Bots::new(options.only_registered),
            chats: Chats::default(),
            files: Files::default(),
            recorder: Recorder::new(options.recording),
            failures: Failures::default(),
            poster: Poster::new(options.deliver_to.clone()),
            stop: CancellationToken::new(),
            latency_ms: AtomicU64::new(0),
            sequence: AtomicU64::new(crate::clock::now_s()),
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

    /// A number that no other thing of this server has: for polls, albums, presses.
    pub(crate) fn next_number(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn mistakes(&self) -> Vec<RecordedRequest> {
        let is_mistake = |request: &RecordedRequest| Method::named(&request.method).is_some_and(Method::is_mistake);
        self.recorder.list(None, None).into_iter().filter(is_mistake).collect()
    }
}

pub(crate) fn router(server: &Arc<Server>) -> Router {
    control::router().fallback(answer).with_state(Arc::clone(server))
}

/// `/bot<token>/<method>` and `/file/bot<token>/<path>`.
async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    if let Some((token, file_path)) = path.strip_prefix("/file/bot").and_then(|rest| rest.split_once('/')) {
        return file(&server, &decoded(token), file_path).await;
    }
    match path.strip_prefix("/bot").and_then(|rest| rest.split_once('/')) {
        Some((token, method)) => call(&server, &decoded(token), method, request).await,
        None => respond(&not_found()),
    }
}

/// Some clients escape the colon of a token.
fn decoded(token: &str) -> String {
    token.replace("%3A", ":").replace("%3a", ":")
}

fn not_found() -> Outcome {
    Err(Refusal::new(404, "Not Found"))
}

async fn file(server: &Server, token: &str, path: &str) -> Response {
    let found = server.bots.authenticate(token).map(|_| server.files.read(path));
    match found {
        Err(refusal) => respond(&Err(refusal)),
        Ok(None) => respond(&not_found()),
        Ok(Some(bytes)) => {
            pause(server.latency_ms()).await;
            let mut response = Response::new(Body::from(bytes));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            response
        }
    }
}

async fn call(server: &Arc<Server>, token: &str, method_name: &str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_MAX).await else { return respond(&Err(Refusal::new(413, "Request Entity Too Large"))) };
    let params = Params::read(parts.uri.query(), &parts.headers, body).await;

    let account = token.split_once(':').map_or("", |(id, _)| id);
    let method = Method::named(method_name.trim_end_matches('/'));
    let name = match method {
        Some(method) => method.name(),
        None => method_name,
    };
    let entry = server.recorder.record(&account, name, || params.as_ref().map(Params::as_json).unwrap_or_default());

    let failure = if server.failures.any() {
        let chat = params.as_ref().map(|params| params.text("chat_id").into_owned()).unwrap_or_default();
        server.failures.take(name, account, &chat)
    } else {
        None
    };
    let act = async {
        let bot = server.bots.authenticate(token)?;
        let method = method.ok_or_else(|| Refusal::new(404, "Not Found: method not found"))?;
        methods::call(server, &bot, method, &params?).await
    };
    let response = match failure {
        None => respond(&act.await),
        Some(failure) => fail(&failure, act).await,
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
async fn fail(failure: &Failure, act: impl Future<Output = Outcome>) -> Response {
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
    if let Some(error_code) = failure.error_code {
        let error_code = u16::try_from(error_code).unwrap_or(500);
        let description = failure.description.clone().unwrap_or_else(|| "Failure on demand".to_owned());
        return respond(&Err(Refusal { parameters: failure.parameters.clone(), ..Refusal::new(error_code, description) }));
    }
    let outcome = act.await;
    if failure.hang == Moment::After {
        pause(hang).await;
    }
    if failure.cut == Some(Moment::After) { hang_up() } else { respond(&outcome) }
}

/// What a proxy before the server answers in its place.
fn proxy_error(status: u16, body: Option<&str>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let html = format!(
        "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n<hr><center>nginx/1.18.0</center>\r\n</body>\r\n</html>\r\n"
    );
    let mut response = Response::new(Body::from(body.map_or(html, ToOwned::to_owned)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

async fn pause(milliseconds: u64) {
    if milliseconds > 0 {
        sleep(Duration::from_millis(milliseconds)).await;
    }
}
