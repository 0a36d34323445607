//! `/rest/v1/endpoints`: who gets the events.

use std::sync::Arc;

use async_trait::async_trait;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    asked::Asked,
    auth::Caller,
    channel_accounts::check_organization_id,
    extract::{Json, ListQuery, Payload, read_row},
    idempotency::told_once,
    lists,
    resources::{self, Resource},
    to_the_end,
    writes::{self, Deletable, Made, Writable},
};
use crate::{
    app::App,
    clock::At,
    domain::{
        endpoint::{Delivery, DeliveryState, Endpoint, EndpointKind, Target},
        key::Scope,
    },
    endpoints::{self, EndpointChange, NewEndpoint, Replay, Replayed, TestResult},
    error::ApiError,
    openapi::schemas::{answers, requests},
    store,
};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create, update_many, delete_many, put))
        .routes(routes!(show, update, delete))
        .routes(routes!(rotate))
        .routes(routes!(deliveries))
        .routes(routes!(replay))
        .routes(routes!(test))
}

answers!(ShownEndpoint, CreatedEndpoint, RotatedSecret, Delivery, DeliveryState, Replayed, TestResult);
requests!(NewEndpoint, EndpointChange, Replay);

/// Create an endpoint
///
/// It gets what happens from now on.
#[utoipa::path(
    post,
    path = "/endpoints",
    tag = "endpoints",
    operation_id = "create_endpoint",
    request_body = NewEndpoint,
    responses(
        (
            status = 201,
            description = "The endpoint, with its signing secret, which is told this once.",
            body = CreatedEndpoint,
            headers(("Location" = String, description = "Where it is.")),
        ),
        (status = 409, description = "The organisation has as many as it may."),
    ),
)]
async fn create(State(app): State<Arc<App>>, caller: Caller, asked: Asked, payload: Payload) -> Result<Response, ApiError> {
    caller.may(Scope::Manage)?;
    if writes::is_postgrest(&asked, &payload) {
        return writes::insert(&app, &caller, &Rows, &asked, &payload).await;
    }
    let created = endpoints::create(&app, checked(&caller, payload.json()?)?, &caller.actor()).await?;
    let place = format!("/rest/v1/endpoints/{}", created.endpoint.id);
    let shown = CreatedEndpoint { endpoint: render(&created.endpoint), secret: created.secret.map(|secret| secret.expose().to_owned()) };
    let kept = json!(shown.endpoint);
    Ok(told_once((StatusCode::CREATED, [("location", place)], axum::Json(shown)).into_response(), &kept))
}

/// What the caller may make, with its organisation.
fn checked(caller: &Caller, mut new: NewEndpoint) -> Result<NewEndpoint, ApiError> {
    if new.kind == EndpointKind::Nats {
        caller.operates()?;
    }
    new.organization_id = caller.narrow(new.organization_id)?;
    if let Some(id) = &new.organization_id {
        check_organization_id(id)?;
    }
    Ok(new)
}

/// Change endpoints
///
/// All that the filters choose: what is absent stays. Without a filter nothing is changed.
#[utoipa::path(patch, path = "/endpoints", tag = "endpoints", operation_id = "update_endpoints", responses((status = 200, description = "The rows, where they are asked for.")))]
async fn update_many(State(app): State<Arc<App>>, caller: Caller, asked: Asked, payload: Payload) -> Result<Response, ApiError> {
    caller.may(Scope::Manage)?;
    writes::update(&app, &caller, &Rows, &asked, &payload).await
}

/// Delete endpoints
///
/// All that the filters choose. Without a filter nothing is deleted.
#[utoipa::path(delete, path = "/endpoints", tag = "endpoints", operation_id = "delete_endpoints", responses((status = 200, description = "The rows, where they are asked for.")))]
async fn delete_many(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Manage)?;
    writes::delete(&app, &caller, &Rows, &asked).await
}

/// Put endpoint
///
/// Makes or changes the one that `?id=eq.…` names.
#[utoipa::path(put, path = "/endpoints", tag = "endpoints", operation_id = "put_endpoint", responses((status = 200, description = "The rows, where they are asked for.")))]
async fn put(State(app): State<Arc<App>>, caller: Caller, mut asked: Asked, payload: Payload) -> Result<Response, ApiError> {
    caller.may(Scope::Manage)?;
    writes::put(&app, &caller, &Rows, &mut asked, &payload).await
}

/// Endpoints as rows that are written.
struct Rows;

#[async_trait]
impl Deletable for Rows {
    fn resource(&self) -> &'static Resource {
        &resources::ENDPOINTS
    }

    async fn delete(&self, app: &Arc<App>, caller: &Caller, row: &Value) -> Result<(), ApiError> {
        let endpoint = find(app, caller, writes::id_of(row), Scope::Manage).await?;
        Ok(endpoints::delete(app, &endpoint, &caller.actor()).await?)
    }
}

