//! `/admin/v1/apps`: the operator's registrations at providers.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Map, Value, json};

use super::{
    auth::Caller,
    extract::{Json, ListQuery},
};
use crate::{
    app::App,
    apps::{self, AppChange, CLIENT_SECRET, NewApp, VERIFY_TOKEN, WEBHOOK_SECRET},
    domain::{account::SecretHint, provider_app::ProviderApp},
    error::ApiError,
    secrets::Secret,
    store,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/apps", get(list).post(create)).route("/apps/{id}", get(show).patch(update).delete(delete))
}

async fn create(State(app): State<Arc<App>>, caller: Caller, Json(new): Json<NewApp>) -> Result<Response, ApiError> {
    caller.operates()?;
    let created = apps::create(&app, new, &caller.actor()).await?;
    let place = format!("/admin/v1/apps/{}", created.id);
    Ok((StatusCode::CREATED, [("location", place)], axum::Json(render(&app, &created).await?)).into_response())
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: ListQuery) -> Result<axum::Json<Vec<Value>>, ApiError> {
    caller.operates()?;
    let page = query.finish("no others")?;
    let mut shown = Vec::new();
    for provider_app in store::apps::list(&app.db, &page).await? {
        shown.push(render(&app, &provider_app).await?);
    }
    Ok(axum::Json(shown))
}

async fn show(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<axum::Json<Value>, ApiError> {
    caller.operates()?;
    let found = store::apps::find(&app.db, &id).await?.ok_or_else(|| ApiError::not_found("app", &id))?;
    Ok(axum::Json(render(&app, &found).await?))
}

async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(change): Json<AppChange>,
) -> Result<axum::Json<Value>, ApiError> {
    caller.operates()?;
    let updated = apps::update(&app, &id, change, &caller.actor()).await?;
    Ok(axum::Json(render(&app, &updated).await?))
}

async fn delete(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    caller.operates()?;
    apps::delete(&app, &id, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The app as the operator sees it: secrets as `{"set": true, "last4": "…"}`, but for the verify token, which has to be typed
/// in at the provider.
async fn render(app: &App, provider_app: &ProviderApp) -> Result<Value, ApiError> {
    let ProviderApp { id, name, types, client_id, settings, created_at, updated_at, .. } = provider_app;
    let mut hints: Map<String, Value> = Map::new();
    for secret in store::apps::secrets(&app.db, id).await? {
        hints.insert(secret.name, json!(SecretHint { set: true, last4: secret.last4 }));
    }
    let client_secret = hints.remove(CLIENT_SECRET);
    let webhook_secret = hints.remove(WEBHOOK_SECRET).unwrap_or_else(|| json!({"set": false}));
    hints.remove(VERIFY_TOKEN);
    let opened = apps::open_secrets(app, provider_app).await?;
    let accounts: i64 = store::apps::accounts_by_type(&app.db, id).await?.iter().map(|(_, accounts)| accounts).sum();
    let public_url = &app.public_url;
    Ok(json!({
        "id": id,
        "name": name,
        "types": types,
        "client_id": client_id,
        "client_secret": client_secret,
        "webhook_secret": webhook_secret,
        "verify_token": opened.get(VERIFY_TOKEN).map(Secret::expose),
        "settings": settings,
        "secrets": hints,
        "accounts": accounts,
        "webhook_url": app.app_webhook_url(id),
        "oauth_redirect_url": app.oauth_redirect_url(),
        "deauthorize_url": format!("{public_url}/oauth/apps/{id}/deauthorize"),
        "deletion_url": format!("{public_url}/oauth/apps/{id}/deletion"),
        "created_at": created_at,
        "updated_at": updated_at,
    }))
}
