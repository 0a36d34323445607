//! `/rest/v1/subscriptions`: devices and browsers that take notifications.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{asked::Asked, auth::Caller, extract::ListQuery, lists, resources, to_the_end};
use crate::{
    app::App,
    domain::{key::Scope, subscription::Subscriber},
    error::ApiError,
    openapi::schemas::answers,
    store::{self, Page, subscriptions::Filter},
    subscriptions,
};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, remove))
}

answers!(Subscriber);

/// List subscriptions
#[utoipa::path(
    get,
    path = "/subscriptions",
    tag = "subscriptions",
    operation_id = "list_subscriptions",
    responses((status = 200, description = "The devices, newest first.")),
)]
async fn list(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    lists::list(&app, &caller, &resources::SUBSCRIPTIONS, &asked).await
}

/// Show a subscription
#[utoipa::path(
    get,
    path = "/subscriptions/{id}",
    tag = "subscriptions",
    operation_id = "show_subscription",
    params(("organization_id" = Option<String>, Query), ("channel_account_id" = Option<String>, Query)),
    responses(
        (status = 200, description = "The device.", body = Subscriber),
        (status = 409, description = "Several accounts have one with that id (`ambiguous`)."),
    ),
)]
async fn show(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>, query: ListQuery) -> Result<Json<Subscriber>, ApiError> {
    caller.may(Scope::Read)?;
    Ok(Json(find(&app, &caller, id, query).await?))
}

/// Remove a subscription
///
/// The device takes nothing any more, until its page subscribes it again.
#[utoipa::path(
    delete,
    path = "/subscriptions/{id}",
    tag = "subscriptions",
    operation_id = "remove_subscription",
    params(("organization_id" = Option<String>, Query), ("channel_account_id" = Option<String>, Query)),
    responses(
        (status = 204, description = "It takes nothing any more."),
        (status = 409, description = "Several accounts have one with that id (`ambiguous`)."),
    ),
)]
async fn remove(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>, query: ListQuery) -> Result<StatusCode, ApiError> {
    caller.may(Scope::Manage)?;
    let subscriber = find(&app, &caller, id, query).await?;
    to_the_end(&app, |app| async move { Ok(subscriptions::forget(&app, &subscriber, &caller.actor()).await?) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The plugin makes the ids, so that two accounts may have the same one: then the query has to name the account.
async fn find(app: &App, caller: &Caller, id: String, mut query: ListQuery) -> Result<Subscriber, ApiError> {
    let organization_id = caller.narrow(query.take("organization_id"))?;
    let filter = Filter { organization_id, account_id: query.take("channel_account_id"), contact_id: None, id: Some(id.clone()) };
    query.finish("organization_id, channel_account_id")?;
    let mut found = store::subscriptions::list(&app.db, &filter, &Page { limit: 2, offset: 0 }).await?;
    if found.len() > 1 {
        return Err(ApiError::conflict("ambiguous", format!("Several accounts have a subscription “{id}”."))
            .hint("Name the account in the query: ?channel_account_id=…"));
    }
    found.pop().ok_or_else(|| ApiError::not_found("subscription", &id))
}
