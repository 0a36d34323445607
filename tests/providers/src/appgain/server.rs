//! Requests in, answers out.

use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, header};
use axum::response::Response;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::appgain::answer::{Outcome, Refusal, Reply, respond};
use crate::appgain::world::{Project, World};
use crate::appgain::{Options, control, devices, send, session, subscriptions};
use crate::desk::{Asked, Desk};

/// A body of more bytes is 413: files are sent by URL.
const BODY_MAX: usize = 1024 * 1024;

/// What can be changed while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// How long a session is STARTING.
    pub starting_ms: u64,
    /// How long the first QR code lives.
    pub first_code_ms: u64,
    /// How long each later one does.
    pub later_code_ms: u64,
    /// So many codes; then the session is FAILED.
    pub code_max: u32,
    /// WhatsApp messages a day and project.
    pub daily_limit: u64,
    /// Where in the answer to `send` the message's id stands: `messageId`, `result.id`, `data.id`…; empty for nowhere.
    pub id_at: String,
    /// Acks come by themselves up to this one: 0 none, 1 sent, 2 delivered, 3 read, 4 played.
    pub acks: u8,
    /// SMS are told as ENROUTE and DELIVRD.
    pub sms_statuses: bool,
    /// These come of each push: `received`, `open`, `dismiss`.
    pub push_events: Vec<String>,
    /// So long after the answer the events begin.
    pub event_delay_ms: u64,
    /// Numbers and user ids with certain ends fail: for load runs with made-up numbers it can be turned off.
    pub magic: bool,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            starting_ms: 300,
            first_code_ms: 60_000,
            later_code_ms: 20_000,
            code_max: 6,
            daily_limit: 300,
            id_at: "messageId".into(),
            acks: 0,
            sms_statuses: false,
            push_events: Vec::new(),
            event_delay_ms: 50,
            magic: true,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) options: Options,
    pub(crate) desk: Desk,
    pub(crate) world: Mutex<World>,
    pub(crate) knobs: Mutex<Knobs>,
    /// `127.0.0.1:9106`.
    pub(crate) own_authority: Mutex<String>,
}

impl AsRef<Desk> for Server {
    fn as_ref(&self) -> &Desk {
        &self.desk
    }
}

impl Server {
    pub(crate) fn new(options: Options) -> Self {
        let mut world = World::default();
        for (suit_id, api_key) in &options.projects {
            world.projects.insert(suit_id.clone(), Project::new(api_key));
        }
        Self {
            desk: Desk::new(options.recording, options.latency, options.deliver_to.clone()),
            world: Mutex::new(world),
            knobs: Mutex::new(options.knobs.clone()),
            own_authority: Mutex::default(),
            options,
        }
    }

    pub(crate) fn knobs(&self) -> Knobs {
        self.knobs.lock().clone()
    }
}

/// A request, read.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) suit_id: String,
    pub(crate) key: Option<String>,
    pub(crate) host: String,
    /// What it is about: a file's name.
    pub(crate) subject: String,
    pub(crate) body: Result<Map<String, Value>, Refusal>,
}

impl Ask {
    /// The body, an object with these names alone.
    pub(crate) fn fields(&self, known: &[&str]) -> Result<&Map<String, Value>, Refusal> {
        let body = self.body.as_ref().map_err(|refusal| Refusal::new(refusal.status, refusal.body["message"].as_str().unwrap_or("")))?;
        only(body, known)?;
        Ok(body)
    }
}

/// Refuses an object that has other names: a typing error would go unnoticed else.
pub(crate) fn only(object: &Map<String, Value>, known: &[&str]) -> Result<(), Refusal> {
    match object.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Refusal::new(400, &format!("unknown field {name:?}"))),
        None => Ok(()),
    }
}

/// A text that has to be there.
pub(crate) fn required<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a str, Refusal> {
    let text = object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.ok_or_else(|| Refusal::new(400, &format!("{name} is required: a text")))
}

/// A number as Appgain takes it: digits with the country's code. `00` before it is taken, too; a `+` is not.
pub(crate) fn number(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let digits = text.strip_prefix("00").unwrap_or(text);
    ((8..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.to_owned())
}

pub(crate) fn router(server: &Arc<Server>) -> Router {
    crate::desk::strings::<Server>().merge(control::router()).fallback(answer).with_state(Arc::clone(server))
}

/// What is asked for, by method and path.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Call {
    Send,
    Subscribe,
    Unsubscribe,
    RecordStatus,
    Probe,
    File,
    Session(session::Call),
    WrongMethod,
    Nothing,
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let (call, name) = route(&parts.method, &segments);
    let probing = segments.first() == Some(&"user_log_event");
    let suit_id = segments.get(usize::from(probing)).copied().unwrap_or_default();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let ask = Ask {
        suit_id: suit_id.to_owned(),
        key: header("appapikey"),
        host: header("host").unwrap_or_default(),
        subject: segments.last().copied().unwrap_or_default().to_owned(),
        body: match to_bytes(body, BODY_MAX).await {
            Ok(body) => object(&parts, &body),
            Err(_) => Err(Refusal::new(413, "Request Entity Too Large")),
        },
    };
    let asked = Asked {
        call: format!("{} {name}", parts.method),
        account: ask.suit_id.clone(),
        recipient: send::recipient(ask.body.as_ref().ok()),
    };
    let act = async { respond(act(&server, call, &ask).await) };
    server.desk.serve(&asked, || recorded(&ask, &parts), |failure| respond(Err(Refusal::planned(failure))), act).await
}

