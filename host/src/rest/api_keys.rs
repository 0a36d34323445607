//! `/rest/v1/api_keys`: the keys of an organisation, for its own admins; all of them for the operator.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Json, ListQuery},
    idempotency::told_once,
    to_the_end,
};
use crate::{
    app::App,
    auth::{self, KeyChange, Made, NewKey, OVERLAP_USUAL},
    clock::At,
    domain::key::{ApiKey, KeyState, Scope},
    error::ApiError,
    openapi::schemas::{answers, requests},
    store::{self, api_keys::Filter},
};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, update, revoke)).routes(routes!(rotate))
}

answers!(ShownKey, ToldKey, Scope, KeyState);
requests!(NewKey, KeyChange, Rotate);

/// List API keys
///
/// Of the key's organisation; all of them for the operator.
#[utoipa::path(
    get,
    path = "/api_keys",
    tag = "api_keys",
    operation_id = "list_api_keys",
    params(
        ("organization_id" = Option<String>, Query),
        ("scope" = Option<Scope>, Query, description = "With that scope.", example = "send"),
        ("state" = Option<KeyState>, Query, description = "In that state.", example = "valid"),
        ("limit" = Option<u32>, Query),
        ("offset" = Option<u32>, Query),
    ),
    responses((status = 200, description = "The keys.", body = Vec<ShownKey>)),
)]
async fn list(State(app): State<Arc<App>>, caller: Caller, mut query: ListQuery) -> Result<axum::Json<Vec<ShownKey>>, ApiError> {
    caller.may(Scope::Admin)?;
    let filter = Filter {
        organization_id: caller.narrow(query.take("organization_id"))?,
        scope: query.take_word("scope", Scope::WORDS)?,
        state: query.take_word("state", KeyState::WORDS)?,
    };
    let page = query.finish("organization_id, scope, state")?;
    let now = app.clock.now();
    let keys = store::api_keys::list(&app.db, &filter, now, &page).await?;
    Ok(axum::Json(keys.iter().map(|key| render(key, now)).collect()))
}

/// Create an API key
///
/// Its text is told this once.
#[utoipa::path(
    post,
    path = "/api_keys",
    tag = "api_keys",
    operation_id = "create_api_key",
    request_body = NewKey,
    responses(
        (
            status = 201,
            description = "The key, with its text.",
            body = ToldKey,
            headers(("Location" = String, description = "Where it is."), ("Cache-Control" = String, description = "`no-store`.")),
        ),
        (status = 409, description = "There are as many as there may be (`too_many`)."),
    ),
)]
async fn create(State(app): State<Arc<App>>, caller: Caller, Json(new): Json<NewKey>) -> Result<Response, ApiError> {
    let made = auth::create(&app, caller.identity(), new).await?;
    let place = format!("/rest/v1/api_keys/{}", made.key.id);
    Ok(told(StatusCode::CREATED, &made, app.clock.now(), Some(place)))
}

/// Show an API key
#[utoipa::path(
    get,
    path = "/api_keys/{id}",
    tag = "api_keys",
    operation_id = "show_api_key",
    responses((status = 200, description = "The key.", body = ShownKey)),
)]
async fn show(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<axum::Json<ShownKey>, ApiError> {
    Ok(axum::Json(render(&find(&app, &caller, &id).await?, app.clock.now())))
}

/// Change an API key
///
/// What is absent stays.
#[utoipa::path(
    patch,
    path = "/api_keys/{id}",
    tag = "api_keys",
    operation_id = "update_api_key",
    request_body = KeyChange,
    responses(
        (status = 200, description = "The key as it is now.", body = ShownKey),
        (status = 409, description = "It was revoked."),
    ),
)]
async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(change): Json<KeyChange>,
) -> Result<axum::Json<ShownKey>, ApiError> {
    find(&app, &caller, &id).await?;
    let key = auth::change(&app, caller.identity(), &id, change).await?;
    Ok(axum::Json(render(&key, app.clock.now())))
}

