//! `/rest/v1/account_logs` and the history of an account's health.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};

use super::{asked::Asked, auth::Caller, channel_accounts, extract::ListQuery, lists, resources};
use crate::{
    app::App,
    domain::{account::HealthRecord, key::Scope},
    error::ApiError,
    store,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/account_logs", get(list)).route("/channel_accounts/{id}/health/history", get(history))
}

async fn list(State(app): State<Arc<App>>, caller: Caller, mut asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    asked.rename("since", "at", "gte");
    asked.rename("until", "at", "lt");
    lists::list(&app, &caller, &resources::ACCOUNT_LOGS, &asked).await
}

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
