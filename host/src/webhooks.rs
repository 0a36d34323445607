//! The door for providers: `/webhooks/{account}`, with the account's token behind it where its type asks for one, and
//! `/webhooks/apps/{app}` where one URL serves many accounts. Bounded, verified over the raw bytes before any instance exists,
//! stored, then answered: 2xx means it is kept.

mod apps;
mod challenge;

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Request as HttpRequest, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header, request::Parts},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Map, Value};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::{
    accounts::Known,
    app::App,
    clock::At,
    domain::{
        account::{Account, WebhookToken},
        log::{LogKind, LogLevel, Note},
        webhook::{Fields, Request, Stray, Webhook},
    },
    error::ApiError,
    inbox::{self, ReceiveError, Reply},
    manifest::{Verify, WebhookMethod, WebhookSpec},
    memory::Dated,
    store, traces,
    verify::{self, Evidence, Refusal},
};

/// What a provider is asked to wait when the gateway can't take a webhook in, in seconds.
const RETRY_AFTER_S: &str = "10";
/// The largest request to an unknown address that is kept, in bytes.
const STRAY_MAX: usize = 64 * 1024;

/// The channel type that the metrics tell where no account is known.
const UNKNOWN: &str = "unknown";

/// How a plugin reads that the token in the URL was the only proof.
const PATH_TOKEN: &str = "path-token";

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/webhooks/{account}", get(ask).post(receive))
        .route("/webhooks/{account}/{token}", get(ask).post(receive))
        .route("/webhooks/apps/{app}", get(apps::ask).post(apps::receive))
}

/// The address as it was called.
#[derive(serde::Deserialize)]
struct Address {
    account: String,
    token: Option<String>,
}

impl Address {
    /// Whether the token is what the account's type wants: the account's own, or none.
    fn fits(&self, known: &Known, spec: &WebhookSpec) -> bool {
        match (&known.account.webhook_token, &self.token) {
            _ if !spec.path_token => self.token.is_none(),
            (Some(WebhookToken(own)), given) => verify::is_same(own, given.as_deref().unwrap_or_default()) && !own.is_empty(),
            (None, _) => false,
        }
    }

    /// What is told and kept of it.
    fn path(&self) -> String {
        format!("/webhooks/{}", self.account)
    }

    /// A proxy may have noted the address as it was called.
    fn without_token(&self, mut headers: Fields) -> Fields {
        if let Some(token) = self.token.as_deref().filter(|token| !token.is_empty()) {
            headers.retain(|(_, value)| !value.contains(token));
        }
        headers
    }
}

/// The account of an address. None for an address that is nobody's, and for one whose token is wrong, which takes as long.
async fn find(app: &App, address: &Address) -> store::Result<Option<Arc<Dated<Known>>>> {
    let Some(known) = app.known.find(app, &address.account).await? else { return Ok(None) };
    let manifest = app.plugins.manifest_for(&known.account);
    let spec = manifest.as_ref().and_then(|manifest| manifest.webhook.as_ref());
    // Without a manifest nothing is taken in anyhow.
    if spec.is_none_or(|spec| address.fits(&known, spec)) {
        return Ok(Some(known));
    }
    // An address of no account is looked up each time; that this one is known shows in no time saved.
    store::accounts::find(&app.db, &address.account).await?;
    Ok(None)
}

/// A GET: the provider asks whether the address is the account's before it delivers there, or it delivers by GET.
async fn ask(state: State<Arc<App>>, Path(address): Path<Address>, request: HttpRequest) -> Result<Response, ApiError> {
    let app = &state.0;
    let known = find(app, &address).await.map_err(|error| later(&error))?;
    let known = known.ok_or_else(|| ApiError::not_found("webhook address", &address.account))?;
    let spec = webhook_spec(app, &known.account)?;
    if let Some(recipe) = spec.challenge.as_ref().filter(|recipe| challenge::is_asked(recipe, request.uri())) {
        return challenge::answer(recipe, request.uri(), &known.secrets);
    }
    if spec.takes(WebhookMethod::Get) && request.method() == Method::GET {
        return receive(state, Path(address), request).await;
    }
    match &spec.challenge {
        Some(recipe) => challenge::answer(recipe, request.uri(), &known.secrets),
        None => Err(challenge::not_asked(&known.account.channel_type)),
    }
}

async fn receive(State(app): State<Arc<App>>, Path(address): Path<Address>, request: HttpRequest) -> Result<Response, ApiError> {
    let began = Instant::now();
    let known = match find(&app, &address).await {
        Ok(Some(known)) => known,
        Ok(None) => {
            app.metrics.webhook_answered(UNKNOWN, "unknown_address", began.elapsed());
            let (parts, body) = request.into_parts();
            return turn_away(&app, &address, &parts, body).await;
        }
        Err(error) => {
            app.metrics.webhook_answered(UNKNOWN, "unavailable", began.elapsed());
            return Err(later(&error));
        }
    };
    let span = traces::span!("webhook", account.id = %known.account.id, channel.type = %known.account.channel_type);
    traces::follow(&span, request.headers());
    let answer = take_in(&app, Arc::clone(&known), &address, request).instrument(span).await;
    app.metrics.webhook_answered(&known.account.channel_type, result_word(&known.account, &answer), began.elapsed());
    answer
}

