//! Plays the provider of a plugin's folder for a gateway, by the scripts of its conformance suite: each route answers what the script
//! has, and the fixtures come as webhooks. So a new plugin sends and receives before its author has an account at the provider.
//!
//! Where webhooks go and which secrets sign them it learns from the requests, as a provider would: the manifest says where in a request
//! a secret is.

mod learned;
mod route;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path as UrlPath, Query, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::suite::{ErrorCase, Fixture, Script, Scripted, Suite, SuiteError};
use crate::{
    clock::{Clock, SystemClock},
    manifest::Manifest,
};
use learned::Learned;
use route::Route;

/// Bytes of a request.
const BODY_MAX: usize = 16 * 1024 * 1024;
/// Requests that are remembered.
const REMEMBERED: usize = 100;

/// What it knows before anybody has asked.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Where webhooks go; without it, where a request says.
    pub webhook_url: Option<String>,
    /// Secrets by the manifest's names, for webhooks that are signed with what a person types in at both ends.
    pub secrets: Vec<(String, String)>,
}

/// A stand-in that listens.
pub struct StandIn {
    /// Where.
    pub address: SocketAddr,
    listener: TcpListener,
    player: Arc<Player>,
}

struct Player {
    manifest: Manifest,
    scripts: Vec<Script>,
    routes: Vec<Route>,
    fixtures: Vec<Fixture>,
    clock: SystemClock,
    client: reqwest::Client,
    /// Messages that were sent, counted from the time of the start: no two are called the same, in this run and the next.
    sent: AtomicU64,
    state: Mutex<Played>,
}

#[derive(Default)]
struct Played {
    learned: Learned,
    /// How often each route has been asked.
    asked: Vec<usize>,
    planned: VecDeque<ErrorCase>,
    requests: VecDeque<Seen>,
}

/// A request that came.
#[derive(Serialize, Clone)]
struct Seen {
    method: String,
    path: String,
    body: String,
    status: u16,
}

impl StandIn {
    /// Reads the folder and listens.
    ///
    /// # Errors
    /// The folder can't be read, or the address can't be listened on.
    pub async fn start(folder: &Path, bind: SocketAddr, known: Known) -> Result<StandIn, SuiteError> {
        let manifest = Manifest::from_folder(folder)?;
        let Suite { scripts, fixtures } = Suite::from_folder(folder)?;
        let scripts: Vec<Script> = scripts.into_iter().map(|(_, script)| script).collect();
        let routes = route::of_scripts(&manifest, &scripts);
        let listening = |source| SuiteError::Read { path: bind.to_string(), source };
        let listener = TcpListener::bind(bind).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let clock = SystemClock;
        // Whoever installed one before is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        #[expect(clippy::disallowed_methods, reason = "the author's own gateway: no plugin has a say in where this goes")]
        let client = reqwest::Client::builder().build().map_err(|error| SuiteError::Component(error.to_string()))?;
        let learned = Learned::new(known.webhook_url, known.secrets);
        let state = Played { learned, asked: vec![0; routes.len()], ..Played::default() };
        let sent = AtomicU64::new(u64::try_from(clock.now().millis() / 1000).unwrap_or_default());
        let player = Arc::new(Player { manifest, scripts, routes, fixtures, clock, client, sent, state: Mutex::new(state) });
        Ok(StandIn { address, listener, player })
    }

    /// The hosts whose place it takes.
    pub fn hosts(&self) -> Vec<String> {
        route::hosts(&self.player.manifest)
    }

    /// The webhooks that it can send, by name.
    pub fn fixtures(&self) -> Vec<&str> {
        self.player.fixtures.iter().map(|fixture| fixture.name.as_str()).collect()
    }

    /// Answers until `stop`.
    ///
    /// # Errors
    /// The listener broke.
    pub async fn play(self, stop: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
        let router = Router::new()
            .route("/_standin", get(overview))
            .route("/_standin/requests", get(requests))
            .route("/_standin/say/{fixture}", post(say))
            .route("/_standin/fail", post(fail))
            .fallback(answer)
            .with_state(self.player);
        axum::serve(self.listener, router).with_graceful_shutdown(stop).await
    }
}

impl Player {
    fn state(&self) -> MutexGuard<'_, Played> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The script's answer, or the planned failure in its place. The last of several answers goes on.
    fn pick(&self, method: &str, path: &str) -> Option<(Scripted, Option<String>)> {
        let mut state = self.state();
        let fits = |route: &Route| route.fits(method, path);
        let planned = state
            .planned
            .front()
            .and_then(|case| case.on.as_ref())
            .is_some_and(|on| self.routes.iter().any(|route| route.scripted.on == *on && fits(route)));
        if planned && let Some(case) = state.planned.pop_front() {
            let on = case.on.unwrap_or_default();
            return Some((Scripted { on, status: case.status, headers: case.headers, body: case.body }, None));
        }
        let fitting: Vec<usize> = self.routes.iter().enumerate().filter(|(_, route)| fits(route)).map(|(place, _)| place).collect();
        let (last, first) = (*fitting.last()?, fitting.iter().copied().find(|place| state.asked.get(*place) == Some(&0)));
        let place = first.unwrap_or(last);
        if let Some(asked) = state.asked.get_mut(place) {
            *asked += 1;
        }
        let route = self.routes.get(place)?;
        Some((route.scripted.clone(), route.message_id.clone()))
    }
}

