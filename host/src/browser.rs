//! The door for pages in browsers: `/push/{account}/…`. Files travel with the account's plugin and are filled with what the account is;
//! calls are JSON that the plugin reads, and take the way of webhooks: stored, then answered. A page proves nothing: what a call claims
//! is the plugin's to check.

mod files;
mod limit;
mod origins;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Request as HttpRequest, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::Value;
use tokio::time::Instant;
use tracing::Instrument as _;

pub use limit::{Calls, caller};

use crate::{
    accounts::Known,
    app::App,
    domain::{
        failure::{Failure, FailureClass},
        log::{LogKind, LogLevel, Note},
        webhook::{Fields, Request, Webhook},
    },
    error::ApiError,
    inbox::{self, Called, ReceiveError, Reply},
    manifest::{BrowserSpec, Manifest},
    memory::Dated,
    store, traces,
    webhooks::{bounded, later, query_fields, retry_after},
};

/// Bytes of a call's body.
const BODY_MAX: usize = 16 * 1024;
/// Methods that a call may have.
const METHODS: [Method; 3] = [Method::POST, Method::PUT, Method::DELETE];
/// The failure's code by which a plugin says that a call's proof is wrong.
const FORBIDDEN: &str = "forbidden_token";
/// What a plugin is told, and what is kept, of a call's headers.
const HEADERS: &[header::HeaderName] = &[header::ORIGIN, header::USER_AGENT, header::CONTENT_TYPE];
/// What stands for a member that isn't shown.
const HIDDEN: &str = "(hidden)";

pub fn router(app: &Arc<App>) -> Router<Arc<App>> {
    Router::new().route("/push/{account}/{name}", get(file).post(call).put(call).delete(call)).layer(origins::cors(app))
}

/// Where the account's files and calls are; none where its type has neither.
pub fn url(app: &App, account_id: &str, channel_type: &str) -> Option<String> {
    let manifest = app.plugins.manifest(channel_type)?;
    manifest.browser.as_ref().map(|_| base(app, account_id))
}

fn base(app: &App, account_id: &str) -> String {
    format!("{}/push/{account_id}", app.public_url)
}

/// The name of the call that came by that path, which is what its plugin knows it by.
pub fn call_of<'a>(account_id: &str, path: &'a str) -> Option<&'a str> {
    path.strip_prefix("/push/")?.strip_prefix(account_id)?.strip_prefix('/')
}

/// A kept call's body as it may be shown: without what opens something.
pub async fn shown(app: &App, account_id: &str, body: Vec<u8>) -> store::Result<Vec<u8>> {
    let known = app.known.find(app, account_id).await?;
    let manifest = known.and_then(|known| app.plugins.manifest_for(&known.account));
    let Some(spec) = manifest.as_ref().and_then(|manifest| manifest.browser.as_ref()) else { return Ok(Vec::new()) };
    let Ok(mut json) = serde_json::from_slice::<Value>(&body) else { return Ok(Vec::new()) };
    hide(&mut json, &spec.private);
    Ok(json.to_string().into_bytes())
}

fn hide(json: &mut Value, private: &[String]) {
    match json {
        Value::Object(members) => {
            for (name, value) in members {
                if private.contains(name) { *value = Value::from(HIDDEN) } else { hide(value, private) }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, private)),
        _ => {}
    }
}

#[derive(serde::Deserialize)]
struct Address {
    account: String,
    name: String,
}

impl Address {
    fn unknown(&self) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "not_found", format!("There is no /push/{}/{}.", self.account, self.name))
    }
}

/// The account of an address, and what its type says of browsers.
async fn find(app: &App, address: &Address) -> Result<(Arc<Dated<Known>>, Arc<Manifest>), ApiError> {
    let known = app.known.find(app, &address.account).await.map_err(|error| later(&error))?;
    let known = known.ok_or_else(|| address.unknown())?;
    let channel_type = &known.account.channel_type;
    let Some(manifest) = app.plugins.manifest(channel_type) else {
        return Err(retry_after(ApiError::unavailable("plugin_missing", format!("No plugin for {channel_type} is loaded."))));
    };
    Ok((known, manifest))
}

async fn file(State(app): State<Arc<App>>, Path(address): Path<Address>, headers: HeaderMap) -> Result<Response, ApiError> {
    let (known, manifest) = find(&app, &address).await?;
    let file = manifest.browser.as_ref().and_then(|spec| spec.files.get(&address.name)).ok_or_else(|| address.unknown())?;
    let text = files::fill(file, &known.account, &known.secrets, &base(&app, &known.account.id))?;
    Ok(files::answer(file, text, &headers))
}