/// How long the text before works along.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RotateApiKey")]
struct Rotate {
    /// Seconds for which the text before works along: 24 hours without, 0 for none.
    overlap_s: Option<u64>,
}

/// Rotate an API key
///
/// It has a new text at once, told this once; the one before works along for a while.
#[utoipa::path(
    post,
    path = "/api_keys/{id}/rotate",
    tag = "api_keys",
    operation_id = "rotate_api_key",
    request_body = Rotate,
    responses(
        (status = 200, description = "The key, with its new text.", body = ToldKey),
        (status = 409, description = "It was revoked, or has expired."),
    ),
)]
async fn rotate(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(asked): Json<Rotate>,
) -> Result<Response, ApiError> {
    find(&app, &caller, &id).await?;
    let overlap = asked.overlap_s.map_or(OVERLAP_USUAL, Duration::from_secs);
    let made = to_the_end(&app, |app| async move { auth::rotate(&app, caller.identity(), &id, overlap).await }).await?;
    Ok(told(StatusCode::OK, &made, app.clock.now(), None))
}

/// Revoke an API key
///
/// It opens nothing from now on; it stays in the list as revoked.
#[utoipa::path(
    delete,
    path = "/api_keys/{id}",
    tag = "api_keys",
    operation_id = "revoke_api_key",
    responses(
        (status = 204, description = "It opens nothing any more."),
        (status = 409, description = "It can't be revoked."),
    ),
)]
async fn revoke(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    find(&app, &caller, &id).await?;
    auth::revoke(&app, caller.identity(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The key, where the caller may manage it. Another organisation's, and the operator's for an organisation, is not found.
async fn find(app: &App, caller: &Caller, id: &str) -> Result<ApiKey, ApiError> {
    caller.may(Scope::Admin)?;
    let found = store::api_keys::find(&app.db, id).await?;
    found.filter(|key| caller.owns(key.organization_id.as_deref())).ok_or_else(|| ApiError::not_found("API key", id))
}

/// A key with its text.
fn told(status: StatusCode, made: &Made, now: At, place: Option<String>) -> Response {
    let with_text = |text| ToldKey { shown: render(&made.key, now), key: text };
    let mut response = (status, axum::Json(with_text(Some(made.text.expose().to_owned())))).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(place) = place.and_then(|place| HeaderValue::try_from(place).ok()) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    told_once(response, &with_text(None))
}

/// A key as clients see it: known by its first characters.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ApiKey")]
struct ShownKey {
    id: String,
    /// Null: the operator's.
    organization_id: Option<String>,
    name: String,
    /// Its first characters.
    prefix: String,
    scope: Scope,
    state: KeyState,
    created_at: At,
    expires_at: Option<At>,
    revoked_at: Option<At>,
    last_used_at: Option<At>,
    rotated_at: Option<At>,
    /// Of the text before, while it works.
    previous_prefix: Option<String>,
    previous_until: Option<At>,
}

/// A key with its text.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ToldApiKey")]
struct ToldKey {
    #[serde(flatten)]
    shown: ShownKey,
    /// Told this once: null where the same request is answered again.
    key: Option<String>,
}

fn render(key: &ApiKey, now: At) -> ShownKey {
    let state = key.state(now);
    let previous = key.previous.as_ref().filter(|previous| previous.until > now && state == KeyState::Valid);
    ShownKey {
        id: key.id.clone(),
        organization_id: key.organization_id.clone(),
        name: key.name.clone(),
        prefix: key.prefix.clone(),
        scope: key.scope,
        state,
        created_at: key.created_at,
        expires_at: key.expires_at,
        revoked_at: key.revoked_at,
        last_used_at: key.last_used_at,
        rotated_at: key.rotated_at,
        previous_prefix: previous.map(|previous| previous.prefix.clone()),
        previous_until: previous.map(|previous| previous.until),
    }
}