#[async_trait]
impl Writable for Rows {
    fn columns(&self) -> &'static [&'static str] {
        &["organization_id", "kind", "url", "description", "event_types", "channel_account_id", "is_active"]
    }

    fn fixed(&self) -> &'static [&'static str] {
        &["organization_id", "kind"]
    }

    /// Each is made by itself: those before one that is refused stay.
    async fn insert(&self, app: &Arc<App>, caller: &Caller, rows: Vec<Map<String, Value>>) -> Result<Vec<Made>, ApiError> {
        let new = rows.into_iter().map(|row| checked(caller, read_row(row)?)).collect::<Result<Vec<_>, ApiError>>()?;
        let mut made = Vec::new();
        for new in new {
            let created = endpoints::create(app, new, &caller.actor()).await?;
            let mut told_once = Map::new();
            if let Some(secret) = created.secret {
                told_once.insert("secret".to_owned(), json!(secret.expose()));
            }
            made.push(Made { id: created.endpoint.id, told_once });
        }
        Ok(made)
    }

    async fn update(&self, app: &Arc<App>, caller: &Caller, row: &Value, change: Map<String, Value>) -> Result<(), ApiError> {
        let change: EndpointChange = read_row(change)?;
        let endpoint = find(app, caller, writes::id_of(row), Scope::Manage).await?;
        endpoints::update(app, &endpoint, change, &caller.actor()).await?;
        Ok(())
    }
}

/// List endpoints
#[utoipa::path(
    get,
    path = "/endpoints",
    tag = "endpoints",
    operation_id = "list_endpoints",
    responses((status = 200, description = "The endpoints, newest first.")),
)]
async fn list(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    lists::list(&app, &caller, &resources::ENDPOINTS, &asked).await
}

/// Show an endpoint
#[utoipa::path(
    get,
    path = "/endpoints/{id}",
    tag = "endpoints",
    operation_id = "show_endpoint",
    responses((status = 200, description = "The endpoint.", body = ShownEndpoint)),
)]
async fn show(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<axum::Json<ShownEndpoint>, ApiError> {
    Ok(axum::Json(render(&find(&app, &caller, &id, Scope::Read).await?)))
}

/// Change an endpoint
///
/// What is absent stays.
#[utoipa::path(
    patch,
    path = "/endpoints/{id}",
    tag = "endpoints",
    operation_id = "update_endpoint",
    request_body = EndpointChange,
    responses((status = 200, description = "The endpoint as it is now.", body = ShownEndpoint)),
)]
async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(change): Json<EndpointChange>,
) -> Result<axum::Json<ShownEndpoint>, ApiError> {
    let endpoint = find(&app, &caller, &id, Scope::Manage).await?;
    Ok(axum::Json(render(&endpoints::update(&app, &endpoint, change, &caller.actor()).await?)))
}

/// Delete an endpoint
#[utoipa::path(
    delete,
    path = "/endpoints/{id}",
    tag = "endpoints",
    operation_id = "delete_endpoint",
    responses((status = 204, description = "It is gone.")),
)]
async fn delete(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    let endpoint = find(&app, &caller, &id, Scope::Manage).await?;
    endpoints::delete(&app, &endpoint, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make a new signing secret
///
/// The one before signs along for a day.
#[utoipa::path(
    post,
    path = "/endpoints/{id}/rotate_secret",
    tag = "endpoints",
    operation_id = "rotate_endpoint_secret",
    responses(
        (status = 200, description = "The secret, told this once.", body = RotatedSecret),
        (status = 409, description = "The endpoint signs nothing."),
    ),
)]
async fn rotate(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<Response, ApiError> {
    let endpoint = find(&app, &caller, &id, Scope::Manage).await?;
    // A client that hangs up must not leave a secret that nobody knows.
    let rotated = to_the_end(&app, |app| async move { endpoints::rotate(&app, &endpoint, &caller.actor()).await }).await?;
    let told = |secret| RotatedSecret { secret, previous_secret_until: rotated.previous_until };
    let kept = json!(told(None));
    Ok(told_once(axum::Json(told(Some(rotated.secret.expose().to_owned()))).into_response(), &kept))
}

/// List what was delivered to an endpoint
#[utoipa::path(
    get,
    path = "/endpoints/{id}/deliveries",
    tag = "endpoints",
    operation_id = "list_endpoint_deliveries",
    params(
        ("state" = Option<DeliveryState>, Query, description = "In that state.", example = "failed"),
        ("limit" = Option<u32>, Query),
        ("offset" = Option<u32>, Query),
    ),
    responses((status = 200, description = "The deliveries, newest first.", body = Vec<Delivery>)),
)]
async fn deliveries(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    mut query: ListQuery,
) -> Result<axum::Json<Vec<Delivery>>, ApiError> {
    let endpoint = find(&app, &caller, &id, Scope::Read).await?;
    let state =
        query.take("state").map(|word| word.parse::<DeliveryState>().map_err(|()| word)).transpose().map_err(|word| {
            ApiError::bad_request("bad_query", format!("state: “{word}” is none of {}.", DeliveryState::WORDS.join(", ")))
        })?;
    let page = query.finish("state")?;
    Ok(axum::Json(store::endpoints::deliveries::list(&app.db, &endpoint.id, state, &page).await?))
}

