//! `/rest/v1/endpoints`: who gets the events.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{
    asked::Asked,
    auth::Caller,
    channel_accounts::check_organization_id,
    extract::{Json, ListQuery},
    idempotency::told_once,
    lists, resources, to_the_end,
};
use crate::{
    app::App,
    domain::{
        endpoint::{Delivery, DeliveryState, Endpoint, EndpointKind, Target},
        key::Scope,
    },
    endpoints::{self, EndpointChange, NewEndpoint, Replay, Replayed, TestResult},
    error::ApiError,
    store,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/endpoints", get(list).post(create))
        .route("/endpoints/{id}", get(show).patch(update).delete(delete))
        .route("/endpoints/{id}/rotate_secret", post(rotate))
        .route("/endpoints/{id}/deliveries", get(deliveries))
        .route("/endpoints/{id}/replay", post(replay))
        .route("/endpoints/{id}/test", post(test))
}

async fn create(State(app): State<Arc<App>>, caller: Caller, Json(mut new): Json<NewEndpoint>) -> Result<Response, ApiError> {
    caller.may(Scope::Manage)?;
    if new.kind == EndpointKind::Nats {
        caller.operates()?;
    }
    new.organization_id = caller.narrow(new.organization_id)?;
    if let Some(id) = &new.organization_id {
        check_organization_id(id)?;
    }
    let created = endpoints::create(&app, new, &caller.actor()).await?;
    let place = format!("/rest/v1/endpoints/{}", created.endpoint.id);
    let kept = render(&created.endpoint);
    let mut shown = kept.clone();
    if let (Some(secret), Some(fields)) = (created.secret, shown.as_object_mut()) {
        // Told this once.
        fields.insert("secret".to_owned(), json!(secret.expose()));
    }
    Ok(told_once((StatusCode::CREATED, [("location", place)], axum::Json(shown)).into_response(), &kept))
}

async fn list(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    lists::list(&app, &caller, &resources::ENDPOINTS, &asked).await
}

async fn show(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<axum::Json<Value>, ApiError> {
    Ok(axum::Json(render(&find(&app, &caller, &id, Scope::Read).await?)))
}

async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(change): Json<EndpointChange>,
) -> Result<axum::Json<Value>, ApiError> {
    let endpoint = find(&app, &caller, &id, Scope::Manage).await?;
    Ok(axum::Json(render(&endpoints::update(&app, &endpoint, change, &caller.actor()).await?)))
}

async fn delete(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    let endpoint = find(&app, &caller, &id, Scope::Manage).await?;
    endpoints::delete(&app, &endpoint, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn rotate(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<Response, ApiError> {
    let endpoint = find(&app, &caller, &id, Scope::Manage).await?;
    // A client that hangs up must not leave a secret that nobody knows.
    let rotated = to_the_end(&app, |app| async move { endpoints::rotate(&app, &endpoint, &caller.actor()).await }).await?;
    let shown = json!({"secret": rotated.secret.expose(), "previous_secret_until": rotated.previous_until});
    let kept = json!({"secret": null, "previous_secret_until": rotated.previous_until});
    Ok(told_once(axum::Json(shown).into_response(), &kept))
}

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

async fn replay(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(replay): Json<Replay>,
) -> Result<(StatusCode, axum::Json<Replayed>), ApiError> {
    let endpoint = find(&app, &caller, &id, Scope::Manage).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(endpoints::replay(&app, &endpoint, &replay, &caller.actor()).await?)))
}

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
pub(super) fn render(endpoint: &Endpoint) -> Value {
    let previous_until = match &endpoint.target {
        Target::Webhook(webhook) => webhook.keys.previous.as_ref().map(|(_, until)| until),
        Target::Nats => None,
    };
    json!({
        "id": endpoint.id,
        "organization_id": endpoint.organization_id,
        "kind": endpoint.target.kind(),
        "url": endpoint.target.url(),
        "description": endpoint.description,
        "event_types": endpoint.event_types,
        "channel_account_id": endpoint.channel_account_id,
        "is_active": endpoint.is_active,
        "disabled_at": endpoint.disabled.as_ref().map(|disabled| disabled.at),
        "disabled_reason": endpoint.disabled.as_ref().map(|disabled| &disabled.reason),
        "failing_since": endpoint.health.failing_since,
        "last_success_at": endpoint.health.last_success_at,
        "last_error": endpoint.health.last_error,
        "previous_secret_until": previous_until,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    })
}
