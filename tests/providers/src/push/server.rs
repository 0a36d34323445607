//! Requests in, answers out.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::answer::{Refused, refuse};
use super::door::{self, Received};
use super::service::Service;
use super::subscriptions::{New, Subscription};
use super::{Options, control, envelope};
use crate::clock;
use crate::desk::{Asked, Desk, pause};

/// What every push is recorded as.
pub(crate) const CALL: &str = "POST push";
/// More is not even read.
const BODY_MAX: usize = 64 * 1024;
/// How long an endpoint that ends in `_slow` takes.
const SLOW_MS: u64 = 15_000;

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) desk: Desk,
    pub(crate) received: Mutex<Vec<Received>>,
    subscriptions: Mutex<Vec<Subscription>>,
    address: OnceLock<SocketAddr>,
}

impl AsRef<Desk> for Server {
    fn as_ref(&self) -> &Desk {
        &self.desk
    }
}

impl Server {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            desk: Desk::new(options.recording, options.latency, None),
            received: Mutex::default(),
            subscriptions: Mutex::default(),
            address: OnceLock::new(),
        }
    }

    /// Once it is known, which is before anybody can ask.
    pub(crate) fn set_address(&self, address: SocketAddr) {
        self.address.get_or_init(|| address);
    }

    pub(crate) fn subscribe(&self, new: New) -> Result<Subscription, String> {
        let own = self.address.get().map(|address| format!("http://{address}")).unwrap_or_default();
        let made = new.make(&own)?;
        let mut subscriptions = self.subscriptions.lock();
        subscriptions.retain(|subscription| subscription.id != made.id);
        subscriptions.push(made.clone());
        Ok(made)
    }

    pub(crate) fn subscriptions(&self) -> Vec<Subscription> {
        self.subscriptions.lock().clone()
    }

    pub(crate) fn subscription(&self, id: &str) -> Option<Subscription> {
        self.subscriptions.lock().iter().find(|subscription| subscription.id == id).cloned()
    }

    /// Whether there is one.
    pub(crate) fn change(&self, id: &str, change: impl FnOnce(&mut Subscription)) -> bool {
        let mut subscriptions = self.subscriptions.lock();
        let found = subscriptions.iter_mut().find(|subscription| subscription.id == id);
        found.map(change).is_some()
    }
}

pub(crate) fn router(server: &Arc<Server>) -> Router {
    crate::desk::strings::<Server>().merge(control::router()).fallback(answer).with_state(Arc::clone(server))
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    let body = to_bytes(body, BODY_MAX).await.ok();
    let target = Service::of(parts.uri.path(), &host).filter(|_| parts.method == Method::POST);
    let Some((service, id)) = target else {
        let asked = Asked { call: format!("{} {}", parts.method, parts.uri.path()), ..Asked::default() };
        let nothing = async {
            (StatusCode::NOT_FOUND, "pushes are posted to /wpush/{id}, /wpush/v2/{id}, /fcm/send/{id} or /apple/{id}").into_response()
        };
        return server.desk.serve(&asked, || Value::Null, |_| StatusCode::NOT_FOUND.into_response(), nothing).await;
    };
    let asked = Asked { call: CALL.into(), account: service.name().into(), recipient: id.clone() };
    let parameters = || describe(&id, &host, &parts.headers, body.as_ref());
    let planned = |failure: &crate::Failure| {
        let status = failure.error_code.and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
        let seconds = failure.parameters.as_ref().and_then(|parameters| parameters["retry_after"].as_u64());
        refuse(service, &Refused::of(status), Some(status), seconds)
    };
    let act = async {
        let body = body.as_ref().ok_or(Refused::TooLarge);
        match take(&server, service, &id, &host, &parts.headers, body).await {
            Ok(location) => created(&location),
            Err((refused, status)) => {
                let seconds = status.and_then(|status| door::retry_after(status, service));
                refuse(service, &refused, status, seconds)
            }
        }
    };
    server.desk.serve(&asked, parameters, planned, act).await
}

/// Keeps a push that may be kept; answers where it lies. A status beside a refusal was asked for by the endpoint's end.
async fn take(
    server: &Server,
    service: Service,
    id: &str,
    host: &str,
    headers: &HeaderMap,
    body: Result<&Bytes, Refused>,
) -> Result<String, (Refused, Option<u16>)> {
    let plainly = |refused: Refused| (refused, None);
    let known = server.subscription(id).filter(|subscription| subscription.service == service);
    let subscription = known.ok_or_else(|| plainly(Refused::NoSuchSubscription))?;
    let body = body.map_err(plainly)?;
    let admitted = door::admit(&subscription, host, headers, body, clock::now_s()).map_err(plainly)?;
    if let Some(status) = door::magic(id) {
        return Err((Refused::of(status), Some(status)));
    }
    if id.ends_with("_slow") {
        pause(SLOW_MS).await;
    }
    if subscription.gone {
        return Err(plainly(Refused::Gone));
    }
    let key = admitted.sender.key.clone();
    server.change(id, |subscription| {
        subscription.application_server_key.get_or_insert(key);
    });
    let number = server.desk.next_number();
    let location = format!("{}/message/{id}/{number}", super::service::origin(host));
    let plaintext = envelope::decrypt(&subscription.private_key, &subscription.auth, body).ok();
    server.received.lock().push(Received {
        number,
        subscription: id.to_owned(),
        location: location.clone(),
        ttl: admitted.ttl,
        urgency: admitted.urgency,
        topic: admitted.topic,
        subject: admitted.sender.subject,
        key: admitted.sender.key,
        body: body.clone(),
        plaintext: plaintext.and_then(|bytes| String::from_utf8(bytes).ok()),
    });
    Ok(location)
}

fn created(location: &str) -> Response {
    let mut response = StatusCode::CREATED.into_response();
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// A push as the records have it: what is said about it, and its size.
fn describe(id: &str, host: &str, headers: &HeaderMap, body: Option<&Bytes>) -> Value {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    json!({"subscription": id, "_host": host, "ttl": said("ttl"), "urgency": said("urgency"), "topic": said("topic"),
        "content_encoding": said("content-encoding"), "content_type": said("content-type"), "authorization": said("authorization"),
        "size": body.map(Bytes::len)})
}