/// How the metrics call what a webhook was answered.
fn result_word(account: &Account, answer: &Result<Response, ApiError>) -> &'static str {
    match answer {
        Ok(_) if account.is_active => "accepted",
        Ok(_) => "held",
        Err(error) => match error.status {
            StatusCode::UNAUTHORIZED => "refused",
            StatusCode::PAYLOAD_TOO_LARGE => "too_large",
            StatusCode::SERVICE_UNAVAILABLE => "unavailable",
            _ => "unreadable",
        },
    }
}

async fn take_in(app: &Arc<App>, mut known: Arc<Dated<Known>>, address: &Address, request: HttpRequest) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let spec = webhook_spec(app, &known.account)?;
    if !takes(&spec, &parts) {
        return Err(wrong_method(&known.account.channel_type, &spec));
    }
    let body = bounded(body, &parts.headers, spec.max_body()).await?;
    let now = app.clock.now();
    let settings = settings_of(app, &known.account, &spec).await?;
    let verify = |known: &Known| {
        let evidence =
            Evidence { headers: &parts.headers, body: &body, secrets: &known.secrets, settings: &settings, now: now.millis() / 1000 };
        traces::span!("verify").in_scope(|| verify::verify(&spec.verify, &evidence))
    };
    let mut verified = verify(&known);
    // What was let in without a signature may have to have one by now.
    if verified.is_err() || (verified == Ok(None) && spec.verify.name().is_some()) {
        // Its secret may be newer than what we know.
        let id = known.account.id.clone();
        let newest = app.known.read(app, &id).await.map_err(|error| later(&error))?;
        known = newest.ok_or_else(|| ApiError::not_found("webhook address", &id))?;
        verified = verify(&known);
    }
    let verified_by = verified.map_err(|refusal| refuse(app, &known.account, &spec.verify, refusal))?;
    let account = &known.account;
    let webhook = Webhook {
        id: app.ids.next(now),
        account_id: account.id.clone(),
        organization_id: account.organization_id.clone(),
        received_at: now,
        verified_by: verified_by.or(spec.path_token.then_some(PATH_TOKEN)).map(str::to_owned),
        shared: false,
        request: kept_request(&parts, address.path(), address.without_token(header_fields(&parts.headers, &spec.verify)), &body),
    };
    settle(inbox::receive(app, account, webhook, known.secrets.clone()).await)
}

fn takes(spec: &WebhookSpec, parts: &Parts) -> bool {
    match parts.method {
        Method::GET => spec.takes(WebhookMethod::Get),
        Method::POST => spec.takes(WebhookMethod::Post),
        _ => false,
    }
}

fn wrong_method(channel_type: &str, spec: &WebhookSpec) -> ApiError {
    let by = if spec.takes(WebhookMethod::Get) { "GET" } else { "POST" };
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", format!("Webhooks of {channel_type} come by {by}."))
}

/// The settings that a recipe may read: the account's, or its app's where the app says so.
async fn settings_of(app: &App, account: &Account, spec: &WebhookSpec) -> Result<Map<String, Value>, ApiError> {
    let Some(setting) = spec.verify.tolerance_setting() else { return Ok(Map::new()) };
    let mut settings = account.settings.clone();
    if let Some(app_id) = &account.app_id {
        let of_app = app.known_apps.find(app, app_id).await.map_err(|error| later(&error))?;
        let value = of_app.as_ref().and_then(|of_app| of_app.settings().get(setting));
        settings.extend(value.map(|value| (setting.to_owned(), value.clone())));
    }
    Ok(settings)
}

/// What the provider is answered.
fn settle(received: Result<Reply, ReceiveError>) -> Result<Response, ApiError> {
    match received {
        Ok(reply) => Ok(answer(reply)),
        Err(ReceiveError::Plugin(reason)) => {
            Err(retry_after(ApiError::unavailable("plugin", reason).hint("The request is kept; deliver it again.")))
        }
        Err(ReceiveError::Store(error)) => Err(later(&error)),
    }
}

/// For an address of no account. One that was deleted can't be asked to deliver elsewhere: its provider is told 2xx, so that it stops
/// delivering again. What came to an address that was never one is kept for the operator, within bounds: nobody vouches for it.
async fn turn_away(app: &App, address: &Address, parts: &Parts, body: Body) -> Result<Response, ApiError> {
    let id = &address.account;
    let deleted = store::accounts::find_deleted(&app.db, id).await.map_err(|error| later(&error))?;
    let now = app.clock.now();
    if let Some(organization_id) = deleted {
        app.turned_away.ignore(id, &organization_id, now);
        return Ok(StatusCode::OK.into_response());
    }
    if app.config.webhooks.quarantine_max > 0 {
        match stray(app, address, parts, body, now).await {
            Some(stray) => app.turned_away.keep(stray),
            None => app.turned_away.drop_stray(),
        }
    }
    Err(ApiError::not_found("webhook address", id))
}

