//! `/webhooks/apps/{app}`: one address for all accounts of an app, of one channel type or of several.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    body::Bytes,
    extract::{Path, Request as HttpRequest, State},
    http::{Method, StatusCode, request::Parts},
    response::Response,
};
use serde_json::Value;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{UNKNOWN, bounded, challenge, header_fields, kept_request, later, settle, takes, wrong_method};
use crate::{
    app::App,
    apps::KnownApp,
    domain::webhook::AppWebhook,
    error::ApiError,
    inbox,
    manifest::{Manifest, WebhookMethod, WebhookScope, WebhookSpec},
    memory::Dated,
    secrets::Secret,
    traces,
    verify::{self, Evidence, Refusal},
};

/// One of the app's channel types that takes its webhooks here.
struct Candidate {
    manifest: Arc<Manifest>,
    spec: WebhookSpec,
    secrets: BTreeMap<String, Secret>,
}

/// A GET: the provider asks whether the address is the app's, or it delivers by GET.
pub(super) async fn ask(state: State<Arc<App>>, Path(id): Path<String>, request: HttpRequest) -> Result<Response, ApiError> {
    let app = &state.0;
    let found = find(app, &id).await?;
    let candidates = candidates(app, &found)?;
    let recipes = || candidates.iter().filter_map(|candidate| Some((candidate, candidate.spec.challenge.as_ref()?)));
    let is_asked = recipes().any(|(_, recipe)| challenge::is_asked(recipe, request.uri()));
    let by_get = candidates.iter().any(|candidate| candidate.spec.takes(WebhookMethod::Get));
    if !is_asked && by_get && request.method() == Method::GET {
        return receive(state, Path(id), request).await;
    }
    let mut outcome = Err(challenge::not_asked(&found.types().join(", ")));
    // Types of one app may ask in different ways: the first that is content answers.
    for (candidate, recipe) in recipes() {
        outcome = challenge::answer(recipe, request.uri(), &candidate.secrets);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

pub(super) async fn receive(State(app): State<Arc<App>>, Path(id): Path<String>, request: HttpRequest) -> Result<Response, ApiError> {
    let began = Instant::now();
    let span = traces::span!("webhook", app.id = %id);
    traces::follow(&span, request.headers());
    let mut channel_type = None;
    let answer = take_in(&app, &id, request, &mut channel_type).instrument(span).await;
    let word = match &answer {
        Ok(_) => "accepted",
        Err(error) => match error.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "refused",
            StatusCode::NOT_FOUND => "unknown_address",
            StatusCode::PAYLOAD_TOO_LARGE => "too_large",
            StatusCode::SERVICE_UNAVAILABLE => "unavailable",
            _ => "unreadable",
        },
    };
    app.metrics.webhook_answered(channel_type.as_deref().unwrap_or(UNKNOWN), word, began.elapsed());
    answer
}

async fn take_in(app: &Arc<App>, id: &str, request: HttpRequest, channel_type: &mut Option<String>) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let found = find(app, id).await?;
    let mut candidates = candidates(app, &found)?;
    if let Some(refused) = keep_by_method(&mut candidates, &parts) {
        return Err(refused);
    }
    let most = candidates.iter().map(|candidate| candidate.spec.max_body()).max().unwrap_or_default();
    let body = bounded(body, &parts.headers, most).await?;
    let now = app.clock.now();
    let mut refusal = Refusal::Mismatch;
    let mut check = |candidates: &mut Vec<Candidate>, found: &KnownApp| {
        candidates.retain(|candidate| {
            let Candidate { spec, secrets, .. } = candidate;
            let evidence = Evidence { headers: &parts.headers, body: &body, secrets, settings: found.settings(), now: now.millis() / 1000 };
            verify::verify(&spec.verify, &evidence).inspect_err(|why| refusal = *why).is_ok()
        });
        !candidates.is_empty()
    };
    if !check(&mut candidates, &found) {
        // The app's secret may be newer than what we know.
        let newest = app.known_apps.read(app, id).await.map_err(|error| later(&error))?;
        let newest = newest.ok_or_else(|| ApiError::not_found("webhook address of an app", id))?;
        candidates = self::candidates(app, &newest)?;
        if let Some(refused) = keep_by_method(&mut candidates, &parts) {
            return Err(refused);
        }
        if !check(&mut candidates, &newest) {
            return Err(refuse(id, refusal));
        }
    }
    let Some(candidate) = select(candidates, &body) else {
        return Err(ApiError::bad_request("no_type", "The app has no channel type that such a webhook is for.")
            .hint("Add the type to the app: PATCH /admin/v1/apps/{id} with `types`."));
    };
    let Candidate { manifest, spec, secrets } = candidate;
    *channel_type = Some(manifest.channel_type.clone());
    let webhook = AppWebhook {
        id: app.ids.next(now),
        app_id: id.to_owned(),
        channel_type: manifest.channel_type.clone(),
        received_at: now,
        verified_by: spec.verify.name().map(str::to_owned),
        request: kept_request(&parts, format!("/webhooks/apps/{id}"), header_fields(&parts.headers, &spec.verify), &body),
    };
    settle(inbox::receive_for_app(app, webhook, secrets).await)
}

