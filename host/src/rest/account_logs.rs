//! `/rest/v1/account_logs` and the history of an account's health.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{asked::Asked, auth::Caller, channel_accounts, extract::ListQuery, lists, resources};
use crate::{
    app::App,
    domain::{account::HealthRecord, key::Scope},
    error::ApiError,
    openapi::schemas::answers,
    store,
};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(history))
}

answers!(HealthRecord);

/// List what happened to accounts
#[utoipa::path(
    get,
    path = "/account_logs",
    tag = "account_logs",
    operation_id = "list_account_logs",
    params(("since" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, description = "The entries, newest first.")),
)]
async fn list(State(app): State<Arc<App>>, caller: Caller, mut asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    asked.rename("since", "at", "gte");
    asked.rename("until", "at", "lt");
    lists::list(&app, &caller, &resources::ACCOUNT_LOGS, &asked).await
}

/// List what looks at an account found
#[utoipa::path(
    get,
    path = "/channel_accounts/{id}/health/history",
    tag = "channel_accounts",
    operation_id = "list_channel_account_health",
    params(("limit" = Option<u32>, Query), ("offset" = Option<u32>, Query)),
    responses((status = 200, description = "What was found, newest first.", body = Vec<HealthRecord>)),
)]
async fn history(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    query: ListQuery,
) -> Result<Json<Vec<HealthRecord>>, ApiError> {
    let account = channel_accounts::find(&app, &caller, &id, Scope::Read).await?;
    let page = query.finish("none")?;
    Ok(Json(store::account_health::list(&app.db, &account.id, &page).await?))
}