/// The request, where it is small enough to be kept and there is room.
async fn stray(app: &App, address: &Address, parts: &Parts, body: Body, now: At) -> Option<Stray> {
    let head: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let room = STRAY_MAX.checked_sub(head + parts.uri.path().len() + parts.uri.query().map_or(0, str::len))?;
    if !app.turned_away.has_room() {
        return None;
    }
    let body = axum::body::to_bytes(body, room).await.ok()?;
    let headers = header_fields(&parts.headers, &Verify::None {}).into_iter().filter(|(name, _)| !names_credential(name)).collect();
    let mut request = kept_request(parts, address.path(), headers, &body);
    request.query.retain(|(name, _)| !names_credential(name));
    let reason = "no account has this address, or not with this token".to_owned();
    Some(Stray { id: app.ids.next(now), received_at: now, named: None, verified_by: None, reason, shared: false, request })
}

/// Whether what goes by that name may open something somewhere: nobody knows whose it is.
fn names_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["auth", "cookie", "token", "secret", "signature", "key", "password"].iter().any(|word| name.contains(word))
}

/// `path` is the address without its token, which is a credential.
fn kept_request(parts: &Parts, path: String, headers: Fields, body: &Bytes) -> Request {
    Request { method: parts.method.to_string(), path, query: query_fields(&parts.uri), headers, body: body.to_vec() }
}

fn webhook_spec(app: &App, account: &Account) -> Result<WebhookSpec, ApiError> {
    let Some(manifest) = app.plugins.manifest_for(account) else {
        // A route belongs to the account: no plugin is no reason to call it unknown.
        return Err(retry_after(ApiError::unavailable("plugin_missing", format!("No plugin for {} is loaded.", account.channel_type))));
    };
    manifest
        .webhook
        .clone()
        .ok_or_else(|| ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "no_webhooks", format!("{} takes no webhooks.", account.channel_type)))
}

pub(crate) async fn bounded(body: Body, headers: &HeaderMap, most: usize) -> Result<Bytes, ApiError> {
    let too_large = || ApiError::too_large(format!("The body is larger than {} KiB, the channel's bound.", most / 1024));
    let told = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()).and_then(|length| length.parse::<usize>().ok());
    if told.is_some_and(|length| length > most) {
        return Err(too_large());
    }
    axum::body::to_bytes(body, most).await.map_err(|_| too_large())
}

/// 401, counted on the account: who reads it there sees that somebody sends with a wrong secret.
fn refuse(app: &App, account: &Account, recipe: &Verify, refusal: Refusal) -> ApiError {
    tracing::warn!(account.id = %account.id, recipe = recipe.name().unwrap_or("none"), %refusal, "a webhook was refused");
    app.turned_away.refuse(&account.id, app.clock.now());
    let text = format!("A webhook was refused: {refusal}.");
    app.logbook.count(Note::new(account, LogKind::Webhook, LogLevel::Warn, "unverified", text));
    let error = ApiError::new(StatusCode::UNAUTHORIZED, "unverified", format!("The webhook is refused: {refusal}."));
    match recipe {
        Verify::SecretHeader(recipe) => error.hint(format!(
            "Send the account's secret in the header {}; connecting the account again sets it at the provider.",
            recipe.header
        )),
        _ => error.hint("Connect the account again, so that the provider signs with its secret."),
    }
}

pub(crate) fn later(error: &store::StoreError) -> ApiError {
    tracing::error!(%error, "a webhook could not be stored");
    retry_after(ApiError::unavailable("database", "The webhook could not be stored.").hint("Deliver it again."))
}

pub(crate) fn retry_after(mut error: ApiError) -> ApiError {
    error.headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
    error
}

pub(crate) fn query_fields(uri: &Uri) -> Fields {
    url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
}

/// The headers without the proof, which may be the secret itself: what is stored and shown to a plugin holds no credential.
fn header_fields(headers: &HeaderMap, recipe: &Verify) -> Fields {
    let proof = match recipe {
        Verify::SecretHeader(recipe) => Some(recipe.header.to_ascii_lowercase()),
        _ => None,
    };
    headers
        .iter()
        .filter(|(name, _)| proof.as_deref() != Some(name.as_str()) && **name != header::AUTHORIZATION && **name != header::COOKIE)
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

fn answer(reply: Reply) -> Response {
    let status = reply.status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::OK);
    let mut headers = HeaderMap::new();
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    (status, headers, reply.body).into_response()
}

#[cfg(test)]
mod tests;