async fn find(app: &App, id: &str) -> Result<Arc<Dated<KnownApp>>, ApiError> {
    let found = app.known_apps.find(app, id).await.map_err(|error| later(&error))?;
    found.ok_or_else(|| ApiError::not_found("webhook address of an app", id))
}

/// The app's types that take webhooks of apps and whose plugin is there.
fn candidates(app: &App, found: &KnownApp) -> Result<Vec<Candidate>, ApiError> {
    let candidates: Vec<Candidate> = found
        .types()
        .iter()
        .filter_map(|channel_type| {
            let manifest = app.plugins.manifest(channel_type)?;
            let spec = manifest.webhook.clone().filter(|spec| spec.scope == WebhookScope::App)?;
            Some(Candidate { secrets: found.secrets_of(&manifest), spec, manifest })
        })
        .collect();
    if candidates.is_empty() {
        let missing = format!("No plugin for {} is loaded.", found.types().join(", "));
        return Err(super::retry_after(ApiError::unavailable("plugin_missing", missing)));
    }
    Ok(candidates)
}

/// Keeps the types whose webhooks come by this method; answers the refusal where none do.
fn keep_by_method(candidates: &mut Vec<Candidate>, parts: &Parts) -> Option<ApiError> {
    let refused = candidates.first().map(|candidate| wrong_method(&candidate.manifest.channel_type, &candidate.spec));
    candidates.retain(|candidate| takes(&candidate.spec, parts));
    refused.filter(|_| candidates.is_empty())
}

/// The type that the request is for.
fn select(candidates: Vec<Candidate>, body: &Bytes) -> Option<Candidate> {
    let json: Option<Value> =
        candidates.iter().any(|candidate| candidate.spec.select.is_some()).then(|| serde_json::from_slice(body).ok()).flatten();
    let fits = |candidate: &Candidate| match &candidate.spec.select {
        Some(select) => json.as_ref().is_some_and(|json| select.fits(json)),
        None => true,
    };
    // What isn't JSON is for whoever reads it anyhow: it is kept as failed there.
    let any = json.is_none();
    candidates.into_iter().find(|candidate| any || fits(candidate))
}

/// 401 where there is no proof, 403 where it is wrong.
fn refuse(id: &str, refusal: Refusal) -> ApiError {
    tracing::warn!(app.id = %id, %refusal, "a webhook of an app was refused");
    let status = match refusal {
        Refusal::Mismatch | Refusal::Stale => StatusCode::FORBIDDEN,
        Refusal::MissingHeader | Refusal::SecretMissing => StatusCode::UNAUTHORIZED,
    };
    ApiError::new(status, "unverified", format!("The webhook is refused: {refusal}."))
        .hint("The app's webhook secret has to be the provider's: PATCH /admin/v1/apps/{id} with `webhook_secret`.")
}
