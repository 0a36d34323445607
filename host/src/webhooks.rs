//! The door for providers: `/webhooks/{account}`. Bounded, verified over the raw bytes before any instance exists, stored, then
//! answered: 2xx means it is kept.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::post,
};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::{
    accounts,
    app::App,
    domain::{
        account::Account,
        log::{LogKind, LogLevel, Note},
        webhook::{Fields, Webhook},
    },
    error::ApiError,
    inbox::{self, Proof, ReceiveError, Reply},
    manifest::{Verify, WebhookSpec},
    store, traces,
    verify::{self, Refusal},
};

/// What a provider is asked to wait when the gateway can't take a webhook in, in seconds.
const RETRY_AFTER_S: &str = "10";

/// The channel type that the metrics tell where no account is known.
const UNKNOWN: &str = "unknown";

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/webhooks/{account}", post(receive))
}

async fn receive(State(app): State<Arc<App>>, Path(id): Path<String>, request: Request) -> Result<Response, ApiError> {
    let began = Instant::now();
    let account = match store::accounts::find(&app.db, &id).await {
        Ok(Some(account)) => account,
        Ok(None) => {
            app.metrics.webhook_answered(UNKNOWN, "unknown_address", began.elapsed());
            return Err(ApiError::not_found("webhook address", &id));
        }
        Err(error) => {
            app.metrics.webhook_answered(UNKNOWN, "unavailable", began.elapsed());
            return Err(later(&error));
        }
    };
    let span = traces::span!("webhook", account.id = %account.id, channel.type = %account.channel_type);
    traces::follow(&span, request.headers());
    let answer = take_in(&app, &account, request).instrument(span).await;
    app.metrics.webhook_answered(&account.channel_type, result_word(&account, &answer), began.elapsed());
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

async fn take_in(app: &Arc<App>, account: &Account, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let spec = webhook_spec(app, account)?;
    let body = bounded(body, &parts.headers, &spec).await?;
    let secrets = accounts::open_secrets(app, account).await.map_err(|error| later(&error))?;
    let now = app.clock.now();
    let verified = traces::span!("verify").in_scope(|| verify::verify(&spec.verify, &parts.headers, &body, &secrets, now.millis() / 1000));
    if let Err(refusal) = verified {
        return Err(refuse(app, account, &spec.verify, refusal).await);
    }
    let webhook = Webhook {
        id: app.ids.next(now),
        account_id: account.id.clone(),
        received_at: now,
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: query_fields(&parts),
        headers: header_fields(&parts.headers, &spec.verify),
        body: body.to_vec(),
    };
    let proof = Proof { verified_by: spec.verify.name(), secrets };
    match inbox::receive(app, account, webhook, proof).await {
        Ok(reply) => Ok(answer(reply)),
        Err(ReceiveError::Unreadable(failure)) => Err(ApiError::bad_request("unreadable", failure.message)
            .hint("The request is kept as failed; it can be replayed when a plugin understands it.")),
        Err(ReceiveError::NoPlugin(reason)) => {
            Err(retry_after(ApiError::unavailable("plugin", reason).hint("The request is kept; deliver it again.")))
        }
        Err(ReceiveError::Store(error)) => Err(later(&error)),
    }
}

fn webhook_spec(app: &App, account: &Account) -> Result<WebhookSpec, ApiError> {
    let Some(manifest) = app.plugins.manifest(&account.channel_type) else {
        // A route belongs to the account: no plugin is no reason to call it unknown.
        return Err(retry_after(ApiError::unavailable("plugin_missing", format!("No plugin for {} is loaded.", account.channel_type))));
    };
    manifest
        .webhook
        .clone()
        .ok_or_else(|| ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "no_webhooks", format!("{} takes no webhooks.", account.channel_type)))
}

async fn bounded(body: Body, headers: &HeaderMap, spec: &WebhookSpec) -> Result<Bytes, ApiError> {
    let most = spec.max_body();
    let too_large = || ApiError::too_large(format!("The body is larger than {} KiB, the channel's bound.", spec.max_body_kb));
    let told = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()).and_then(|length| length.parse::<usize>().ok());
    if told.is_some_and(|length| length > most) {
        return Err(too_large());
    }
    axum::body::to_bytes(body, most).await.map_err(|_| too_large())
}

/// 401, counted on the account: who reads it there sees that somebody sends with a wrong secret.
async fn refuse(app: &App, account: &Account, recipe: &Verify, refusal: Refusal) -> ApiError {
    tracing::warn!(account.id = %account.id, recipe = recipe.name().unwrap_or("none"), %refusal, "a webhook was refused");
    let text = format!("A webhook was refused: {refusal}.");
    app.logbook.count(Note::new(account, LogKind::Webhook, LogLevel::Warn, "unverified", text));
    let count = async {
        let mut tx = app.db.begin().await?;
        store::accounts::count_refusal(&mut tx, &account.id).await?;
        tx.commit().await
    };
    if let Err(error) = count.await {
        tracing::error!(%error, "a refused webhook could not be counted");
    }
    let error = ApiError::new(StatusCode::UNAUTHORIZED, "unverified", format!("The webhook is refused: {refusal}."));
    match recipe {
        Verify::SecretHeader(recipe) => error.hint(format!(
            "Send the account's secret in the header {}; connecting the account again sets it at the provider.",
            recipe.header
        )),
        _ => error.hint("Connect the account again, so that the provider signs with its secret."),
    }
}

fn later(error: &store::StoreError) -> ApiError {
    tracing::error!(%error, "a webhook could not be stored");
    retry_after(ApiError::unavailable("database", "The webhook could not be stored.").hint("Deliver it again."))
}

fn retry_after(mut error: ApiError) -> ApiError {
    error.headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
    error
}

fn query_fields(parts: &Parts) -> Fields {
    url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
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