async fn call(State(app): State<Arc<App>>, Path(address): Path<Address>, request: HttpRequest) -> Result<Response, ApiError> {
    let began = Instant::now();
    app.browser_calls.take(caller(&app.config.http.client_ip_header, request.headers(), request.extensions()))?;
    let (known, manifest) = find(&app, &address).await?;
    let spec = manifest.browser.as_ref().filter(|spec| spec.calls.contains(&address.name)).ok_or_else(|| address.unknown())?;
    let span = traces::span!("browser_call", account.id = %known.account.id, channel.type = %known.account.channel_type);
    let answer = take_in(&app, &known, spec, &address, request).instrument(span).await;
    app.metrics.webhook_answered(&known.account.channel_type, result_word(&answer), began.elapsed());
    answer
}

fn result_word(answer: &Result<Response, ApiError>) -> &'static str {
    let status = match answer {
        Ok(response) => response.status(),
        Err(error) => error.status,
    };
    match status {
        StatusCode::ACCEPTED => "held",
        StatusCode::FORBIDDEN => "refused",
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        status if status.is_success() => "accepted",
        _ => "unreadable",
    }
}

async fn take_in(
    app: &Arc<App>,
    known: &Dated<Known>,
    spec: &BrowserSpec,
    address: &Address,
    request: HttpRequest,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    if let Some(origin) = parts.headers.get(header::ORIGIN)
        && !origins::lists(app, spec, &known.account, origin)
    {
        return Err(foreign(spec));
    }
    if !is_json(&parts) {
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", "A call is JSON: content-type: application/json."));
    }
    let body = bounded(body, &parts.headers, BODY_MAX).await?;
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&body) {
        return Err(ApiError::bad_request("not_json", format!("The body is no JSON: {error}.")));
    }
    let now = app.clock.now();
    let account = &known.account;
    let webhook = Webhook {
        id: app.ids.next(now),
        account_id: account.id.clone(),
        organization_id: account.organization_id.clone(),
        received_at: now,
        verified_by: None,
        shared: false,
        request: Request {
            method: parts.method.to_string(),
            path: format!("/push/{}/{}", address.account, address.name),
            query: query_fields(&parts.uri),
            headers: kept_headers(&parts.headers),
            body: body.to_vec(),
        },
    };
    match inbox::receive_call(app, account, webhook, known.secrets.clone()).await {
        Ok(Called::Answered(reply)) => Ok(answer(reply)),
        // The plugin has yet to read it: nobody knows what it would answer.
        Ok(Called::Held) => Ok(StatusCode::ACCEPTED.into_response()),
        Ok(Called::Refused(failure)) => {
            let text = format!("A call of a browser ({}) was refused: {}", address.name, failure.message);
            app.logbook.count(Note::new(account, LogKind::Webhook, LogLevel::Warn, "call_refused", text));
            Err(refusal(failure))
        }
        Err(ReceiveError::Plugin(reason)) => {
            Err(retry_after(ApiError::unavailable("plugin", reason).hint("The call is kept; there is no need to repeat it.")))
        }
        Err(ReceiveError::Store(error)) => Err(later(&error)),
    }
}

fn foreign(spec: &BrowserSpec) -> ApiError {
    let error = ApiError::new(StatusCode::FORBIDDEN, "origin", "The account takes no calls from pages of this origin.");
    match &spec.origins {
        Some(setting) => error.hint(format!("The account's setting {setting} lists the origins: https://www.example.com, with no path.")),
        None => error,
    }
}

fn is_json(parts: &Parts) -> bool {
    let given = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn kept_headers(headers: &HeaderMap) -> Fields {
    let kept = |name: &header::HeaderName| {
        let value = headers.get(name)?;
        Some((name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
    };
    HEADERS.iter().filter_map(kept).collect()
}

/// What the plugin answers: its status and body. Of its headers the type alone counts, since the origin is the gateway's.
fn answer(reply: Reply) -> Response {
    let status = reply.status.and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.unwrap_or(if reply.body.is_empty() { StatusCode::NO_CONTENT } else { StatusCode::OK });
    let given = reply.headers.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let kind = given.and_then(|(_, value)| HeaderValue::try_from(value).ok());
    let mut response = (status, reply.body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("application/json")));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn refusal(failure: Failure) -> ApiError {
    if failure.code == FORBIDDEN {
        return ApiError::new(StatusCode::FORBIDDEN, FORBIDDEN, failure.message);
    }
    let mut error = ApiError::bad_request("refused", failure.message).details(failure.code);
    if failure.class == FailureClass::Invalid {
        error.body.errors = failure.fields;
    }
    error
}

#[cfg(test)]
mod tests;