/// Tell an endpoint again what happened
#[utoipa::path(
    post,
    path = "/endpoints/{id}/replay",
    tag = "endpoints",
    operation_id = "replay_endpoint",
    request_body = Replay,
    responses(
        (status = 202, description = "So much is told again.", body = Replayed),
        (status = 409, description = "The endpoint is inactive."),
    ),
)]
async fn replay(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(replay): Json<Replay>,
) -> Result<(StatusCode, axum::Json<Replayed>), ApiError> {
    let endpoint = find(&app, &caller, &id, Scope::Manage).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(endpoints::replay(&app, &endpoint, &replay, &caller.actor()).await?)))
}

/// Test an endpoint
///
/// An `endpoint.test` is sent now, and its answer told.
#[utoipa::path(
    post,
    path = "/endpoints/{id}/test",
    tag = "endpoints",
    operation_id = "test_endpoint",
    responses((status = 200, description = "What came of it.", body = TestResult)),
)]
async fn test(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<axum::Json<TestResult>, ApiError> {
    let endpoint = find(&app, &caller, &id, Scope::Manage).await?;
    Ok(axum::Json(endpoints::test(&app, &endpoint).await?))
}

/// The endpoint, where the caller may see it and do what the scope says. What is the operator's nobody else knows of.
async fn find(app: &App, caller: &Caller, id: &str, scope: Scope) -> Result<Endpoint, ApiError> {
    caller.may(scope)?;
    let found = store::endpoints::find(&app.db, id).await?;
    let endpoint =
        found.filter(|endpoint| caller.owns(endpoint.organization_id.as_deref())).ok_or_else(|| ApiError::not_found("endpoint", id))?;
    if scope != Scope::Read && matches!(endpoint.target, Target::Nats) {
        caller.operates()?;
    }
    Ok(endpoint)
}

/// An endpoint as clients see it: never with its secret.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Endpoint")]
pub(super) struct ShownEndpoint {
    id: String,
    /// Null: the operator's, for all organisations.
    organization_id: Option<String>,
    kind: EndpointKind,
    url: Option<String>,
    description: String,
    /// Types and families like `message.*`; empty for all.
    event_types: Vec<String>,
    /// One account's events alone.
    channel_account_id: Option<String>,
    is_active: bool,
    /// Since when the gateway, not its owner, has deactivated it.
    disabled_at: Option<At>,
    disabled_reason: Option<String>,
    /// The first failure since the last success.
    failing_since: Option<At>,
    last_success_at: Option<At>,
    last_error: Option<String>,
    /// Until when the secret before signs along.
    previous_secret_until: Option<At>,
    created_at: At,
    updated_at: At,
}

/// An endpoint that was made.
#[derive(Serialize, JsonSchema)]
struct CreatedEndpoint {
    #[serde(flatten)]
    endpoint: ShownEndpoint,
    /// Told this once; absent where it signs nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// A new secret.
#[derive(Serialize, JsonSchema)]
struct RotatedSecret {
    /// Told this once: null where the same request is answered again.
    secret: Option<String>,
    /// Until then the one before signs along.
    previous_secret_until: At,
}

pub(super) fn render(endpoint: &Endpoint) -> ShownEndpoint {
    let previous_until = match &endpoint.target {
        Target::Webhook(webhook) => webhook.keys.previous.as_ref().map(|(_, until)| *until),
        Target::Nats => None,
    };
    ShownEndpoint {
        id: endpoint.id.clone(),
        organization_id: endpoint.organization_id.clone(),
        kind: endpoint.target.kind(),
        url: endpoint.target.url().map(str::to_owned),
        description: endpoint.description.clone(),
        event_types: endpoint.event_types.names().to_vec(),
        channel_account_id: endpoint.channel_account_id.clone(),
        is_active: endpoint.is_active,
        disabled_at: endpoint.disabled.as_ref().map(|disabled| disabled.at),
        disabled_reason: endpoint.disabled.as_ref().map(|disabled| disabled.reason.clone()),
        failing_since: endpoint.health.failing_since,
        last_success_at: endpoint.health.last_success_at,
        last_error: endpoint.health.last_error.clone(),
        previous_secret_until: previous_until,
        created_at: endpoint.created_at,
        updated_at: endpoint.updated_at,
    }
}
