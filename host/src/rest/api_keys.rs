//! `/rest/v1/api_keys`: the keys of an organisation, for its own admins; all of them for the operator.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

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
    store::{self, api_keys::Filter},
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/api_keys", get(list).post(create))
        .route("/api_keys/{id}", get(show).patch(update).delete(revoke))
        .route("/api_keys/{id}/rotate", post(rotate))
}

async fn list(State(app): State<Arc<App>>, caller: Caller, mut query: ListQuery) -> Result<axum::Json<Vec<Value>>, ApiError> {
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

/// 201, with the key's text: it is told this once.
async fn create(State(app): State<Arc<App>>, caller: Caller, Json(new): Json<NewKey>) -> Result<Response, ApiError> {
    let made = auth::create(&app, caller.identity(), new).await?;
    let place = format!("/rest/v1/api_keys/{}", made.key.id);
    Ok(told(StatusCode::CREATED, &made, app.clock.now(), Some(place)))
}

async fn show(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<axum::Json<Value>, ApiError> {
    Ok(axum::Json(render(&find(&app, &caller, &id).await?, app.clock.now())))
}

async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(change): Json<KeyChange>,
) -> Result<axum::Json<Value>, ApiError> {
    find(&app, &caller, &id).await?;
    let key = auth::change(&app, caller.identity(), &id, change).await?;
    Ok(axum::Json(render(&key, app.clock.now())))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    /// Seconds for which the text before works along: 24 hours without, 0 for none.
    overlap_s: Option<u64>,
}

/// A new text at once, told this once; the one before works along for a while.
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

/// The key opens nothing from now on; it stays in the list as revoked.
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
    let with_text = |text: Value| {
        let mut shown = render(&made.key, now);
        if let Some(fields) = shown.as_object_mut() {
            fields.insert("key".to_owned(), text);
        }
        axum::Json(shown)
    };
    let mut response = (status, with_text(json!(made.text.expose()))).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(place) = place.and_then(|place| HeaderValue::try_from(place).ok()) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    told_once(response, &with_text(Value::Null).0)
}

/// A key as clients see it: known by its first characters.
fn render(key: &ApiKey, now: At) -> Value {
    let previous = key.previous.as_ref().filter(|previous| previous.until > now && key.state(now) == KeyState::Valid);
    json!({
        "id": key.id,
        "organization_id": key.organization_id,
        "name": key.name,
        "prefix": key.prefix,
        "scope": key.scope,
        "state": key.state(now),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
        "rotated_at": key.rotated_at,
        // The text before, while it works.
        "previous_prefix": previous.map(|previous| &previous.prefix),
        "previous_until": previous.map(|previous| previous.until),
    })
}
