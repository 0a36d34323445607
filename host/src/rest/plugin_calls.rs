//! `/admin/v1/plugins/calls`: calls of plugins that failed, to be run again by `patchbay plugin replay`; and the component that a
//! version is, which that needs.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::value::RawValue;

use super::{auth::Caller, extract::ListQuery};
use crate::{
    app::App,
    error::ApiError,
    store::{
        self,
        plugin_calls::{Filter, Kept},
    },
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/plugins/calls", get(list))
        .route("/plugins/calls/{id}", get(show))
        .route("/plugins/versions/{digest}/component", get(component))
}

/// Newest first; `before` is the last id of the page before.
async fn list(State(app): State<Arc<App>>, caller: Caller, mut query: ListQuery) -> Result<Json<Vec<Kept>>, ApiError> {
    caller.operates()?;
    let filter = Filter {
        channel_type: query.take("type"),
        version: query.take("version"),
        digest: query.take("digest"),
        account_id: query.take("account").or_else(|| query.take("channel_account_id")),
        hook: query.take("hook"),
        before: query.take("before"),
    };
    let page = query.finish("type, version, digest, account, hook, before")?;
    Ok(Json(store::plugin_calls::list(&app.db, &filter, &page).await?))
}

/// The whole record, as it was written.
async fn show(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<Json<Box<RawValue>>, ApiError> {
    caller.operates()?;
    let record = store::plugin_calls::record(&app.db, &id).await?.ok_or_else(|| {
        ApiError::not_found("failed call", &id)
            .hint("Records go with the accounts' logs (retention.account_logs_days), and a version has the newest plugins.failed_calls.")
    })?;
    RawValue::from_string(record).map(Json).map_err(|error| ApiError::internal(&error))
}

async fn component(State(app): State<Arc<App>>, caller: Caller, Path(digest): Path<String>) -> Result<Response, ApiError> {
    caller.operates()?;
    let component = store::plugins::component(&app.db, &digest).await?;
    let component = component.ok_or_else(|| ApiError::not_found("component with the digest", &digest))?;
    Ok(([(header::CONTENT_TYPE, "application/wasm")], component).into_response())
}