async fn answer(State(player): State<Arc<Player>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_MAX).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    player.state().learned.look_at(&player.manifest, &parts, &body);
    let response = match player.pick(method, path) {
        Some((scripted, message_id)) => respond(&player, &scripted, message_id.as_deref()),
        None => {
            let words = format!("conformance.json has no answer to {method} {path}: add one to connect, health or send");
            (StatusCode::NOT_IMPLEMENTED, words).into_response()
        }
    };
    println!("{method} {path} → {}", response.status().as_u16());
    let seen = Seen {
        method: method.to_owned(),
        path: path.to_owned(),
        body: String::from_utf8_lossy(&body).into_owned(),
        status: response.status().as_u16(),
    };
    let mut state = player.state();
    state.requests.push_back(seen);
    if state.requests.len() > REMEMBERED {
        state.requests.pop_front();
    }
    drop(state);
    response
}

fn respond(player: &Player, scripted: &Scripted, message_id: Option<&str>) -> Response {
    let mut scripted = scripted.clone();
    if let Some(id) = message_id {
        let number = player.sent.fetch_add(1, Ordering::Relaxed);
        rename(&mut scripted.body, id, &format!("{id}-{number}"));
    }
    let webhook_url = player.state().learned.webhook_url().unwrap_or_default().to_owned();
    let mut response = Response::new(scripted.bytes(&webhook_url).into());
    *response.status_mut() = StatusCode::from_u16(scripted.status).unwrap_or(StatusCode::OK);
    let json = (!scripted.body.is_string()).then(|| ("content-type".to_owned(), "application/json".to_owned()));
    for (name, value) in json.into_iter().chain(scripted.headers) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Texts that are the first become the second, wherever they are.
fn rename(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) if text == from => to.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, from, to)),
        Value::Object(members) => members.values_mut().for_each(|member| rename(member, from, to)),
        _ => {}
    }
}

async fn overview(State(player): State<Arc<Player>>) -> Json<Value> {
    let state = player.state();
    let failures: Vec<&str> =
        player.scripts.iter().flat_map(|script| &script.errors).filter(|case| case.on.is_some()).map(|case| case.about.as_str()).collect();
    Json(json!({
        "webhook_url": state.learned.webhook_url(),
        "secrets": state.learned.names(),
        "routes": player.routes.iter().map(|route| &route.scripted.on).collect::<Vec<_>>(),
        "fixtures": player.fixtures.iter().map(|fixture| &fixture.name).collect::<Vec<_>>(),
        "failures": failures,
    }))
}

async fn requests(State(player): State<Arc<Player>>) -> Json<Value> {
    Json(json!({"requests": player.state().requests}))
}

/// The next request of its route meets one of the suite's errors: `?about=too%20fast`.
async fn fail(State(player): State<Arc<Player>>, Query(query): Query<Vec<(String, String)>>) -> Response {
    let about = query.iter().find(|(name, _)| name == "about").map(|(_, about)| about.as_str()).unwrap_or_default();
    let mut cases = player.scripts.iter().flat_map(|script| &script.errors).filter(|case| case.on.is_some());
    match cases.find(|case| case.about == about) {
        Some(case) => {
            player.state().planned.push_back(case.clone());
            Json(json!({"planned": case.about, "on": case.on})).into_response()
        }
        None => problem(StatusCode::NOT_FOUND, format!("there is no error “{about}” in conformance.json: GET /_standin lists them")),
    }
}

/// Sends a fixture as the account's webhook. Each `?from=to` replaces a text in it, so that it is another fact: `?in_1=in_2`.
async fn say(
    State(player): State<Arc<Player>>,
    UrlPath(name): UrlPath<String>,
    Query(replaced): Query<Vec<(String, String)>>,
    given: Bytes,
) -> Response {
    let Some(fixture) = player.fixtures.iter().find(|fixture| fixture.name == name) else {
        return problem(StatusCode::NOT_FOUND, format!("there is no fixture “{name}”: GET /_standin lists them"));
    };
    let mut fixture = fixture.clone();
    for (from, to) in &replaced {
        rename(&mut fixture.body, from, to);
    }
    let body = if given.is_empty() { fixture.body() } else { given.to_vec() };
    let prepared = player.state().learned.webhook(&player.manifest, &body, player.clock.now());
    let (url, headers) = match prepared {
        Ok(prepared) => prepared,
        Err(why) => return problem(StatusCode::CONFLICT, why),
    };
    let method = fixture.method.as_deref().and_then(|method| Method::from_bytes(method.as_bytes()).ok()).unwrap_or(Method::POST);
    let mut request = player.client.request(method, &url).query(&fixture.query).header("content-type", "application/json");
    for (name, value) in fixture.headers.iter().chain(headers.iter().map(|(name, value)| (name, value))) {
        request = request.header(name, value);
    }
    match request.body(body).send().await {
        Ok(answer) => {
            Json(json!({"delivered": answer.status().is_success(), "status": answer.status().as_u16(), "url": url})).into_response()
        }
        Err(error) => problem(StatusCode::BAD_GATEWAY, format!("{url} doesn't answer: {error}")),
    }
}

fn problem(status: StatusCode, words: impl Into<String>) -> Response {
    (status, Json(json!({"message": words.into()}))).into_response()
}