fn route(method: &Method, segments: &[&str]) -> (Call, String) {
    let get_or = |call, wanted: &Method| if method == wanted { call } else { Call::WrongMethod };
    match segments {
        [_, "send"] => (get_or(Call::Send, &Method::POST), "send".into()),
        [_, "smsSubscribe"] => (get_or(Call::Subscribe, &Method::POST), "smsSubscribe".into()),
        [_, "smsUnSubscribe"] => (get_or(Call::Unsubscribe, &Method::PUT), "smsUnSubscribe".into()),
        [_, "recordstatus"] => (get_or(Call::RecordStatus, &Method::POST), "recordstatus".into()),
        ["user_log_event", _, _] => (get_or(Call::Probe, &Method::GET), "probe".into()),
        [_, "uowhatsapp", "files", _] => (get_or(Call::File, &Method::GET), "file".into()),
        [_, "uowhatsapp", "session", rest @ ..] => {
            let name = ["session"].iter().chain(rest).copied().collect::<Vec<_>>().join("/");
            let call = match (rest, method.as_str()) {
                ([], "POST") => Call::Session(session::Call::Create),
                ([], "GET") => Call::Session(session::Call::Get),
                ([], "DELETE") => Call::Session(session::Call::Delete),
                (["qr"], "GET") => Call::Session(session::Call::Code),
                (["pairing-code"], "POST") => Call::Session(session::Call::PairingCode),
                (["restart"], "POST") => Call::Session(session::Call::Restart),
                (["logout"], "POST") => Call::Session(session::Call::Logout),
                ([] | ["qr" | "pairing-code" | "restart" | "logout"], _) => Call::WrongMethod,
                _ => Call::Nothing,
            };
            (call, name)
        }
        _ => (Call::Nothing, format!("/{}", segments.join("/"))),
    }
}

/// The body as an object; nothing is an empty one.
fn object(parts: &Parts, body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Err(Refusal::new(415, "Content-Type must be application/json"));
    }
    serde_json::from_slice(body).map_err(|error| Refusal::new(400, &format!("Failed to decode JSON object: {error}")))
}

/// The body, and beside it, with an underscore, what came elsewhere.
fn recorded(ask: &Ask, parts: &Parts) -> Value {
    let mut values = ask.body.as_ref().cloned().unwrap_or_default();
    values.insert("_path".into(), parts.uri.path().into());
    values.insert("_query".into(), parts.uri.query().into());
    values.insert("_host".into(), ask.host.clone().into());
    values.insert("_appapikey".into(), ask.key.clone().into());
    Value::Object(values)
}

async fn act(server: &Arc<Server>, call: Call, ask: &Ask) -> Outcome {
    match call {
        Call::Nothing => return Err(Refusal::new(404, "Not Found")),
        Call::WrongMethod => return Err(Refusal::new(405, "Method Not Allowed")),
        _ => {}
    }
    let key = ask.key.as_deref().filter(|key| !key.is_empty()).ok_or_else(Refusal::no_key)?;
    let right = server.world.lock().projects.get(&ask.suit_id).is_some_and(|project| project.api_key == key);
    if !right {
        return Err(if call == Call::Send { Refusal::quirk() } else { Refusal::wrong_key() });
    }
    match call {
        Call::Send => send::send(server, ask).await,
        Call::Subscribe => subscriptions::subscribe(server, ask),
        Call::Unsubscribe => subscriptions::unsubscribe(server, ask),
        Call::RecordStatus => devices::record_status(server, ask),
        // Nobody has that name: the key was looked at, and that is all that is asked.
        Call::Probe => Err(Refusal::new(404, "user not found")),
        Call::File => file(server, ask),
        Call::Session(call) => session::call(server, call, ask),
        Call::Nothing | Call::WrongMethod => Err(Refusal::new(404, "Not Found")),
    }
}

/// What somebody sent to the session's number.
fn file(server: &Server, ask: &Ask) -> Outcome {
    let file = server.world.lock().files.get(&ask.subject).cloned();
    let file = file.filter(|file| file.suit_id == ask.suit_id).ok_or_else(|| Refusal::new(404, "file not found"))?;
    Ok(Reply::File { mime_type: file.mime_type, bytes: file.bytes })
}
