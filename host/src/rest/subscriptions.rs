//! `/rest/v1/subscriptions`: devices and browsers that take notifications.

use std::sync::Arc;

use async_trait::async_trait;
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    asked::Asked,
    auth::Caller,
    extract::ListQuery,
    lists,
    resources::{self, Resource},
    to_the_end,
    writes::{self, Deletable},
};
use crate::{
    app::App,
    domain::{key::Scope, subscription::Subscriber},
    error::ApiError,
    openapi::schemas::answers,
    store::{self, Page, subscriptions::Filter},
    subscriptions,
};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, remove_many)).routes(routes!(show, remove))
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

/// Remove subscriptions
///
/// All that the filters choose. Without a filter nothing is removed.
#[utoipa::path(delete, path = "/subscriptions", tag = "subscriptions", operation_id = "remove_subscriptions", responses((status = 200, description = "The rows, where they are asked for.")))]
async fn remove_many(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Manage)?;
    writes::delete(&app, &caller, &Rows, &asked).await
}

/// Subscriptions as rows that are taken out.
struct Rows;

#[async_trait]
impl Deletable for Rows {
    fn resource(&self) -> &'static Resource {
        &resources::SUBSCRIPTIONS
    }

    async fn delete(&self, app: &Arc<App>, caller: &Caller, row: &Value) -> Result<(), ApiError> {
        let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
        let filter =
            Filter { organization_id: text("organization_id"), account_id: text("channel_account_id"), contact_id: None, id: text("id") };
        for subscriber in store::subscriptions::list(&app.db, &filter, &Page { limit: 1, offset: 0 }).await? {
            let actor = caller.actor();
            to_the_end(app, |app| async move { Ok(subscriptions::forget(&app, &subscriber, &actor).await?) }).await?;
        }
        Ok(())
    }
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
