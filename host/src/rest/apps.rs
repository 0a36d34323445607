//! `/admin/v1/apps`: the operator's registrations at providers.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Json, ListQuery},
};
use crate::{
    app::App,
    apps::{self, AppChange, CLIENT_SECRET, NewApp, VERIFY_TOKEN, WEBHOOK_SECRET},
    clock::At,
    domain::{account::SecretHint, provider_app::ProviderApp},
    error::ApiError,
    openapi::schemas::{answers, requests},
    secrets::Secret,
    store,
};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, update, delete))
}

answers!(ShownApp);
requests!(NewApp, AppChange);

/// Create an app
///
/// The operator's registration at a provider: accounts of its types are authorised through it.
#[utoipa::path(
    post,
    path = "/apps",
    tag = "apps",
    operation_id = "create_app",
    request_body = NewApp,
    responses((
        status = 201,
        description = "The app, with the addresses to type in at the provider.",
        body = ShownApp,
        headers(("Location" = String, description = "Where it is.")),
    )),
)]
async fn create(State(app): State<Arc<App>>, caller: Caller, Json(new): Json<NewApp>) -> Result<Response, ApiError> {
    caller.operates()?;
    let created = apps::create(&app, new, &caller.actor()).await?;
    let place = format!("/admin/v1/apps/{}", created.id);
    Ok((StatusCode::CREATED, [("location", place)], axum::Json(render(&app, created).await?)).into_response())
}

/// List the apps
#[utoipa::path(
    get,
    path = "/apps",
    tag = "apps",
    operation_id = "list_apps",
    params(("limit" = Option<u32>, Query), ("offset" = Option<u32>, Query)),
    responses((status = 200, description = "The apps.", body = Vec<ShownApp>)),
)]
async fn list(State(app): State<Arc<App>>, caller: Caller, query: ListQuery) -> Result<axum::Json<Vec<ShownApp>>, ApiError> {
    caller.operates()?;
    let page = query.finish("no others")?;
    let mut shown = Vec::new();
    for provider_app in store::apps::list(&app.db, &page).await? {
        shown.push(render(&app, provider_app).await?);
    }
    Ok(axum::Json(shown))
}

/// Show an app
#[utoipa::path(
    get,
    path = "/apps/{id}",
    tag = "apps",
    operation_id = "show_app",
    responses((status = 200, description = "The app.", body = ShownApp)),
)]
async fn show(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<axum::Json<ShownApp>, ApiError> {
    caller.operates()?;
    let found = store::apps::find(&app.db, &id).await?.ok_or_else(|| ApiError::not_found("app", &id))?;
    Ok(axum::Json(render(&app, found).await?))
}

/// Change an app
///
/// What is absent stays; `settings` and `secrets` are merged into what stands.
#[utoipa::path(
    patch,
    path = "/apps/{id}",
    tag = "apps",
    operation_id = "update_app",
    request_body = AppChange,
    responses((status = 200, description = "The app as it is now.", body = ShownApp)),
)]
async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(change): Json<AppChange>,
) -> Result<axum::Json<ShownApp>, ApiError> {
    caller.operates()?;
    let updated = apps::update(&app, &id, change, &caller.actor()).await?;
    Ok(axum::Json(render(&app, updated).await?))
}

/// Delete an app
#[utoipa::path(
    delete,
    path = "/apps/{id}",
    tag = "apps",
    operation_id = "delete_app",
    responses((status = 204, description = "It is gone."), (status = 409, description = "Accounts go through it.")),
)]
async fn delete(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    caller.operates()?;
    apps::delete(&app, &id, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An app as the operator sees it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "App")]
struct ShownApp {
    id: String,
    name: String,
    /// The channel types that it serves.
    types: Vec<String>,
    /// What the provider calls it.
    client_id: String,
    client_secret: Option<SecretHint>,
    webhook_secret: MaybeSecret,
    /// It has to be typed in at the provider.
    verify_token: Option<String>,
    /// Plain values for plugins and recipes.
    settings: Map<String, Value>,
    /// More secrets, by name.
    secrets: BTreeMap<String, SecretHint>,
    /// Accounts that go through it.
    accounts: i64,
    /// Where the provider sends webhooks.
    webhook_url: String,
    /// Where the provider sends browsers back to.
    oauth_redirect_url: String,
    /// Where the provider tells that somebody took a grant back.
    deauthorize_url: String,
    /// Where the provider tells that somebody wants his data deleted.
    deletion_url: String,
    created_at: At,
    updated_at: At,
}

/// What may be told of a secret that may not be there.
#[derive(Serialize, JsonSchema)]
struct MaybeSecret {
    set: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last4: Option<String>,
}

/// The app as the operator sees it: secrets as `{"set": true, "last4": "…"}`, but for the verify token, which has to be typed
/// in at the provider.
async fn render(app: &App, provider_app: ProviderApp) -> Result<ShownApp, ApiError> {
    let id = &provider_app.id;
    let mut hints: BTreeMap<String, SecretHint> = BTreeMap::new();
    for secret in store::apps::secrets(&app.db, id).await? {
        hints.insert(secret.name, SecretHint { set: true, last4: secret.last4 });
    }
    let client_secret = hints.remove(CLIENT_SECRET);
    let webhook_secret = hints.remove(WEBHOOK_SECRET).map(|hint| hint.last4);
    let webhook_secret = MaybeSecret { set: webhook_secret.is_some(), last4: webhook_secret };
    hints.remove(VERIFY_TOKEN);
    let opened = apps::open_secrets(app, &provider_app).await?;
    let accounts: i64 = store::apps::accounts_by_type(&app.db, id).await?.iter().map(|(_, accounts)| accounts).sum();
    let public_url = &app.public_url;
    let (webhook_url, oauth_redirect_url) = (app.app_webhook_url(id), app.oauth_redirect_url());
    let (deauthorize_url, deletion_url) =
        (format!("{public_url}/oauth/apps/{id}/deauthorize"), format!("{public_url}/oauth/apps/{id}/deletion"));
    let ProviderApp { id, name, types, client_id, settings, created_at, updated_at, .. } = provider_app;
    Ok(ShownApp {
        id,
        name,
        types,
        client_id,
        client_secret,
        webhook_secret,
        verify_token: opened.get(VERIFY_TOKEN).map(Secret::expose).map(str::to_owned),
        settings,
        secrets: hints,
        accounts,
        webhook_url,
        oauth_redirect_url,
        deauthorize_url,
        deletion_url,
        created_at,
        updated_at,
    })
}
