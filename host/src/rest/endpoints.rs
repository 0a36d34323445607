//! `/rest/v1/endpoints`: who gets the events.

use std::sync::Arc;

use async_trait::async_trait;
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Map, Value, json};

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
        .route("/endpoints", get(list).post(create).patch(update_many).delete(delete_many).put(put))
        .route("/endpoints/{id}", get(show).patch(update).delete(delete))
        .route("/endpoints/{id}/rotate_secret", post(rotate))
        .route("/endpoints/{id}/deliveries", get(deliveries))
        .route("/endpoints/{id}/replay", post(replay))
        .route("/endpoints/{id}/test", post(test))
}

async fn create(State(app): State<Arc<App>>, caller: Caller, asked: Asked, payload: Payload) -> Result<Response, ApiError> {
    caller.may(Scope::Manage)?;
    if writes::is_postgrest(&asked, &payload) {
        return writes::insert(&app, &caller, &Rows, &asked, &payload).await;
    }
    let created = endpoints::create(&app, checked(&caller, payload.json()?)?, &caller.actor()).await?;
    let place = format!("/rest/v1/endpoints/{}", created.endpoint.id);
    let kept = render(&created.endpoint);
    let mut shown = kept.clone();
    if let (Some(secret), Some(fields)) = (created.secret, shown.as_object_mut()) {
        // Told this once.
        fields.insert("secret".to_owned(), json!(secret.expose()));
    }
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

async fn update_many(State(app): State<Arc<App>>, caller: Caller, asked: Asked, payload: Payload) -> Result<Response, ApiError> {
    caller.may(Scope::Manage)?;
    writes::update(&app, &caller, &Rows, &asked, &payload).await
}

async fn delete_many(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Manage)?;
    writes::delete(&app, &caller, &Rows, &asked).await
}

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
